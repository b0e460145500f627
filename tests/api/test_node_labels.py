# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES
from tests.api.conftest import Api

Call = Callable[..., dict[str, Any]]

REDIS = {"tier": "infra", "domain": "redis", "node-role.kubernetes.io/infra": ""}


def test_labels_of_all_nodes_arrive_in_one_call_and_a_second_call_changes_nothing(api: Api, call: Call) -> None:
    wanted = {f"n{number}": {"tier": "api", "domain": f"d{number}"} for number in range(14)}
    for name in wanted:
        api.plant(name)

    first = call("node_labels", nodes=wanted)
    assert first["changed"]
    assert first["nodes"]["n3"] == {"labels": {"set": wanted["n3"], "removed": []}}
    for name, labels in wanted.items():
        assert api.labels(name) == labels

    second = call("node_labels", nodes=wanted)
    assert not second["changed"]
    assert second["nodes"] == {}
    assert second["diff"] == []


@pytest.mark.parametrize(("module", "wanted"), [("node_labels", REDIS), ("node_taints", ["domain=redis:NoSchedule"])])
def test_nothing_to_do_is_one_list_and_the_wish_does_not_travel_back(
    api: Api, call: Call, monkeypatch: pytest.MonkeyPatch, module: str, wanted: Any
) -> None:
    api.plant("k8s-redis")
    call(module, nodes={"k8s-redis": wanted})
    asked = []
    request = ApiClient.request

    def note(client: ApiClient, method: str, path: str, *body: Any, **options: Any) -> Any:
        asked.append((method, path))
        return request(client, method, path, *body, **options)

    monkeypatch.setattr(ApiClient, "request", note)
    result = call(module, nodes={"k8s-redis": wanted})

    assert not result["changed"]
    assert asked == [("GET", NODES)]
    assert "nodes" not in result["invocation"]["module_args"]


