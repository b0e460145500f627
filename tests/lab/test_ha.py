# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three control planes behind one address: any of them may stop, come back, or be replaced by a fresh machine."""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab import access, lifecycle
from lab.artifacts import load_versions
from lab.inventory import read_nodes
from lab.node import Node
from lab.state import CHECKOUT, Lab
from tests.lab.conftest import NAME, NETWORK, Machines

pytestmark = pytest.mark.lab

INVENTORY = CHECKOUT / "inventories/lab_ha"
CONTROL_PLANES = ["cp-1", "cp-2", "cp-3"]
WORKER = "worker-1"
ADDRESS = f"{NETWORK}.10"
API = f"https://{ADDRESS}:8443"
PATIENCE = 300
# keepalived's own: three advertisements missed, and the skew of the next one's priority of 199.
FLOOR = 3 + (256 - 199) / 256
ETCDCTL = (
    *("etcdctl", "--endpoints=https://127.0.0.1:2379", "--cacert=/etc/kubernetes/pki/etcd/ca.crt"),
    *("--cert=/etc/kubernetes/pki/etcd/server.crt", "--key=/etc/kubernetes/pki/etcd/server.key"),
)
KEPT = (
    "namespaces",
    "configmaps",
    "secrets",
    "services",
    "deployments",
    "daemonsets",
    "serviceaccounts",
    "clusterroles",
)
WEB = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {{name: web, image: "registry.k8s.io/e2e-test-images/agnhost:{load_versions().agnhost}", args: [netexec]}}
"""


class Cluster(Machines):
    """The machines, and what is asked of the three as one."""

    def ask(self, name: str) -> Cluster:
        """Let another control plane speak for the cluster."""
        self.spokesman = name
        return self

    def holders(self) -> list[str]:
        """Who has the shared address."""
        addresses = {name: self.node(name, "ip -4 -o address show") for name in CONTROL_PLANES if self.runs(name)}
        return [name for name, shown in addresses.items() if f" {ADDRESS}/" in shown]

    def runs(self, name: str) -> bool:
        return Node(self.lab, self.record, self.record.node(name)).running

    def members(self) -> list[str]:
        """etcd's members that have a vote and have started."""
        command = ("exec", "--namespace=kube-system", f"etcd-{self.spokesman}", "--", *ETCDCTL, "member", "list")
        found = json.loads(self.kubectl(*command, "--write-out=json"))["members"]
        return sorted(member["name"] for member in found if member.get("name") and not member.get("isLearner"))

    def objects(self) -> set[str]:
        """Every object that is to outlast a machine, by its identity; what joins are made with ends by itself."""
        found = json.loads(self.kubectl("get", ",".join(KEPT), "--all-namespaces", "--output=json"))["items"]
        lasting = (item["metadata"] | {"kind": item["kind"]} for item in found)
        return {
            f"{each['kind']} {each['name']} {each['uid']}"
            for each in lasting
            if not each["name"].startswith(("bootstrap-token-", "kubeadm-certs"))
        }

    def write(self, name: str) -> None:
        self.kubectl("create", "configmap", name, "--from-literal=written=yes")

    def written(self, name: str) -> bool:
        return bool(self.read("configmap", name)["data"] == {"written": "yes"})

    def apply(self, text: str) -> None:
        self.node(self.spokesman, f"kubectl --kubeconfig=/etc/kubernetes/admin.conf apply -f - <<'END'\n{text}\nEND")

    @contextmanager
    def watched_address(self) -> Iterator[list[float]]:
        """Ask the API by its shared address, five times a second; the block gets the gaps between answers."""
        gaps: list[float] = []
        done = threading.Event()

        def watch() -> None:
            trusting = ssl._create_unverified_context()
            last = time.monotonic()
            while not done.wait(0.2):
                try:
                    urllib.request.urlopen(f"{API}/readyz", timeout=1, context=trusting).close()
                except OSError:
                    continue
                now = time.monotonic()
                gaps.append(now - last)
                last = now

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield gaps
        finally:
            done.set()
            watcher.join()


