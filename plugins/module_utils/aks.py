# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AKS cluster and its pools: what is wrong with a plan, and the resources that it is made of."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import azure_identity
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    identity,
    placed,
    refuse,
    resource,
)
from ansible_collections.groundwork.kube.plugins.module_utils.metadata import (
    MetadataError,
    check_label_key,
    check_label_value,
    parse_taints,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

CLUSTER = "Microsoft.ContainerService/managedClusters"
POOL = f"{CLUSTER}/agentPools"
PROFILE = f"{POOL}/upgradeProfiles"
PRIVATE_ZONE = "privatelink.{location}.azmk8s.io"
# Those that AKS makes for a cluster, and where it says who they are.
OWN_IDENTITIES = {
    "kubelet": ("identityProfile", "kubeletidentity"),
    "keyvault_secrets": ("addonProfiles", "azureKeyvaultSecretsProvider", "identity"),
}
API = "2025-05-01"

_POOL_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
# What a pool may say, by the name that ARM has for it.
_POOL_PROPERTIES = {
    "mode": "mode",
    "count": "count",
    "min_count": "minCount",
    "max_count": "maxCount",
    "vm_size": "vmSize",
    "subnet_id": "vnetSubnetID",
    "zones": "availabilityZones",
    "labels": "nodeLabels",
    "taints": "nodeTaints",
    "max_pods": "maxPods",
    "os_disk_type": "osDiskType",
    "os_disk_gb": "osDiskSizeGB",
    "os_sku": "osSKU",
}


def resources(plan: Plan) -> list[Resource]:
    """The cluster and its pools, as arm_resource takes them. Pools that nobody declares are left alone."""
    refuse("aks", plan, _problems(plan))
    gone = [_pool(plan, name, state="absent") for name in plan["absent_pools"]]
    return [_cluster(plan), *(_declared(plan, pool) for pool in plan["pools"]), *gone]


def removal(plan: Plan) -> list[Resource]:
    """The cluster alone: what is within goes with it."""
    return [_named(plan, state="absent")]


def power(plan: Plan, action: str) -> list[Resource]:
    """Start or stop it, unless it is so already."""
    code = {"start": "Running", "stop": "Stopped"}[action]
    return [_named(plan, action=action, unless={"properties": {"powerState": {"code": code}}})]


def found(plan: Plan) -> list[Resource]:
    """The cluster, to be asked for."""
    return [_named(plan)]


def run(plan: Plan) -> list[Resource]:
    """A command in a pod that Azure starts within the cluster, whoever reaches its API server."""
    token = {"secret_body": {"clusterToken": plan["token"]}} if plan["token"] else {}
    return [_named(plan, action="runCommand", body={"command": plan["command"]}, **token)]


def node_image_profiles(plan: Plan) -> list[Resource]:
    """Where AKS says which image is the newest for the machines of each pool."""
    return [resource(plan, PROFILE, f"{plan['name']}/{pool['name']}/default", API) for pool in plan["pools"]]


def node_images(plan: Plan, profiles: Iterable[Mapping[str, Any]]) -> list[Resource]:
    """Bring the machines of each pool to the newest image, one pool at a time. ``profiles``: what AKS says."""
    return [
        _pool(
            plan,
            profile["id"].split("/")[-3],
            action="upgradeNodeImageVersion",
            unless={"properties": {"nodeImageVersion": profile["properties"]["latestNodeImageVersion"]}},
        )
        for profile in profiles
    ]


def assignments(plan: Plan, made: Mapping[str, Any], assume: bool = False) -> list[Resource]:
    """What the identities may do that AKS has made for the cluster, ``made`` being the cluster by its name."""
    found = {}
    for name, path in OWN_IDENTITIES.items():
        identity_of: Mapping[str, Any] = made[plan["name"]]["properties"]
        for part in path:
            identity_of = identity_of.get(part) or {}
        found[name] = {"properties": {"principalId": identity_of.get("objectId")}}
    return azure_identity.own_assignments(plan, plan["role_assignments"], found, assume)


def _named(plan: Plan, **what: Any) -> Resource:
    return resource(plan, CLUSTER, plan["name"], API, **what)


def _pool(plan: Plan, name: str, **what: Any) -> Resource:
    return resource(plan, POOL, f"{plan['name']}/{name}", API, **what)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _problems(plan: Plan) -> Iterator[str]:
    if plan["workload_identity"] and not plan["oidc_issuer"]:
        yield "aks_workload_identity: needs aks_oidc_issuer, whose tokens it trades"
    if not plan["local_accounts"] and not plan["admin_groups"] and not plan["azure_rbac"]:
        yield "aks_local_accounts: is off, and neither aks_admin_groups nor aks_azure_rbac lets anybody else in"
    yield from azure_identity.assignment_problems(plan["role_assignments"], OWN_IDENTITIES)
    yield from _reach_problems(plan)
    yield from _address_problems(plan)
    yield from _pools_problems(plan)


def _reach_problems(plan: Plan) -> Iterator[str]:
    if plan["private"] and plan["authorized_ranges"]:
        yield "aks_authorized_ranges: say who may dial a public address, and aks_private leaves none; drop one of them"
    if plan["private"]:
        yield from _private_zone_problems(plan)
    if plan["outbound"] == "userDefinedRouting" and any(not pool.get("subnet_id") for pool in plan["pools"]):
        yield "aks_outbound: userDefinedRouting wants each pool in a subnet (subnet_id) whose route table leads out"


def _private_zone_problems(plan: Plan) -> Iterator[str]:
    zone, wanted = plan["private_dns_zone"], PRIVATE_ZONE.format(location=plan["location"])
    if not zone.startswith("/"):
        if plan["dns_servers"]:
            servers = ", ".join(plan["dns_servers"])
            yield (
                f"aks_private_dns_zone: nodes ask {servers} for the API server's name, and AKS' own zone is not seen "
                f"there; give the id of a zone {wanted} of yours that is linked to the hub"
            )
        return
    if not plan["identity"]:
        yield "aks_private_dns_zone: a zone of yours wants an aks_identity that is Private DNS Zone Contributor of it"
    name = zone.rpartition("/")[2]
    if name != wanted and not name.endswith(f".{wanted}"):
        yield f"aks_private_dns_zone: {name}: AKS takes {wanted}, or a zone within it"
    elif plan["private_dns_zones"] and name not in plan["private_dns_zones"]:
        yield f"aks_private_dns_zone: {name} is not one of azure_network_private_dns_zones; nodes find no API server"


def _address_problems(plan: Plan) -> Iterator[str]:
    networks: dict[str, Any] = {}
    said = {f"aks_{name}": plan[name] for name in ("pod_cidr", "service_cidr")}
    for where, text in (*said.items(), *((f"aks_network_prefixes: {text}", text) for text in plan["network_prefixes"])):
        try:
            networks[where] = ipaddress.ip_network(text)
        except ValueError:
            yield f"{where}: {text!r} is no network; write it as 172.16.0.0/16"
    for (one, its), (other, others) in combinations(networks.items(), 2):
        if (one in said or other in said) and its.version == others.version and its.overlaps(others):
            yield f"{one} ({its}) and {other} ({others}) overlap; AKS keeps its own addresses to itself"
    services = networks.get("aks_service_cidr")
    try:
        address = ipaddress.ip_address(plan["dns_service_ip"])
    except ValueError:
        yield f"aks_dns_service_ip: {plan['dns_service_ip']!r} is no address"
        return
    if services is not None and (address not in services or address in (services[0], services[1], services[-1])):
        yield f"aks_dns_service_ip: {address} has to be within {services}, and not its first two or its last address"


def _pools_problems(plan: Plan) -> Iterator[str]:
    if not any(pool.get("mode") == "System" for pool in plan["pools"]):
        yield "aks_pools: none has the mode System; AKS' own pods need one"
    both = {pool["name"] for pool in plan["pools"]} & set(plan["absent_pools"])
    yield from (f"pool {name}: is in aks_pools and in aks_absent_pools; say one of them" for name in sorted(both))
    in_subnet = {bool(pool.get("subnet_id")) for pool in plan["pools"]}
    if len(in_subnet) > 1:
        yield "aks_pools: some have a subnet_id and some have none; a cluster is in a network of yours, or it is not"
    for pool in plan["pools"]:
        yield from (f"pool {pool['name']}: {problem}" for problem in _pool_problems(pool))


def _pool_problems(pool: Mapping[str, Any]) -> Iterator[str]:
    if not _POOL_NAME.fullmatch(pool["name"]):
        yield "its name has to be 1 to 12 lower-case letters and digits, a letter first"
    known = {*_POOL_PROPERTIES, "name"}
    for name in pool:
        if name not in known:
            yield f"{name} is not known{did_you_mean(name, known)}"
    fewest, most = pool.get("min_count"), pool.get("max_count")
    if (fewest is None) != (most is None):
        yield "min_count and max_count go together"
    elif fewest is not None and most is not None and not fewest <= pool.get("count", fewest) <= most:
        yield f"count {pool.get('count', fewest)} is not between min_count {fewest} and max_count {most}"
    elif fewest is None and pool.get("count") is None:
        yield "says neither count nor min_count and max_count"
    try:
        parse_taints(pool.get("taints") or [])
        for key, value in (pool.get("labels") or {}).items():
            check_label_key(key)
            check_label_value(value)
    except MetadataError as error:
        yield str(error)


# --- what it is made of -----------------------------------------------------------------------------------------------


def _cluster(plan: Plan) -> Resource:
    properties = {
        "dnsPrefix": plan["dns_prefix"],
        "kubernetesVersion": plan["kubernetes_version"],
        "enableRBAC": True,
        "disableLocalAccounts": not plan["local_accounts"],
        "oidcIssuerProfile": {"enabled": plan["oidc_issuer"]},
        "securityProfile": _security(plan),
        "apiServerAccessProfile": _api_server(plan),
        "networkProfile": _network(plan),
        "addonProfiles": _addons(plan),
        "azureMonitorProfile": {"metrics": {"enabled": plan["metrics"]}},
        "autoUpgradeProfile": {
            "upgradeChannel": plan["upgrade_channel"],
            "nodeOSUpgradeChannel": plan["node_image_channel"],
        },
        # AKS makes no cluster without a pool; from then on, pools are resources of their own.
        "agentPoolProfiles": [
            {"name": pool["name"], **_pool_properties(plan, pool)}
            for pool in plan["pools"]
            if pool.get("mode") == "System"
        ],
    }
    if plan["admin_groups"] or plan["azure_rbac"]:
        properties["aadProfile"] = {
            "managed": True,
            "enableAzureRBAC": plan["azure_rbac"],
            "adminGroupObjectIDs": plan["admin_groups"],
        }
    body = placed(
        plan,
        sku={"name": "Base", "tier": plan["tier"]},
        identity=identity(plan["identity"]),
        properties=_combined(properties, plan["properties"]),
    )
    initial = ["properties.dnsPrefix", "properties.agentPoolProfiles", *_left_to_channels(plan, "kubernetesVersion")]
    unordered = ["properties.aadProfile.adminGroupObjectIDs", "properties.apiServerAccessProfile.authorizedIPRanges"]
    return _named(plan, body=body, initial=initial, any_order=_said(body, unordered))


def _api_server(plan: Plan) -> dict[str, Any]:
    if not plan["private"]:
        return {"enablePrivateCluster": False, "authorizedIPRanges": plan["authorized_ranges"]}
    return {
        "enablePrivateCluster": True,
        "privateDNSZone": plan["private_dns_zone"],
        "enablePrivateClusterPublicFQDN": plan["public_fqdn"],
    }


def _security(plan: Plan) -> dict[str, Any]:
    profile: dict[str, Any] = {"workloadIdentity": {"enabled": plan["workload_identity"]}}
    if plan["trusted_certificates"]:
        encoded = [base64.b64encode(each.encode()).decode() for each in plan["trusted_certificates"]]
        profile["customCATrustCertificates"] = encoded
    return profile


def _network(plan: Plan) -> dict[str, Any]:
    return {
        "networkPlugin": "azure",
        "networkPluginMode": "overlay",
        "networkDataplane": plan["dataplane"],
        "outboundType": plan["outbound"],
        "podCidr": plan["pod_cidr"],
        "serviceCidr": plan["service_cidr"],
        "dnsServiceIP": plan["dns_service_ip"],
    }


def _addons(plan: Plan) -> dict[str, Any]:
    vault: dict[str, Any] = {"enabled": plan["keyvault_secrets"]}
    if plan["keyvault_secrets"]:
        rotates = plan["keyvault_rotation"]
        vault["config"] = {"enableSecretRotation": str(bool(rotates)).lower()}
        if rotates:
            vault["config"]["rotationPollInterval"] = rotates
    addons = {"azureKeyvaultSecretsProvider": vault, "azurepolicy": {"enabled": plan["azure_policy"]}}
    if plan["log_analytics_workspace_id"]:
        workspace = {"logAnalyticsWorkspaceResourceID": plan["log_analytics_workspace_id"], "useAADAuth": "true"}
        addons["omsagent"] = {"enabled": True, "config": workspace}
    return addons


def _declared(plan: Plan, pool: Mapping[str, Any]) -> Resource:
    body = {"properties": _pool_properties(plan, pool)}
    # How many machines there are is the autoscaler's business, once it has one.
    initial = ["properties.count"] if pool.get("max_count") is not None else []
    initial += _left_to_channels(plan, "orchestratorVersion")
    unordered = _said(body, ["properties.nodeTaints", "properties.availabilityZones"])
    return _pool(plan, pool["name"], body=body, initial=initial, any_order=unordered)


def _pool_properties(plan: Plan, pool: Mapping[str, Any]) -> dict[str, Any]:
    said = {arm: pool[name] for name, arm in _POOL_PROPERTIES.items() if pool.get(name) is not None}
    autoscaled = pool.get("max_count") is not None
    return {
        "mode": "User",
        "osType": "Linux",
        "type": "VirtualMachineScaleSets",
        "orchestratorVersion": plan["kubernetes_version"],
        "enableAutoScaling": autoscaled,
        **({"count": pool["min_count"]} if autoscaled else {}),
        **said,
    }


def _left_to_channels(plan: Plan, name: str) -> list[str]:
    """Versions that AKS raises by itself are nobody else's to set."""
    return [] if plan["upgrade_channel"] == "none" else [f"properties.{name}"]


def _said(body: Mapping[str, Any], paths: Iterable[str]) -> list[str]:
    def holds(path: str) -> bool:
        within: Any = body
        for name in path.split("."):
            within = within.get(name) if isinstance(within, dict) else None
        return within is not None

    return [path for path in paths if holds(path)]


def _combined(properties: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    combined = dict(properties)
    for name, value in more.items():
        there = combined.get(name)
        combined[name] = _combined(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return combined