def test_a_label_changed_by_hand_is_reported_then_mended_and_a_foreign_one_survives(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    call("node_labels", nodes={"k8s-redis": REDIS})
    api.patch("k8s-redis", {"metadata": {"labels": {"tier": "web", "domain": None, "team": "blue"}}})

    report = call("node_labels", nodes={"k8s-redis": REDIS}, check=True, diff=True)
    assert report["changed"]
    assert report["changes"] == [
        "k8s-redis: label domain=redis missing",
        "k8s-redis: label tier=web, should be 'infra'",
    ]
    assert "tier: web" in report["diff"][0]["before"]
    assert "tier: infra" in report["diff"][0]["after"]
    assert "team" not in report["diff"][0]["before"]
    assert api.labels("k8s-redis") == {"tier": "web", "team": "blue", "node-role.kubernetes.io/infra": ""}

    assert call("node_labels", nodes={"k8s-redis": REDIS})["changed"]
    assert api.labels("k8s-redis") == {**REDIS, "team": "blue"}


def test_a_key_that_leaves_the_inventory_leaves_the_node_whoever_wrote_its_value(api: Api, call: Call) -> None:
    api.plant("k8s-redis", labels={"domain": "redis"})
    call("node_labels", nodes={"k8s-redis": REDIS})
    api.patch("k8s-redis", {"metadata": {"labels": {"domain": "by-hand"}}})

    result = call("node_labels", nodes={"k8s-redis": {"tier": "infra"}})
    assert result["nodes"]["k8s-redis"]["labels"]["removed"] == ["domain", "node-role.kubernetes.io/infra"]
    assert api.labels("k8s-redis") == {"tier": "infra"}


def test_a_key_the_kubelet_set_at_registration_leaves_with_the_inventory(api: Api, call: Call) -> None:
    api.plant("k8s-redis", labels={"domain": "redis", "kubernetes.io/os": "linux"})
    adopted = call("node_labels", nodes={"k8s-redis": {"domain": "redis"}})
    assert adopted["changes"] == ["k8s-redis: owned labels recorded: domain"]

    call("node_labels", nodes={"k8s-redis": {}})
    assert api.labels("k8s-redis") == {"kubernetes.io/os": "linux"}


def test_a_node_deleted_and_registered_again_still_loses_what_left_the_inventory(api: Api, call: Call) -> None:
    flags = {"domain": "redis", "tier": "infra"}
    api.plant("k8s-redis", labels=flags)
    call("node_labels", nodes={"k8s-redis": flags})
    api.forget("k8s-redis")
    api.plant("k8s-redis", labels={**flags, "team": "blue"})

    call("node_labels", nodes={"k8s-redis": {"tier": "infra"}})
    assert api.labels("k8s-redis") == {"tier": "infra", "team": "blue"}
    assert not call("node_labels", nodes={"k8s-redis": {"tier": "infra"}})["changed"]


def test_a_key_that_left_every_node_is_foreign_again(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    call("node_labels", nodes={"k8s-redis": {"domain": "redis"}})
    call("node_labels", nodes={"k8s-redis": {}})
    api.forget("k8s-redis")
    api.plant("k8s-redis", labels={"domain": "by-hand"})

    call("node_labels", nodes={"k8s-redis": {}})
    assert api.labels("k8s-redis") == {"domain": "by-hand"}


def test_an_adopted_node_loses_nothing(api: Api, call: Call) -> None:
    api.plant("old", labels={"domain": "redis", "made-by": "hand"})
    call("node_labels", nodes={"old": {"tier": "infra"}})
    call("node_labels", nodes={"old": {"tier": "infra"}})
    assert api.labels("old") == {"domain": "redis", "made-by": "hand", "tier": "infra"}


def test_an_unknown_node_fails_before_anything_is_written(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    result = call("node_labels", nodes={"k8s-redis": REDIS, "k8s-reddis": REDIS})
    assert result["failed"]
    assert "no Node k8s-reddis; the nearest: k8s-redis" in result["msg"]
    assert api.labels("k8s-redis") == {}


def test_a_node_that_is_known_to_be_missing_does_not_stop_the_others(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    result = call("node_labels", nodes={"k8s-redis": REDIS, "k8s-dead": REDIS}, absent=["k8s-dead", "k8s-alive"])
    assert result["missing"] == ["k8s-dead"]
    assert api.labels("k8s-redis") == REDIS


def test_nodes_the_call_does_not_name_are_left_alone(api: Api, call: Call) -> None:
    api.plant("k8s-redis")
    api.plant("other", labels={"tier": "x"})
    before = api.node("other")["metadata"]["resourceVersion"]
    call("node_labels", nodes={"k8s-redis": REDIS})
    assert api.node("other")["metadata"]["resourceVersion"] == before


def test_check_mode_asks_the_server(api: Api, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    api.plant("k8s-redis")
    before = api.node("k8s-redis")["metadata"]["resourceVersion"]
    report = call(
        "node_labels", nodes={"k8s-redis": {}}, annotations={"k8s-redis": {"note": "x" * 300_000}}, check=True
    )
    assert report["failed"]
    assert "Too long" in report["msg"] or "must have at most" in report["msg"]
    assert api.node("k8s-redis")["metadata"]["resourceVersion"] == before


def test_in_check_mode_a_cluster_to_be_made_is_planned_from_nothing(api: Api, call: Call) -> None:
    wanted = {"k8s-redis": {**REDIS, "kubernetes.io/os": "linux"}}
    assert call("node_labels", nodes=wanted, check=True)["failed"]

    report = call("node_labels", nodes=wanted, check=True, assume=["packages", "runtime", "api"])
    assert report["changed"]
    assert report["nodes"]["k8s-redis"]["labels"]["set"] == REDIS
    assert report["differing"] == []
    assert call("node_labels", nodes=wanted, assume=["api"])["failed"], "assume means nothing outside check mode"


def test_in_check_mode_an_api_to_be_made_need_not_answer(call: Call) -> None:
    nowhere = {"kubeconfig": "/nonexistent/admin.conf", "nodes": {"k8s-redis": REDIS}}
    assert "does not exist" in call("node_labels", **nowhere, check=True)["msg"]
    assert call("node_labels", **nowhere, check=True, assume=["api"])["changed"]


def test_keys_with_another_writer_are_compared_and_not_fought_over(api: Api, call: Call) -> None:
    api.plant("k8s-master", labels={"kubernetes.io/arch": "amd64"})
    wanted = {"kubernetes.io/arch": "arm64", "node-role.kubernetes.io/control-plane": "", "tier": "control-plane"}
    result = call("node_labels", nodes={"k8s-master": wanted})
    assert result["nodes"]["k8s-master"]["labels"]["set"] == {"tier": "control-plane"}
    assert [line.split(";")[0] for line in result["differing"]] == [
        "k8s-master: label kubernetes.io/arch=arm64, found 'amd64'",
        "k8s-master: label node-role.kubernetes.io/control-plane= missing",
    ]
    assert len(result["warnings"]) == 2
    assert api.labels("k8s-master") == {"kubernetes.io/arch": "amd64", "tier": "control-plane"}


def test_the_instance_type_is_ours_on_bare_metal_and_the_clouds_in_a_cloud(api: Api, call: Call) -> None:
    key = "node.kubernetes.io/instance-type"
    api.plant("metal", labels={key: "t3.small"})
    api.plant("cloud", labels={key: "t3.small"}, providerID="aws:///eu-west-1a/i-0")
    result = call("node_labels", nodes={"metal": {key: "t3.micro"}, "cloud": {key: "t3.micro"}})
    assert api.labels("metal")[key] == "t3.micro"
    assert api.labels("cloud")[key] == "t3.small"
    assert len(result["differing"]) == 1
    assert "the cloud controller writes it" in result["differing"][0]


def test_annotations_are_managed_only_when_asked(api: Api, call: Call) -> None:
    api.plant("n1", annotations={"foreign": "stays"})

    def annotations() -> dict[str, str]:
        found = dict(api.node("n1")["metadata"]["annotations"])
        found.pop("groundwork.kube/owned")
        return found

    call("node_labels", nodes={"n1": {}}, annotations={"n1": {"example.com/note": "any text: at all"}})
    assert annotations() == {"foreign": "stays", "example.com/note": "any text: at all"}
    assert not call("node_labels", nodes={"n1": {}})["changed"]
    assert annotations() == {"foreign": "stays", "example.com/note": "any text: at all"}
    removed = call("node_labels", nodes={"n1": {}}, annotations={})
    assert "any text" not in str(removed["changes"])
    assert annotations() == {"foreign": "stays"}


def test_a_broken_ownership_annotation_is_written_anew(api: Api, call: Call) -> None:
    api.plant("n1", annotations={"groundwork.kube/owned": "{oops"})
    assert call("node_labels", nodes={"n1": {"tier": "api"}})["changed"]
    assert not call("node_labels", nodes={"n1": {"tier": "api"}})["changed"]


def test_one_node_refused_by_the_server_does_not_keep_the_others_from_their_labels(api: Api, call: Call) -> None:
    api.plant("a")
    api.plant("b")
    huge = {"a": {"note": "x" * 300_000}}
    result = call("node_labels", nodes={"a": {"tier": "x"}, "b": {"tier": "x"}}, annotations=huge)
    assert result["failed"]
    assert "/api/v1/nodes/a" in result["msg"]
    assert list(result["nodes"]) == ["b"]
    assert api.labels("b") == {"tier": "x"}
