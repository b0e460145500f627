"""A lab's life: up, down, stop, start, snapshot, restore; and a proof that nothing of it is left."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab import access, cgroups, layer, network
from lab.artifacts import Artifacts, load_versions
from lab.cgroups import Cgroup
from lab.errors import LabError
from lab.mirror import Mirror
from lab.node import OWN_DIRECTORIES, Node
from lab.processes import started_at
from lab.progress import elapsed
from lab.state import Lab, NodeSpec, Record

BOOT_TIMEOUT = 300
PROGRESS_INTERVAL = 1
KEPT_DIRECTORIES = ("upper", *OWN_DIRECTORIES)
# Every containerd, kubelet and systemd of every node watches files; the kernel's default is spent by six nodes.
INOTIFY_NEEDS = {"max_user_instances": 8192, "max_user_watches": 524288}
INOTIFY = Path("/proc/sys/fs/inotify")
SNAPSHOT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")

Report = Callable[[str], None]


def up(lab: Lab, network_prefix: str, nodes: dict[str, NodeSpec], distribution: str, report: Report) -> None:
    """Boot the nodes that do not run, and return when every one of them is entered by ssh."""
    require_root()
    artifacts = Artifacts(load_versions())
    artifacts.mark_used()
    content, servers = artifacts.mirror, [artifacts.binary(name) for name in ("docker-registry", "pebble")]
    debian = f"apt/{distribution or artifacts.versions.debian}/debian/"
    record = _extended_record(lab, network_prefix, nodes, artifacts, distribution)
    network.refuse_taken_address(lab, record.host_address)
    raise_inotify_limits()
    lab.write_record(record)
    access.write_client_files(lab, record.nodes.values())
    network.create_bridge(lab, record.host_address)
    Mirror(lab, record.host_address).start(content, *servers)
    password = access.sudo_password(lab)
    key = (content / debian / "Release.key").read_text()
    _write_layer(lab, record, password, f"http://{record.host_address}/{debian}", key)
    boot([Node(lab, record, record.nodes[name]) for name in nodes], password, report)


def boot(nodes: list[Node], password: str, report: Report) -> None:
    """Start what does not run, all at once, and wait until each is ready."""
    started = time.monotonic()
    with ThreadPoolExecutor(len(nodes)) as pool:
        waiting = {pool.submit(_start_until_ready, node, password): node for node in nodes}
        failures = _watch(waiting, len(nodes), started, report)
    if failures:
        lines = "\n".join(f"  {name}: {problem}" for name, problem in sorted(failures.items()))
        raise LabError(f"{len(failures)} of {len(nodes)} nodes are not ready:\n{lines}")
    report(f"{len(nodes)}/{len(nodes)} reachable after {elapsed(time.monotonic() - started)}")


def down(lab: Lab, report: Report) -> None:
    """Remove every trace but the keys; what is left nevertheless is an error that names it."""
    record = lab.record()
    if record is None:
        report(f"there is no lab {lab.name!r}")
        return
    require_root()
    _require_own(lab, record)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda spec: Node(lab, record, spec).power_off(), record.nodes.values()))
    Mirror(lab, record.host_address).stop()
    network.remove_bridge(lab)
    cgroups.remove_lab(lab.name)
    left = leftovers(lab, record)
    if left:
        raise LabError("this is left of the lab:\n" + "\n".join(f"  {what}" for what in left))
    shutil.rmtree(lab.data)
    shutil.rmtree(lab.git, ignore_errors=True)
    for path in (lab.git_credentials, *(lab.state / name for name in ("admin.conf", "known_hosts", "ssh_config"))):
        path.unlink(missing_ok=True)
    report(f"lab {lab.name!r} is down; nothing of it is left")


def leftovers(lab: Lab, record: Record) -> list[str]:
    """Mounts, namespaces, interfaces, cgroups and processes that belong to this lab."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    pids = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
    return [
        *(f"mount {mount}" for mount in mounts if mount.startswith(f"{lab.data}/")),
        *network.leftovers(lab, list(record.nodes)),
        *(f"cgroup {directory}" for directory in Cgroup.of(lab.name).existing()),
        *(f"process {pid}" for pid, path in sorted(pids.items()) if _belongs(path, lab)),
        *(f"server {address}" for address, running in Mirror(lab, record.host_address).services() if running),
    ]


def snapshot(lab: Lab, name: str, report: Report) -> None:
    """Keep every node's data under a name; nodes that run are stopped for it and started again."""
    record = _checked_record(lab)
    target = _snapshot_directory(lab, name)
    if target.exists():
        raise LabError(f"there is a snapshot {name!r} already: {target}")
    partial = target.with_name(f".{name}.partial")
    with _stopped(lab, record, report):
        shutil.rmtree(partial, ignore_errors=True)
        for node in record.nodes:
            _copy_directories(lab.node_data(node), partial / node)
        if (lab.state / "admin.conf").exists():
            _copy(lab.state / "admin.conf", partial)
        partial.rename(target)
    report(f"snapshot {name!r} taken")


def restore(lab: Lab, name: str, report: Report) -> None:
    """Bring back what a snapshot kept, and boot every node of it."""
    record = _checked_record(lab)
    source = _snapshot_directory(lab, name)
    if not source.is_dir():
        known = sorted(path.name for path in lab.snapshots.glob("[!.]*"))
        raise LabError(f"there is no snapshot {name!r}; there is: {', '.join(known) or 'none'}")
    nodes = [Node(lab, record, record.node(path.name)) for path in source.iterdir() if path.is_dir()]
    for node in nodes:
        node.power_off()
        shutil.rmtree(node.data)
        _copy_directories(source / node.name, node.data)
    (lab.state / "admin.conf").unlink(missing_ok=True)
    if (source / "admin.conf").exists():
        _copy(source / "admin.conf", lab.state)
    boot(nodes, access.sudo_password(lab), report)


