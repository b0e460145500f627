# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three control planes behind one address: any of them may stop, come back, or be replaced by another machine.

The scenario molecule/ha builds the cluster and runs this in order.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab import lifecycle
from lab.artifacts import load_versions
from lab.inventory import read_nodes
from lab.node import Node
from lab.state import CHECKOUT, Lab
from tests.lab.conftest import Machines, Run
from tests.lab.test_upgrade import WANTED, versions, wanted

LAB = Lab(os.environ.get("GROUNDWORK_LAB") or "ha")
INVENTORY = CHECKOUT / "inventories/lab_ha"
# The same cluster, cp-4 in the place of cp-2.
ANOTHER_NAME = CHECKOUT / "inventories/lab_ha_replaced"
CONTROL_PLANES = ["cp-1", "cp-2", "cp-3"]
WORKER = "worker-1"
PORT = 8443
PATIENCE = 300
# Of the address: three advertisements missed, and the skew of the next one's priority of 199. The API may be away for
# longer, when etcd's leader goes with the address and another is elected (election-timeout in inventories/lab_ha).
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


def is_built() -> bool:
    record = LAB.record()
    return record is not None and WORKER in record.nodes


pytestmark = [pytest.mark.lab, pytest.mark.skipif(not is_built(), reason="molecule/ha builds its cluster")]

Figure = Callable[[str, object], None]


class Cluster(Machines):
    """The machines, and what is asked of the three as one."""

    control_planes = CONTROL_PLANES

    @property
    def address(self) -> str:
        return f"{self.record.network}.10"

    def ask(self, name: str) -> Cluster:
        """Let another control plane speak for the cluster."""
        self.spokesman = name
        return self

    def holders(self) -> list[str]:
        """Who has the shared address."""
        addresses = {name: self.node(name, "ip -4 -o address show") for name in self.control_planes if self.runs(name)}
        return [name for name, shown in addresses.items() if f" {self.address}/" in shown]

    def runs(self, name: str) -> bool:
        return Node(self.lab, self.record, self.record.node(name)).running

    def well(self) -> bool:
        return self.ready() == [*self.control_planes, WORKER] and self.members() == self.control_planes

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

    def replace(self, name: str, **variables: str) -> Run:
        return self.playbook("replace_control_plane", extra_vars={"groundwork_replace": name, **variables})

    def has_address(self) -> None:
        socket.create_connection((self.address, PORT), timeout=1).close()

    def serves(self) -> None:
        trusting = ssl._create_unverified_context()
        urllib.request.urlopen(f"https://{self.address}:{PORT}/readyz", timeout=1, context=trusting).close()


