"""Plans of Azure's services: what each is made of, and what is refused before Azure is asked."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.lookup.azure_resources import DEEDS, deed_of
from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import prerequisites, resources_of
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import PlanError, Resource

ROLES = Path(__file__).resolve().parents[4] / "roles"
GROUP = "/subscriptions/s/resourceGroups/g/providers"
SUBNET = f"{GROUP}/Microsoft.Network/virtualNetworks/spoke/subnets/database"
ZONE = f"{GROUP}/Microsoft.Network/privateDnsZones/cms.private.postgres.database.azure.com"
DIGEST = "sha256:" + 64 * "a"
IMAGE = f"docker.io/library/python:3.12-slim@{DIGEST}"
PASSWORD = secrets.token_urlsafe()

NETWORKS = [
    {"name": "hub", "subnets": [{"name": "AzureFirewallSubnet", "prefix": "10.100.0.0/26"}]},
    {"name": "spoke", "subnets": [{"name": "endpoints", "prefix": "10.2.0.0/22"}]},
]
ZONES = ["privatelink.azurecr.io", "privatelink.vaultcore.azure.net"]
PLACE = {"subscription_id": "s", "resource_group": "g", "location": "koreacentral", "tags": {"system": "agui"}}
REGISTRY = {
    "name": "pe-acr",
    "target": f"{GROUP}/Microsoft.ContainerRegistry/registries/acr",
    "group": "registry",
    "subnet": "spoke/endpoints",
    "addresses": {"registry": "10.2.0.20", "registry_data_koreacentral": "10.2.0.19"},
}
VAULT = {
    "name": "pe-kv",
    "target": f"{GROUP}/Microsoft.KeyVault/vaults/kv",
    "group": "vault",
    "subnet": "spoke/endpoints",
}
DNS = {"name": "dns", "sources": ["10.0.0.0/10"], "destinations": ["*"], "ports": [53], "protocols": ["UDP", "TCP"]}
PYPI = {"name": "pypi", "sources": ["10.0.0.0/10"], "fqdns": ["pypi.org"]}

# What each role requires, and what it has from the network.
SAID: dict[str, dict[str, Any]] = {
    "azure_ai_foundry": {
        "name": "aif-contoso",
        "projects": ["agui"],
        "deployments": [{"name": "chat", "model": "gpt-5.2-chat", "version": "2025-12-11", "capacity": 10}],
    },
    "azure_firewall": {
        "name": "fw",
        "hub": "hub",
        "network_resource_group": "g",
        "virtual_networks": NETWORKS,
        "route_tables": [{"name": "egress", "routes": [{"name": "all", "next_hop": "10.100.0.4"}]}],
        "dns_servers": ["10.100.0.4"],
        "aks_prefixes": ["10.1.0.0/24"],
        "rules": [{"name": "Net-Allow-DNS", "rules": [DNS]}, {"name": "pypi-and-cdn", "rules": [PYPI]}],
    },
    "azure_keyvault": {"name": "kv-contoso", "tenant_id": "t", "secrets": {"jwt-secret": PASSWORD}},
    "azure_monitor": {
        "log_workspace": "law",
        "metrics_workspace": "amw",
        "collection": "MSProm",
        "private_link_scope": "ampls",
        "grafana": "grafana",
        "private_dns_zones": ["privatelink.koreacentral.prometheus.monitor.azure.com"],
        "public_access": False,
    },
    "azure_postgresql": {"name": "psql-cms", "password": PASSWORD, "databases": ["auto_builder"]},
    "azure_private_endpoint": {
        "network_resource_group": "g",
        "virtual_networks": NETWORKS,
        "private_dns_zones": ZONES,
        "endpoints": [REGISTRY, VAULT],
    },
    "azure_registry": {"name": "acrcontoso", "images": [IMAGE]},
}


def plan(role: str, **changes: Any) -> dict[str, Any]:
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    said = {name.removeprefix(f"{role}_"): value for name, value in defaults.items()}
    return {**said, **PLACE, **SAID[role], **changes}


def made(role: str, deed: str = "make", **changes: Any) -> dict[str, Resource]:
    return {each.get("key", each["name"]): each for each in DEEDS[role][deed](plan(role, **changes))}


def properties(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = resource["body"]["properties"]
    return found


@pytest.mark.parametrize("role", SAID)
def test_what_a_role_makes_is_what_arm_resource_takes(role: str) -> None:
    optional = {
        **dict.fromkeys(("key", "scope", "resource_group", "action", "unless")),
        "state": "present",
        "update": "put",
        "secret_body": {},
        **{name: [] for name in ("write_only", "initial", "any_order", "partial", "depends_on")},
    }
    for deed in (deed for name, deed in DEEDS[role].items() if name != "assign"):
        resources = resources_of([{**optional, **each} for each in deed(plan(role, cluster_id=SUBNET))], "s")
        assert resources
        assert prerequisites(resources)


@pytest.mark.parametrize(
    ("role", "deed", "problem"),
    [
        ("azure_regstry", "make", "is no role of Azure's; did you mean azure_registry?"),
        ("aks", "stp", "does not know how to stp; did you mean stop?"),
    ],
)
def test_what_is_not_known_is_asked_for_in_vain(role: str, deed: str, problem: str) -> None:
    with pytest.raises(PlanError, match=re.escape(problem)):
        deed_of(role, deed)


def test_what_a_role_makes_is_what_it_takes_away_but_not_the_group() -> None:
    removed = deed_of("azure_firewall", "remove")(plan("azure_firewall"))
    assert {each["name"] for each in removed} == {each["name"] for each in made("azure_firewall").values()}
    assert {each["state"] for each in removed} == {"absent"}


def test_a_secret_is_said_where_it_is_not_shown() -> None:
    secret = made("azure_keyvault", revisions={"jwt-secret": 2})["kv-contoso/jwt-secret"]
    assert secret["body"] == {"tags": {"revision": "2"}}
    assert secret["secret_body"] == {"properties": {"value": PASSWORD}}
    server = made("azure_postgresql")["psql-cms"]
    assert server["secret_body"] == {"properties": {"administratorLoginPassword": PASSWORD}}
    assert PASSWORD not in str(server["body"])


def test_images_are_taken_by_their_digest_unless_they_were() -> None:
    (image,) = made("azure_registry", "imports").values()
    assert image["body"]["source"] == {"registryUri": "docker.io", "sourceImage": f"library/python@{DIGEST}"}
    assert image["body"]["targetTags"] == ["library/python:3.12-slim"]
    noted = made("azure_registry", "imported")["acrcontoso"]["body"]["tags"]
    assert noted == image["unless"]["tags"]
    other = [IMAGE.replace("3.12", "3.13")]
    assert made("azure_registry", "imported", images=other)["acrcontoso"]["body"]["tags"] != noted


def test_an_endpoint_has_its_addresses_and_its_zones() -> None:
    endpoints = made("azure_private_endpoint")
    addresses = properties(endpoints["pe-acr"])["ipConfigurations"]
    assert addresses[1]["properties"] == {
        "groupId": "registry",
        "memberName": "registry_data_koreacentral",
        "privateIPAddress": "10.2.0.19",
    }
    assert "ipConfigurations" not in properties(endpoints["pe-kv"])
    (zone,) = properties(endpoints["pe-kv/default"])["privateDnsZoneConfigs"]
    assert zone["properties"]["privateDnsZoneId"].endswith("/privateDnsZones/privatelink.vaultcore.azure.net")


def test_rules_are_sorted_by_what_they_look_at() -> None:
    collections = properties(made("azure_firewall")["fw/groundwork"])["ruleCollections"]
    assert [(each["name"], each["priority"]) for each in collections] == [
        ("Net-Allow-DNS", 100),
        ("aks", 200),
        ("pypi-and-cdn", 300),
        ("aks-names", 400),
    ]
    dns, time, pypi, names = (each["rules"][0] for each in collections)
    assert (dns["destinationPorts"], dns["ipProtocols"]) == (["53"], ["UDP", "TCP"])
    assert (time["destinationFqdns"], time["sourceAddresses"]) == (["ntp.ubuntu.com"], ["10.1.0.0/24"])
    assert (pypi["targetFqdns"], pypi["terminateTLS"]) == (["pypi.org"], False)
    assert names["fqdnTags"] == ["AzureKubernetesService"]


def test_the_firewall_reads_tls_with_a_certificate_of_the_vault() -> None:
    rules = [{"name": "pypi-and-cdn", "rules": [{**PYPI, "inspect": True}]}]
    firewall = made("azure_firewall", identity=f"{GROUP}/x/y/fw", ca_secret_id="https://kv/secrets/ca", rules=rules)
    authority = properties(firewall["fw"])["transportSecurity"]["certificateAuthority"]
    assert authority["keyVaultSecretId"] == "https://kv/secrets/ca"
    assert firewall["fw"]["body"]["identity"]["type"] == "UserAssigned"


def test_what_a_scope_links_is_what_takes_in() -> None:
    monitor = made("azure_monitor")
    linked = [properties(monitor[f"ampls/{each}"])["linkedResourceId"].split("/")[-2] for each in ("logs", "metrics")]
    assert linked == ["workspaces", "dataCollectionEndpoints"]
    public = made("azure_monitor", public_access=True, private_link_scope="", grafana="")
    assert len(public) == 4


def test_grafana_reads_by_its_own_identity() -> None:
    grafana = {"grafana": {"identity": {"principalId": "g"}}}
    (reads,) = DEEDS["azure_monitor"]["assign"](plan("azure_monitor"), made=grafana)
    assert reads["scope"].endswith("/Microsoft.Monitor/accounts/amw")
    assert properties(reads)["principalId"] == "g"


@pytest.mark.parametrize(
    ("role", "changes", "problem"),
    [
        ("azure_registry", {"name": "acr-1"}, "azure_registry_name: acr-1 has to be 5 to 50 letters and digits"),
        ("azure_registry", {"public_access": False}, "azure_registry_sku: Standard is always public"),
        ("azure_registry", {"images": ["python:3.12"]}, "write it as registry/repository:tag@sha256:<hex>"),
        ("azure_registry", {"images": [IMAGE.replace("3.12-slim", "latest")]}, "tag 'latest' moves"),
        ("azure_registry", {"images": [IMAGE.replace("a" * 64, "0" * 64)]}, "a digest of zeros"),
        ("azure_keyvault", {"name": "kv--x"}, "azure_keyvault_name: kv--x is not 3 to 24 letters"),
        ("azure_keyvault", {"tenant_id": ""}, "azure_keyvault_tenant_id: is empty; set it, or AZURE_TENANT"),
        ("azure_keyvault", {"secrets": {"JWT_SECRET": "x"}}, "JWT_SECRET: a name is 1 to 127 letters, digits and hyph"),
        ("azure_keyvault", {"secrets": {"jwt": ""}}, "azure_keyvault_secrets: jwt: has no value"),
        ("azure_keyvault", {"revisions": {"jwt-secrt": 2}}, "has none; did you mean jwt-secret?"),
        ("azure_postgresql", {"password": ""}, "azure_postgresql_password: is empty"),
        ("azure_postgresql", {"administrator": "admin"}, "azure_postgresql_administrator: admin is a name that Azure"),
        ("azure_postgresql", {"subnet_id": SUBNET}, "azure_postgresql_subnet_id and azure_postgresql_private_dns_zone"),
        ("azure_postgresql", {"subnet_id": SUBNET, "private_dns_zone_id": SUBNET}, "has to end in .postgres.database"),
        ("azure_postgresql", {"allowed": {"office": {}}}, "azure_postgresql_allowed: says who may dial a public"),
        ("azure_postgresql", {"sku": "Standard_B2s", "high_availability": "SameZone"}, "Standard_B2s has none"),
        ("azure_ai_foundry", {"name": "aif_1"}, "azure_ai_foundry_name: aif_1 is no name of a host"),
        ("azure_monitor", {"private_link_scope": ""}, "azure_monitor_private_link_scope: without one"),
        ("azure_monitor", {"private_dns_zones": []}, "lacks privatelink.koreacentral.prometheus.monitor.azure.com"),
        ("azure_monitor", {"retention_days": 7}, "azure_monitor_retention_days: 7 is not within 30 to 730"),
        ("azure_firewall", {"ca_secret_id": "https://kv"}, "wants an azure_firewall_identity"),
        ("azure_firewall", {"virtual_networks": []}, "hub has no AzureFirewallSubnet"),
        ("azure_firewall", {"dns_servers": ["10.100.0.5"]}, "10.100.0.5 is not the firewall; it will be at 10.100.0.4"),
        (
            "azure_firewall",
            {"route_tables": [{"name": "egress", "routes": [{"name": "all", "next_hop": "10.100.0.5"}]}]},
            "azure_network_route_tables: egress: all: the firewall will be at 10.100.0.4",
        ),
        (
            "azure_firewall",
            {"rules": [{"name": "a", "rules": [{**PYPI, "inspect": True}]}]},
            "a: pypi: inspect: needs azure_firewall_ca_secret_id",
        ),
        (
            "azure_firewall",
            {"rules": [{"name": "a", "rules": [{**PYPI, "ports": [1]}]}]},
            "says either fqdns or fqdn_t",
        ),
        ("azure_firewall", {"rules": [{"name": "a", "rules": [{**DNS, "ports": []}]}]}, "a: dns: lacks ports"),
        ("azure_firewall", {"rules": [{"name": "a", "rules": [{**PYPI, "sources": []}]}]}, "a: pypi: lacks sources"),
        ("azure_firewall", {"rules": [{"name": "a", "rules": [{**PYPI, "fqdn": "x"}]}]}, "fqdn is not known; did you"),
        ("azure_firewall", {"rules": 2 * [{"name": "a", "rules": [PYPI]}]}, "a: is there more than once"),
    ],
)
def test_what_cannot_be_is_refused_by_name(role: str, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanError) as refused:
        made(role, **changes)
    assert problem in str(refused.value)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"target": "acr"}, "pe-acr: target acr: is the id of what it leads to"),
        ({"subnet": "spoke/endpoint"}, "pe-acr: there is no subnet spoke/endpoint; did you mean spoke/endpoints?"),
        ({"group": "registrie"}, "pe-acr: group registrie: is not known here; did you mean registry?"),
        (
            {"group": "file"},
            "group file has names in privatelink.file.core.windows.net, which azure_network_private_dns",
        ),
        (
            {"addresses": {"registry": "10.2.0.20"}},
            "addresses: say that of each of registry, registry_data_koreacentral",
        ),
        (
            {"addresses": {"registry": "10.3.0.20", "registry_data_koreacentral": "x"}},
            "registry: 10.3.0.20 is not within spoke/endpoints, 10.2.0.0/22; pe-acr: addresses: registry_data_koreacent"
            "ral: 'x' is no address",
        ),
        (
            {"addresses": {"registry": "10.2.0.3", "registry_data_koreacentral": "10.2.0.4"}},
            "registry: 10.2.0.3 is Azure's own, as the first 4 of a subnet and the last are",
        ),
        (
            {"addresses": {"registry": "10.2.3.255", "registry_data_koreacentral": "10.2.0.4"}},
            "registry: 10.2.3.255 is Azure's own",
        ),
        (
            {"addresses": {"registry": "10.2.0.20", "registry_data_koreacentral": "10.2.0.20"}},
            "pe-acr: 10.2.0.20 is said twice",
        ),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_by_name(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanError) as refused:
        made("azure_private_endpoint", endpoints=[{**REGISTRY, **changes}])
    assert problem in str(refused.value)
