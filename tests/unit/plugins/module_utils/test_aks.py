"""A plan of an AKS cluster: what is wrong with it, and what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.aks import assignments, node_images, power, resources
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import PlanError

ROOT = Path(__file__).resolve().parents[4]
GROUP = "/subscriptions/s/resourceGroups/g/providers"
SUBNET = f"{GROUP}/Microsoft.Network/virtualNetworks/spoke/subnets/aks"
ZONE = f"{GROUP}/Microsoft.Network/privateDnsZones/privatelink.koreacentral.azmk8s.io"
IDENTITY = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/control-plane"
DEFAULTS = yaml.safe_load((ROOT / "roles/aks/defaults/main.yml").read_text())

SYSTEM = {"name": "system", "mode": "System", "vm_size": "Standard_D4s_v5", "count": 3}
GENERAL = {"name": "general", "vm_size": "Standard_D8s_v5", "count": 2, "taints": ["workload=general:NoSchedule"]}


def plan(**changes: Any) -> dict[str, Any]:
    """The role's defaults, and what it requires, with something changed."""
    said = {
        **{name.removeprefix("aks_"): value for name, value in DEFAULTS.items()},
        "subscription_id": "s",
        "resource_group": "g",
        "location": "koreacentral",
        "name": "staging",
        "dns_prefix": "staging",
        "kubernetes_version": "1.35.2",
        "admin_groups": ["operators"],
        "network_prefixes": [],
        "dns_servers": [],
        "private_dns_zones": [],
        "tags": {},
        "pools": [SYSTEM, GENERAL],
    }
    assert set(changes) <= set(said)
    return {**said, **changes}