@contextmanager
def gaps_of(question: Callable[[], None]) -> Iterator[list[float]]:
    """Ask five times a second; the block gets the gaps between answers, and to its end."""
    gaps: list[float] = []
    done = threading.Event()

    def watch() -> None:
        last = time.monotonic()
        while not done.wait(0.2):
            try:
                question()
            except (OSError, http.client.HTTPException):
                continue
            now = time.monotonic()
            gaps.append(now - last)
            last = now
        gaps.append(time.monotonic() - last)

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
def three(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(LAB, tmp_path_factory.mktemp("inventory") / "edited.json", INVENTORY, "cp-1")


CONFIRMED = {"groundwork_confirm": "kubernetes"}


def test_they_are_one_cluster(three: Cluster) -> None:
    assert three.well()
    assert len(three.holders()) == 1


def test_check_mode_finds_nothing_left_to_do(three: Cluster) -> None:
    run = three.playbook("site", "--check", "--diff")
    assert (run.rc, run.changed) == (0, {})


def test_the_api_is_back_when_the_machine_with_its_address_stops(three: Cluster, record_property: Figure) -> None:
    (holder,) = three.holders()
    three.ask(next(name for name in CONTROL_PLANES if name != holder)).write("before")
    with gaps_of(three.has_address) as of_address, gaps_of(three.serves) as of_api:
        time.sleep(2)
        three.stop(holder)
        # The one that hears nothing first, and they are milliseconds apart.
        wait_until(lambda: len(three.holders()) == 1)
        (heir,) = three.holders()
        wait_until(lambda: three.ask(heir).written("before"))
        time.sleep(5)
    record_property("keepalived's floor, s", round(FLOOR, 1))
    record_property("without the address when its machine stops, s", round(max(of_address), 1))
    record_property("without the API when that machine stops, s", round(max(of_api), 1))
    assert three.holders() == [heir]
    three.write("between")


def test_it_rejoins_without_a_hand_and_leaves_the_address_where_it_is(three: Cluster) -> None:
    heir = three.spokesman
    (stopped,) = (name for name in CONTROL_PLANES if not three.runs(name))
    three.start(stopped)
    wait_until(three.well)
    assert three.holders() == [heir]
    three.ask(stopped)
    assert three.written("before")
    assert three.written("between")


def test_one_that_etcd_cannot_be_without_is_not_replaced(three: Cluster) -> None:
    three.stop("cp-3")
    run = three.ask("cp-2").replace("cp-1", **CONFIRMED)
    three.start("cp-3")
    assert run.rc != 0
    assert "bring back cp-3 first" in run.stdout
    assert run.changed == {}
    wait_until(three.well)


@pytest.fixture(scope="module")
def objects(three: Cluster) -> set[str]:
    """What is there before any of them is replaced, workloads and all."""
    three.apply(WEB)
    three.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    return three.objects()


def assert_nothing_is_lost(three: Cluster, objects: set[str]) -> None:
    assert three.well()
    assert objects - three.objects() == set()
    three.kubectl("rollout", "status", "deployment/web", "--timeout=120s")


def test_the_first_is_replaced_by_a_fresh_machine_and_no_object_is_lost(three: Cluster, objects: set[str]) -> None:
    lifecycle.reinstall(three.lab, ["cp-1"], print)
    three.ask("cp-2")

    unconfirmed = three.replace("cp-1")
    assert unconfirmed.rc != 0
    assert "groundwork_confirm=kubernetes" in unconfirmed.stdout
    assert unconfirmed.changed == {}

    assert three.replace("cp-1", **CONFIRMED).rc == 0
    assert_nothing_is_lost(three.ask("cp-1"), objects)


def test_one_that_lives_is_emptied_reset_and_joined_anew(three: Cluster, objects: set[str]) -> None:
    former = three.read("node", "cp-3")["metadata"]["uid"]
    assert three.replace("cp-3", **CONFIRMED).rc == 0
    assert_nothing_is_lost(three, objects)
    assert three.read("node", "cp-3")["metadata"]["uid"] != former


def test_one_is_replaced_by_a_machine_of_another_name(three: Cluster, objects: set[str]) -> None:
    three.stop("cp-2")
    three.inventory, three.control_planes = ANOTHER_NAME, ["cp-1", "cp-3", "cp-4"]
    network = three.record.network
    lifecycle.up(three.lab, network, read_nodes(three.lab, network, ANOTHER_NAME, "cp-4"), "", print)
    assert three.replace("cp-2", **CONFIRMED).rc == 0
    assert_nothing_is_lost(three, objects)
    assert len(three.holders()) == 1


def test_then_nothing_is_left_to_do(three: Cluster) -> None:
    run = three.playbook("site")
    assert (run.rc, run.changed) == (0, {})


def test_they_are_upgraded_one_after_the_other(three: Cluster, record_property: Figure) -> None:
    with gaps_of(three.serves) as gaps:
        run = three.playbook("upgrade", extra_vars=wanted(three))
    record_property("without the API while all are upgraded, s", round(max(gaps), 1))
    assert run.rc == 0
    assert three.well()
    assert versions(three) == dict.fromkeys([*three.control_planes, WORKER], f"v{WANTED}")
