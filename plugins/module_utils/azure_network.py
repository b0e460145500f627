# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub and its spokes in Azure: the plan, what is wrong with it, and the resources that it is made of."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, Union

from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    listed,
    placed,
    refuse,
    resource,
    resource_id,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

NETWORK_API = "2024-05-01"
DNS_API = "2024-06-01"
GROUPS_API = "2022-09-01"

# Azure takes no smaller subnet; some of its services want more.
_SMALLEST = 29
_SMALLEST_OF = {
    "AzureFirewallSubnet": 26,
    "AzureFirewallManagementSubnet": 26,
    "AzureBastionSubnet": 26,
    "GatewaySubnet": 27,
}


def resources(network: Plan) -> list[Resource]:
    """What the network is made of, as arm_resource takes it."""
    refuse("azure_network", network, _problems(network))
    return [
        {
            "type": "Microsoft.Resources/resourceGroups",
            "name": network["resource_group"],
            "api_version": GROUPS_API,
            "body": placed(network),
        },
        *(_route_table(network, table) for table in network["route_tables"]),
        *(public_address(network, name) for name in network["public_addresses"]),
        *(_virtual_network(network, each) for each in network["virtual_networks"]),
        *(_subnet(network, each, subnet) for each in network["virtual_networks"] for subnet in listed(each, "subnets")),
        *_peerings(network),
        *_private_dns(network),
    ]


def subnets(networks: Iterable[Mapping[str, Any]]) -> dict[str, Network]:
    """The addresses of each subnet by its name, as network/subnet; of what is no network, the role itself speaks."""
    found = {}
    for each in networks:
        for subnet in listed(each, "subnets"):
            for prefix in _networks("", [subnet["prefix"]]):
                if not isinstance(prefix, str):
                    found[f"{each['name']}/{subnet['name']}"] = prefix
    return found


def public_address(plan: Plan, name: str, **more: Any) -> Resource:
    """An address that stays the same, for a firewall or for what Kubernetes lets in."""
    body = placed(plan, sku={"name": "Standard"}, properties={"publicIPAllocationMethod": "Static"}, **more)
    return _within(plan, "publicIPAddresses", name, body)


def name_servers(network: Plan) -> list[Resource]:
    """Who answers names in each virtual network, which is said once they do."""
    refuse("azure_network", network, _problems(network))
    servers = {"properties": {"dhcpOptions": {"dnsServers": network["dns_servers"]}}}
    return [_within(network, "virtualNetworks", each["name"], servers) for each in network["virtual_networks"]]


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _problems(network: Plan) -> Iterator[str]:
    prefixes: dict[str, list[Network]] = {}
    for each in network["virtual_networks"]:
        found = [*_networks(f"{each['name']}: address_prefixes", each["address_prefixes"])]
        yield from (problem for problem in found if isinstance(problem, str))
        prefixes[each["name"]] = [prefix for prefix in found if not isinstance(prefix, str)]
        yield from _subnet_problems(each, prefixes[each["name"]], {table["name"] for table in network["route_tables"]})
    yield from _unknown("azure_network_hub", network["hub"], prefixes)
    for (one, its), (other, others) in combinations(prefixes.items(), 2):
        for overlap in _overlaps(its, others):
            yield f"{one} and {other}: {overlap}; networks that are peered share no address"
    for name, text in network["reserved_prefixes"].items():
        for reserved in _networks(f"azure_network_reserved_prefixes: {name}", [text]):
            if isinstance(reserved, str):
                yield reserved
                continue
            for one, its in prefixes.items():
                for overlap in _overlaps([reserved], its):
                    yield f"{name} and {one}: {overlap}; what it says within a cluster would never get to the network"
    for table in network["route_tables"]:
        for route in listed(table, "routes"):
            yield from (
                problem
                for problem in _networks(f"{table['name']}: {route['name']}: prefix", [route["prefix"]])
                if isinstance(problem, str)
            )
            yield from _address_problems(f"{table['name']}: {route['name']}: next_hop", [route["next_hop"]])
    yield from _address_problems("azure_network_dns_servers", network["dns_servers"])


def _subnet_problems(network: Plan, prefixes: list[Network], tables: set[str]) -> Iterator[str]:
    found: dict[str, list[Network]] = {}
    for subnet in listed(network, "subnets"):
        where = f"{network['name']}: {subnet['name']}"
        for prefix in _networks(f"{where}: prefix", [subnet["prefix"]]):
            if isinstance(prefix, str):
                yield prefix
                continue
            found[subnet["name"]] = [prefix]
            smallest = _SMALLEST_OF.get(subnet["name"], _SMALLEST)
            if prefix.version == 4 and prefix.prefixlen > smallest:
                yield f"{where}: {prefix} is too small; Azure wants a /{smallest} at least"
            if prefixes and not any(_is_within(prefix, each) for each in prefixes):
                yield f"{where}: {prefix} is not within {', '.join(map(str, prefixes))}"
        if subnet.get("route_table"):
            yield from _unknown(f"{where}: route_table", subnet["route_table"], tables)
    for (one, its), (other, others) in combinations(found.items(), 2):
        for overlap in _overlaps(its, others):
            yield f"{network['name']}: {one} and {other}: {overlap}"


