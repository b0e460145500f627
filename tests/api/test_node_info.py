# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.conftest import Api

Call = Callable[..., dict[str, Any]]


def test_what_the_modules_wrote_is_read_back(api: Api, call: Call) -> None:
    api.plant("k8s-redis", labels={"team": "blue"}, taints=[{"key": "gpu", "effect": "NoExecute"}])
    call("node_labels", nodes={"k8s-redis": {"tier": "infra"}})
    call("node_taints", nodes={"k8s-redis": ["domain=redis:NoSchedule"]})
    (node,) = call("node_info")["nodes"]
    assert node["name"] == "k8s-redis"
    assert node["labels"] == {"team": "blue", "tier": "infra"}
    assert node["taints"] == ["gpu:NoExecute", "domain=redis:NoSchedule"]
    assert node["owned"] == {"labels": ["tier"], "taints": ["domain"]}
    assert not node["ready"]
    assert node["schedulable"]


def test_nodes_are_found_by_name_and_by_label(api: Api, call: Call) -> None:
    api.plant("b", labels={"tier": "api"})
    api.plant("a", labels={"tier": "api", "domain": "auth"})
    api.plant("c")

    def names(**options: Any) -> list[str]:
        return [node["name"] for node in call("node_info", **options)["nodes"]]

    assert names() == ["a", "b", "c"]
    assert names(names=["c", "a", "none"]) == ["a", "c"]
    assert names(label_selectors=["tier=api"]) == ["a", "b"]
    assert names(label_selectors=["tier=api", "!domain"]) == ["b"]


def test_a_cluster_to_be_made_has_no_nodes_yet(call: Call) -> None:
    nowhere = {"kubeconfig": "/nonexistent/admin.conf"}
    assert call("node_info", **nowhere)["failed"]
    assert call("node_info", **nowhere, check=True, assume=["api"])["nodes"] == []