def wait_until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """For what comes without a hand; what cannot be asked yet has not come yet."""
    deadline = time.monotonic() + patience
    for pause in itertools.repeat(1):
        try:
            if condition():
                return
        except AssertionError:
            pass
        assert time.monotonic() < deadline, f"it did not come within {patience} s"
        time.sleep(pause)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    lab = Lab(NAME)
    access.prepare(lab)
    try:
        lifecycle.down(lab, print)
        lifecycle.up(lab, NETWORK, read_nodes(lab, NETWORK, INVENTORY), "", print)
        yield Cluster(lab, tmp_path_factory.mktemp("inventory") / "edited.json", INVENTORY, "cp-1")
    finally:
        lifecycle.down(lab, print)


def all_are_well(cluster: Cluster) -> bool:
    return cluster.ready() == [*CONTROL_PLANES, WORKER] and cluster.members() == CONTROL_PLANES


def test_they_become_one_cluster(three: Cluster) -> None:
    assert three.playbook("site").rc == 0
    assert all_are_well(three)
    assert len(three.holders()) == 1


@pytest.mark.parametrize("arguments", [(), ("--check", "--diff")], ids=["run", "check"])
def test_then_nothing_is_left_to_do(three: Cluster, arguments: tuple[str, ...]) -> None:
    run = three.playbook("site", *arguments)
    assert (run.rc, run.changed) == (0, {})


def test_the_api_is_back_when_the_machine_with_its_address_stops(three: Cluster) -> None:
    holder = three.holders()[0]
    heir, *_rest = (name for name in CONTROL_PLANES if name != holder)
    three.ask(heir).write("before")
    with three.watched_address() as gaps:
        time.sleep(2)
        three.stop(holder)
        wait_until(lambda: max(gaps, default=0) > 1)
        time.sleep(5)
    print(f"without the API for {max(gaps):.1f} s; keepalived's floor is {FLOOR:.1f} s")
    assert three.holders() == [heir]
    assert three.written("before")
    three.write("between")


def test_it_rejoins_without_a_hand_and_leaves_the_address_where_it_is(three: Cluster) -> None:
    heir = three.spokesman
    (stopped,) = (name for name in CONTROL_PLANES if not three.runs(name))
    three.start(stopped)
    wait_until(lambda: all_are_well(three))
    assert three.holders() == [heir]
    three.ask(stopped)
    assert three.written("before")
    assert three.written("between")


def test_one_that_etcd_cannot_be_without_is_not_replaced(three: Cluster) -> None:
    three.stop("cp-3")
    three.ask("cp-2")
    run = three.playbook(
        "replace_control_plane",
        extra_vars={"groundwork_replace": "cp-1", "groundwork_confirm": "kubernetes"},
    )
    three.start("cp-3")
    assert run.rc != 0
    assert "bring back cp-3 first" in run.stdout
    assert run.changed == {}
    wait_until(lambda: all_are_well(three))


def test_the_first_is_replaced_by_a_fresh_machine_and_no_object_is_lost(three: Cluster) -> None:
    three.ask("cp-2").apply(WEB)
    three.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    before = three.objects()
    lifecycle.reinstall(three.lab, ["cp-1"], print)

    unconfirmed = three.playbook("replace_control_plane", extra_vars={"groundwork_replace": "cp-1"})
    assert unconfirmed.rc != 0
    assert "groundwork_confirm=kubernetes" in unconfirmed.stdout
    assert unconfirmed.changed == {}

    run = three.playbook(
        "replace_control_plane",
        extra_vars={"groundwork_replace": "cp-1", "groundwork_confirm": "kubernetes"},
    )
    assert run.rc == 0
    assert all_are_well(three.ask("cp-1"))
    assert before - three.objects() == set()
    three.kubectl("rollout", "status", "deployment/web", "--timeout=120s")


def test_and_then_nothing_is_left_to_do_but_to_copy_its_kubeconfig(three: Cluster) -> None:
    run = three.playbook("site")
    # Of each machine's own making; the run before took that of the control plane which spoke for the cluster meanwhile.
    assert (run.rc, run.changed) == (0, {"cp-1": 1})
