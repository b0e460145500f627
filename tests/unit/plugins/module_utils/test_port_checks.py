"""Which pairs of machines are tried."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.port_checks import checks, pairs

API = {"port": 6443, "protocol": "tcp", "from": "kube_node", "to": "kube_control_plane", "why": "Kubernetes API"}
KUBELET = {"port": 10250, "protocol": "tcp", "from": "kube_control_plane", "to": "kube_node", "why": "kubelet"}
VXLAN = {"port": 4789, "protocol": "udp", "from": "kube_node", "to": "kube_node", "why": "VXLAN"}
HEALTH = {"port": 10256, "protocol": "tcp", "from": "localhost", "to": "kube_node", "why": "kube-proxy health"}


def plan(workers: int, *ports: dict[str, Any]) -> dict[str, Any]:
    nodes = {"master": {"address": "192.0.2.1", "control_plane": True, "etcd": True}}
    for number in range(workers):
        nodes[f"worker-{number}"] = {"address": f"198.51.100.{number}", "control_plane": False, "etcd": False}
    return {"nodes": nodes, "ports": list(ports)}


def test_only_the_pairs_of_the_ports_table_are_tried() -> None:
    three = plan(2, API, VXLAN)

    assert [(pair.source, pair.target, pair.port) for pair in pairs(three, three["nodes"], [])] == [
        ("worker-0", "master", 6443),
        ("worker-1", "master", 6443),
        ("worker-0", "worker-1", 4789),
        ("worker-1", "worker-0", 4789),
    ]


def test_listeners_know_how_many_will_dial() -> None:
    three = plan(2, API)

    found = checks(three, three["nodes"], [])

    assert found["master"]["listen"] == [{"port": 6443, "protocol": "tcp", "dialers": 2}]
    assert found["worker-0"]["probe"] == [
        {"host": "master", "address": "192.0.2.1", "port": 6443, "protocol": "tcp", "why": "Kubernetes API"}
    ]


def test_hosts_that_do_not_answer_are_nobodys_business() -> None:
    found = checks(plan(2, API), ["master", "worker-1"], [])

    assert found["master"]["listen"][0]["dialers"] == 1
    assert "worker-0" not in found


def test_a_built_cluster_has_nothing_to_try() -> None:
    three = plan(2, API, KUBELET, VXLAN)

    found = checks(three, three["nodes"], list(three["nodes"]))

    assert all(check == {"listen": [], "probe": []} for check in found.values())


def test_a_new_node_dials_members_which_do_not_listen_for_it() -> None:
    three = plan(2, API, KUBELET, VXLAN)

    found = checks(three, three["nodes"], ["master", "worker-0"])

    assert found["master"]["listen"] == []
    assert [probe["host"] for probe in found["worker-1"]["probe"]] == ["master"], "datagrams to members are not tried"
    assert found["worker-1"]["listen"] == [
        {"port": 10250, "protocol": "tcp", "dialers": 1},
        {"port": 4789, "protocol": "udp", "dialers": 1},
    ]


def test_a_machines_own_ports_are_not_tried_from_others() -> None:
    assert pairs(plan(3, HEALTH), plan(3)["nodes"], []) == []


def test_beyond_fifty_hosts_a_sample_covers_every_host_of_both_groups() -> None:
    many = plan(99, API, KUBELET, VXLAN)

    tried = pairs(many, many["nodes"], [])

    workers = {f"worker-{number}" for number in range(99)}
    assert {pair.source for pair in tried if pair.port == 6443} == workers
    assert {pair.target for pair in tried if pair.port == 10250} == workers
    assert {pair.source for pair in tried if pair.port == 4789} == workers
    assert {pair.target for pair in tried if pair.port == 4789} == workers
    assert len(tried) == 3 * 99
