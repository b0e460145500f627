"""The `lab` command: fourteen machines out of one, and a Kubernetes API for tests."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import access, lifecycle
from lab.api import ApiServer, ephemeral_directory
from lab.artifacts import Artifacts, load_versions
from lab.build import build
from lab.cgroups import MIB
from lab.errors import LabError
from lab.git import Repository
from lab.inventory import read_nodes
from lab.mirror import Mirror
from lab.node import Node
from lab.prune import DAYS, prune
from lab.state import DEFAULT_NAME, Lab, check_network

DEFAULT_NETWORK = "10.77.0"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="lab", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--name",
        default=os.environ.get("GROUNDWORK_LAB") or DEFAULT_NAME,
        help="which lab; several live side by side (environment: GROUNDWORK_LAB; default: %(default)s)",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    build = command("build", _build, "build what the nodes and the mirror are made of")
    build.add_argument(
        "steps", nargs="*", metavar="STEP", help="only these; `next`: for upgrades; default: all missing"
    )
    build.add_argument("--keep-go-cache", action="store_true", help="keep what the compiler would need again")

    prune = command("prune", _prune, "remove from the cache what no pin names and no clone has used for a while")
    prune.add_argument("--days", type=int, default=DAYS, help="how long a while is (default: %(default)s)")

    up = command("up", _up, "boot the nodes of an inventory; those that run are left alone")
    up.add_argument("--inventory", type=Path, default=Path("inventories/lab"), help="default: %(default)s")
    up.add_argument("--limit", default="all", metavar="PATTERN", help="only these hosts, as ansible-playbook --limit")
    up.add_argument(
        "--network",
        default=os.environ.get("GROUNDWORK_LAB_NETWORK") or DEFAULT_NETWORK,
        metavar="A.B.C",
        help="the /24 of the nodes (environment: GROUNDWORK_LAB_NETWORK; default: %(default)s)",
    )
    up.add_argument("--distribution", default="", help="a Debian release that was built (default: versions.yml's)")

    command("down", _down, "stop everything and leave nothing")
    command("status", _status, "a table of the nodes")

    ssh = command("ssh", _ssh, "enter a node as ops, or run a command there")
    ssh.add_argument("node")
    ssh.add_argument("command", nargs=argparse.REMAINDER)

    for name, run, about in (
        ("stop", _stop, "cut a node's power; its data stays"),
        ("start", _start, "boot a stopped node with its data"),
    ):
        command(name, run, about).add_argument("nodes", nargs="+", metavar="NODE")
    for name, run, about in (
        ("snapshot", _snapshot, "keep every node's data under a name"),
        ("restore", _restore, "bring back a snapshot and boot its nodes"),
    ):
        command(name, run, about).add_argument("snapshot", metavar="SNAPSHOT")

    command("mirror", _mirror, "say what the mirror serves, and whether it does")
    git = command("git", _git, "make a bare repository unless it is there, and print its path and its URL")
    git.add_argument("repository", metavar="REPOSITORY", help="NAME, or private/NAME for one that asks for a password")
    binary = command("binary", _binary, "print the path of a program that was built or fetched")
    binary.add_argument("program", metavar="PROGRAM", help="argocd, helm, kubectl, kustomize, promtool, …")
    api = command("api", _api, "etcd and kube-apiserver alone, on loopback, for tests")
    api.add_argument("action", choices=["up", "down"])
    return top


def _report(line: str) -> None:
    print(line, flush=True)


def _build(arguments: argparse.Namespace) -> int:
    artifacts = Artifacts(load_versions())
    build(artifacts, only=arguments.steps or None, report=_report, keep_go_cache=arguments.keep_go_cache)
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    prune(Artifacts(load_versions()), arguments.days, _report)
    return 0


def _up(arguments: argparse.Namespace) -> int:
    lab, network = Lab(arguments.name), check_network(arguments.network)
    lifecycle.require_root()
    with lab.lock():
        access.prepare(lab)  # before Ansible reads an inventory that opens the vault
        nodes = read_nodes(lab, network, arguments.inventory, arguments.limit)
        lifecycle.up(lab, network, nodes, arguments.distribution, _report)
    return 0


def _down(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    with lab.lock():
        lifecycle.down(lab, _report)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    record = lab.require_record()
    rows = [("NODE", "ADDRESS", "INSTANCE TYPE", "STATE", "MEMORY")]
    total = 0
    for spec in record.nodes.values():
        node = Node(lab, record, spec)
        used = node.memory_used() // MIB if node.running else 0
        total += used
        memory = f"{used} of {spec.memory_mib} MiB" if node.running else f"- of {spec.memory_mib} MiB"
        rows.append((spec.name, spec.address, spec.instance_type, "running" if node.running else "stopped", memory))
    _report(table(rows))
    _report(f"{total} MiB in use by the nodes, page cache aside")
    return 0


def _ssh(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    node = lab.require_record().node(arguments.node)
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    os.execvp("ssh", [*access.ssh_command(lab, node.name), *command])  # noqa: S606


def _stop(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    with lab.lock():
        lifecycle.stop(lab, arguments.nodes)
    return 0


def _start(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    with lab.lock():
        lifecycle.start(lab, arguments.nodes, _report)
    return 0


def _snapshot(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    with lab.lock():
        lifecycle.snapshot(lab, arguments.snapshot, _report)
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    with lab.lock():
        lifecycle.restore(lab, arguments.snapshot, _report)
    return 0


def _mirror(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    services = Mirror(lab, lab.require_record().host_address).services()
    for address, running in services:
        _report(f"{address:<32} {'running' if running else 'stopped'}")
    return 0 if all(running for _, running in services) else 1


def _git(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    repository = Repository(lab, arguments.repository)
    address = lab.require_record().host_address
    repository.create()
    _report(f"{repository.path}\n{repository.url(address)}")
    return 0


def _binary(arguments: argparse.Namespace) -> int:
    _report(str(Artifacts(load_versions()).binary(arguments.program)))
    return 0


def _api(arguments: argparse.Namespace) -> int:
    """The directory is in memory; .lab/api leads to it."""
    lab = Lab(arguments.name)
    with lab.lock():
        place = lab.state / "api"
        if arguments.action == "down":
            if place.is_symlink():
                ApiServer(place.resolve()).remove()
                place.unlink()
            return 0
        if not (place.is_symlink() and ApiServer(place).running):
            if place.is_symlink():
                ApiServer(place.resolve()).remove()
                place.unlink()
            place.symlink_to(ephemeral_directory())
            ApiServer(place.resolve()).start()
        _report(f"export KUBECONFIG={place / 'admin.conf'}")
    return 0


def table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