def _networks(where: str, texts: Iterable[str]) -> Iterator[Network | str]:
    """Each text's network, or what is wrong with it."""
    for text in texts:
        try:
            yield ipaddress.ip_network(text)
        except ValueError:
            try:
                meant = ipaddress.ip_network(text, strict=False)
                yield f"{where}: {text} is an address within {meant}; write {meant}"
            except ValueError:
                yield f"{where}: {text!r} is no network; write it as 10.0.0.0/16"


def _address_problems(where: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            yield f"{where}: {text!r} is no address"


def _overlaps(some: list[Network], others: list[Network]) -> Iterator[str]:
    for one in some:
        for other in others:
            if one.version == other.version and one.overlaps(other):
                yield f"{one} and {other} overlap"


def _is_within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.overlaps(outer) and inner.prefixlen >= outer.prefixlen


def _unknown(where: str, name: str, known: Iterable[str]) -> Iterator[str]:
    names = list(known)
    if name not in names:
        yield f"{where}: there is no {name}{did_you_mean(name, names)}"


# --- what it is made of -----------------------------------------------------------------------------------------------


def _within(network: Plan, kind: str, name: str, body: dict[str, Any], **more: Any) -> Resource:
    return resource(network, f"Microsoft.Network/{kind}", name, NETWORK_API, body, **more)


def _id(network: Plan, kind: str, name: str) -> dict[str, str]:
    return {"id": resource_id(network, f"Microsoft.Network/{kind}", name)}


def _route_table(network: Plan, table: Mapping[str, Any]) -> Resource:
    routes = [
        {
            "name": route["name"],
            "properties": {
                "addressPrefix": route["prefix"],
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": route["next_hop"],
            },
        }
        for route in listed(table, "routes")
    ]
    # What a gateway learns would lead past the appliance.
    properties = {"disableBgpRoutePropagation": True, "routes": routes}
    return _within(network, "routeTables", table["name"], placed(network, properties=properties))


def _virtual_network(network: Plan, each: Mapping[str, Any]) -> Resource:
    body = placed(network, properties={"addressSpace": {"addressPrefixes": each["address_prefixes"]}})
    return _within(
        network, "virtualNetworks", each["name"], body, any_order=["properties.addressSpace.addressPrefixes"]
    )


def _subnet(network: Plan, outer: Mapping[str, Any], subnet: Mapping[str, Any]) -> Resource:
    properties: dict[str, Any] = {"addressPrefix": subnet["prefix"]}
    if subnet.get("route_table"):
        properties["routeTable"] = _id(network, "routeTables", subnet["route_table"])
    if subnet.get("delegation"):
        service = subnet["delegation"]
        properties["delegations"] = [{"name": service.split("/")[-1], "properties": {"serviceName": service}}]
    if subnet.get("private_endpoint_policies"):
        properties["privateEndpointNetworkPolicies"] = subnet["private_endpoint_policies"]
    return _within(network, "virtualNetworks/subnets", f"{outer['name']}/{subnet['name']}", {"properties": properties})


def _peerings(network: Plan) -> Iterator[Resource]:
    """Each spoke with the hub, and the hub with it: one way alone connects nothing."""
    spokes = [each["name"] for each in network["virtual_networks"] if each["name"] != network["hub"]]
    for one, other in [way for spoke in spokes for way in ((network["hub"], spoke), (spoke, network["hub"]))]:
        properties = {
            "remoteVirtualNetwork": _id(network, "virtualNetworks", other),
            "allowVirtualNetworkAccess": True,
            # What an appliance in the hub passes on comes from elsewhere.
            "allowForwardedTraffic": True,
        }
        name = f"{one}/to-{other}"
        yield _within(network, "virtualNetworks/virtualNetworkPeerings", name, {"properties": properties})


def _private_dns(network: Plan) -> Iterator[Resource]:
    """Zones that the hub's name server is asked for, and so the hub has to see."""
    linked = {"virtualNetwork": _id(network, "virtualNetworks", network["hub"]), "registrationEnabled": False}
    for zone in network["private_dns_zones"]:
        body, link = placed(network, "global"), placed(network, "global", properties=linked)
        yield {**_within(network, "privateDnsZones", zone, body), "api_version": DNS_API}
        yield {
            **_within(network, "privateDnsZones/virtualNetworkLinks", f"{zone}/{network['hub']}", link),
            "api_version": DNS_API,
        }
