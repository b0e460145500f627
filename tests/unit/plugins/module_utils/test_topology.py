"""Groups and host variables become nodes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.filter.topology import FilterModule
from ansible_collections.groundwork.kube.plugins.module_utils.topology import (
    CONTROL_PLANE_TAINT,
    Problem,
    address,
    nodes,
    problems,
    summary,
)

GROUPS = {"kube_control_plane": ["cp-1", "cp-2"], "kube_node": ["worker-1"]}


def hostvars(**variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    addresses = {"cp-1": "192.0.2.11", "cp-2": "192.0.2.12", "worker-1": "192.0.2.21"}
    return {name: {"ansible_host": ip, **variables.get(name.replace("-", "_"), {})} for name, ip in addresses.items()}


def test_control_planes_come_first_and_one_of_them_is_the_first() -> None:
    found = nodes({"kube_node": ["worker-1"], "kube_control_plane": ["cp-2", "cp-1"]}, hostvars())
    assert list(found) == ["cp-2", "cp-1", "worker-1"]
    assert [name for name, node in found.items() if node["first"]] == ["cp-2"]


def test_etcd_is_on_the_control_planes_unless_a_group_says_otherwise() -> None:
    assert [name for name, node in nodes(GROUPS, hostvars()).items() if node["etcd"]] == ["cp-1", "cp-2"]
    assert [name for name, node in nodes({**GROUPS, "etcd": ["cp-1"]}, hostvars()).items() if node["etcd"]] == ["cp-1"]


def test_a_control_plane_registers_with_kubeadms_taint_and_owns_only_its_own() -> None:
    node = nodes(GROUPS, hostvars(cp_1={"node_taints": ["dedicated=api:NoExecute"]}))["cp-1"]
    assert node["taints"] == ["dedicated=api:NoExecute"]
    assert node["registration"]["taints"] == [CONTROL_PLANE_TAINT, "dedicated=api:NoExecute"]


def test_a_control_plane_that_is_a_worker_too_registers_without_kubeadms_taint() -> None:
    node = nodes({**GROUPS, "kube_node": ["worker-1", "cp-1"]}, hostvars())["cp-1"]
    assert (node["control_plane"], node["registration"]["taints"]) == (True, [])


def test_a_node_registers_with_the_labels_a_kubelet_may_set() -> None:
    labels = {"tier": "api", "node.kubernetes.io/instance-type": "t3.micro", "node-role.kubernetes.io/api": ""}
    node = nodes(GROUPS, hostvars(worker_1={"node_labels": labels}))["worker-1"]
    assert node["labels"] == labels
    assert set(node["registration"]["labels"]) == {"tier", "node.kubernetes.io/instance-type"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ansible_host": "192.0.2.1"}, "192.0.2.1"),
        ({"ansible_host": "203.0.113.7", "kubeadm_node_address": "192.0.2.1"}, "192.0.2.1"),
        ({"ansible_host": "192.0.2.1", "kubeadm_node_address": "eth1"}, None),
        ({"ansible_host": "192.0.2.1", "kubeadm_node_address": "10.0.0.0/24"}, None),
        ({"ansible_host": "node.example.com"}, None),
        ({}, None),
    ],
)
def test_an_address_is_the_nodes_own_before_the_one_ssh_uses(variables: dict[str, Any], expected: str | None) -> None:
    assert address("node", variables) == expected


def test_an_interface_or_a_network_is_an_address_the_node_will_know() -> None:
    assert (
        problems(
            GROUPS, hostvars(cp_1={"kubeadm_node_address": "10.0.0.0/24"}, cp_2={"kubeadm_node_address": "bond0.7"})
        )
        == []
    )


def test_empty_variables_say_nothing() -> None:
    variables = dict.fromkeys(("node_labels", "node_taints", "node_annotations"))
    assert problems(GROUPS, hostvars(cp_1=variables)) == []
    assert nodes(GROUPS, hostvars(cp_1=variables))["cp-1"]["labels"] == {}


def test_two_taints_of_one_key_and_effect_are_one_too_many() -> None:
    (problem,) = problems(GROUPS, hostvars(worker_1={"node_taints": ["a=b:NoSchedule", "a=c:NoSchedule"]}))
    assert (problem.host, problem.variable, problem.remedy) == ("worker-1", "node_taints", "keep one of them")


def test_hosts_that_share_a_problem_share_its_line() -> None:
    lines = summary([Problem(host, "v", "is wrong", "mend it") for host in ("a", "b", "c", "d", "e")])
    assert lines == ["a, b, c and 2 more: v: is wrong. Remedy: mend it."]


def test_the_filter_gives_nodes_or_says_every_problem() -> None:
    topology = FilterModule().filters()["topology"]
    assert topology(GROUPS, hostvars()) == nodes(GROUPS, hostvars())
    with pytest.raises(AnsibleTemplatePluginError, match=r"cp-1: node_labels.*\n.*worker-1: node_taints"):
        topology(GROUPS, hostvars(cp_1={"node_labels": []}, worker_1={"node_taints": "x"}))
