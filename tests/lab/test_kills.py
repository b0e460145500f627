# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment and run again, it converges, and nothing that was there is lost.

A run is caught at a line of kubeadm's output, by a program that stands before kubeadm on the node and stops it dead
there. Then the run dies in one of three ways: only ansible-playbook does and its work lives on on the node; all of it
does; or the machine loses its power.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import access, lifecycle
from lab.inventory import read_nodes
from lab.node import Node
from lab.state import CHECKOUT, Lab
from tests.lab.conftest import CONTROL_PLANE, INVENTORY, Ledger, Machines

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NETWORK = "10.197.0"
PATIENCE = 600
# A line that kubeadm init prints when it is in the middle of the phase.
MIDDLE_OF = {
    "certs": '[certs] Generating "etcd/peer" certificate and key',
    "kubeconfig": '[kubeconfig] Writing "kubelet.conf" kubeconfig file',
    "etcd": "[etcd] Creating static Pod manifest",
    "control-plane": '[control-plane] Creating static Pod manifest for "kube-controller-manager"',
    "kubelet-start": "[kubelet-start] Writing kubelet configuration",
    "wait-control-plane": "[wait-control-plane]",
    "upload-config": '[kubelet] Creating a ConfigMap "kubelet-config"',
    "upload-certs": "[upload-certs]",
    "mark-control-plane": "[mark-control-plane]",
    "bootstrap-token": "[bootstrap-token] Configured RBAC rules to allow the csrapprover",
    "kubelet-finalize": "[kubelet-finalize]",
    "addon": "[addons] Applied essential addon: CoreDNS",
}
BEFORE_THE_API = ("certs", "kubeconfig", "etcd", "control-plane", "kubelet-start")
# Both ends of a worker's joining: no trace of the cluster yet, and a kubelet that is about to ask for its certificate.
MIDDLE_OF_JOINING = {
    "k8s-api-auth": "[preflight] Reading configuration",
    "k8s-worker-ai": "[kubelet-start] Writing kubelet configuration",
}

