"""What the inventory alone decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils import role_variables
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import (
    READS,
    Inventory,
    plan,
    ports,
)
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_problems import problems
from ansible_collections.groundwork.kube.plugins.module_utils.control_plane_problems import unresolved

VERSIONS = yaml.safe_load((Path(__file__).parents[4] / "versions.yml").read_text())


def inventory(
    control_planes: int = 1, workers: int = 2, groups: dict[str, list[str]] | None = None, **shared: Any
) -> Inventory:
    members = {
        "kube_control_plane": [f"cp-{number}" for number in range(1, control_planes + 1)],
        "kube_node": [f"worker-{number}" for number in range(1, workers + 1)],
        **(groups or {}),
    }
    hosts = [host for group in members.values() for host in group]
    variables = {
        host: {"ansible_host": f"192.0.2.{number}" if number < 255 else f"198.51.100.{number - 254}", **shared}
        for number, host in enumerate(dict.fromkeys(hosts), start=1)
    }
    return Inventory(members, variables, variables, VERSIONS)


def pairs(sound: Inventory) -> set[tuple[int, str, str]]:
    """What the cluster's own machines dial on each other."""
    return {(port["port"], port["from"], port["to"]) for port in ports(sound) if port["from"] != "load_balancer"}


def test_an_inventory_that_says_nothing_more_gets_the_defaults() -> None:
    cluster = plan(inventory(), [])["cluster"]
    assert cluster == {
        "name": "kubernetes",
        "cni": "calico",
        "cloud": "none",
        "storage": "none",
        "gitops": "argocd",
        "encapsulation": "VXLAN",
        "endpoint": "api.kubernetes.internal:6443",
        "endpoint_host": "api.kubernetes.internal",
        "endpoint_port": 6443,
        "endpoint_address": "192.0.2.1",
        "pod_subnet": "192.168.0.0/16",
        "service_subnet": "10.96.0.0/12",
        "dns_domain": "cluster.local",
        "version": VERSIONS["kubernetes"]["default"],
        "minor": "1.36",
    }


def test_dns_may_know_the_endpoint() -> None:
    sound = inventory(control_planes=3, kubeadm_control_plane_endpoint_address="")
    assert problems(sound) == []
    assert plan(sound, [])["cluster"]["endpoint_address"] == ""


def test_a_load_balancer_may_listen_on_another_port() -> None:
    sound = inventory(
        kubeadm_control_plane_endpoint="api.example.com:443", kubeadm_control_plane_endpoint_address="203.0.113.1"
    )
    assert problems(sound) == []
    assert plan(sound, [])["cluster"]["endpoint_port"] == 443


def test_modules_talk_to_the_control_plane_that_is_named() -> None:
    assert plan(inventory(), [])["api_host"] == "cp-1"
    three = inventory(control_planes=3, groundwork_api_host="cp-3", kubeadm_control_plane_endpoint_address="")
    assert plan(three, [])["api_host"] == "cp-3"


def test_one_control_plane_needs_no_etcd_port() -> None:
    assert {port for port, _source, _target in pairs(inventory())} == {6443, 10250, 4789}


def test_three_control_planes_open_etcd_to_each_other() -> None:
    found = pairs(inventory(control_planes=3))
    assert {
        (2379, "kube_control_plane", "kube_control_plane"),
        (2380, "kube_control_plane", "kube_control_plane"),
    } <= found


def test_one_machine_needs_no_port() -> None:
    assert pairs(inventory(workers=0, groups={"kube_node": ["cp-1"]})) == set()


def test_what_only_the_machine_itself_dials_is_no_matter_between_machines() -> None:
    assert not {port for port, _source, _target in pairs(inventory(control_planes=3))} & {10256, 10257, 10259}


@pytest.mark.parametrize(
    ("shared", "opened", "closed"),
    [
        ({"calico_encapsulation": "VXLANCrossSubnet"}, 4789, 7946),
        ({"calico_encapsulation": "IPIP"}, 179, 4789),
        ({"calico_encapsulation": "None"}, 179, 4789),
        ({"calico_typha": "true"}, 5473, 179),
        ({"calico_typha": True}, 5473, 179),
        ({"groundwork_cni": "none"}, 6443, 4789),
        ({"argocd_root_values": {"addressPools": [{"name": "default"}]}}, 7946, 179),
    ],
)
def test_the_network_decides_its_ports(shared: dict[str, Any], opened: int, closed: int) -> None:
    found = {port for port, _source, _target in pairs(inventory(**shared))}
    assert opened in found
    assert closed not in found


def test_typha_comes_by_itself_beyond_fifty_nodes() -> None:
    assert 5473 not in {port for port, _source, _target in pairs(inventory(workers=49))}
    assert 5473 in {port for port, _source, _target in pairs(inventory(workers=50))}


def test_control_planes_that_balance_the_api_themselves_do_so_on_another_port() -> None:
    sound = inventory(
        control_planes=3, api_lb_provider="keepalived", kubeadm_control_plane_endpoint_address="192.0.2.99"
    )
    assert problems(sound) == []
    planned = plan(sound, [])
    assert planned["cluster"]["endpoint"] == "api.kubernetes.internal:8443"
    assert planned["api_lb"] == {
        "provider": "keepalived",
        "hosts": {"cp-1": "192.0.2.1", "cp-2": "192.0.2.2", "cp-3": "192.0.2.3"},
    }
    assert {
        (8443, "kube_control_plane", "kube_control_plane"),
        (8443, "kube_node", "kube_control_plane"),
    } <= pairs(sound)


