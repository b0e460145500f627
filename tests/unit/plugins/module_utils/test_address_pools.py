"""Pools that are no pools, each told by what would be right. Those that would hurt are in tests/unit/refusals."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.address_pools import parse, problems
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import Inventory

SOUND = "192.0.2.200-192.0.2.210"


def remedies(pools: Any, **host: Any) -> list[str]:
    values = {"ansible_host": "192.0.2.11", "argocd_root_values": {"addressPools": pools}, **host}
    inventory = Inventory({"kube_control_plane": ["cp-1"]}, {"cp-1": values}, {"cp-1": values}, {})
    return [problem.remedy for problem in problems(inventory)]


def pool(*addresses: str, **rest: Any) -> list[dict[str, Any]]:
    return [{"name": "default", "addresses": list(addresses), **rest}]


@pytest.mark.parametrize(
    ("pools", "remedy"),
    [
        (pool("192.0.2.200"), "write 192.0.2.200/32"),
        (pool("192.0.2.210-192.0.2.200"), "write 192.0.2.200-192.0.2.210"),
        (pool("the upper half"), "write FIRST-LAST or a CIDR"),
        (pool("192.0.2.200-210"), "write FIRST-LAST or a CIDR"),
        (pool("192.0.2.0/42"), "write it like 192.0.2.240/28"),
        (pool("2001:db8::10-2001:db8::20"), "give IPv4 addresses"),
        (SOUND, "write [{name: default, addresses: [FIRST-LAST]}]"),
        ([SOUND], "write [{name: default, addresses: [FIRST-LAST]}]"),
        ([{"name": "default"}], "write addresses: [FIRST-LAST]"),
        ([{"addresses": [SOUND]}], "write lower-case letters, digits and '-'"),
        (pool(SOUND, autoasign=False), "rename it to autoAssign"),
        (pool(SOUND, interfaces="eth1"), "write interfaces: [eth1]"),
    ],
)
def test_what_is_no_pool_is_told_by_what_would_be_one(pools: Any, remedy: str) -> None:
    assert remedies(pools) == [remedy]


@pytest.mark.parametrize(
    "pools",
    [
        None,
        [],
        pool(SOUND),
        pool("192.0.2.200 - 192.0.2.210", "192.0.2.240/28"),
        pool("192.0.2.201/32", autoAssign=False),
    ],
)
def test_sound_pools_are_left_alone(pools: Any) -> None:
    assert remedies(pools) == []


def test_the_network_behind_an_interface_is_for_preflight_to_judge() -> None:
    assert remedies(pool("198.51.100.32/28")) != []
    assert remedies(pool("198.51.100.32/28", interfaces=["eth1"])) == []


def test_a_host_that_says_its_network_is_taken_at_its_word() -> None:
    assert remedies(pool("192.0.2.64/28"), kubeadm_node_address="192.0.2.0/26", ansible_host="cp-1") != []
    assert remedies(pool("192.0.2.32/28"), kubeadm_node_address="192.0.2.0/26", ansible_host="cp-1") == []


def test_a_range_knows_its_ends() -> None:
    assert (str(parse("192.0.2.240/28").first), str(parse("192.0.2.240/28").last)) == ("192.0.2.240", "192.0.2.255")
