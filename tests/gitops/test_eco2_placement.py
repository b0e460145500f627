"""Every pod of Eco² has a node: labels, taints and memory of inventories/eco2 against what is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import pytest
import yaml

from tests.gitops.eco2.placement import ROOT, Node, Pod, node_table, place, pods_of
from tests.gitops.rendering import platform, render

ENVIRONMENTS = platform("eco2")["environments"]
OWN_NODES = {
    **{f"apis-{name}": f"k8s-api-{name}" for name in ("auth", "my", "scan", "character", "location", "info", "chat")},
    "apis-storage": "k8s-worker-storage",
    "apis-ai": "k8s-worker-ai",
    "data: postgresql": "k8s-postgresql",
    "data: Redis": "k8s-redis",
    "rabbitmq": "k8s-rabbitmq",
    "kube-prometheus-stack: (prometheus[.]|Prometheus )": "k8s-monitoring",
    "kube-prometheus-stack: (alertmanager[.]|Alertmanager )": "k8s-monitoring",
    "grafana": "k8s-monitoring",
}
HOME = "k8s-master"
OPERATORS = (
    "external-secrets",
    "external-dns",
    "aws-load-balancer-controller",
    "postgres-operator",
    "redis-operator",
    "kube-prometheus-stack: (prometheusOperator|Deployment .*-operator$)",
)
EVERYWHERE = ("fluent-bit", "kube-prometheus-stack: (prometheus-node-exporter|DaemonSet )")


@cache
def inventory() -> tuple[Node, ...]:
    return tuple(node_table())


def nodes() -> list[Node]:
    return [Node(node.name, node.labels, node.taints, node.free) for node in inventory()]


@cache
def placed(environment: str) -> tuple[Mapping[str, Node], list[str]]:
    return place(pods_of(render("eco2", environment)), nodes())


def homes(table: Mapping[str, Node], pod: str) -> set[str]:
    """The nodes of a pod by its name: an object's if its chart is at hand, else a path in the chart's values."""
    return {node.name for node in table.values() for name in node.pods if re.match(pod, name)}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_pod_finds_a_node_with_room_for_it(environment: str) -> None:
    table, refused = placed(environment)
    assert refused == []
    assert len(table) == 14


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_domain_and_data_store_is_on_its_own_node(environment: str) -> None:
    table, _ = placed(environment)
    wanted = {pod: {node} for pod, node in OWN_NODES.items() if pod != "rabbitmq"}
    assert {pod: homes(table, pod) for pod in wanted} == wanted


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_operators_are_at_home_beside_the_control_plane(environment: str) -> None:
    table, _ = placed(environment)
    assert {pod: homes(table, pod) for pod in OPERATORS} == {pod: {HOME} for pod in OPERATORS}


def test_argo_cd_is_at_home_there_too() -> None:
    said = yaml.safe_load((ROOT / "inventories/eco2/group_vars/all/main.yml").read_text())
    pod = Pod("Argo CD", 0, said["argocd_node_selector"], (), tuple(said["argocd_tolerations"]))
    assert [node.name for node in nodes() if node.suits(pod)] == [HOME]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_logs_and_metrics_are_taken_from_every_node(environment: str) -> None:
    table, _ = placed(environment)
    assert {pod: homes(table, pod) for pod in EVERYWHERE} == {pod: set(table) for pod in EVERYWHERE}


def test_rabbitmq_has_its_node_once_it_is_turned_on() -> None:
    table, refused = place(pods_of(render("eco2", "prod", {"rabbitmq": True})), nodes())
    assert refused == []
    assert homes(table, "rabbitmq: RabbitmqCluster") == {OWN_NODES["rabbitmq"]}


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (Pod("nobody's", 1, {"domain": "nobody"}), "no node has its labels"),
        (Pod("untolerant", 1, {"domain": "auth"}), "no node has its labels"),
        (
            Pod("wrong taint", 1, {"domain": "auth"}, (), ({"key": "domain", "operator": "Equal", "value": "my"},)),
            "no node has its labels",
        ),
        (
            Pod("too large", 700, {"domain": "auth"}, (), ({"key": "domain", "operator": "Exists"},)),
            "700 MiB do not fit on k8s-api-auth",
        ),
        (Pod("too large for some", 1500, tolerations=({"operator": "Exists"},), everywhere=True), "do not fit on"),
    ],
    ids=lambda value: value.name if isinstance(value, Pod) else "",
)
def test_a_pod_that_no_node_would_take_is_found(pod: Pod, reason: str) -> None:
    _, refused = place([pod], nodes())
    assert len(refused) == 1
    assert reason in refused[0]
