"""Cgroups of both versions, on a directory that looks like them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cgroups import Cgroup, Hierarchy, file_cache, parse_hierarchies
from lab.errors import LabError

MIB = 1 << 20
VERSION_1 = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
41 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
42 31 0:34 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
43 31 0:35 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
44 31 0:36 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_hierarchies_are_read_from_the_mounts() -> None:
    assert parse_hierarchies(VERSION_1) == [
        Hierarchy(Path("/sys/fs/cgroup/memory"), frozenset({"memory"}), 1),
        Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), frozenset({"cpu", "cpuacct"}), 1),
        Hierarchy(Path("/sys/fs/cgroup/systemd"), frozenset({"name=systemd"}), 1),
        Hierarchy(Path("/sys/fs/cgroup/unified"), frozenset(), 2),
    ]


def test_version_1_limits_the_memory_controller_and_gives_the_cpuset_processors(tmp_path: Path) -> None:
    memory, cpuset = (Hierarchy(tmp_path / name, frozenset({name}), 1) for name in ("memory", "cpuset"))
    for hierarchy in (memory, cpuset):
        hierarchy.mount.mkdir()
    node = cpuset.mount / "groundwork-lab/lab/node"
    node.mkdir(parents=True)
    for directory in (cpuset.mount, *list(node.parents)[:2], node):
        for name in ("cpuset.cpus", "cpuset.mems"):
            (directory / name).write_text("0-1\n" if directory == cpuset.mount else "\n")
    cgroup = Cgroup((memory, cpuset), "lab", "node")
    cgroup.create(1024)
    assert (memory.mount / "groundwork-lab/lab/node/memory.limit_in_bytes").read_text() == str(1024 * MIB)
    assert (node / "cpuset.cpus").read_text() == "0-1\n"


def test_version_2_delegates_controllers_down_to_the_node_and_limits_it(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    Cgroup((Hierarchy(tmp_path, frozenset(), 2),), "lab", "node").create(2048)
    for parent in (tmp_path, tmp_path / "groundwork-lab", tmp_path / "groundwork-lab/lab"):
        assert (parent / "cgroup.subtree_control").read_text() == "+cpu +cpuset +io +memory +pids"
    node = tmp_path / "groundwork-lab/lab/node"
    assert (node / "memory.max").read_text() == str(2048 * MIB)
    assert not (node / "cgroup.subtree_control").exists()


def test_a_kernel_without_a_memory_controller_is_told_how_to_boot(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cgroup_enable=memory"):
        Cgroup((Hierarchy(tmp_path, frozenset({"cpu"}), 1),), "lab", "node").create(1024)


def test_page_cache_is_not_memory_in_use() -> None:
    assert file_cache("total_cache 9\nactive_file 1\ntotal_active_file 3\ntotal_inactive_file 4") == 7
    assert file_cache("anon 9\nactive_file 3\ninactive_file 4") == 7
