# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall in the hub: who gets out and where to, who answers names, and whose traffic it reads."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.azure_network import NETWORK_API, public_address, subnets
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    identity,
    listed,
    placed,
    refuse,
    resource,
    resource_id,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

ADDRESS = "Microsoft.Network/publicIPAddresses"
POLICY = "Microsoft.Network/firewallPolicies"
GROUP = f"{POLICY}/ruleCollectionGroups"
FIREWALL = "Microsoft.Network/azureFirewalls"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"

# The first address that Azure leaves in a subnet is the firewall's.
_OWN_ADDRESS = 4
# What a rule may say, by whether it looks at packets or at names.
_NETWORK_RULE = {"destinations", "ports", "protocols"}
_APPLICATION_RULE = {"fqdns", "fqdn_tags", "inspect"}
_RULE = {"name", "sources", *_NETWORK_RULE, *_APPLICATION_RULE}
# Without these no node of AKS starts, behind a route that leads through a firewall.
# https://learn.microsoft.com/azure/aks/outbound-rules-control-egress
_AKS_RULES = [
    {"name": "aks-names", "fqdn_tags": ["AzureKubernetesService"]},
    {"name": "aks-time", "destinations": ["ntp.ubuntu.com"], "ports": ["123"], "protocols": ["UDP"]},
]


