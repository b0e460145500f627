# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment and run again, it converges, and nothing that was there is lost.

A run is caught at a line of kubeadm's output. Then it dies in one of three ways: only ansible-playbook does and its
work lives on on the node; all of it does; or the machine loses its power.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from lab import lifecycle
from tests.lab.conftest import CONTROL_PLANE, Ledger, Machines, fresh_lab
from tests.lab.interruption import PATIENCE, Catch, PlaybookRun, finished, killed, without_power

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NETWORK = "10.197.0"
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

HOLDERS_OF_THE_LOCK = "find /proc/[0-9]*/fd -lname /run/groundwork.lock 2>/dev/null | wc -l"
IDENTITY = """
cd /etc/kubernetes/pki
find . '(' -name '*ca.key' -o -name '*ca.crt' -o -name 'sa.*' ')' -size +0 -exec sha256sum {} +
"""
PLANT = (
    f"timeout {PATIENCE} sh -c 'until kubectl --kubeconfig=/etc/kubernetes/super-admin.conf create configmap planted"
    " --namespace=default --from-literal=by=test; do sleep 0.5; done 2>/dev/null'"
)


WAYS_TO_DIE = pytest.mark.parametrize("die", [killed, without_power])


def site(machines: Machines, *arguments: str) -> str:
    return finished(PlaybookRun(machines, *arguments))


def assert_nothing_is_left_to_do(machines: Machines, *arguments: str) -> None:
    changes = re.findall(r" changed=(\d+) ", site(machines, *arguments).partition("PLAY RECAP")[2])
    assert set(changes) == {"0"}


# --- The first control plane ------------------------------------------------------------------------------------------

ON_THE_MACHINE = ("--limit", CONTROL_PLANE)
MAKING_IT = (*ON_THE_MACHINE, "--tags", "control_plane,join")


@pytest.fixture(scope="module")
def prepared_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """One machine, ready for kubeadm init, and a snapshot of it."""
    with fresh_lab("kills", NETWORK, pattern=CONTROL_PLANE) as lab:
        machines = Machines(lab, tmp_path_factory.mktemp("inventory") / "edited.json")
        site(machines, *ON_THE_MACHINE, "--tags", "preflight,os,runtime")
        machines.node(CONTROL_PLANE, "kubeadm config images pull")
        Catch(machines, CONTROL_PLANE).place()
        lifecycle.snapshot(lab, "prepared", print)
        yield machines


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
    run = PlaybookRun(machine, *MAKING_IT)
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
    first = PlaybookRun(machine, *MAKING_IT)
    first.wait_until(catch.has_caught)
    first.kill()
    # The module and the program it runs.
    holders = int(machine.node(CONTROL_PLANE, HOLDERS_OF_THE_LOCK))

    second = PlaybookRun(machine, *MAKING_IT)
    second.wait_until(lambda: int(machine.node(CONTROL_PLANE, HOLDERS_OF_THE_LOCK)) > holders)
    assert catch.has_caught()
    catch.let_go()
    output = finished(second)
    assert "which was working on this node" in output
    assert "kubeadm init (user ops, process " in output
    assert_nothing_is_left_to_do(machine, *MAKING_IT)


# --- Joins ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def joining(ledger: Ledger) -> tuple[PlaybookRun, list[Catch]]:
    """A run that has made the control plane and is in the middle of the joins."""
    machines = ledger.bare()
    catches = [Catch(machines, name) for name in MIDDLE_OF_JOINING]
    for catch in catches:
        catch.place()
        catch.at(MIDDLE_OF_JOINING[catch.name])
    run = PlaybookRun(machines)
    run.wait_until(lambda: all(catch.has_caught() for catch in catches))
    return run, catches


def assert_run_again_converges(machines: Machines) -> None:
    site(machines)
    assert machines.ready() == sorted(machines.names)
    assert_nothing_is_left_to_do(machines)


@WAYS_TO_DIE
def test_killed_in_the_middle_of_joins_the_next_run_converges(
    joining: tuple[PlaybookRun, list[Catch]], die: Callable[..., None]
) -> None:
    run, catches = joining
    die(run, *catches)
    assert_run_again_converges(run.machines)


def test_the_next_run_converges_while_the_joins_of_a_killed_one_live_on(
    joining: tuple[PlaybookRun, list[Catch]],
) -> None:
    run, catches = joining
    run.kill()
    for catch in catches:
        catch.let_go()
    assert_run_again_converges(run.machines)
