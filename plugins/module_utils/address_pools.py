# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses that MetalLB may give away: what is wrong with them, before it announces what somebody else has."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import topology
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import Inventory
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem, is_dns_name

VARIABLE = "argocd_root_values.addressPools"
KEYS = ("name", "addresses", "autoAssign", "avoidBuggyIPs", "interfaces", "nodeSelectors")
# No network that machines share by ARP is larger; how large theirs is, only they know, and preflight asks them.
_LARGEST_SEGMENT = 16


@dataclass(frozen=True)
class Range:
    """Addresses from the first to the last, as a pool's entry says them."""

    text: str
    first: ipaddress.IPv4Address
    last: ipaddress.IPv4Address

    def __contains__(self, address: object) -> bool:
        return isinstance(address, ipaddress.IPv4Address) and self.first <= address <= self.last

    def overlaps(self, other: Range | ipaddress.IPv4Network) -> bool:
        first, last = (other.first, other.last) if isinstance(other, Range) else (other[0], other[-1])
        return self.first <= last and first <= self.last

    def within(self, network: ipaddress.IPv4Network) -> bool:
        return self.first in network and self.last in network


def parse(text: Any) -> Range:
    """A range or a CIDR as MetalLB reads them; a ValueError says what is wrong and how to mend it."""
    first, dash, last = str(text).replace(" ", "").partition("-")
    if ":" in first:
        raise ValueError(f"{text} is IPv6, which is not built yet; give IPv4 addresses")
    try:
        if not dash and "/" not in first:
            raise ValueError(f"{text} is no range; write {ipaddress.IPv4Address(first)}/32")
        network = None if dash else ipaddress.IPv4Network(first, strict=False)
        ends = (network[0], network[-1]) if network else (ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    except ipaddress.AddressValueError:
        raise ValueError(f"{text!r} is no range of addresses; write FIRST-LAST or a CIDR") from None
    except ipaddress.NetmaskValueError:
        raise ValueError(f"{text!r} has no such mask; write it like 192.0.2.240/28") from None
    if ends[0] > ends[1]:
        raise ValueError(f"{text} ends before it begins; write {ends[1]}-{ends[0]}")
    return Range(str(text), *ends)


def pools(root_values: Any) -> list[Mapping[str, Any]]:
    """The pools that root values name."""
    found = root_values.get("addressPools") if isinstance(root_values, Mapping) else None
    return [pool for pool in found if isinstance(pool, Mapping)] if isinstance(found, list) else []


def ranges(pool: Mapping[str, Any]) -> Iterator[Range]:
    """The sound ones."""
    for text in pool.get("addresses") or ():
        try:
            yield parse(text)
        except ValueError:
            continue


def problems(inventory: Inventory) -> Iterator[Problem]:
    root_values = inventory.shared("argocd_root_values")
    if not isinstance(root_values, Mapping) or root_values.get("addressPools") is None:
        return
    if not isinstance(root_values["addressPools"], list) or len(pools(root_values)) < len(root_values["addressPools"]):
        yield inventory.says(VARIABLE, "is no list of pools", "write [{name: default, addresses: [FIRST-LAST]}]")
        return
    for pool in pools(root_values):
        yield from _shape(inventory, pool)
    yield from _twice(inventory, [(pool, each) for pool in pools(root_values) for each in ranges(pool)])
    for pool in pools(root_values):
        for each in ranges(pool):
            yield from _of_hosts(inventory, each)
            yield from _of_the_cluster(inventory, each)
            if not pool.get("interfaces"):
                yield from _elsewhere(inventory, each)


def _shape(inventory: Inventory, pool: Mapping[str, Any]) -> Iterator[Problem]:
    for key in pool:
        if key not in KEYS:
            meant = nearest(key, KEYS)
            remedy = f"rename it to {meant}" if meant else f"choose of {', '.join(KEYS)}"
            yield inventory.says(VARIABLE, f"{key} is no key of a pool", remedy)
    if not is_dns_name(pool.get("name")):
        yield inventory.says(
            VARIABLE, f"{pool.get('name')!r} is no name of a pool", "write lower-case letters, digits and '-'"
        )
    for key in ("interfaces", "nodeSelectors"):
        if not isinstance(pool.get(key, []), list):
            yield inventory.says(VARIABLE, f"{key} of {pool.get('name')} is no list", f"write {key}: [{pool[key]}]")
    addresses = pool.get("addresses")
    if not isinstance(addresses, list) or not addresses:
        yield inventory.says(VARIABLE, f"{pool.get('name')} has no list of addresses", "write addresses: [FIRST-LAST]")
        return
    for text in addresses:
        try:
            parse(text)
        except ValueError as error:
            yield inventory.says(VARIABLE, *str(error).split("; "))


def _twice(inventory: Inventory, found: list[tuple[Mapping[str, Any], Range]]) -> Iterator[Problem]:
    for index, (pool, each) in enumerate(found):
        for other_pool, other in found[:index]:
            if each.overlaps(other):
                yield inventory.says(
                    VARIABLE,
                    f"{each.text} of {pool.get('name')} overlaps {other.text} of {other_pool.get('name')}",
                    "give each address to one pool",
                )


def _of_hosts(inventory: Inventory, pool: Range) -> Iterator[Problem]:
    for host in inventory.nodes:
        address = topology.address(host, inventory.variables[host])
        if address and ipaddress.ip_address(address) in pool:
            yield Problem(host, VARIABLE, f"{pool.text} holds the host's own address", "leave every host's address out")


def _of_the_cluster(inventory: Inventory, pool: Range) -> Iterator[Problem]:
    shared = inventory.shared("kubeadm_control_plane_endpoint_address")
    if topology.address(str(shared), {}) and ipaddress.ip_address(str(shared)) in pool:
        yield inventory.says(
            VARIABLE, f"{pool.text} holds {shared}, the API's shared address", "leave the API's address out"
        )
    for variable in ("kubeadm_pod_subnet", "kubeadm_service_subnet"):
        try:
            network = ipaddress.IPv4Network(str(inventory.shared(variable)))
        except ValueError:
            continue
        if pool.overlaps(network):
            yield inventory.says(
                VARIABLE,
                f"{pool.text} overlaps {variable} {network}, which exists inside the cluster only",
                "take addresses of the hosts' own network",
            )


def _elsewhere(inventory: Inventory, pool: Range) -> Iterator[Problem]:
    """Only neighbours hear ARP. Of a pool that names its interfaces, the inventory may not know the network."""
    networks = [network for host in inventory.nodes for network in _segments(host, inventory.variables[host])]
    if networks and not any(pool.within(network) for network in networks):
        known = ", ".join(sorted({str(network) for network in networks}))
        yield inventory.says(
            VARIABLE,
            f"{pool.text} is outside the hosts' network ({known}): nobody would hear it announced",
            "take free addresses of that network, or name the interfaces that lead to the other",
        )


def _segments(host: str, variables: Mapping[str, Any]) -> Iterator[ipaddress.IPv4Network]:
    address = topology.address(host, variables)
    described = f"{address}/{_LARGEST_SEGMENT}" if address else variables.get("kubeadm_node_address")
    try:
        yield ipaddress.IPv4Network(str(described), strict=False)
    except ValueError:
        return
