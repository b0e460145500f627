"""A cgroup for each node, with its instance type's memory: version 1, hybrid, and 2 (the last untested so far)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

ROOT = "groundwork-lab"
MIB = 1 << 20
DELEGATED = ("cpu", "cpuset", "io", "memory", "pids")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup file system."""

    mount: Path
    controllers: frozenset[str]
    version: int


def parse_hierarchies(mountinfo: str) -> list[Hierarchy]:
    """The cgroup file systems of a /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        mount, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        if kind in {"cgroup", "cgroup2"}:
            version = 2 if kind == "cgroup2" else 1
            found.append(Hierarchy(Path(mount.split()[4]), frozenset(options.split(",")) - {"rw", "ro"}, version))
    return found


def host_hierarchies() -> list[Hierarchy]:
    return parse_hierarchies(Path("/proc/self/mountinfo").read_text())


@dataclass(frozen=True)
class Cgroup:
    """The same path in every hierarchy: a node's, or with no node the whole lab's."""

    hierarchies: tuple[Hierarchy, ...]
    lab: str
    node: str = ""

    @classmethod
    def of(cls, lab: str, node: str = "") -> Cgroup:
        return cls(tuple(host_hierarchies()), lab, node)

    @property
    def directories(self) -> list[Path]:
        return [self._directory(hierarchy) for hierarchy in self.hierarchies]

    def existing(self) -> list[Path]:
        return [directory for directory in self.directories if directory.is_dir()]

    def create(self, memory_mib: int) -> None:
        for hierarchy in self.hierarchies:
            for parent in self._levels(hierarchy):
                parent.mkdir(exist_ok=True)
                _inherit_cpus(parent)
            if hierarchy.version == 2:
                _delegate(hierarchy, self._levels(hierarchy)[:-1])
        self._memory_file("memory.limit_in_bytes", "memory.max").write_text(str(memory_mib * MIB))

    @property
    def joining(self) -> list[Path]:
        """The files that take a process into this cgroup."""
        return [directory / "cgroup.procs" for directory in self.directories]

    def processes(self) -> set[int]:
        pids: set[int] = set()
        for directory in self.existing():
            for path, _, _ in os.walk(directory):
                pids.update(_processes(Path(path)))
        return pids

    def kill(self, patience: float = 30) -> None:
        """A power cut: no process gets to say goodbye."""
        deadline = time.monotonic() + patience
        while pids := self.processes():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if time.monotonic() > deadline:
                raise LabError(f"these processes of {self.lab}/{self.node} do not die: {sorted(pids)}")
            time.sleep(0.02)

    def remove(self) -> None:
        """Remove the directories, children first; a cgroup stays busy for a moment after its last process."""
        for directory in self.existing():
            for path, _, _ in os.walk(directory, topdown=False):
                _remove_directory(Path(path))

    def memory_used(self) -> int:
        """Bytes in use without the page cache, which the kernel takes back when it wants."""
        used = int(self._memory_file("memory.usage_in_bytes", "memory.current").read_text())
        statistics = self._memory_file("memory.stat", "memory.stat").read_text()
        return used - file_cache(statistics)

    def _levels(self, hierarchy: Hierarchy) -> list[Path]:
        levels = [hierarchy.mount / ROOT, hierarchy.mount / ROOT / self.lab]
        return [*levels, levels[-1] / self.node] if self.node else levels

    def _directory(self, hierarchy: Hierarchy) -> Path:
        return self._levels(hierarchy)[-1]

    def _memory_file(self, version_1: str, version_2: str) -> Path:
        for hierarchy in self.hierarchies:
            directory = self._directory(hierarchy)
            if hierarchy.version == 1 and "memory" in hierarchy.controllers:
                return directory / version_1
            if hierarchy.version == 2 and "memory" in _available(hierarchy):
                return directory / version_2
        raise LabError("this kernel has no memory controller; boot it with cgroup_enable=memory")


def remove_lab(lab: str) -> None:
    """The directories above the nodes': the lab's, and the root of all labs once it is empty."""
    Cgroup.of(lab).remove()
    for hierarchy in host_hierarchies():
        with suppress(OSError):  # another lab lives in it
            (hierarchy.mount / ROOT).rmdir()


def file_cache(statistics: str) -> int:
    """Page cache in a memory.stat; version 1 counts the whole subtree under total_."""
    values = dict(line.split() for line in statistics.splitlines())
    prefix = "total_" if "total_cache" in values else ""
    return sum(int(values.get(f"{prefix}{kind}_file", 0)) for kind in ("active", "inactive"))


def _available(hierarchy: Hierarchy) -> set[str]:
    return set((hierarchy.mount / "cgroup.controllers").read_text().split())


def _delegate(hierarchy: Hierarchy, parents: list[Path]) -> None:
    wanted = " ".join(f"+{name}" for name in DELEGATED if name in _available(hierarchy))
    if wanted:
        for directory in (hierarchy.mount, *parents):
            (directory / "cgroup.subtree_control").write_text(wanted)


def _inherit_cpus(directory: Path) -> None:
    """A new cpuset of version 1 has no processors, and takes no process until it has."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        setting = directory / name
        if setting.exists() and not (directory / "cgroup.controllers").exists() and not setting.read_text().strip():
            setting.write_text((directory.parent / name).read_text())


def _processes(directory: Path) -> set[int]:
    try:
        return {int(pid) for pid in (directory / "cgroup.procs").read_text().split()}
    except OSError:  # gone meanwhile, or a threaded cgroup, whose processes its parent lists
        return set()


def _remove_directory(directory: Path, patience: float = 5) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
