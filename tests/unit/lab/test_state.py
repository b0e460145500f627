"""A lab's names never meet another's, and its record tells the whole of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.state import Lab, NodeSpec, Record, check_network

NODE = NodeSpec("k8s-master", "10.77.0.11", "t3.large", 8192)


def test_the_default_lab_keeps_its_files_in_dot_lab(tmp_path: Path) -> None:
    assert Lab(checkout=tmp_path).state == tmp_path / ".lab"


def test_another_lab_keeps_them_in_a_directory_of_its_name(tmp_path: Path) -> None:
    assert Lab("molecule", checkout=tmp_path).state == tmp_path / ".lab/molecule"


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "a-name-too-long", "la/b", "logs", "api"])
def test_a_name_that_cannot_be_used_everywhere_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        Lab(name)


def test_every_interface_name_fits_the_kernel() -> None:
    lab = Lab("a" * 12)
    assert len(lab.bridge) <= 15
    assert len(lab.link("k8s-a-node-with-a-long-name")) <= 15


def test_two_labs_share_no_name() -> None:
    one, other = Lab("one"), Lab("other")
    for name in ("bridge", "state", "data", "run", "logs"):
        assert getattr(one, name) != getattr(other, name)
    assert one.link("node") != other.link("node")
    assert one.network_namespace("node") != other.network_namespace("node")


@pytest.mark.parametrize("network", ["10.77", "10.77.0.0", "10.77.0.0/24", "10.77.256", "lab"])
def test_a_network_that_is_no_slash_24_is_refused(network: str) -> None:
    with pytest.raises(LabError, match=r"10\.77\.0"):
        check_network(network)


def test_the_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    lab = Lab(data_root=tmp_path)
    record = Record("/clone", "10.77.0", "/rootfs", {NODE.name: NODE})
    lab.write_record(record)
    assert lab.record() == record
    assert record.host_address == "10.77.0.1"


def test_a_lab_that_is_not_up_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="python -m lab up --name demo"):
        Lab("demo", data_root=tmp_path).require_record()


def test_an_unknown_node_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="it has: k8s-master"):
        Record("/clone", "10.77.0", "/rootfs", {NODE.name: NODE}).node("k8s-mastr")


def test_one_command_at_a_time_changes_a_lab(tmp_path: Path) -> None:
    lab = Lab(checkout=tmp_path)
    with lab.lock():
        assert stat.S_IMODE(lab.state.stat().st_mode) == 0o700
        with pytest.raises(LabError, match="another command"), lab.lock():
            pass
