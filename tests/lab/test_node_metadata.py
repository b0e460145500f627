"""Labels and taints on a real cluster: drift is told and mended, what left the inventory leaves, foreign keys stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.lab

API, WORKER = "k8s-api-auth", "k8s-worker-ai"
ROLE = "node-role.kubernetes.io"


def register_again(cluster: Any, node: str) -> None:
    """The Node object goes, and the kubelet makes it again with the flags it has."""
    cluster.kubectl("delete", "node", node)
    cluster.node(node, "systemctl restart kubelet")
    cluster.kubectl("wait", "--for=create", "--timeout=120s", f"node/{node}")


@pytest.fixture
def drifted(cluster: Any) -> Iterator[Any]:
    """Somebody was here by hand: owned keys changed, foreign ones added."""
    cluster.kubectl("label", "node", WORKER, "domain=web", "tier-", "example.org/owner=me", "--overwrite")
    cluster.kubectl("taint", "node", API, "domain=scan:NoSchedule", "--overwrite")
    cluster.kubectl("taint", "node", API, "example.org/held=yes:PreferNoSchedule")
    yield cluster
    cluster.kubectl("label", "node", WORKER, "example.org/owner-")
    cluster.kubectl("taint", "node", API, "example.org/held-")


FINDINGS = (
    f"{WORKER}: label domain=web, should be 'ai'",
    f"{WORKER}: label tier=worker missing",
    f"{API}: taint domain=scan:NoSchedule, should be domain=auth:NoSchedule",
)


def test_drift_is_reported_by_check_and_left(drifted: Any) -> None:
    before = drifted.labels(WORKER), drifted.taints(API)
    run = drifted.playbook("label_nodes", "--check", "--diff")
    assert run.rc == 0
    assert run.changed
    assert "+  domain: ai" in run.stdout
    assert "+  - domain=auth:NoSchedule" in run.stdout
    assert (drifted.labels(WORKER), drifted.taints(API)) == before


def test_fix_node_labels_names_each_key_and_with_check_mends_nothing(drifted: Any) -> None:
    before = drifted.labels(WORKER), drifted.taints(API)
    run = drifted.playbook("fix_node_labels", "--check")
    assert run.rc == 0
    told = run.stdout.replace("''", "'")  # as YAML writes quotes
    assert [finding for finding in FINDINGS if finding not in told] == []
    assert (drifted.labels(WORKER), drifted.taints(API)) == before


@pytest.mark.parametrize("playbook", ["label_nodes", "fix_node_labels"])
def test_what_is_ours_is_mended_and_what_is_foreign_survives(drifted: Any, playbook: str) -> None:
    assert drifted.playbook(playbook).rc == 0
    labels = drifted.labels(WORKER)
    assert (labels["tier"], labels["domain"], labels["example.org/owner"]) == ("worker", "ai", "me")
    assert drifted.taints(API) == ["domain=auth:NoSchedule", "example.org/held=yes:PreferNoSchedule"]
    assert drifted.playbook(playbook).changed == {}


LEFT = {
    WORKER: {"node_labels": {"tier": "worker", f"{ROLE}/worker": ""}},
    API: {"node_taints": []},
}


def test_a_key_that_the_kubelet_set_at_registration_leaves_with_the_inventory(cluster: Any) -> None:
    assert cluster.playbook("label_nodes", host_vars=LEFT).rc == 0
    assert "domain" not in cluster.labels(WORKER)
    assert cluster.taints(API) == []
    assert cluster.playbook("label_nodes", host_vars=LEFT).changed == {}


def test_it_does_not_come_back_when_the_node_registers_again(cluster: Any) -> None:
    for node in (WORKER, API):
        register_again(cluster, node)
    assert "domain" not in cluster.labels(WORKER)
    assert cluster.taints(API) == []
    assert cluster.playbook("site").rc == 0
    assert (cluster.labels(WORKER)["domain"], cluster.taints(API)) == ("ai", ["domain=auth:NoSchedule"])


def test_it_leaves_also_from_a_node_that_registered_again_with_its_old_flags(cluster: Any) -> None:
    for node in (WORKER, API):
        register_again(cluster, node)
    assert (cluster.labels(WORKER)["domain"], cluster.taints(API)) == ("ai", ["domain=auth:NoSchedule"])
    assert cluster.playbook("label_nodes", host_vars=LEFT).rc == 0
    assert "domain" not in cluster.labels(WORKER)
    assert cluster.taints(API) == []
    assert cluster.playbook("site").rc == 0
    assert cluster.playbook("site").changed == {}


@pytest.mark.parametrize("playbook", ["label_nodes", "site"])
def test_a_node_that_was_deleted_while_its_kubelet_runs_is_registered_again(cluster: Any, playbook: str) -> None:
    labels, taints = cluster.labels(API), cluster.taints(API)
    cluster.kubectl("delete", "node", API)

    announced = cluster.playbook(playbook, "--check", "--diff")
    assert (announced.rc, API in announced.changed) == (0, True)
    assert API not in cluster.ready()

    assert cluster.playbook(playbook).rc == 0
    assert (cluster.labels(API), cluster.taints(API)) == (labels, taints)
    cluster.kubectl("wait", "--for=condition=Ready", "--timeout=120s", f"node/{API}")
    assert cluster.playbook(playbook).changed == {}
