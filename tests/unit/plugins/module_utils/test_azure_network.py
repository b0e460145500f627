"""A plan of virtual networks: what is wrong with it, and what it is made of."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import prerequisites, resources_of
from ansible_collections.groundwork.kube.plugins.module_utils.azure_network import name_servers, resources
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import PlanError

# The addresses of the AG-UI system.
PLAN: dict[str, Any] = {
    "subscription_id": "s",
    "resource_group": "network",
    "location": "koreacentral",
    "hub": "hub",
    "virtual_networks": [
        {"name": "hub", "address_prefixes": ["10.100.0.0/16"],
         "subnets": [{"name": "AzureFirewallSubnet", "prefix": "10.100.0.0/26"}]},
        {"name": "spoke", "address_prefixes": ["10.0.0.0/10"],
         "subnets": [{"name": "aks", "prefix": "10.1.0.0/24", "route_table": "egress"},
                     {"name": "endpoints", "prefix": "10.2.0.0/22", "private_endpoint_policies": "Disabled"}]},
    ],
    "route_tables": [{"name": "egress", "routes": [{"name": "all", "prefix": "0.0.0.0/0", "next_hop": "10.100.0.4"}]}],
    "private_dns_zones": ["privatelink.azurecr.io"],
    "public_addresses": ["ingress"],
    "dns_servers": ["10.100.0.4"],
    "reserved_prefixes": {"service_cidr": "172.16.0.0/16"},
    "tags": {"system": "agui"},
}  # fmt: skip

DEFAULTS = {
    "state": "present",
    "secret_body": {},
    "write_only": [],
    "initial": [],
    "any_order": [],
    "partial": [],
    "update": "put",
}
OPTIONAL = dict.fromkeys(("key", "scope", "resource_group", "action", "unless"))


def plan(**changes: Any) -> dict[str, Any]:
    """The plan with something changed, ``spoke`` and ``hub`` within these networks."""
    changed = {**copy.deepcopy(PLAN), **changes}
    for network in changed["virtual_networks"]:
        network.update(changes.get(f"in_{network['name']}", {}))
    return changed


def test_what_is_made_of_it_is_what_arm_resource_takes() -> None:
    entries = [{**OPTIONAL, **DEFAULTS, "depends_on": [], **entry} for entry in resources(PLAN)]
    made = resources_of(entries, "s")
    assert [str(resource).removeprefix("Microsoft.") for resource in made] == [
        "Resources/resourceGroups network",
        "Network/routeTables egress",
        "Network/publicIPAddresses ingress",
        "Network/virtualNetworks hub",
        "Network/virtualNetworks spoke",
        "Network/virtualNetworks/subnets hub/AzureFirewallSubnet",
        "Network/virtualNetworks/subnets spoke/aks",
        "Network/virtualNetworks/subnets spoke/endpoints",
        "Network/virtualNetworks/virtualNetworkPeerings hub/to-spoke",
        "Network/virtualNetworks/virtualNetworkPeerings spoke/to-hub",
        "Network/privateDnsZones privatelink.azurecr.io",
        "Network/privateDnsZones/virtualNetworkLinks privatelink.azurecr.io/hub",
    ]
    waits = prerequisites(made)
    assert waits["spoke/aks"] == {"network", "spoke", "egress"}
    assert waits["spoke/to-hub"] == {"network", "spoke", "hub"}
    assert waits["privatelink.azurecr.io/hub"] == {"network", "privatelink.azurecr.io", "hub"}


def test_each_network_is_told_its_name_servers() -> None:
    told = [(entry["name"], entry["body"]["properties"]["dhcpOptions"]) for entry in name_servers(PLAN)]
    assert told == [("hub", {"dnsServers": ["10.100.0.4"]}), ("spoke", {"dnsServers": ["10.100.0.4"]})]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subscription_id": ""}, "azure_network_subscription_id: is empty; set it, or AZURE_SUBSCRIPTION_ID"),
        ({"hub": "hob"}, "azure_network_hub: there is no hob; did you mean hub?"),
        (
            {"in_hub": {"address_prefixes": ["10.63.0.0/16"]}},
            "hub and spoke: 10.63.0.0/16 and 10.0.0.0/10 overlap; networks that are peered share no address",
        ),
        (
            # What AKS takes when nobody says otherwise lies in the seed's own spoke.
            {"reserved_prefixes": {"service_cidr": "10.0.0.0/16"}},
            "service_cidr and spoke: 10.0.0.0/16 and 10.0.0.0/10 overlap; what it says within a cluster would never",
        ),
        ({"reserved_prefixes": {"pod_cidr": "all"}}, "azure_network_reserved_prefixes: pod_cidr: 'all' is no network"),
        (
            {"in_spoke": {"address_prefixes": ["10.0.0.5/10"]}},
            "spoke: address_prefixes: 10.0.0.5/10 is an address within 10.0.0.0/10; write 10.0.0.0/10",
        ),
        (
            {"in_hub": {"subnets": [{"name": "AzureFirewallSubnet", "prefix": "10.100.0.0/27"}]}},
            "hub: AzureFirewallSubnet: 10.100.0.0/27 is too small; Azure wants a /26 at least",
        ),
        (
            {"in_hub": {"subnets": [{"name": "a", "prefix": "10.100.0.0/30"}]}},
            "hub: a: 10.100.0.0/30 is too small; Azure wants a /29 at least",
        ),
        (
            {"in_hub": {"subnets": [{"name": "a", "prefix": "10.1.0.0/24"}]}},
            "hub: a: 10.1.0.0/24 is not within 10.100.0.0/16",
        ),
        (
            {"in_hub": {"subnets": [{"name": "a", "prefix": "10.0.0.0/8"}]}},
            "hub: a: 10.0.0.0/8 is not within 10.100.0.0/16",
        ),
        (
            {"in_hub": {"subnets": [{"name": n, "prefix": f"10.100.0.0/{s}"} for n, s in (("a", 28), ("b", 24))]}},
            "hub: a and b: 10.100.0.0/28 and 10.100.0.0/24 overlap",
        ),
        ({"route_tables": []}, "spoke: aks: route_table: there is no egress"),
        (
            {"route_tables": [{"name": "egress", "routes": [{"name": "all", "prefix": "0/0", "next_hop": "fw"}]}]},
            "egress: all: prefix: '0/0' is no network; write it as 10.0.0.0/16; egress: all: next_hop: 'fw' is no",
        ),
        ({"dns_servers": ["firewall"]}, "azure_network_dns_servers: 'firewall' is no address"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Any], problem: str) -> None:
    for part in (resources, name_servers):
        with pytest.raises(PlanError) as refused:
            part(plan(**changes))
        assert problem in str(refused.value)


def test_a_plan_of_the_least_is_enough() -> None:
    nothing: dict[str, Any] = {
        "route_tables": [],
        "private_dns_zones": [],
        "public_addresses": [],
        "reserved_prefixes": {},
        "dns_servers": [],
    }
    least = plan(**nothing, in_spoke={"subnets": None}, in_hub={"subnets": []})
    names = [entry["name"] for entry in resources(least)]
    assert names == ["network", "hub", "spoke", "hub/to-spoke", "spoke/to-hub"]
