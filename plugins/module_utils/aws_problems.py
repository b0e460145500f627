# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that keeps its machines from being made in AWS, found before AWS is asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import topology
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import API_PORT, Inventory
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem

REGION = "groundwork_aws_region"
ZONES = "aws_network_zones"
CIDR = "aws_network_cidr"
NLB = "aws_nlb"

# AWS' names of load balancers have 32 letters; theirs is <cluster>-api.
_BALANCED_NAME = re.compile(r"(?!internal-)(?!.*--)[a-zA-Z0-9]([a-zA-Z0-9-]{0,26}[a-zA-Z0-9])?")

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# AWS keeps the first four addresses of a subnet and its last.
_ZONE_OF_REGION = r"(-[a-z]+-\d)?[a-z]"
_RESERVED_FIRST, _RESERVED_LAST = 4, 1
_LARGEST, _SMALLEST = 16, 28

_Network = ipaddress.IPv4Network


def problems(inventory: Inventory) -> Iterator[Problem]:
    region = inventory.shared(REGION)
    if not region:
        if inventory.shared("api_lb_provider") == NLB:
            yield inventory.says("api_lb_provider", f"is {NLB}, and {REGION} is not set", f"set {REGION}")
        return
    if not _REGION.fullmatch(str(region)):
        yield inventory.says(REGION, f"{region!r} is no region of AWS", "write it like ap-northeast-2")
        return
    yield from _api_lb(inventory)
    if inventory.has_network_load_balancer:
        yield from _network_load_balancer(inventory)
    yield from _types(inventory)
    if inventory.shared(ZONES):
        yield from _network(inventory, str(region))


def _api_lb(inventory: Inventory) -> Iterator[Problem]:
    provider = inventory.shared("api_lb_provider")
    if provider in ("keepalived", "kube_vip"):
        yield inventory.says(
            "api_lb_provider",
            f"is {provider}, and in a VPC no machine can take over an address that others had",
            f"write {NLB}, or external with the name of a load balancer of yours in kubeadm_control_plane_endpoint",
        )


def _network_load_balancer(inventory: Inventory) -> Iterator[Problem]:
    name, _colon, port = str(inventory.endpoint).rpartition(":")
    if port != str(API_PORT):
        yield inventory.says(
            "kubeadm_control_plane_endpoint",
            f"the load balancer in AWS listens at {API_PORT}, not at {port}",
            f"write {name}:{API_PORT}",
        )
    if inventory.endpoint_address:
        yield inventory.says(
            "kubeadm_control_plane_endpoint_address",
            f"is {inventory.endpoint_address}, and the load balancer in AWS has addresses of its own, which change",
            "leave it out: the VPC knows the name",
        )
    if not _BALANCED_NAME.fullmatch(str(inventory.shared("groundwork_cluster_name"))):
        yield inventory.says(
            "groundwork_cluster_name",
            f"{inventory.shared('groundwork_cluster_name')!r} cannot be in a name of a load balancer in AWS",
            "take at most 28 letters, digits and single dashes, and not internal- at the beginning",
        )
    for host in inventory.control_planes:
        if topology.address(host, inventory.variables[host]) is None:
            yield Problem(
                host,
                "ansible_host",
                "is no IP address, by which the load balancer in AWS finds it",
                "write its address",
            )


def _types(inventory: Inventory) -> Iterator[Problem]:
    for host in inventory.nodes:
        if not inventory.variables[host].get("instance_type") and not inventory.own(host, "aws_nodes_type"):
            yield Problem(host, "instance_type", "is not set", "write the type of its instance, like t3.small")


def _network(inventory: Inventory, region: str) -> Iterator[Problem]:
    whole = _parsed(inventory.shared(CIDR))
    if whole is None:
        yield inventory.says(CIDR, f"{inventory.shared(CIDR)!r} is no network", "write it like 10.0.0.0/16")
        return
    if whole.prefixlen < _LARGEST:
        yield inventory.says(CIDR, f"{whole} is larger than AWS makes a VPC", f"write a /{_LARGEST} at most")
        return
    for variable in ("kubeadm_pod_subnet", "kubeadm_service_subnet"):
        other = _parsed(inventory.shared(variable))
        if other and other.overlaps(whole):
            yield inventory.says(CIDR, f"{whole} overlaps {variable}, {other}", "choose networks that do not overlap")
    private: list[_Network] = []
    taken: list[_Network] = []
    for zone in inventory.shared(ZONES):
        found = list(_zone(inventory, zone, region, whole, taken))
        yield from found
        if not found:
            private.append(_Network(zone["private"]))
    # An address can be judged when all subnets are known.
    if len(private) == len(inventory.shared(ZONES)):
        yield from _twice(inventory)
        yield from _addresses(inventory, private)


def _twice(inventory: Inventory) -> Iterator[Problem]:
    names = [zone["zone"] for zone in inventory.shared(ZONES)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield inventory.says(ZONES, f"{name} is there twice", "write each zone once, with larger subnets")


def _zone(inventory: Inventory, zone: Any, region: str, whole: _Network, taken: list[_Network]) -> Iterator[Problem]:
    if not isinstance(zone, Mapping) or not {"zone", "private", "public"} <= set(zone):
        example = f"{{zone: {region}a, private: 10.0.1.0/24, public: 10.0.101.0/24}}"
        yield inventory.says(ZONES, f"{zone!r} does not say zone, private and public", f"write {example}")
        return
    if not re.fullmatch(re.escape(region) + _ZONE_OF_REGION, str(zone["zone"])):
        yield inventory.says(ZONES, f"{zone['zone']} is no zone of {region}", f"write one like {region}a")
    for kind in ("private", "public"):
        subnet = _parsed(zone[kind])
        if subnet is None or not subnet.subnet_of(whole):
            yield inventory.says(
                ZONES, f"{zone[kind]} is no part of {CIDR}, {whole}", f"write a network within {whole}"
            )
            continue
        if subnet.prefixlen > _SMALLEST:
            yield inventory.says(
                ZONES, f"{subnet} is smaller than AWS makes a subnet", f"write a /{_SMALLEST} at least"
            )
        for other in taken:
            if subnet.overlaps(other):
                yield inventory.says(ZONES, f"{subnet} overlaps {other}", "give each subnet its own addresses")
        taken.append(subnet)


def _addresses(inventory: Inventory, private: list[_Network]) -> Iterator[Problem]:
    for host in inventory.nodes:
        found = topology.address(host, inventory.variables[host])
        if found is None:
            continue
        own = inventory.variables[host].get("kubeadm_node_address")
        variable = "kubeadm_node_address" if own else "ansible_host"
        wanted = ipaddress.IPv4Address(found) if ":" not in found else None
        subnet = next((subnet for subnet in private if wanted in subnet), None) if wanted else None
        if subnet is None:
            remedy = f"give it an address in {' or '.join(map(str, private))}"
            yield Problem(host, variable, f"{found} is in no private subnet of {ZONES}", remedy)
        elif not _RESERVED_FIRST <= int(wanted or 0) - int(subnet[0]) < subnet.num_addresses - _RESERVED_LAST:
            yield Problem(
                host, variable, f"{found} is one that AWS keeps for itself", f"begin with {subnet[_RESERVED_FIRST]}"
            )


def _parsed(network: Any) -> _Network | None:
    try:
        return _Network(str(network))
    except ValueError:
        return None
