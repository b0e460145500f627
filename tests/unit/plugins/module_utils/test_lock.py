"""The node's lock, with a second process that really holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import lock as lock_module
from ansible_collections.groundwork.kube.plugins.module_utils.lock import LockTimeoutError, describe_holder, hold

HOLD = """
import sys
from ansible_collections.groundwork.kube.plugins.module_utils.lock import hold
with hold("kubeadm_init", sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""

RUN_KUBEADM = """
import sys
from ansible_collections.groundwork.kube.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.groundwork.kube.plugins.module_utils.lock import node_lock
class Module:
    check_mode = False
    def get_bin_path(self, *names, **where):
        return sys.argv[2]
kubeadm = Kubeadm(Module())
with node_lock(kubeadm.module, "kubeadm init", sys.argv[1]) as kubeadm.lock:
    kubeadm.act("init")
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock" / "groundwork.lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it reads a line, or dies."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_held_for_too_long_is_an_error_that_names_its_holder(lock: Path, holder: subprocess.Popen[str]) -> None:
    said = rf"kubeadm_init \(user .*, process {holder.pid}, since 20"
    with pytest.raises(LockTimeoutError, match=said), hold("host_settings", str(lock), timeout=0):
        pass


def test_a_holder_that_was_killed_frees_the_lock(lock: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    with hold("host_settings", str(lock), timeout=0):
        assert "host_settings" in describe_holder(lock.read_text())


def test_a_holder_that_is_about_to_let_go_is_still_named(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    texts = iter(['{"what": "kubeadm_join", "who": "ops", "pid": 7, "since": "now"}', ""])
    tries = iter([False, False, True])
    monkeypatch.setattr(lock_module, "_read", lambda _descriptor: next(texts))
    monkeypatch.setattr(lock_module, "_try_lock", lambda _descriptor: next(tries))
    monkeypatch.setattr(lock_module, "POLL_INTERVAL", 0)
    with hold("host_settings", str(lock), waited=lambda holder, _seconds: told.append(holder)):
        pass
    assert told == ["kubeadm_join (user ops, process 7, since now)"]


def test_nobody_else_may_lock_the_node(lock: Path) -> None:
    lock.parent.mkdir()
    lock.touch(0o644)
    with hold("kubeadm init", str(lock)):
        assert lock.stat().st_mode & 0o777 == 0o600


def test_a_kubeadm_that_outlives_its_module_keeps_the_node_locked(lock: Path, tmp_path: Path) -> None:
    """As it does when the module that called it is killed by itself, out of memory for example."""
    program, started = tmp_path / "kubeadm", tmp_path / "started"
    program.write_text(f"#!/bin/sh\necho $$ > {started}.new\nmv {started}.new {started}\nexec sleep 600\n")
    program.chmod(0o755)
    module = subprocess.Popen(
        [sys.executable, "-c", RUN_KUBEADM, str(lock), str(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while not started.exists():
        assert module.poll() is None
        time.sleep(0.05)
    module.kill()
    module.wait()
    try:
        with pytest.raises(LockTimeoutError, match="kubeadm init"), hold("kubeadm join", str(lock), timeout=0):
            pass
    finally:
        os.kill(int(started.read_text()), signal.SIGKILL)
    with hold("kubeadm join", str(lock), timeout=60):
        pass


def test_the_lock_is_free_again_after_a_failure(lock: Path) -> None:
    with pytest.raises(RuntimeError), hold("first", str(lock), timeout=0):
        raise RuntimeError
    with hold("second", str(lock), timeout=0):
        pass
    assert lock.read_text() == ""


def test_a_planted_symbolic_link_is_not_followed(lock: Path, tmp_path: Path) -> None:
    lock.parent.mkdir()
    target = tmp_path / "target"
    lock.symlink_to(target)

    with pytest.raises(OSError, match="symbolic"), hold("first", str(lock), timeout=0):
        pass
    assert not target.exists()


def test_a_holder_who_said_nothing_is_described_all_the_same() -> None:
    assert describe_holder("") == "a process that did not say its name"
