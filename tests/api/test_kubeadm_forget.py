# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API and a real etcd forget a control plane that is gone, and keep one that they cannot be without."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import etcd as e
from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from lab.api import ApiServer

PODS = "/api/v1/namespaces/kube-system/pods"
LOST, ADDRESS = "cp-2", "192.0.2.12"
# As the lab's etcd is called, for want of a Node of that name.
ONLY = "default"
# etcd takes a removed member for the same when it comes back within the second, unless it has another port.
PEER_PORTS = itertools.count(2380)

RunModule = Callable[..., dict[str, Any]]


class Cluster:
    """Its API and etcd, with what is left of a control plane whose machine is gone."""

    def __init__(self, api: Any, etcd: e.Etcd) -> None:
        self.api = api
        self.etcd = etcd

    def plant(self) -> None:
        self.api.plant(LOST, {k.CONTROL_PLANE_LABEL: ""})
        peer = f"https://{ADDRESS}:{next(PEER_PORTS)}"
        self.etcd._ask(self.etcd.endpoint, "/v3/cluster/member/add", {"peerURLs": [peer], "isLearner": True})
        for pod in (f"etcd-{LOST}", f"kube-apiserver-{LOST}"):
            metadata = {"name": pod, "annotations": {"kubernetes.io/config.mirror": "a"}}
            spec = {"nodeName": LOST, "hostNetwork": True, "containers": [{"name": "main", "image": "x"}]}
            self.api.client.create(PODS, {"metadata": metadata, "spec": spec})

    def left(self) -> tuple[int, bool, list[str]]:
        """How many members, whether there is the Node, and its pods."""
        pods = [pod["metadata"]["name"] for pod in self.api.client.list(PODS)]
        return len(self.etcd.members()), self.api.client.get(f"/api/v1/nodes/{LOST}") is not None, pods

    def clean(self) -> None:
        self.api.client.delete(PODS, {"gracePeriodSeconds": 0})
        for member in self.etcd.members():
            if member.learner:
                self.etcd.remove(member)


@pytest.fixture
def cluster(api: Any, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/etcd.yaml").touch()
    monkeypatch.setattr(k, "MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.setattr(k, "ADMIN_CONF", str(api_server.kubeconfig))
    etcd = e.Etcd(str(api_server.pki / "etcd"), api_server.etcd_url)
    monkeypatch.setattr(e, "Etcd", lambda: etcd)
    found = Cluster(api, etcd)
    yield found
    found.clean()


def test_member_node_and_pods_go(run_module: RunModule, cluster: Cluster) -> None:
    cluster.plant()
    result = run_module("kubeadm_forget", {"name": LOST, "address": ADDRESS}, diff=True)
    assert result["changed"], result
    assert [what.partition(" (")[0] for what in result["removed"]] == [
        "etcd member without a name",
        "Node cp-2",
        "Pod kube-system/etcd-cp-2",
        "Pod kube-system/kube-apiserver-cp-2",
    ]
    assert result["diff"]["before"].splitlines() == result["removed"]
    assert "kubectl delete node cp-2" in result["commands"]
    assert result["members"] == [ONLY]
    assert cluster.left() == (1, False, [])


def test_then_there_is_nothing_to_forget(run_module: RunModule, cluster: Cluster) -> None:
    result = run_module("kubeadm_forget", {"name": LOST, "address": ADDRESS})
    assert (result["changed"], result["removed"], result["commands"]) == (False, [], [])


def test_in_check_mode_it_only_tells(run_module: RunModule, cluster: Cluster) -> None:
    cluster.plant()
    result = run_module("kubeadm_forget", {"name": LOST, "address": ADDRESS}, check=True)
    assert (result["changed"], len(result["removed"]), result["commands"]) == (True, 4, [])
    assert cluster.left() == (2, True, [f"etcd-{LOST}", f"kube-apiserver-{LOST}"])


@pytest.mark.parametrize("check", [True, False])
def test_the_last_member_stays(run_module: RunModule, cluster: Cluster, check: bool) -> None:
    cluster.api.plant(ONLY, {k.CONTROL_PLANE_LABEL: ""})
    result = run_module("kubeadm_forget", {"name": ONLY}, check=check)
    assert result["failed"]
    assert "etcd's only member" in result["msg"]
    assert cluster.api.node(ONLY)


def test_etcd_is_asked_before_an_api_that_may_be_silent(
    run_module: RunModule, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k, "ADMIN_CONF", str(tmp_path / "of-no-api"))
    assert "etcd's only member" in run_module("kubeadm_forget", {"name": ONLY})["msg"]


def test_a_worker_is_none_of_its_business(run_module: RunModule, cluster: Cluster) -> None:
    cluster.api.plant("worker-1")
    result = run_module("kubeadm_forget", {"name": "worker-1"})
    assert result["failed"]
    assert "playbooks/reset.yml" in result["msg"]
    assert cluster.api.node("worker-1")


def test_with_etcd_elsewhere_only_the_cluster_forgets(run_module: RunModule, cluster: Cluster, tmp_path: Path) -> None:
    cluster.plant()
    (tmp_path / "manifests/etcd.yaml").unlink()
    result = run_module("kubeadm_forget", {"name": LOST, "address": ADDRESS})
    assert result["changed"], result
    assert cluster.left() == (2, False, [])
