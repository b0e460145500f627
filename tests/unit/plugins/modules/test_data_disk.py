"""data_disk: what it dares to format, on real loop devices where the machine has them."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.groundwork.kube.plugins.module_utils.host_disk import (
    Disk,
    RefusedError,
    decide,
    unit_content,
    unit_name,
)
from ansible_collections.groundwork.kube.plugins.modules.data_disk import make_filesystem

RunModule = Callable[..., dict[str, Any]]


def disk(**changes: Any) -> Disk:
    blank = {
        "signature": "",
        "label": "",
        "zeroed": True,
        "mounted": False,
        "settled": True,
        "covered": False,
        "occupied": False,
    }
    return Disk(**{"device": "/dev/vdb", "path": "/var/lib/containerd", **blank, **changes})


def test_a_blank_disk_is_formatted_and_mounted() -> None:
    assert decide(disk()) == ("format", "mount", "settle")


def test_a_disk_of_ours_is_mounted_as_it_is() -> None:
    assert decide(disk(signature="ext4", label="groundwork", zeroed=False)) == ("mount", "settle")


def test_a_mounted_disk_is_left_alone() -> None:
    assert decide(disk(signature="ext4", label="groundwork", mounted=True, occupied=True)) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"signature": "ext4", "zeroed": False}, "holds ext4"),
        ({"signature": "a partition table (gpt)"}, "partition table"),
        ({"zeroed": False}, "data of no known kind"),
        ({"occupied": True}, "is not empty"),
        ({"covered": True}, "Something else than /dev/vdb is mounted at /var/lib/containerd"),
    ],
)
def test_what_is_not_ours_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError, match=said.replace("(", r"\(").replace(")", r"\)")):
        decide(disk(**changes))


def test_the_unit_has_the_name_that_systemd_wants() -> None:
    assert unit_name("/var/lib/containerd") == "var-lib-containerd.mount"
    assert unit_name("/srv/data-disk/") == r"srv-data\x2ddisk.mount"
    assert "What=/dev/disk/by-uuid/1234\nWhere=/srv\nType=ext4\n" in unit_content("#", "1234", "/srv", "ext4")


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    """A blank block device of 16 MiB."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 * 2**20)
    attached = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    if attached.returncode:
        pytest.skip(f"no loop devices here: {attached.stderr.strip()}")
    yield attached.stdout.strip()
    subprocess.run(["losetup", "--detach", attached.stdout.strip()], check=True)


def test_a_blank_device_is_seen_as_blank_and_check_mode_leaves_it_so(
    run_module: RunModule, loop: str, tmp_path: Path
) -> None:
    arguments = {"device": loop, "path": str(tmp_path / "data")}

    assert run_module("data_disk", arguments, check=True)["actions"] == ["format", "mount", "settle"]
    assert run_module("data_disk", arguments, check=True)["actions"] == ["format", "mount", "settle"]


@pytest.mark.parametrize(
    "command", [["mkfs.ext4", "-q"], ["mkswap"], ["dd", "if=/dev/urandom", "bs=4k", "count=1", "status=none"]]
)
def test_a_device_with_anything_on_it_is_refused(
    run_module: RunModule, loop: str, tmp_path: Path, command: list[str]
) -> None:
    where = f"of={loop}" if command[0] == "dd" else loop
    subprocess.run([*command, where], check=True, capture_output=True)

    result = run_module("data_disk", {"device": loop, "path": str(tmp_path / "data")}, check=True)

    assert result["failed"]
    assert "is not formatted" in result["msg"]


def test_a_file_system_with_our_label_is_mounted_only(run_module: RunModule, loop: str, tmp_path: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-L", "groundwork", loop], check=True, capture_output=True)

    result = run_module("data_disk", {"device": loop, "path": str(tmp_path / "data")}, check=True)

    assert result["actions"] == ["mount", "settle"]


@pytest.fixture
def module(tmp_path: Path) -> Iterator[AnsibleModule]:
    (tmp_path / "remote").mkdir()
    with patch_module_args({"_ansible_remote_tmp": str(tmp_path / "remote"), "_ansible_keep_remote_files": False}):
        yield AnsibleModule(argument_spec={})


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where a disk may be mounted; it is not afterwards."""
    (tmp_path / "data").mkdir()
    yield tmp_path / "data"
    subprocess.run(["umount", str(tmp_path / "data")], capture_output=True, check=False)


def test_a_formatted_disk_is_an_empty_directory_of_its_own_and_then_left_alone(
    run_module: RunModule, module: AnsibleModule, loop: str, directory: Path
) -> None:
    make_filesystem(module, loop, "ext4")
    arguments = {"device": loop, "path": str(directory)}
    assert run_module("data_disk", arguments, check=True)["actions"] == ["mount", "settle"]

    # As the unit has it mounted; systemd itself mounts it on a machine only.
    unit = dict(
        line.split("=", 1) for line in unit_content("#", "", str(directory), "ext4").splitlines() if "=" in line
    )
    subprocess.run(["mount", "-t", unit["Type"], "-o", unit["Options"], loop, unit["Where"]], check=True)
    # A run that was killed here is finished by the next.
    result = run_module("data_disk", {**arguments, "mode": "0700"})
    assert result["actions"] == ["settle"]

    assert list(directory.iterdir()) == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    (directory / "member").mkdir()
    again = run_module("data_disk", arguments)
    assert again["actions"] == []
    assert not again["changed"]


def test_what_is_no_block_device_is_refused(run_module: RunModule, tmp_path: Path) -> None:
    result = run_module("data_disk", {"device": str(tmp_path), "path": "/srv"}, check=True)

    assert "no block device" in result["msg"]
