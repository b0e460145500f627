"""What Azure's services add to what they are sent, as far as the roles read it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable

import yaml

from tests.arm.fake import FakeArm, Json, Refusal

ISSUER = "https://koreacentral.oic.prod-aks.azure.com/t/u/"
PUBLIC_ADDRESS = "203.0.113.59"
IMAGE = "AKSUbuntu-2404gen2containerd-202611.01.0"


def as_azure_does(azure: FakeArm) -> Callable[[Json], None]:
    """Identities have principals; the pools of a cluster's list are resources, and each of these is in the list."""

    def adds(resource: Json) -> None:
        kind = resource["type"].lower()
        if kind.endswith("/userassignedidentities"):
            resource["properties"].update(principalId=principal(resource["id"]), clientId=principal(resource["id"]))
        if kind.endswith("/publicipaddresses"):
            resource["properties"]["ipAddress"] = PUBLIC_ADDRESS
        if resource.get("identity", {}).get("type") == "SystemAssigned":
            resource["identity"]["principalId"] = principal(resource["id"])
        if kind.endswith("/managedclusters"):
            _as_a_cluster(azure, resource)
        elif kind.endswith("/agentpools"):
            _as_a_pool(azure, resource)
        elif kind.endswith("/privatednszonegroups"):
            _as_records(azure, resource)

    return adds


def principal(resource_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, resource_id.lower()))


def credential(kubeconfig: str) -> Json:
    """How a cluster hands out what its users log in with."""
    return {"kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(kubeconfig.encode()).decode()}]}


def kubeconfig(user: Json, server: str = "https://aks-cloudtr-prd-0a1b.hcp.koreacentral.azmk8s.io:443") -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "aks", "cluster": {"server": server, "certificate-authority-data": "Q0E="}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "aks", "context": {"cluster": "aks", "user": "user"}}],
        "current-context": "aks",
    }
    return yaml.safe_dump(config)


def _as_a_cluster(azure: FakeArm, resource: Json) -> None:
    properties = resource["properties"]
    if properties["securityProfile"]["workloadIdentity"]["enabled"] > properties["oidcIssuerProfile"]["enabled"]:
        raise Refusal(400, "InvalidParameter", "Workload Identity needs the OIDC issuer.")
    properties["oidcIssuerProfile"]["issuerURL"] = ISSUER
    properties["identityProfile"] = {"kubeletidentity": {"objectId": principal(resource["id"] + "-agentpool")}}
    properties["powerState"] = {"code": "Running"}
    # What is off, AKS does not speak of.
    properties["addonProfiles"] = {k: v for k, v in properties["addonProfiles"].items() if v["enabled"]}
    for name, addon in properties["addonProfiles"].items():
        own = principal(f"{resource['id']}-{name}")
        addon["identity"] = {"objectId": own, "clientId": own}
    for identity in resource["identity"].get("userAssignedIdentities", {}).values():
        identity.update(clientId="a", principalId="b")
    for pool in properties["agentPoolProfiles"]:
        pool.update(maxPods=250, powerState={"code": "Running"})
        inner = {name: value for name, value in pool.items() if name != "name"}
        path = f"{resource['id']}/agentPools/{pool['name']}"
        azure.store.setdefault(path.lower(), {"id": path, "name": pool["name"], "type": "pool", "properties": inner})


def _as_records(azure: FakeArm, resource: Json) -> None:
    """Each zone of an endpoint gets the name of an address that the endpoint was given."""
    endpoint = azure.resource(resource["id"].rpartition("/privateDnsZoneGroups/")[0])["properties"]
    addresses = [each["properties"]["privateIPAddress"] for each in endpoint.get("ipConfigurations", [])]
    for zone, address in zip(resource["properties"]["privateDnsZoneConfigs"], addresses, strict=False):
        name = zone["properties"]["privateDnsZoneId"].rpartition("/")[2]
        zone["properties"]["recordSets"] = [{"recordType": "A", "fqdn": f"it.{name}", "ipAddresses": [address]}]


def _as_a_pool(azure: FakeArm, resource: Json) -> None:
    resource["properties"].setdefault("nodeImageVersion", IMAGE)
    pools = azure.resource(resource["id"].rpartition("/agentPools/")[0])["properties"]["agentPoolProfiles"]
    pools[:] = [pool for pool in pools if pool["name"] != resource["name"]]
    pools.append({"name": resource["name"], **resource["properties"]})