def stop(lab: Lab, names: Iterable[str]) -> None:
    record = _checked_record(lab)
    for name in names:
        Node(lab, record, record.node(name)).power_off()


def start(lab: Lab, names: Iterable[str], report: Report) -> None:
    record = _checked_record(lab)
    boot([Node(lab, record, record.node(name)) for name in names], access.sudo_password(lab), report)


def reinstall(lab: Lab, names: Iterable[str], report: Report) -> None:
    """Boot nodes as they came from their vendor: what was on them is gone."""
    record = _checked_record(lab)
    nodes = [Node(lab, record, record.node(name)) for name in names]
    for node in nodes:
        node.power_off()
        shutil.rmtree(node.data)
    boot(nodes, access.sudo_password(lab), report)


def raise_inotify_limits() -> None:
    for name, needed in INOTIFY_NEEDS.items():
        setting = INOTIFY / name
        if int(setting.read_text()) >= needed:
            continue
        try:
            setting.write_text(str(needed))
        except OSError:
            raise LabError(f"too few inotify watchers; type: sysctl -w fs.inotify.{name}={needed}") from None


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes mounts, namespaces and cgroups: run this as root")


def _extended_record(
    lab: Lab, network_prefix: str, nodes: dict[str, NodeSpec], artifacts: Artifacts, distribution: str
) -> Record:
    """The lab's record with these nodes in it; what runs keeps the network and root file system that it has."""
    record = lab.record()
    if record is None:
        rootfs = artifacts.rootfs(distribution)
        return Record(str(lab.checkout), network_prefix, str(rootfs), nodes)
    _require_own(lab, record)
    if record.network != network_prefix:
        raise LabError(f"lab {lab.name!r} is on network {record.network}; take it down first, or choose another --name")
    return replace(record, nodes={**record.nodes, **nodes})


def _require_own(lab: Lab, record: Record) -> None:
    if record.checkout != str(lab.checkout):
        raise LabError(f"lab {lab.name!r} belongs to {record.checkout}; use it from there, or choose another --name")


def _checked_record(lab: Lab) -> Record:
    require_root()
    record = lab.require_record()
    _require_own(lab, record)
    return record


def _write_layer(lab: Lab, record: Record, password: str, repository: str, repository_key: str) -> None:
    """Once in a lab's life: an overlay's lower layer must not change below its nodes."""
    if lab.layer.exists():
        return
    partial = lab.layer.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    files = layer.lab_files(
        Path(record.rootfs),
        public_key=access.public_key(lab),
        password_hash=access.password_hash(password),
        host_address=record.host_address,
        repository=repository,
        repository_key=repository_key,
    )
    layer.write(partial, files)
    partial.rename(lab.layer)


def _start_until_ready(node: Node, password: str) -> str:
    """Empty when the node is ready, else the last problem seen."""
    if not node.running:
        node.start()
    deadline = time.monotonic() + BOOT_TIMEOUT
    while problem := node.problem(password):
        if not node.running or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return problem


def _watch(waiting: dict[Future[str], Node], total: int, started: float, report: Report) -> dict[str, str]:
    """Say who is reachable and who is waited for, whenever that changes."""
    failures: dict[str, str] = {}
    pending = set(waiting)
    while pending:
        names = ", ".join(sorted(waiting[future].name for future in pending))
        reachable = total - len(pending) - len(failures)
        report(f"{reachable}/{total} reachable after {elapsed(time.monotonic() - started)}, waiting: {names}")
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        if pending:  # those that are ready within the same second share a line
            more, pending = wait(pending, timeout=PROGRESS_INTERVAL)
            done |= more
        for future in done:
            if problem := _outcome(future):
                failures[waiting[future].name] = problem
    return failures


def _outcome(future: Future[str]) -> str:
    try:
        return future.result()
    except (LabError, OSError, subprocess.SubprocessError) as error:
        return str(error)


def _belongs(process: Path, lab: Lab) -> bool:
    try:
        lines = (process / "cgroup").read_text().splitlines()
    except OSError:
        return False
    alive = started_at(int(process.name)) is not None
    return alive and any(f"/{cgroups.ROOT}/{lab.name}/" in f"{line}/" for line in lines)


@contextmanager
def _stopped(lab: Lab, record: Record, report: Report) -> Iterator[None]:
    """Copy data at rest: the nodes that run are off inside this block and boot after it, whatever happened in it."""
    nodes = [Node(lab, record, spec) for spec in record.nodes.values()]
    running = [node for node in nodes if node.running]
    for node in nodes:
        node.power_off()
    try:
        yield
    finally:
        if running:
            boot(running, access.sudo_password(lab), report)


def _snapshot_directory(lab: Lab, name: str) -> Path:
    if not SNAPSHOT_NAME.fullmatch(name):
        raise LabError(f"{name!r} cannot name a snapshot: use letters, digits, dots and dashes")
    return lab.snapshots / name


def _copy_directories(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in KEPT_DIRECTORIES:
        if (source / name).exists():
            _copy(source / name, target)


def _copy(source: Path, directory: Path) -> None:
    """With owners, hard links, whiteouts and the overlay's attributes; shared blocks where the file system can."""
    done = subprocess.run(["cp", "-a", "--reflink=auto", source, directory], capture_output=True, text=True)
    if done.returncode:
        raise LabError(done.stderr.strip())