def test_balancers_of_their_own_keep_the_usual_port() -> None:
    sound = inventory(
        control_planes=3,
        groups={"api_lb": ["lb-1", "lb-2"]},
        api_lb_provider="keepalived",
        kubeadm_control_plane_endpoint_address="192.0.2.99",
    )
    assert problems(sound) == []
    planned = plan(sound, [])
    assert planned["cluster"]["endpoint_port"] == 6443
    assert list(planned["api_lb"]["hosts"]) == ["lb-1", "lb-2"]
    assert "lb-1" not in planned["nodes"]


def test_an_external_address_has_no_keepers_here() -> None:
    planned = plan(inventory(control_planes=3, kubeadm_control_plane_endpoint_address="203.0.113.1"), [])
    assert planned["api_lb"] == {"provider": "external", "hosts": {}}


def test_awss_load_balancer_has_a_name_that_only_the_vpc_knows() -> None:
    shared = {"groundwork_aws_region": "ap-northeast-2", "instance_type": "t3.small", "api_lb_provider": "aws_nlb"}
    sound = inventory(control_planes=3, **shared)
    assert problems(sound) == []
    assert list(unresolved(sound, lambda _name: False)) == []
    assert plan(sound, [])["cluster"]["endpoint_address"] == ""
    # One control plane is its own.
    assert plan(inventory(**shared), [])["cluster"]["endpoint_address"]


def test_with_an_etcd_elsewhere_two_control_planes_will_do() -> None:
    etcd = {"endpoints": ["https://192.0.2.201:2379"], "ca": "a", "certificate": "b", "key": "c"}
    sound = inventory(
        control_planes=2, kubeadm_control_plane_endpoint_address="203.0.113.1", kubeadm_external_etcd=etcd
    )
    assert problems(sound) == []
    assert not [name for name, node in plan(sound, [])["nodes"].items() if node["etcd"]]
    assert not {port for port, _source, _target in pairs(sound)} & {2379, 2380}


def test_dns_is_asked_only_where_it_is_left_to_know_the_endpoint() -> None:
    left_to_dns = inventory(control_planes=3, kubeadm_control_plane_endpoint_address="")
    given = inventory(control_planes=3, kubeadm_control_plane_endpoint_address="203.0.113.1")
    assert [problem.variable for problem in unresolved(left_to_dns, lambda _name: False)] == [
        "kubeadm_control_plane_endpoint"
    ]
    assert list(unresolved(left_to_dns, lambda name: name == "api.kubernetes.internal")) == []
    assert list(unresolved(given, lambda _name: False)) == []


def test_a_mask_that_is_none_is_left_to_kubeadm() -> None:
    assert (
        problems(inventory(kubeadm_controller_manager_extra_args=[{"name": "node-cidr-mask-size", "value": "x"}])) == []
    )


def test_a_smaller_piece_for_each_node_makes_room_for_more_of_them() -> None:
    tight = {"kubeadm_pod_subnet": "172.30.0.0/24"}
    smaller = [{"name": "node-cidr-mask-size", "value": "26"}]
    assert problems(inventory(**tight))
    assert problems(inventory(**tight, kubeadm_controller_manager_extra_args=smaller)) == []


@pytest.mark.parametrize("variable", READS)
@pytest.mark.parametrize(
    "value",
    [0, 1.5, True, "", " ", "x y", "::1", [], [None], [{}], [{"name": 1, "value": 2}], {}, {"a": None}, {1: [2]}],
)
def test_no_value_of_any_type_ends_in_a_traceback(variable: str, value: Any) -> None:
    assert isinstance(problems(inventory(**{variable: value})), list)


@pytest.mark.parametrize("variable", READS)
@pytest.mark.parametrize("value", [0, 1.5, True, "", "x y", [None], {"a": None}])
def test_whatever_is_let_through_can_be_planned(variable: str, value: Any) -> None:
    sound = inventory(**{variable: value})
    if not problems(sound):
        assert plan(sound, [])["nodes"]


SPECS = [
    {
        "argument_specs": {
            "main": {
                "options": {
                    "calico_method": {"type": "str", "choices": ["manifest", "operator"]},
                    "calico_patches": {"type": "list"},
                    "calico_limits": {"type": "dict"},
                }
            },
            "remove": {"options": {"calico_force": {"type": "bool"}}},
        }
    }
]


def unknown(**variables: Any) -> list[str]:
    known = role_variables.options(SPECS)
    return [
        f"{problem.variable}: {problem.remedy}"
        for problem in role_variables.problems(["a"], {"a": variables}, ["calico_", "node_metadata_"], known)
    ]


def test_a_variable_of_any_entry_point_is_known() -> None:
    assert unknown(calico_method="operator", calico_force=True, calico_patches=[], something_else=1) == []


def test_an_unknown_variable_hears_the_nearest_name() -> None:
    assert unknown(calico_patch=[]) == ["calico_patch: rename it to calico_patches"]
    assert unknown(calico_zzz=1) == ["calico_zzz: remove it; the documentation of calico lists what there is"]


def test_a_longer_prefix_is_not_taken_for_a_node_variable() -> None:
    assert unknown(node_metadata_labels=1) == [
        "node_metadata_labels: remove it; the documentation of node_metadata lists what there is"
    ]
    assert unknown(node_exporter_version="1.0") == []


def test_a_value_of_the_wrong_kind_is_refused_unless_it_is_a_template() -> None:
    assert unknown(calico_method="manifests") == ["calico_method: write manifest"]
    assert unknown(calico_method="{{ later }}", calico_limits="{{ later }}") == []
    assert unknown(calico_limits=[], calico_patches={}) == [
        "calico_limits: write it as {key: value}",
        "calico_patches: write it as [...]",
    ]