CATCH = Path("var/lib/catch")
CATCHER = f"""\
#!/usr/bin/python3
# The real kubeadm, stopped dead at the line that begins with what {CATCH}/line says, until {CATCH}/caught is gone.
import os, signal, subprocess, sys, time

KUBEADM, LINE, CAUGHT = "/usr/bin/kubeadm", "/{CATCH}/line", "/{CATCH}/caught"
if sys.argv[1:3] not in (["init", "--config"], ["join", "--config"]) or not os.path.exists(LINE):
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
HOLDERS_OF_THE_LOCK = "find /proc/[0-9]*/fd -lname /run/lock/groundwork.lock 2>/dev/null | wc -l"
IDENTITY = """
cd /etc/kubernetes/pki
find . '(' -name '*ca.key' -o -name '*ca.crt' -o -name 'sa.*' ')' -size +0 -exec sha256sum {} +
"""
PLANT = (
    f"timeout {PATIENCE} sh -c 'until kubectl --kubeconfig=/etc/kubernetes/super-admin.conf create configmap planted"
    " --namespace=default --from-literal=by=test; do sleep 0.5; done 2>/dev/null'"
)


class SiteRun:
    """site.yml, running while the test looks on."""

    def __init__(self, machines: Machines, *arguments: str) -> None:
        self.machines = machines
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the run
        program = Path(sys.executable).with_name("ansible-playbook")
        self._process = subprocess.Popen(
            [program, f"--inventory={INVENTORY}", *arguments, CHECKOUT / "playbooks/site.yml"],
            cwd=CHECKOUT,
            env={
                **os.environ,
                "GROUNDWORK_LAB": machines.lab.name,
                "GROUNDWORK_LAB_NETWORK": machines.record.network,
                "ANSIBLE_FORCE_COLOR": "0",
            },
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


def killed(run: SiteRun, *catches: Catch) -> None:
    run.kill_with_its_workers()
    for catch in catches:
        catch.kill()


def without_power(run: SiteRun, *catches: Catch) -> None:
    for catch in catches:
        run.machines.stop(catch.name)
    run.kill_with_its_workers()
    run.machines.start(*(catch.name for catch in catches))
    for catch in catches:
        catch.let_go()


WAYS_TO_DIE = pytest.mark.parametrize("die", [killed, without_power])


def finished(run: SiteRun) -> str:
    rc, output = run.finish()
    print(output)  # what pytest shows when the promise is broken
    assert rc == 0
    return output


def site(machines: Machines, *arguments: str) -> str:
    return finished(SiteRun(machines, *arguments))


def assert_nothing_is_left_to_do(machines: Machines, *arguments: str) -> None:
    changes = re.findall(r" changed=(\d+) ", site(machines, *arguments).partition("PLAY RECAP")[2])
    assert set(changes) == {"0"}


# --- The first control plane ------------------------------------------------------------------------------------------

ON_THE_MACHINE = ("--limit", CONTROL_PLANE)
MAKING_IT = (*ON_THE_MACHINE, "--tags", "control_plane,join")


@pytest.fixture(scope="module")
def prepared_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """One machine, ready for kubeadm init, and a snapshot of it."""
    lab = Lab("kills")
    access.prepare(lab)
    try:
        lifecycle.down(lab, print)
        lifecycle.up(lab, NETWORK, read_nodes(lab, NETWORK, INVENTORY, CONTROL_PLANE), "", print)
        machines = Machines(lab, tmp_path_factory.mktemp("inventory") / "edited.json")
        site(machines, *ON_THE_MACHINE, "--tags", "preflight,os,runtime")
        machines.node(CONTROL_PLANE, "kubeadm config images pull")
        Catch(machines, CONTROL_PLANE).place()
        lifecycle.snapshot(lab, "prepared", print)
        yield machines
    finally:
        lifecycle.down(lab, print)


@pytest.fixture
def machine(prepared_machine: Machines) -> Machines:
    lifecycle.restore(prepared_machine.lab, "prepared", print)
    return prepared_machine


@pytest.fixture
def catch(machine: Machines) -> Catch:
    return Catch(machine, CONTROL_PLANE)


@WAYS_TO_DIE
@pytest.mark.parametrize("phase", MIDDLE_OF)
def test_an_init_killed_in_any_phase_is_finished_and_loses_nothing(
    machine: Machines, catch: Catch, phase: str, die: Callable[..., None]
) -> None:
    catch.at(MIDDLE_OF[phase])
    run = SiteRun(machine, *MAKING_IT)
    run.wait_until(catch.has_caught)
    identity = machine.node(CONTROL_PLANE, IDENTITY).splitlines()
    assert identity
    has_api = phase not in BEFORE_THE_API
    if has_api:
        machine.node(CONTROL_PLANE, PLANT)
    die(run, catch)

    site(machine, *MAKING_IT)
    assert set(identity) <= set(machine.node(CONTROL_PLANE, IDENTITY).splitlines())
    if has_api:
        assert machine.read("configmap", "planted")["data"] == {"by": "test"}
    assert_nothing_is_left_to_do(machine, *MAKING_IT)
    deployed = machine.read("deployments,daemonsets", "--namespace=kube-system")["items"]
    assert sorted(workload["metadata"]["name"] for workload in deployed) == ["coredns", "kube-proxy"]


def test_a_run_waits_for_the_work_that_a_killed_one_left_and_says_whose_it_is(machine: Machines, catch: Catch) -> None:
    catch.at(MIDDLE_OF["mark-control-plane"])
    first = SiteRun(machine, *MAKING_IT)
    first.wait_until(catch.has_caught)
    first.kill()

    second = SiteRun(machine, *MAKING_IT)
    second.wait_until(lambda: machine.node(CONTROL_PLANE, HOLDERS_OF_THE_LOCK) == "2")
    assert catch.has_caught()
    catch.let_go()
    output = finished(second)
    assert "which was working on this node" in output
    assert "kubeadm init (user ops, process " in output
    assert_nothing_is_left_to_do(machine, *MAKING_IT)


# --- Joins ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def joining(ledger: Ledger) -> tuple[SiteRun, list[Catch]]:
    """A run that has made the control plane and is in the middle of the joins."""
    machines = ledger.bare()
    catches = [Catch(machines, name) for name in MIDDLE_OF_JOINING]
    for catch in catches:
        catch.place()
        catch.at(MIDDLE_OF_JOINING[catch.name])
    run = SiteRun(machines)
    run.wait_until(lambda: all(catch.has_caught() for catch in catches))
    return run, catches


def assert_run_again_converges(machines: Machines) -> None:
    site(machines)
    assert machines.ready() == sorted(machines.names)
    assert_nothing_is_left_to_do(machines)


@WAYS_TO_DIE
def test_killed_in_the_middle_of_joins_the_next_run_converges(
    joining: tuple[SiteRun, list[Catch]], die: Callable[..., None]
) -> None:
    run, catches = joining
    die(run, *catches)
    assert_run_again_converges(run.machines)


def test_the_next_run_converges_while_the_joins_of_a_killed_one_live_on(
    joining: tuple[SiteRun, list[Catch]],
) -> None:
    run, catches = joining
    run.kill()
    for catch in catches:
        catch.let_go()
    assert_run_again_converges(run.machines)
