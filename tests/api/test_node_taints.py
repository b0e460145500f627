# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES
from tests.api.conftest import Api

Call = Callable[..., dict[str, Any]]

OURS = {"key": "domain", "value": "redis", "effect": "NoSchedule"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-11-21T09:00:00Z"}
FOREIGN = {"key": "example.com/drain", "value": "soon", "effect": "PreferNoSchedule"}


def test_taints_of_all_nodes_arrive_in_one_call_and_a_second_call_changes_nothing(api: Api, call: Call) -> None:
    for name in ("k8s-redis", "k8s-worker-ai"):
        api.plant(name)
    wanted = {"k8s-redis": ["domain=redis:NoSchedule"], "k8s-worker-ai": []}
    first = call("node_taints", nodes=wanted)
    assert "k8s-redis: taint domain=redis:NoSchedule missing" in first["changes"]
    assert api.taints("k8s-redis") == [OURS]
    assert not call("node_taints", nodes=wanted)["changed"]


def test_foreign_taints_keep_their_order_and_the_time_they_were_added(api: Api, call: Call) -> None:
    api.plant("k8s-redis", taints=[UNREACHABLE, {**OURS, "value": "old"}, FOREIGN])
    result = call("node_taints", nodes={"k8s-redis": ["domain=redis:NoSchedule"]})
    assert result["changes"] == ["k8s-redis: taint domain=old:NoSchedule, should be domain=redis:NoSchedule"]
    assert api.taints("k8s-redis") == [UNREACHABLE, OURS, FOREIGN]


def test_a_taint_changed_by_hand_is_reported_then_mended(api: Api, call: Call) -> None:
    api.plant("k8s-redis", taints=[FOREIGN])
    wanted = {"k8s-redis": ["domain=redis:NoSchedule"]}
    call("node_taints", nodes=wanted)
    api.patch("k8s-redis", {"spec": {"taints": [FOREIGN, {**OURS, "effect": "NoExecute"}]}})

    report = call("node_taints", nodes=wanted, check=True, diff=True)
    assert report["changes"] == [
        "k8s-redis: taint domain=redis:NoExecute not in the inventory",
        "k8s-redis: taint domain=redis:NoSchedule missing",
    ]
    assert "- domain=redis:NoExecute" in report["diff"][0]["before"]
    assert "- domain=redis:NoSchedule" in report["diff"][0]["after"]
    assert "example.com" not in report["diff"][0]["before"]

    call("node_taints", nodes=wanted)
    assert api.taints("k8s-redis") == [FOREIGN, OURS]


def test_a_taint_that_leaves_the_inventory_leaves_the_node(api: Api, call: Call) -> None:
    api.plant("k8s-redis", taints=[OURS, FOREIGN])
    call("node_taints", nodes={"k8s-redis": ["domain=redis:NoSchedule"]})
    result = call("node_taints", nodes={"k8s-redis": []})
    assert result["changes"] == ["k8s-redis: taint domain=redis:NoSchedule no longer in the inventory"]
    assert api.taints("k8s-redis") == [FOREIGN]


def test_a_node_registered_again_with_its_old_flags_still_loses_what_left_the_inventory(api: Api, call: Call) -> None:
    api.plant("k8s-redis", taints=[OURS])
    call("node_taints", nodes={"k8s-redis": ["domain=redis:NoSchedule"]})
    api.forget("k8s-redis")
    api.plant("k8s-redis", taints=[OURS, FOREIGN])
    call("node_taints", nodes={"k8s-redis": []})
    assert api.taints("k8s-redis") == [FOREIGN]


def test_the_taint_of_kubeadm_is_never_touched(api: Api, call: Call) -> None:
    control_plane = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    api.plant("k8s-master", taints=[control_plane])
    call("node_taints", nodes={"k8s-master": []})
    call("node_taints", nodes={"k8s-master": ["node-role.kubernetes.io/control-plane:NoSchedule"]})
    call("node_taints", nodes={"k8s-master": []})
    assert api.taints("k8s-master") == [control_plane]


def test_labels_and_taints_keep_each_others_ownership(api: Api, call: Call) -> None:
    api.plant("n1")
    call("node_labels", nodes={"n1": {"domain": "redis"}})
    call("node_taints", nodes={"n1": ["domain=redis:NoSchedule"]})
    call("node_labels", nodes={"n1": {}})
    call("node_taints", nodes={"n1": []})
    assert api.labels("n1") == {}
    assert api.taints("n1") == []


def test_a_writer_that_is_faster_is_not_overwritten(api: Api, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody taints the Node between our read and our write: a real 409, and both taints are there in the end."""
    api.plant("k8s-redis")
    patch = ApiClient.patch
    conflicts: list[str] = []

    def patch_after_somebody_else(self: ApiClient, path: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        if path == f"{NODES}/k8s-redis" and not conflicts:
            conflicts.append(path)
            patch(api.client, path, {"spec": {"taints": [FOREIGN]}})
        return patch(self, path, *arguments, **more)

    monkeypatch.setattr(ApiClient, "patch", patch_after_somebody_else)
    result = call("node_taints", nodes={"k8s-redis": ["domain=redis:NoSchedule"]})
    assert conflicts
    assert not result["failed"]
    assert api.taints("k8s-redis") == [FOREIGN, OURS]


def test_nothing_is_lost_to_a_writer_who_never_stops(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    stop = threading.Event()
    beats: list[int] = []

    def heartbeat() -> None:
        client = ApiClient.from_options({"kubeconfig": str(api.kubeconfig)})
        while not stop.wait(0.02):
            client.patch(f"{NODES}/k8s-redis", {"metadata": {"annotations": {"beat": str(len(beats))}}})
            beats.append(1)

    writer = threading.Thread(target=heartbeat)
    writer.start()
    try:
        for value in "abcdefgh":
            assert call("node_taints", nodes={"k8s-redis": [f"domain={value}:NoSchedule"]})["changed"]
            assert [taint["value"] for taint in api.taints("k8s-redis")] == [value]
    finally:
        stop.set()
        writer.join()
    assert api.node("k8s-redis")["metadata"]["annotations"]["beat"] == str(len(beats) - 1)


def test_one_list_is_all_that_is_asked_when_nothing_is_to_do(
    api: Api, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        api.plant(name)
    wanted: Mapping[str, Any] = {"a": ["x=y:NoSchedule"], "b": []}
    call("node_taints", nodes=wanted)
    request, requests = ApiClient.request, []

    def counted(self: ApiClient, method: str, path: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        requests.append(f"{method} {path}")
        return request(self, method, path, *arguments, **more)

    monkeypatch.setattr(ApiClient, "request", counted)
    call("node_taints", nodes=wanted)
    assert requests == ["GET /api/v1/nodes"]
