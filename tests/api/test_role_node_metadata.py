# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, Play, ended

ROLE = [
    {"import_role": {"name": "groundwork.kube.node_metadata"}},
    {"import_role": {"name": "groundwork.kube.node_metadata", "tasks_from": "report"}},
]
MASTER = {"labels": {"tier": "control-plane"}, "taints": [], "annotations": {}}
REDIS = {
    "labels": {"tier": "infra", "domain": "redis"},
    "taints": ["domain=redis:NoSchedule"],
    "annotations": {"example.com/owner": "data team"},
}


@pytest.fixture
def run(play: Play) -> Any:
    def run(*arguments: str) -> str:
        nodes = {"k8s-master": MASTER, "k8s-redis": REDIS}
        return ended(play(ROLE, *arguments, groundwork={"nodes": nodes}))

    return run


def test_all_nodes_carry_what_the_plan_says_and_a_second_run_changes_nothing(api: Api, run: Any) -> None:
    api.plant("k8s-master")
    api.plant("k8s-redis")
    assert "changed=2" in run()
    assert api.labels("k8s-redis") == REDIS["labels"]
    assert api.taints("k8s-redis") == [{"key": "domain", "value": "redis", "effect": "NoSchedule"}]
    assert api.node("k8s-redis")["metadata"]["annotations"]["example.com/owner"] == "data team"
    second = run()
    assert "changed=0" in second
    assert "All nodes are as the inventory says" in second


def test_drift_is_reported_by_check_and_diff_and_not_mended(api: Api, run: Any) -> None:
    api.plant("k8s-master")
    api.plant("k8s-redis")
    run()
    api.patch("k8s-redis", {"metadata": {"labels": {"tier": "by-hand"}}, "spec": {"taints": []}})
    report = run("--check", "--diff")
    for line in ("-  tier: by-hand", "+  tier: infra", "+  - domain=redis:NoSchedule", "changed=2"):
        assert line in report
    assert "k8s-redis: taint domain=redis:NoSchedule missing" in report
    assert api.labels("k8s-redis")["tier"] == "by-hand"


def test_a_node_that_never_joined_does_not_stop_the_others(api: Api, run: Any) -> None:
    api.plant("k8s-redis")
    run()
    assert api.labels("k8s-redis") == REDIS["labels"]


@pytest.mark.parametrize(("cloud", "zone"), [("provider_id", "ap-northeast-2b"), ("aws_ccm", None)])
def test_where_kubelets_alone_know_their_machines_their_place_is_the_inventorys(
    api: Api, play: Play, cloud: str, zone: str | None
) -> None:
    api.plant("k8s-master", providerID="aws:///ap-northeast-2b/i-0123456789abcdef0")
    master = {**MASTER, "labels": {"topology.kubernetes.io/zone": "ap-northeast-2b"}}
    output = ended(play(ROLE, groundwork={"cluster": {"cloud": cloud}, "nodes": {"k8s-master": master}}))
    assert api.labels("k8s-master").get("topology.kubernetes.io/zone") == zone
    assert ("the cloud controller writes it" in output) == (zone is None)
