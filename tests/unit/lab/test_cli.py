"""The command line says one plain sentence when it cannot go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import lifecycle, state
from lab.cli import main, parser, table
from lab.errors import LabError
from lab.lifecycle import raise_inotify_limits


def test_a_table_is_aligned_and_has_no_trailing_blanks() -> None:
    rows = [("NODE", "STATE"), ("k8s-master", "running"), ("n", "")]
    assert table(rows) == "NODE        STATE\nk8s-master  running\nn"


def test_name_and_network_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_LAB", "demo")
    monkeypatch.setenv("GROUNDWORK_LAB_NETWORK", "10.88.0")
    arguments = parser().parse_args(["up"])
    assert (arguments.name, arguments.network) == ("demo", "10.88.0")


def test_a_command_for_a_node_keeps_its_own_options() -> None:
    assert parser().parse_args(["ssh", "k8s-master", "--", "ls", "-l", "--all"]).command[-3:] == ["ls", "-l", "--all"]


@pytest.mark.parametrize("command", [["status"], ["ssh", "k8s-master"], ["mirror"]])
def test_a_lab_that_is_not_up_is_one_line_and_an_exit_code(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GROUNDWORK_LAB", "nowhere")
    assert main(command) == 1
    assert capsys.readouterr().err == "lab: there is no lab 'nowhere'; type: python -m lab up --name nowhere\n"


def test_inotify_limits_are_raised_and_never_lowered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "INOTIFY", tmp_path)
    (tmp_path / "max_user_instances").write_text("128\n")
    (tmp_path / "max_user_watches").write_text("1048576\n")
    raise_inotify_limits()
    assert (tmp_path / "max_user_instances").read_text() == "8192"
    assert (tmp_path / "max_user_watches").read_text() == "1048576\n"


def test_snapshots_are_named_without_paths(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot name a snapshot"):
        lifecycle._snapshot_directory(state.Lab(data_root=tmp_path), "../lab")
