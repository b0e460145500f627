"""The network of the AG-UI system: made, left alone, mended, told who answers names, and taken away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arm.conftest import Call
from tests.arm.fake import SUBSCRIPTION, FakeArm
from tests.arm.roles import Role

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-network"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
PARTS = 11

VARIABLES: dict[str, Any] = {
    "azure_network_resource_group": "rg-network",
    "azure_network_location": "koreacentral",
    "azure_network_hub": "hub",
    "azure_network_virtual_networks": [
        {
            "name": "hub",
            "address_prefixes": ["10.100.0.0/16"],
            "subnets": [{"name": "AzureFirewallSubnet", "prefix": "10.100.0.0/26"}],
        },
        {
            "name": "spoke",
            "address_prefixes": ["10.0.0.0/10"],
            "subnets": [
                {"name": "aks", "prefix": "10.1.0.0/24", "route_table": "egress"},
                {"name": "endpoints", "prefix": "10.2.0.0/22", "private_endpoint_policies": "Disabled"},
            ],
        },
    ],
    "azure_network_route_tables": [
        {"name": "egress", "routes": [{"name": "all", "prefix": "0.0.0.0/0", "next_hop": "10.100.0.4"}]}
    ],
    "azure_network_private_dns_zones": ["privatelink.azurecr.io"],
    "azure_network_dns_servers": ["10.100.0.4"],
    "azure_network_reserved_prefixes": {"service_cidr": "172.16.0.0/16"},
    "azure_network_tags": {"system": "agui"},
}


@pytest.fixture
def role(azure: FakeArm, declare: Call) -> Role:
    return Role(declare, "azure_network", VARIABLES)


def test_the_network_is_made_in_one_task_and_the_second_run_sends_nothing(azure: FakeArm, role: Role) -> None:
    azure.operations = "Azure-AsyncOperation"
    assert ([each["verb"] for each in role(check=True)], azure.written) == (PARTS * ["create"], [])
    role()
    assert len(azure.sent("PUT")) == len(azure.store) == PARTS
    before = len(azure.log)
    assert role() == role(check=True) == []
    assert {request.method for request in azure.log[before:] if request.path.startswith(GROUP)} == {"GET"}


def test_each_part_knows_the_others(azure: FakeArm, role: Role) -> None:
    role()
    aks = azure.resource(f"{NETWORK}/virtualNetworks/spoke/subnets/aks")["properties"]
    assert aks["routeTable"] == {"id": f"{NETWORK}/routeTables/egress"}
    for one, other in (("hub", "spoke"), ("spoke", "hub")):
        peering = azure.resource(f"{NETWORK}/virtualNetworks/{one}/virtualNetworkPeerings/to-{other}")["properties"]
        assert peering["remoteVirtualNetwork"] == {"id": f"{NETWORK}/virtualNetworks/{other}"}
        assert peering["allowForwardedTraffic"] is True
    link = azure.resource(f"{NETWORK}/privateDnsZones/privatelink.azurecr.io/virtualNetworkLinks/hub")
    assert link["location"] == "global"
    assert link["properties"]["virtualNetwork"] == {"id": f"{NETWORK}/virtualNetworks/hub"}


def test_what_somebody_changed_is_told_and_mended(azure: FakeArm, role: Role) -> None:
    role()
    route = azure.resource(f"{NETWORK}/routeTables/egress")["properties"]["routes"][0]
    route["properties"]["nextHopIpAddress"] = "10.9.9.9"
    (told,) = role(check=True)
    assert told["differences"] == ['properties.routes[all].properties.nextHopIpAddress: "10.9.9.9" -> "10.100.0.4"']
    assert role() == [told]
    assert azure.sent("PUT")[PARTS:] == [f"PUT {NETWORK}/routeTables/egress"]
    assert role() == []


def test_name_servers_are_told_later_and_the_subnets_stay(azure: FakeArm, role: Role) -> None:
    role()
    assert [each["key"] for each in role("name_servers")] == ["hub", "spoke"]
    for name in ("hub", "spoke"):
        options = azure.resource(f"{NETWORK}/virtualNetworks/{name}")["properties"]["dhcpOptions"]
        assert options == {"dnsServers": ["10.100.0.4"]}
    assert len(azure.store) == PARTS
    # The network is not told otherwise by the next run of the whole.
    assert role() == role("name_servers") == []


def test_it_is_taken_away_from_the_inside_out_and_the_group_stays(azure: FakeArm, role: Role) -> None:
    role()
    assert len(role("remove", check=True)) == PARTS - 1
    assert len(azure.store) == PARTS
    role("remove")
    assert list(azure.store) == [GROUP.lower()]
    assert role("remove") == []