def resources(plan: Plan) -> list[Resource]:
    """The firewall with its address, its policy and its rules, as arm_resource takes them."""
    refuse("azure_firewall", plan, _problems(plan))
    zoned = {"zones": plan["zones"]} if plan["zones"] else {}
    return [
        public_address(plan, f"{plan['name']}-ip", **zoned),
        _policy(plan),
        _rules(plan),
        _firewall(plan, zoned),
    ]


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _problems(plan: Plan) -> Iterator[str]:
    if plan["ca_secret_id"] and not plan["identity"]:
        yield "azure_firewall_ca_secret_id: wants an azure_firewall_identity that may read secrets of its vault"
    if plan["ca_secret_id"] and plan["tier"] != "Premium":
        yield "azure_firewall_ca_secret_id: TLS is read by the tier Premium alone"
    names = [collection["name"] for collection in plan["rules"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"azure_firewall_rules: {name}: is there more than once"
    for collection in plan["rules"]:
        for rule in collection["rules"]:
            where = f"azure_firewall_rules: {collection['name']}: {rule.get('name', 'a rule without name')}"
            yield from (f"{where}: {problem}" for problem in _rule_problems(plan, rule))
    yield from _address_problems(plan)


def _rule_problems(plan: Plan, rule: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(set(rule) - _RULE):
        yield f"{name} is not known{did_you_mean(name, _RULE)}"
    said = {name for name, value in rule.items() if value}
    if bool(said & _NETWORK_RULE) == bool(said & _APPLICATION_RULE):
        yield "says either fqdns or fqdn_tags, or destinations, ports and protocols"
    elif said & _NETWORK_RULE and not said >= _NETWORK_RULE:
        yield f"lacks {', '.join(sorted(_NETWORK_RULE - said))}"
    elif said & _APPLICATION_RULE and not said & {"fqdns", "fqdn_tags"}:
        yield "lacks fqdns or fqdn_tags"
    if rule.get("inspect") and not plan["ca_secret_id"]:
        yield "inspect: needs azure_firewall_ca_secret_id, a certificate authority that the machines trust"
    if not rule.get("sources"):
        yield "lacks sources; say whom it lets out"


def _address_problems(plan: Plan) -> Iterator[str]:
    """Who sends what to the firewall has to know where it is."""
    subnet = subnets(plan["virtual_networks"]).get(f"{plan['hub']}/AzureFirewallSubnet")
    if subnet is None:
        yield f"azure_network_virtual_networks: {plan['hub']} has no AzureFirewallSubnet, which the firewall is in"
        return
    own = str(subnet[_OWN_ADDRESS])
    for server in plan["dns_servers"]:
        if server != own:
            yield f"azure_network_dns_servers: {server} is not the firewall; it will be at {own}, of {subnet}"
    for table in plan["route_tables"]:
        for route in listed(table, "routes"):
            if ipaddress.ip_address(route["next_hop"]) in subnet and route["next_hop"] != own:
                yield f"azure_network_route_tables: {table['name']}: {route['name']}: the firewall will be at {own}"


# --- what it is made of -----------------------------------------------------------------------------------------------


def _policy(plan: Plan) -> Resource:
    properties: dict[str, Any] = {
        "sku": {"tier": plan["tier"]},
        "threatIntelMode": "Deny",
        # Rules that name hosts for packets need it, and so does all that asks the firewall for names.
        "dnsSettings": {"servers": [], "enableProxy": True},
    }
    body = placed(plan, properties=properties)
    if plan["identity"]:
        body["identity"] = identity(plan["identity"])
    if plan["ca_secret_id"]:
        authority = {"name": f"{plan['name']}-ca", "keyVaultSecretId": plan["ca_secret_id"]}
        properties["transportSecurity"] = {"certificateAuthority": authority}
    return resource(plan, POLICY, plan["name"], NETWORK_API, body)


def _rules(plan: Plan) -> Resource:
    """All in one group, in the inventory's order; the firewall looks at packets before it looks at names."""
    wanted = list(plan["rules"])
    if plan["aks_prefixes"]:
        own = [{**rule, "sources": plan["aks_prefixes"]} for rule in _AKS_RULES]
        wanted.append({"name": "aks", "rules": own})
    collections = [_collection(name, rules) for name, rules in _of_one_kind(wanted)]
    for position, collection in enumerate(collections, 1):
        collection["priority"] = 100 * position
    body = {"properties": {"priority": 200, "ruleCollections": collections}}
    return resource(plan, GROUP, f"{plan['name']}/groundwork", NETWORK_API, body)


def _of_one_kind(wanted: list[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Azure takes no collection of both kinds."""
    kinds = [
        (collection["name"], [rule for rule in collection["rules"] if bool(rule.get("destinations")) is of_packets])
        for of_packets in (True, False)
        for collection in wanted
    ]
    found = [(name, rules) for name, rules in kinds if rules]
    names = [name for name, _rules in found]
    for position, (name, rules) in enumerate(found):
        yield name if name not in names[:position] else f"{name}-names", rules


def _collection(name: str, rules: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
        "name": name,
        "action": {"type": "Allow"},
        "rules": [_packets(rule) if rule.get("destinations") else _names(rule) for rule in rules],
    }


def _packets(rule: Mapping[str, Any]) -> dict[str, Any]:
    addresses = [each for each in rule["destinations"] if _is_address(each)]
    return {
        "ruleType": "NetworkRule",
        "name": rule["name"],
        "sourceAddresses": rule["sources"],
        "destinationAddresses": addresses,
        "destinationFqdns": [each for each in rule["destinations"] if each not in addresses],
        "destinationPorts": [str(port) for port in rule["ports"]],
        "ipProtocols": rule["protocols"],
    }


def _names(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ruleType": "ApplicationRule",
        "name": rule["name"],
        "sourceAddresses": rule["sources"],
        "targetFqdns": listed(rule, "fqdns"),
        "fqdnTags": listed(rule, "fqdn_tags"),
        "protocols": [{"protocolType": "Https", "port": 443}],
        "terminateTLS": bool(rule.get("inspect")),
    }


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return text == "*"
    return True


def _firewall(plan: Plan, zoned: Mapping[str, Any]) -> Resource:
    subnet = resource_id(plan, SUBNET, f"{plan['hub']}/AzureFirewallSubnet", plan["network_resource_group"])
    address = {"subnet": {"id": subnet}, "publicIPAddress": {"id": resource_id(plan, ADDRESS, f"{plan['name']}-ip")}}
    properties = {
        "sku": {"name": "AZFW_VNet", "tier": plan["tier"]},
        "firewallPolicy": {"id": resource_id(plan, POLICY, plan["name"])},
        "ipConfigurations": [{"name": "hub", "properties": address}],
    }
    body = placed(plan, properties=properties, **zoned)
    # What changes the policy changes the firewall, too: both at once are refused.
    return resource(
        plan, FIREWALL, plan["name"], NETWORK_API, body, key="firewall", depends_on=[f"{plan['name']}/groundwork"]
    )
