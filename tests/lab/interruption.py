# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are interrupted: a playbook that is caught in the middle of kubeadm's work on a node, and dies there.

The program that catches it stands before kubeadm on the node and stops it dead at a line of its output.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.node import Node
from lab.state import CHECKOUT
from tests.ansible_playbook import PROGRAM
from tests.lab.conftest import INVENTORY, Machines

PATIENCE = 600
CATCH = Path("var/lib/catch")
CATCHER = f"""\
#!/usr/bin/python3
# The real kubeadm, stopped dead at the line that begins with what {CATCH}/line says, until {CATCH}/caught is gone.
import os, signal, subprocess, sys, time

KUBEADM, LINE, CAUGHT = "/usr/bin/kubeadm", "/{CATCH}/line", "/{CATCH}/caught"
ACTS = (["init", "--config"], ["join", "--config"], ["upgrade", "apply"], ["upgrade", "node"])
if sys.argv[1:3] not in ACTS or not os.path.exists(LINE):
    os.execv(KUBEADM, [KUBEADM, *sys.argv[1:]])
with open(LINE) as file:
    wanted = file.read()
process = subprocess.Popen([KUBEADM, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
for line in process.stdout:
    sys.stdout.write(line)
    if os.path.exists(LINE) and line.startswith(wanted):
        os.kill(process.pid, signal.SIGSTOP)
        os.unlink(LINE)
        with open(CAUGHT + ".new", "w") as file:
            file.write(f"{{os.getppid()}} {{os.getpid()}} {{process.pid}}")
        os.rename(CAUGHT + ".new", CAUGHT)
        while os.path.exists(CAUGHT):
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGCONT)
sys.exit(process.wait())
"""


class PlaybookRun:
    """A playbook, running while the test looks on."""

    def __init__(
        self, machines: Machines, *arguments: str, playbook: str = "site", extra_vars: Mapping[str, Any] | None = None
    ) -> None:
        self.machines = machines
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the run
        self._process = subprocess.Popen(
            [
                PROGRAM,
                f"--inventory={INVENTORY}",
                f"--extra-vars={json.dumps(extra_vars or {})}",
                *arguments,
                CHECKOUT / f"playbooks/{playbook}.yml",
            ],
            cwd=CHECKOUT,
            env=machines.environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    @property
    def output(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def finish(self) -> tuple[int, str]:
        self._process.wait(PATIENCE)
        return self._process.returncode, self.output

    def kill(self) -> None:
        """As an operator or the kernel would: ansible-playbook alone."""
        self._process.kill()
        self._process.wait()

    def kill_with_its_workers(self) -> None:
        workers = list(_descendants(self._process.pid))
        self.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def _descendants(parent: int) -> Iterator[int]:
    """The workers have sessions of their own, so the process group is not all of a run."""
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from _descendants(child)


class Catch:
    """The catcher on a node."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.machines, self.name = machines, name
        self._place = Node(machines.lab, machines.record, machines.record.node(name)).root / CATCH

    def place(self) -> None:
        script = f"cat > /usr/local/bin/kubeadm <<'END'\n{CATCHER}END\nchmod 755 /usr/local/bin/kubeadm"
        self.machines.node(self.name, f"mkdir -p /{CATCH}\n{script}")

    def at(self, line: str) -> None:
        (self._place / "line").write_text(line)

    def has_caught(self) -> bool:
        return (self._place / "caught").exists()

    def let_go(self) -> None:
        (self._place / "caught").unlink()

    def kill(self) -> None:
        """The module, the catcher and kubeadm, on the node."""
        self.machines.node(self.name, f"kill -KILL $(cat /{CATCH}/caught)")
        self.let_go()


def killed(run: PlaybookRun, *catches: Catch) -> None:
    run.kill_with_its_workers()
    for catch in catches:
        catch.kill()


def without_power(run: PlaybookRun, *catches: Catch) -> None:
    for catch in catches:
        run.machines.stop(catch.name)
    run.kill_with_its_workers()
    run.machines.start(*(catch.name for catch in catches))
    for catch in catches:
        catch.let_go()


def finished(run: PlaybookRun) -> str:
    rc, output = run.finish()
    print(output)  # what pytest shows when the promise is broken
    assert rc == 0
    return output
