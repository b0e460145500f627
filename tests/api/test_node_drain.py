# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draining against a real API server, whose eviction API keeps to the budgets; a thread stands in for the kubelet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.drain import CORDONED_ANNOTATION

Call = Callable[..., dict[str, Any]]

NODE = "k8s-worker"
PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
NOW = {"gracePeriodSeconds": 0}


class Workload:
    """Pods on one Node, and a budget for them."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def pod(self, name: str, *, controller: str = "ReplicaSet", volumes: Any = ()) -> None:
        owner = {"apiVersion": "apps/v1", "kind": controller, "name": "front", "uid": "0", "controller": True}
        container = {"name": "front", "image": "front", "volumeMounts": []}
        self.api.client.create(
            PODS,
            {
                "metadata": {
                    "name": name,
                    "labels": {"app": "front"},
                    "ownerReferences": [owner] if controller else [],
                },
                "spec": {
                    "nodeName": NODE,
                    "containers": [container],
                    "volumes": list(volumes),
                    "automountServiceAccountToken": False,
                },
            },
        )
        # A pod that is not ready is no healthy one, and no budget protects it.
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.api.client.patch(f"{PODS}/{name}/status", {"status": ready})

    def budget(self, disruptions: int) -> None:
        """As the disruption controller, which is not here, would keep it."""
        selector = {"matchLabels": {"app": "front"}}
        made = self.api.client.create(
            BUDGETS, {"metadata": {"name": "front-budget"}, "spec": {"minAvailable": 1, "selector": selector}}
        )
        status = {
            "observedGeneration": made["metadata"]["generation"],
            "disruptionsAllowed": disruptions,
            "currentHealthy": 1 + disruptions,
            "desiredHealthy": 1,
            "expectedPods": 2,
        }
        self.api.client.patch(f"{BUDGETS}/front-budget/status", {"status": status})

    def names(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.api.client.list(PODS))

    def end_pods(self) -> None:
        for pod in self.api.client.list(PODS):
            if pod["metadata"].get("deletionTimestamp"):
                self.api.client.delete(f"{PODS}/{pod['metadata']['name']}", NOW)

    def clean(self) -> None:
        for name in self.names():
            self.api.client.delete(f"{PODS}/{name}", NOW)
        self.api.client.delete(f"{BUDGETS}/front-budget")


@pytest.fixture
def workload(api: Any) -> Iterator[Workload]:
    api.plant(NODE)
    found = Workload(api)
    yield found
    found.clean()


@pytest.fixture
def kubelet(workload: Workload, api: Any) -> Iterator[None]:
    """Ends the pods that were asked to go."""
    done = threading.Event()
    own = Workload(type(api)(api.kubeconfig))

    def run() -> None:
        while not done.wait(0.1):
            own.end_pods()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    done.set()
    thread.join()


def unschedulable(api: Any) -> bool:
    return bool(api.node(NODE)["spec"].get("unschedulable"))


def test_a_node_is_closed_and_its_pods_go(call: Call, api: Any, workload: Workload, kubelet: None) -> None:
    workload.pod("front-1")
    workload.pod("log-1", controller="DaemonSet")
    result = call("node_drain", name=NODE, timeout=60)
    assert (result["changed"], result["pods"]) == (True, ["default/front-1"]), result
    assert workload.names() == ["log-1"]
    assert unschedulable(api)
    again = call("node_drain", name=NODE)
    assert (again["changed"], again["commands"]) == (False, []), again


def test_it_is_opened_again_once_it_is_ready(call: Call, api: Any, workload: Workload) -> None:
    call("node_drain", name=NODE)
    waiting = call("node_drain", name=NODE, state="uncordoned", timeout=0)
    assert waiting["failed"]
    assert "is not ready after 0 s" in waiting["msg"]
    assert unschedulable(api)
    api.patch(NODE, {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "/status")
    assert call("node_drain", name=NODE, state="uncordoned")["changed"]
    assert not unschedulable(api)
    assert CORDONED_ANNOTATION not in api.node(NODE)["metadata"].get("annotations", {})
    assert not call("node_drain", name=NODE, state="uncordoned")["changed"]


def test_the_last_word_of_the_former_kubelet_does_not_count(call: Call, api: Any, workload: Workload) -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.36.4"}}
    api.patch(NODE, {"status": ready}, "/status")
    result = call("node_drain", name=NODE, state="uncordoned", kubelet_version="1.37.1", timeout=0)
    assert "its kubelet reports v1.36.4, not v1.37.1" in result["msg"]


def test_a_node_that_somebody_else_closed_stays_closed(call: Call, api: Any, workload: Workload) -> None:
    api.patch(NODE, {"spec": {"unschedulable": True}})
    api.patch(NODE, {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "/status")
    assert not call("node_drain", name=NODE)["changed"]
    assert not call("node_drain", name=NODE, state="uncordoned")["changed"]
    assert unschedulable(api)


def test_a_budget_that_holds_a_pod_back_is_named(call: Call, api: Any, workload: Workload) -> None:
    workload.pod("front-1")
    workload.budget(disruptions=0)
    result = call("node_drain", name=NODE, timeout=0)
    assert result["failed"]
    for words in ("default/front-1", "front-budget", "kubectl uncordon"):
        assert words in result["msg"]
    assert workload.names() == ["front-1"]


def test_pods_go_one_after_the_other_where_the_budget_says_so(call: Call, workload: Workload, kubelet: None) -> None:
    workload.pod("front-1")
    workload.pod("front-2")
    workload.budget(disruptions=1)
    result = call("node_drain", name=NODE, timeout=2)
    assert result["failed"]
    assert len(workload.names()) == 1
    assert list(result["blocked"]) == [f"default/{name}" for name in workload.names()]


def test_check_mode_asks_the_budgets_and_moves_nothing(call: Call, api: Any, workload: Workload) -> None:
    workload.pod("front-1")
    free = call("node_drain", name=NODE, check=True, diff=True)
    assert (free["changed"], free["pods"], free["blocked"]) == (True, ["default/front-1"], {}), free
    assert "default/front-1" in free["diff"]["before"]
    workload.budget(disruptions=0)
    held = call("node_drain", name=NODE, check=True)
    assert "front-budget" in held["blocked"]["default/front-1"]
    assert "front-budget" in str(held["warnings"])
    assert workload.names() == ["front-1"]
    assert not unschedulable(api)


def test_what_would_be_lost_is_refused_before_the_node_is_closed(call: Call, api: Any, workload: Workload) -> None:
    workload.pod("alone", controller="")
    workload.pod("cache", volumes=[{"name": "data", "emptyDir": {}}])
    result = call("node_drain", name=NODE)
    assert result["failed"]
    assert "default/alone" in result["msg"]
    assert "default/cache" in result["msg"]
    assert not unschedulable(api)


def test_an_unknown_node_is_an_error(call: Call, api: Any) -> None:
    assert call("node_drain", name="nobody")["msg"] == "There is no Node nobody"
