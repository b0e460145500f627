"""A daemon is found again, ended, and never taken for another process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.processes import Daemon, started_at


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path / "run/sleep.pid", tmp_path / "logs/sleep.log")


def test_a_daemon_is_found_by_its_pid_file_and_stopped(daemon: Daemon) -> None:
    process = daemon.start(["sleep", "60"])
    assert Daemon(daemon.pid_file, daemon.log).pid == process.pid
    daemon.stop()
    assert process.wait() < 0
    assert daemon.pid is None
    assert not daemon.pid_file.exists()


def test_a_deaf_daemon_is_killed(daemon: Daemon) -> None:
    process = daemon.start(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"])
    while not daemon.log.read_text():
        assert process.poll() is None
    daemon.stop(grace=0.1)
    assert process.wait() == -9


def test_a_process_that_took_the_number_is_not_ours(daemon: Daemon) -> None:
    daemon.pid_file.parent.mkdir()
    daemon.pid_file.write_text(f"{os.getpid()} 1\n")
    assert daemon.pid is None
    daemon.stop()
    assert started_at(os.getpid()) is not None


def test_a_daemon_that_ended_is_not_running_and_leaves_its_last_words(daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "echo one; echo two"]).wait()
    assert daemon.pid is None
    assert daemon.log_tail(1) == "two"


def test_a_daemon_may_die_with_its_parent(daemon: Daemon) -> None:
    script = (
        "import sys; from pathlib import Path; from lab.processes import Daemon\n"
        f"Daemon(Path({str(daemon.pid_file)!r}), Path({str(daemon.log)!r}))"
        ".start(['sleep', '60'], die_with_parent=True)"
    )
    parent = Daemon(daemon.pid_file.with_name("parent.pid"), daemon.log.with_name("parent.log"))
    assert parent.start(["python3", "-c", script], environment={"PYTHONPATH": os.getcwd()}).wait() == 0
    pid = int(daemon.pid_file.read_text().split()[0])
    while started_at(pid) is not None:
        os.sched_yield()
