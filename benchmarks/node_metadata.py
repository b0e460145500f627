#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints of all Nodes: node_labels and node_taints against loops of kubernetes.core, on a real API server.

Plays are timed as a user runs them and compared above an empty play with the same variables: seconds on the wall, and
CPU seconds, which a busy machine changes less. What changes nothing is run several times, and the cheapest counts. A
loop over many nodes is timed on a sample and multiplied, which is said.

The budget of two modules that find nothing to do is two starts of a module, and for each twice a bare LIST. The start
is that of a module that is given the same and does nothing (library/start.py) above the empty play, the bare LIST a
program that does nothing else (below) above an empty one: what it imports and its connection are part of either.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "collections")]

from measuring import NOTHING, Cost, add_output, cost_of, tell

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, resolve_access
from lab.api import ApiServer

NODES = "/api/v1/nodes"
LONGEST_LOOP = 14
REPEATS = 5
BARE_LIST = """
import http.client, json, ssl, sys
host, port, path, authority, certificate = sys.argv[1:]
tls = ssl.create_default_context(cafile=authority)
tls.load_cert_chain(certificate)
connection = http.client.HTTPSConnection(host, int(port), context=tls)
connection.request("GET", path)
json.load(connection.getresponse())
"""
# What a kubelet reports of a node that has run for a while: most of a Node is the list of its images.
IMAGES = [{"names": [f"registry.example.com/image-{n}@sha256:{n:064x}"], "sizeBytes": 10_000_000} for n in range(40)]

OURS = [
    {"groundwork.kube.node_labels": {"nodes": "{{ labels }}"}},
    {"groundwork.kube.node_taints": {"nodes": "{{ taints }}"}},
]
KUBERNETES_CORE = [
    {
        "kubernetes.core.k8s": {
            "state": "patched",
            "kind": "Node",
            "name": "{{ item.key }}",
            "definition": {"metadata": {"labels": "{{ item.value }}"}},
        },
        "loop": "{{ labels | dict2items }}",
        "loop_control": {"label": "{{ item.key }}"},
    },
    {
        "kubernetes.core.k8s_taint": {"name": "{{ item }}", "taints": "{{ taint_objects }}"},
        "loop": "{{ labels | list }}",
    },
]


def cheapest(run: Callable[[], Cost]) -> Cost:
    return min((run() for _repeat in range(REPEATS)), key=lambda cost: cost.cpu)


def program(text: str, *arguments: str) -> Cost:
    return cost_of(lambda: subprocess.run([sys.executable, "-c", text, *arguments], check=True))


class Bench:
    def __init__(self, server: ApiServer, directory: Path, size: int) -> None:
        self.directory = directory
        self.kubeconfig = server.kubeconfig
        self.client = ApiClient.from_options({"kubeconfig": str(server.kubeconfig)})
        self.names = [f"node-{number:04d}" for number in range(size)]

    def plant(self) -> None:
        self.client.delete(NODES)
        for name in self.names:
            self.client.create(NODES, {"metadata": {"name": name}})
            self.client.patch(f"{NODES}/{name}/status", {"status": {"images": IMAGES}})

    def play(self, tasks: list[dict[str, Any]], names: list[str], generation: str) -> Cost:
        """What a play costs that wants this generation of labels and taints on these Nodes."""
        variables = {
            "labels": {name: {"tier": "api", "domain": generation} for name in names},
            "taints": {name: [f"domain={generation}:NoSchedule"] for name in names},
            "taint_objects": [{"key": "domain", "value": generation, "effect": "NoSchedule"}],
        }
        playbook = self.directory / "play.json"
        hosts = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks, "vars": variables}
        playbook.write_text(json.dumps([hosts]))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_LIBRARY": str(REPOSITORY / "benchmarks/library"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "K8S_AUTH_KUBECONFIG": str(self.kubeconfig),
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(playbook)]

        def run() -> None:
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)

        return cost_of(run)

    def cheapest_play(self, tasks: list[dict[str, Any]]) -> Cost:
        return cheapest(lambda: self.play(tasks, self.names, "first"))

    def bare_list(self) -> Cost:
        access = resolve_access({"kubeconfig": str(self.kubeconfig)})
        authority, certificate = self.directory / "authority.pem", self.directory / "certificate.pem"
        authority.write_text(access.ca or "")
        certificate.write_text(f"{access.certificate}\n{access.key}")
        where = (str(access.url.hostname), str(access.url.port), NODES, str(authority), str(certificate))
        return cheapest(lambda: program(BARE_LIST, *where)) - cheapest(lambda: program(""))

    def measure(self) -> dict[str, Cost]:
        """Of our modules, beside the least that two modules can cost."""
        self.plant()
        empty = self.cheapest_play([])
        # A play for each, as Ansible builds a module once.
        starts = [self.cheapest_play([{"start": {"nodes": wish}}]) - empty for wish in ("{{ labels }}", "{{ taints }}")]
        bare_list = self.bare_list()
        to_change = self.play(OURS, self.names, "first") - empty
        to_keep = self.cheapest_play(OURS) - empty
        return {
            "empty play": empty,
            "start of two modules": sum(starts, NOTHING),
            "bare LIST": bare_list,
            "groundwork, all to change": to_change,
            "groundwork, nothing to do": to_keep,
            "share of the budget, nothing to do": to_keep.over(sum(starts, bare_list * 2 * len(starts))),
        }

    def measure_loops(self) -> dict[str, Cost]:
        """Of kubernetes.core, for a Node."""
        sample = self.names[:LONGEST_LOOP]
        empty = self.play([], sample, "second")
        return {
            case: (self.play(KUBERNETES_CORE, sample, "second") - empty) * (1 / len(sample))
            for case in ("all to change", "nothing to do")
        }


def compare(ours: dict[str, Cost], loops: dict[str, Cost], size: int) -> dict[str, Cost]:
    theirs = {f"kubernetes.core, {case}": cost * size for case, cost in loops.items()}
    faster = {
        f"times faster, {case}": theirs[f"kubernetes.core, {case}"].over(ours[f"groundwork, {case}"]) for case in loops
    }
    return {**ours, **theirs, **faster}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [14, 1000, 5000]
    parser.add_argument("--nodes", type=int, nargs="+", default=sizes, help=f"numbers of Nodes (default: {sizes})")
    parser.add_argument("--ours", action="store_true", help="leave kubernetes.core out, which takes minutes")
    add_output(parser)
    arguments = parser.parse_args()
    results, loops = {}, {}
    for size in arguments.nodes:
        with tempfile.TemporaryDirectory() as directory, ApiServer() as server:
            bench = Bench(server, Path(directory), size)
            ours = bench.measure()
            loops = loops or ({} if arguments.ours else bench.measure_loops())
        costs = compare(ours, loops, size)
        results[size] = {name: {"wall": round(cost.wall, 3), "cpu": round(cost.cpu, 3)} for name, cost in costs.items()}
        print(f"{f'{size} Nodes':40}{'wall':>10}{'CPU':>10}")
        for name, cost in costs.items():
            print(f"{name:40}{cost.wall:10.2f}{cost.cpu:10.2f}")
        if loops and size > LONGEST_LOOP:
            print(f"(kubernetes.core: timed on {LONGEST_LOOP} Nodes, multiplied)")
        print(flush=True)
    tell(results, arguments.json)


if __name__ == "__main__":
    main()
