# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules import node_provider_ids
from tests.api.conftest import Api

Call = Callable[..., dict[str, Any]]

MACHINE = "aws:///ap-northeast-2a/i-0123456789abcdef0"
ANOTHER = "aws:///ap-northeast-2a/i-0fedcba9876543210"
UNINITIALIZED = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}
OURS = {"key": "domain", "value": "redis", "effect": "NoSchedule"}


def test_a_node_that_has_none_is_given_one_and_a_second_call_changes_nothing(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    api.plant("k8s-master", providerID=ANOTHER)
    wanted = {"k8s-redis": MACHINE, "k8s-master": ANOTHER}

    announced = call("node_provider_ids", nodes=wanted, check=True, diff=True)
    assert announced["diff"][0]["after"] == f"providerID: {MACHINE}\n"
    assert "providerID" not in api.node("k8s-redis")["spec"]

    assert call("node_provider_ids", nodes=wanted)["given"] == ["k8s-redis"]
    assert api.node("k8s-redis")["spec"]["providerID"] == MACHINE
    assert not call("node_provider_ids", nodes=wanted)["changed"]


def test_a_node_of_another_machine_is_refused_with_the_way_out(api: Api, call: Call) -> None:
    api.plant("k8s-redis", providerID=ANOTHER)

    refused = call("node_provider_ids", nodes={"k8s-redis": MACHINE})

    assert refused["failed"]
    assert f"is {ANOTHER}, and the machine is {MACHINE}" in refused["msg"]
    assert "kubectl delete node k8s-redis" in refused["msg"]


def test_a_node_that_nobody_will_ever_know_is_told_at_once(api: Api, call: Call) -> None:
    api.plant("k8s-redis")

    refused = call("node_provider_ids", nodes={"k8s-redis": ""}, timeout=3600)

    assert refused["failed"]
    assert "Remedy: set groundwork_cloud: provider_id" in refused["msg"]


def test_a_cloud_controller_that_finds_no_machine_is_named_with_what_it_needs(api: Api, call: Call) -> None:
    api.plant("k8s-redis", taints=[UNINITIALIZED])

    refused = call("node_provider_ids", nodes={"k8s-redis": ""})

    assert refused["failed"]
    assert "waits for a cloud controller" in refused["msg"]
    assert "cloud-controller" in refused["msg"]


def test_a_cloud_controller_is_waited_for(api: Api, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_provider_ids, "INTERVAL", 0.1)
    api.plant("k8s-redis", taints=[UNINITIALIZED, OURS], providerID=MACHINE)
    controller = threading.Timer(1, api.patch, ["k8s-redis", {"spec": {"taints": [OURS]}}])
    controller.start()

    found = call("node_provider_ids", nodes={"k8s-redis": ""}, timeout=60)

    controller.join()
    assert found["provider_ids"] == {"k8s-redis": MACHINE}
    assert not found["changed"]


def test_our_taints_and_the_cloud_controllers_do_not_fight(api: Api, call: Call) -> None:
    api.plant("k8s-redis", taints=[UNINITIALIZED])
    wanted = {"k8s-redis": ["domain=redis:NoSchedule"]}
    call("node_taints", nodes=wanted)
    assert api.taints("k8s-redis") == [UNINITIALIZED, OURS]

    api.patch("k8s-redis", {"spec": {"taints": [OURS]}})

    assert not call("node_taints", nodes=wanted)["changed"]
    assert api.taints("k8s-redis") == [OURS]


def test_a_node_that_never_joined_is_named(api: Api, call: Call) -> None:
    assert (
        "k8s-redis: providerID: the cluster has no such Node"
        in call("node_provider_ids", nodes={"k8s-redis": ""})["msg"]
    )
