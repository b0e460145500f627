"""One table of ports: what is dialled is let in, from those who dial it and from nobody else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import Inventory, plan
from ansible_collections.groundwork.kube.plugins.module_utils.port_checks import checks
from ansible_collections.groundwork.kube.plugins.module_utils.ports import NEEDS, PORTS
from ansible_collections.groundwork.kube.plugins.module_utils.security_groups import security_groups

VERSIONS = yaml.safe_load((Path(__file__).parents[3] / "versions.yml").read_text())
# What EC2 lets a rule's description be made of.
DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def planned(control_planes: int = 1, bastion: bool = False, **shared: Any) -> dict[str, Any]:
    groups = {"kube_control_plane": [f"cp-{number}" for number in range(control_planes)], "kube_node": ["api", "data"]}
    hosts = [host for group in groups.values() for host in group]
    variables = {host: {"ansible_host": f"10.0.1.{number}", **shared} for number, host in enumerate(hosts, start=11)}
    return plan(Inventory(groups | ({"bastion": ["way-in"]} if bastion else {}), variables, variables, VERSIONS), [])


def opened(rules: list[dict[str, Any]]) -> set[tuple[str, int, str]]:
    return {(rule["proto"], rule["from_port"], rule["group_name"].removeprefix("eco2-")) for rule in rules}


def groups(**cluster: Any) -> dict[str, set[tuple[str, int, str]]]:
    return {
        name.removeprefix("eco2-"): opened(rules) for name, rules in security_groups(planned(**cluster), "eco2").items()
    }


def test_a_cluster_of_one_control_plane_opens_this_and_no_more() -> None:
    assert groups() == {
        "control-plane": {
            ("tcp", 6443, "node"),
            ("tcp", 10250, "node"),
            ("udp", 4789, "node"),
        },
        "node": {
            ("tcp", 10250, "control-plane"),
            ("tcp", 10250, "node"),
            ("udp", 4789, "control-plane"),
            ("udp", 4789, "node"),
        },
        "node-ports": {("tcp", 10256, "load-balancer"), ("tcp", 30000, "load-balancer")},
        "bastion": set(),
        "load-balancer": set(),
    }


def test_what_etcd_and_the_api_say_among_control_planes_is_theirs_alone() -> None:
    more = groups(control_planes=3)["control-plane"] - groups()["control-plane"]
    assert more == {
        (protocol, port, "control-plane")
        for protocol, port in (("tcp", 2379), ("tcp", 2380), ("tcp", 6443), ("tcp", 10250), ("udp", 4789))
    }


def test_the_apis_load_balancer_is_called_by_nodes_and_calls_control_planes() -> None:
    shared = {"api_lb_provider": "aws_nlb"}
    found = groups(control_planes=3, **shared)
    assert found["api-load-balancer"] == {("tcp", 6443, "control-plane"), ("tcp", 6443, "node")}
    assert ("tcp", 6443, "api-load-balancer") in found["control-plane"]
    assert groups(**shared) == groups()


def test_ip_in_ip_and_bgp_are_let_in_where_the_encapsulation_asks_for_them() -> None:
    found = groups(calico_encapsulation="IPIP")["node"]
    assert {("4", -1, "node"), ("4", -1, "control-plane"), ("tcp", 179, "node")} <= found
    assert ("udp", 4789, "node") not in found
    assert {protocol for protocol, _port, _source in groups(calico_encapsulation="None")["node"]} == {"tcp"}


def test_typhas_port_is_open_between_all_nodes() -> None:
    found = groups(calico_typha=True)
    for target in ("control-plane", "node"):
        assert ("tcp", 5473, "node") in found[target]
    assert ("tcp", 5473, "control-plane") in found["node"]


def test_what_listens_on_its_own_machine_is_opened_to_nobody() -> None:
    found = {port for rules in groups(control_planes=3).values() for _protocol, port, _source in rules}
    assert not found & {10257, 10259}


def test_metrics_of_the_control_plane_are_opened_when_they_are_bound_to_more_than_their_machine() -> None:
    bound = [{"name": "bind-address", "value": "0.0.0.0"}]
    found = groups(kubeadm_scheduler_extra_args=bound, kubeadm_controller_manager_extra_args=bound)
    assert {("tcp", 10257, "node"), ("tcp", 10259, "node")} <= found["control-plane"]


def test_ssh_comes_from_the_bastion_where_there_is_one() -> None:
    found = groups(bastion=True)
    assert ("tcp", 22, "bastion") in found["node"] & found["control-plane"]


def test_further_ports_are_opened_between_all_nodes() -> None:
    rules = security_groups(planned(), "eco2", [{"port": 9100, "why": "node-exporter"}])
    assert ("tcp", 9100, "node") in opened(rules["eco2-control-plane"]) & opened(rules["eco2-node"])


def test_no_rule_is_open_to_addresses() -> None:
    rules = [rule for group in security_groups(planned(control_planes=3), "eco2").values() for rule in group]
    assert rules
    assert not [rule for rule in rules if "cidr_ip" in rule]


def test_every_reason_can_be_a_rules_description() -> None:
    assert [port.why for port in PORTS if not DESCRIPTION.fullmatch(port.why)] == []


def test_every_need_is_explained() -> None:
    assert {port.needs for port in PORTS} <= set(NEEDS)


def test_preflight_tries_what_can_be_dialled() -> None:
    found = checks(planned(bastion=True, calico_encapsulation="IPIP"), {"cp-0", "api", "data"}, set())
    dialled = {(probe["protocol"], probe["port"]) for host in found.values() for probe in host["probe"]}
    assert dialled == {("tcp", 6443), ("tcp", 10250), ("tcp", 179)}
