"""What the traffic check asks for and how it reads the answers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import network_check as plan

CHECKS = {check.name: check for check in plan.checks("10.0.0.1", "10.0.0.2", "10.96.0.9", "open.ns.svc.cluster.local")}


def pod(phase: str, message: str = "") -> dict[str, Any]:
    return {
        "status": {
            "phase": phase,
            "containerStatuses": [{"state": {"terminated": {"message": message, "reason": "x"}}}],
        }
    }


def test_a_client_that_gets_through_keeps_a_promise_of_traffic() -> None:
    assert plan.verdict(CHECKS["pod"], pod("Succeeded")).ok is True


def test_a_client_that_gets_through_breaks_a_promise_of_isolation() -> None:
    assert plan.verdict(CHECKS["denied"], pod("Succeeded")).ok is False


def test_only_a_timeout_proves_isolation() -> None:
    assert plan.verdict(CHECKS["denied"], pod("Failed", "TIMEOUT")).ok is True
    assert plan.verdict(CHECKS["denied"], pod("Failed", "exec: no such file")).ok is False
    assert plan.verdict(CHECKS["denied"], pod("Failed", "REFUSED")).ok is False


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_client_under_way_has_no_verdict_yet_but_says_why(phase: str) -> None:
    waiting = plan.verdict(CHECKS["name"], pod(phase, "DNS: lookup failed"))
    assert waiting.ok is None
    assert waiting.message == "DNS: lookup failed"


def test_servers_and_clients_stand_on_different_nodes() -> None:
    assert plan.pair(["a", "b", "c"], resolvers=[]) == ("a", "c")


def test_the_client_stands_where_no_resolver_is_if_there_is_such_a_node() -> None:
    assert plan.pair(["a", "b", "c"], resolvers=["c", "a"]) == ("a", "b")
    assert plan.pair(["a", "b"], resolvers=["a", "b"]) == ("a", "b")


def test_the_guarded_server_lets_in_whom_the_policy_names() -> None:
    policy = plan.servers("a", "image")[0]
    allowed = plan.client(CHECKS["allowed"], "b", "image")["metadata"]["labels"]
    denied = plan.client(CHECKS["denied"], "b", "image")["metadata"]["labels"]
    (admitted,) = policy["spec"]["ingress"][0]["from"]
    selector = admitted["podSelector"]["matchLabels"]
    assert selector.items() <= allowed.items()
    assert not selector.items() <= denied.items()
