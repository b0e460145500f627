# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private endpoints: which addresses a service answers at within a network, and which zones say so."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.azure_network import NETWORK_API, Network, subnets
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    placed,
    refuse,
    resource,
    resource_id,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

ENDPOINT = "Microsoft.Network/privateEndpoints"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
ZONE = "Microsoft.Network/privateDnsZones"

# Azure takes the first four addresses of a subnet, and the last one.
_TAKEN_FIRST, _TAKEN_LAST = 4, 1


@dataclass(frozen=True)
class Group:
    """What of a service an endpoint leads to: the zones of its names, and the members that have an address each."""

    zones: tuple[str, ...]
    members: tuple[str, ...] = ()


GROUPS = {
    "account": Group(
        (
            "privatelink.cognitiveservices.azure.com",
            "privatelink.openai.azure.com",
            "privatelink.services.ai.azure.com",
        ),
        ("default", "secondary", "third"),
    ),
    "azuremonitor": Group(
        (
            "privatelink.monitor.azure.com",
            "privatelink.ods.opinsights.azure.com",
            "privatelink.oms.opinsights.azure.com",
            "privatelink.agentsvc.azure-automation.net",
            "privatelink.blob.core.windows.net",
        )
    ),
    "file": Group(("privatelink.file.core.windows.net",), ("file",)),
    "grafana": Group(("privatelink.grafana.azure.com",)),
    "postgresqlServer": Group(("privatelink.postgres.database.azure.com",)),
    "prometheusMetrics": Group(("privatelink.{location}.prometheus.monitor.azure.com",)),
    "registry": Group(("privatelink.azurecr.io",), ("registry", "registry_data_{location}")),
    "vault": Group(("privatelink.vaultcore.azure.net",), ("default",)),
}


def resources(plan: Plan) -> list[Resource]:
    """The endpoints, and whose zones get their names, as arm_resource takes them."""
    refuse("azure_private_endpoint", plan, _problems(plan))
    return [made for endpoint in plan["endpoints"] for made in (_endpoint(plan, endpoint), _names(plan, endpoint))]


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _problems(plan: Plan) -> Iterator[str]:
    known = subnets(plan["virtual_networks"])
    for endpoint in plan["endpoints"]:
        yield from (f"{endpoint['name']}: {problem}" for problem in _endpoint_problems(plan, endpoint, known))
    taken = [(e["name"], address) for e in plan["endpoints"] for address in (e.get("addresses") or {}).values()]
    for (one, its), (other, others) in combinations(taken, 2):
        if its == others:
            yield f"{other}: {others} is {one}'s already" if one != other else f"{one}: {its} is said twice"


def _endpoint_problems(plan: Plan, endpoint: Mapping[str, Any], known: Mapping[str, Network]) -> Iterator[str]:
    if not endpoint["target"].startswith("/subscriptions/"):
        yield f"target {endpoint['target']}: is the id of what it leads to"
    subnet = known.get(endpoint["subnet"])
    if subnet is None:
        yield f"there is no subnet {endpoint['subnet']}{did_you_mean(endpoint['subnet'], known)}"
    if endpoint["group"] not in GROUPS:
        yield f"group {endpoint['group']}: is not known here{did_you_mean(endpoint['group'], GROUPS)}"
        return
    for zone in _zones(plan, endpoint):
        if zone not in plan["private_dns_zones"]:
            yield f"group {endpoint['group']} has names in {zone}, which azure_network_private_dns_zones does not list"
    addresses = endpoint.get("addresses") or {}
    members = _at(plan, GROUPS[endpoint["group"]].members)
    if addresses and members and set(addresses) != set(members):
        yield f"addresses: say that of each of {', '.join(members)}, or none"
    for member, text in addresses.items():
        yield from (f"addresses: {member}: {problem}" for problem in _address_problems(text, endpoint, subnet))


def _address_problems(text: str, endpoint: Mapping[str, Any], subnet: Network | None) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        yield f"{text!r} is no address"
        return
    if subnet is None:
        return
    if address not in subnet:
        yield f"{address} is not within {endpoint['subnet']}, {subnet}"
    elif not _TAKEN_FIRST <= int(address) - int(subnet[0]) < subnet.num_addresses - _TAKEN_LAST:
        yield f"{address} is Azure's own, as the first {_TAKEN_FIRST} of a subnet and the last are"


# --- what it is made of -----------------------------------------------------------------------------------------------


def _endpoint(plan: Plan, endpoint: Mapping[str, Any]) -> Resource:
    subnet = resource_id(plan, SUBNET, endpoint["subnet"], plan["network_resource_group"])
    addresses = [
        {
            "name": member,
            "properties": {"groupId": endpoint["group"], "memberName": member, "privateIPAddress": address},
        }
        for member, address in (endpoint.get("addresses") or {}).items()
    ]
    connection = {"privateLinkServiceId": endpoint["target"], "groupIds": [endpoint["group"]]}
    properties = {
        "subnet": {"id": subnet},
        "privateLinkServiceConnections": [{"name": endpoint["name"], "properties": connection}],
        **({"ipConfigurations": addresses} if addresses else {}),
    }
    return resource(plan, ENDPOINT, endpoint["name"], NETWORK_API, placed(plan, properties=properties))


def _names(plan: Plan, endpoint: Mapping[str, Any]) -> Resource:
    zones = [
        {
            "name": zone.replace(".", "-"),
            "properties": {"privateDnsZoneId": resource_id(plan, ZONE, zone, plan["network_resource_group"])},
        }
        for zone in _zones(plan, endpoint)
    ]
    body = {"properties": {"privateDnsZoneConfigs": zones}}
    return resource(plan, f"{ENDPOINT}/privateDnsZoneGroups", f"{endpoint['name']}/default", NETWORK_API, body)


def _zones(plan: Plan, endpoint: Mapping[str, Any]) -> list[str]:
    return _at(plan, GROUPS[endpoint["group"]].zones)


def _at(plan: Plan, names: tuple[str, ...]) -> list[str]:
    return [name.format(location=plan["location"]) for name in names]