def properties(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = resources(plan(**changes))[0]["body"]["properties"]
    return found


def test_each_pool_is_a_resource_and_the_cluster_begins_with_those_of_the_system() -> None:
    cluster, system, general = resources(plan())
    assert [pool["name"] for pool in cluster["body"]["properties"]["agentPoolProfiles"]] == ["system"]
    assert "properties.agentPoolProfiles" in cluster["initial"]
    assert (system["name"], general["name"]) == ("staging/system", "staging/general")
    assert general["body"]["properties"]["nodeTaints"] == ["workload=general:NoSchedule"]
    assert general["body"]["properties"]["mode"] == "User"
    assert general["any_order"] == ["properties.nodeTaints"]


def test_a_private_cluster_in_a_hub_and_spoke_is_said_whole() -> None:
    pools = [{**pool, "subnet_id": SUBNET} for pool in (SYSTEM, GENERAL)]
    cluster = resources(
        plan(private=True, private_dns_zone=ZONE, identity=IDENTITY, outbound="userDefinedRouting", pools=pools)
    )[0]
    said = cluster["body"]["properties"]
    assert said["apiServerAccessProfile"] == {
        "enablePrivateCluster": True,
        "privateDNSZone": ZONE,
        "enablePrivateClusterPublicFQDN": False,
    }
    assert said["networkProfile"]["outboundType"] == "userDefinedRouting"
    assert said["agentPoolProfiles"][0]["vnetSubnetID"] == SUBNET
    assert cluster["body"]["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}


def test_addons_say_what_they_are_told_as_azure_wants_it_said() -> None:
    vault = properties(keyvault_secrets=True)["addonProfiles"]["azureKeyvaultSecretsProvider"]
    assert vault == {"enabled": True, "config": {"enableSecretRotation": "true", "rotationPollInterval": "2m"}}
    never = properties(keyvault_secrets=True, keyvault_rotation="")["addonProfiles"]["azureKeyvaultSecretsProvider"]
    assert never["config"] == {"enableSecretRotation": "false"}
    assert properties(log_analytics_workspace_id="w")["addonProfiles"]["omsagent"]["enabled"] is True


def test_nodes_trust_whom_they_are_told_to() -> None:
    assert properties(trusted_certificates=["PEM"])["securityProfile"]["customCATrustCertificates"] == ["UEVN"]
    assert "customCATrustCertificates" not in properties()["securityProfile"]


def test_the_identities_that_aks_makes_are_found_on_the_cluster() -> None:
    pulls = {"identity": "kubelet", "role": "AcrPull", "scope": f"{GROUP}/Microsoft.ContainerRegistry/registries/acr"}
    reads = {"identity": "keyvault_secrets", "role": "Key Vault Secrets User", "scope": f"{GROUP}/x/y/kv"}
    said = plan(role_assignments=[pulls, reads])
    addon = {"azureKeyvaultSecretsProvider": {"identity": {"objectId": "a"}}}
    cluster = {"properties": {"identityProfile": {"kubeletidentity": {"objectId": "k"}}, "addonProfiles": addon}}
    made = assignments(said, {"staging": cluster})
    assert [each["body"]["properties"]["principalId"] for each in made] == ["k", "a"]
    to_be = assignments(said, {"staging": {"properties": {}}}, assume=True)
    assert to_be[0]["body"]["properties"]["principalId"] == "the principalId of kubelet, once it is made"


def test_what_azure_keeps_by_itself_is_only_said_at_first() -> None:
    scaled = {"name": "spot", "vm_size": "x", "min_count": 1, "max_count": 9}
    made = resources(plan(pools=[SYSTEM, scaled]))
    assert made[2]["initial"] == ["properties.count"]
    assert made[2]["body"]["properties"]["count"] == 1
    assert made[1]["initial"] == []
    upgraded = resources(plan(upgrade_channel="stable"))
    assert "properties.kubernetesVersion" in upgraded[0]["initial"]
    assert upgraded[1]["initial"] == ["properties.orchestratorVersion"]


def test_further_properties_win_and_take_nothing_else_away() -> None:
    said = properties(properties={"networkProfile": {"podCidr": "10.244.0.0/16"}, "supportPlan": "KubernetesOfficial"})
    assert said["networkProfile"]["podCidr"] == "10.244.0.0/16"
    assert said["networkProfile"]["serviceCidr"] == "172.16.0.0/16"
    assert said["supportPlan"] == "KubernetesOfficial"


def test_a_pool_that_is_to_go_is_deleted() -> None:
    gone = resources(plan(absent_pools=["old"]))[-1]
    assert (gone["name"], gone["state"]) == ("staging/old", "absent")


def test_deeds_say_when_they_are_needless() -> None:
    assert power(plan(), "stop")[0]["unless"] == {"properties": {"powerState": {"code": "Stopped"}}}
    assert power(plan(), "start")[0]["unless"] == {"properties": {"powerState": {"code": "Running"}}}
    newest = {"id": "/pools/system/upgradeProfiles/default", "properties": {"latestNodeImageVersion": "AKSUbuntu-2404"}}
    renewal = node_images(plan(), [newest])[0]
    assert (renewal["name"], renewal["action"]) == ("staging/system", "upgradeNodeImageVersion")
    assert renewal["unless"] == {"properties": {"nodeImageVersion": "AKSUbuntu-2404"}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subscription_id": ""}, "aks_subscription_id: is empty; set it, or AZURE_SUBSCRIPTION_ID"),
        ({"oidc_issuer": False}, "aks_workload_identity: needs aks_oidc_issuer, whose tokens it trades"),
        ({"admin_groups": []}, "aks_local_accounts: is off, and neither aks_admin_groups nor aks_azure_rbac lets"),
        ({"private": True, "authorized_ranges": ["192.0.2.0/24"]}, "aks_authorized_ranges: say who may dial a public"),
        ({"private": True, "private_dns_zone": ZONE}, "aks_private_dns_zone: a zone of yours wants an aks_identity"),
        (
            {"private": True, "dns_servers": ["10.100.0.4"]},
            "nodes ask 10.100.0.4 for the API server's name, and AKS' own",
        ),
        (
            {"private": True, "private_dns_zone": ZONE.replace("korea", "us")},
            "AKS takes privatelink.koreacentral.azmk8s",
        ),
        (
            {"private": True, "private_dns_zone": ZONE, "private_dns_zones": ["privatelink.azurecr.io"]},
            "privatelink.koreacentral.azmk8s.io is not one of azure_network_private_dns_zones",
        ),
        (
            {"role_assignments": [{"identity": "kubelets", "role": "AcrPull", "scope": IDENTITY}]},
            "kubelets: AcrPull: there is no identity kubelets; did you mean kubelet?",
        ),
        ({"outbound": "userDefinedRouting"}, "aks_outbound: userDefinedRouting wants each pool in a subnet"),
        ({"pod_cidr": "pods"}, "aks_pod_cidr: 'pods' is no network"),
        (
            {"pod_cidr": "172.16.128.0/17"},
            "aks_pod_cidr (172.16.128.0/17) and aks_service_cidr (172.16.0.0/16) overlap",
        ),
        (
            # AKS' own default, in the seed's spoke.
            {"service_cidr": "10.0.0.0/16", "dns_service_ip": "10.0.0.10", "network_prefixes": ["10.0.0.0/10"]},
            "aks_service_cidr (10.0.0.0/16) and aks_network_prefixes: 10.0.0.0/10 (10.0.0.0/10) overlap",
        ),
        ({"dns_service_ip": "10.0.0.10"}, "aks_dns_service_ip: 10.0.0.10 has to be within 172.16.0.0/16"),
        ({"dns_service_ip": "172.16.0.1"}, "aks_dns_service_ip: 172.16.0.1 has to be within 172.16.0.0/16, and not"),
        ({"dns_service_ip": "dns"}, "aks_dns_service_ip: 'dns' is no address"),
        ({"pools": [GENERAL]}, "aks_pools: none has the mode System"),
        ({"pools": [SYSTEM, {**GENERAL, "subnet_id": SUBNET}]}, "aks_pools: some have a subnet_id and some have none"),
        ({"absent_pools": ["general"]}, "pool general: is in aks_pools and in aks_absent_pools"),
        ({"pools": [{**SYSTEM, "name": "System-1"}]}, "pool System-1: its name has to be 1 to 12 lower-case letters"),
        ({"pools": [{**SYSTEM, "vmsize": "x"}]}, "pool system: vmsize is not known; did you mean vm_size?"),
        ({"pools": [{**SYSTEM, "min_count": 1}]}, "pool system: min_count and max_count go together"),
        (
            {"pools": [{**SYSTEM, "min_count": 1, "max_count": 2}]},
            "pool system: count 3 is not between min_count 1 and max_count 2",
        ),
        ({"pools": [{**SYSTEM, "count": None}]}, "pool system: says neither count nor min_count and max_count"),
        ({"pools": [{**SYSTEM, "taints": ["a=b"]}]}, "pool system: taint 'a=b' has no effect"),
        ({"pools": [{**SYSTEM, "labels": {"a": True}}]}, "pool system: value true is a boolean, not a string"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanError) as refused:
        resources(plan(**changes))
    assert problem in str(refused.value)
