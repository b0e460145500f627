"""Both systems on AKS, by their own inventories: told, made, left alone, mended and taken away."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from tests.arm.fake import SUBSCRIPTION, FakeArm
from tests.arm.services import ISSUER, principal
from tests.arm.system import System, said

GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"


def printed(*names: str) -> dict[str, Any]:
    return {"properties": {"exitCode": 0, "logs": "".join(f"it.{name}\n" for name in names)}}


def test_a_closed_system_is_told_made_left_alone_and_mended(azure: FakeArm, tmp_path: Path) -> None:
    agui = System("agui", azure, tmp_path)
    group = f"{GROUPS}/rg-contoso-krc-01/providers"

    # An open one is not begun.
    refused = agui.play("aks_private", fails=True, azure_registry_public_access=True)
    assert "This system would be reached from outside" in said(refused)
    # Neither is one whose address plan cannot be, whichever role it belongs to.
    refused = agui.play("aks_private", fails=True, aks_service_cidr="10.0.0.0/16", aks_dns_service_ip="10.0.0.10")
    assert "aks_service_cidr (10.0.0.0/16) and aks_network_prefixes: 10.0.0.0/10 (10.0.0.0/10) overlap" in said(refused)
    assert azure.log == []

    told = agui.play("aks_private", "--check", "--diff")
    assert azure.written == []

    agui.play("aks_private")
    assert {f"PUT {each['id']}" for each in azure.store.values()} == set(azure.sent("PUT"))
    # An assignment is called by its identity, which is not there before it is made.
    named = [each["id"] for each in azure.store.values() if "roleAssignments" not in each["id"]]
    assert [resource for resource in named if f"{resource} (create)" not in told.printed] == []
    network = f"{group}/Microsoft.Network"
    firewall = azure.sent("PUT").index(f"PUT {network}/azureFirewalls/afw-contoso-krc-01")
    cluster = f"PUT {group}/Microsoft.ContainerService/managedClusters/aks-contoso-koreacentral-01"
    for name in ("vnet-contoso-koreacentral-prd-01", "vnet-contoso-koreacentral-01"):
        told_at = len(azure.sent("PUT")) - 1 - azure.sent("PUT")[::-1].index(f"PUT {network}/virtualNetworks/{name}")
        assert firewall < told_at < azure.sent("PUT").index(cluster)
    trust = azure.resource(
        f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/uami-aif-contoso-krc-01"
        "/federatedIdentityCredentials/agui-server"
    )["properties"]
    assert (trust["issuer"], trust["subject"]) == (ISSUER, "system:serviceaccount:myapp:agui-server")

    before = len(azure.log)
    assert agui.play("aks_private").count("changed") == 0
    assert {request.method for request in azure.log[before:] if request.path.startswith(GROUPS)} == {"GET"}

    # The command runs within; what it would print there, if names led where they should.
    azure.actions["runCommand"] = lambda cluster, body: printed(
        *("privatelink.cognitiveservices.azure.com 10.2.0.16", "privatelink.openai.azure.com 10.2.0.17"),
        *("privatelink.services.ai.azure.com 10.2.0.18", "privatelink.azurecr.io 10.2.0.20"),
    )
    assert agui.play("verify_aks_private").count("changed") == 0
    assert (
        "it.privatelink.azurecr.io"
        in next(each for each in azure.log if each.path.endswith("/runCommand")).body["command"]
    )
    azure.actions["runCommand"] = lambda cluster, body: printed("privatelink.azurecr.io 20.0.0.20")
    astray = agui.play("verify_aks_private", fails=True)
    assert "that do not lead to their endpoints from within the cluster" in said(astray)
    assert "it.privatelink.azurecr.io 10.2.0.20" in said(astray)

    registry = azure.resource(f"{group}/Microsoft.ContainerRegistry/registries/acrcontosokrc01")
    registry["properties"]["publicNetworkAccess"] = "Enabled"
    drifted = agui.play("aks_private", "--check", "--diff", "--tags=azure_registry")
    assert "publicNetworkAccess: Enabled" in drifted.printed
    assert drifted.count("changed") == 1
    assert agui.written_by("aks_private", "--tags=azure_registry") == [f"PUT {registry['id']}"]
    assert registry["id"].lower() in azure.store


def test_a_system_keeps_its_secrets_and_is_taken_away_when_that_is_meant(azure: FakeArm, tmp_path: Path) -> None:
    builder = System("auto_builder", azure, tmp_path)
    group = f"{GROUPS}/rg-cloudtr-prd/providers"
    cluster = f"{group}/Microsoft.ContainerService/managedClusters/aks-cloudtr-prd"
    vault = f"{group}/Microsoft.KeyVault/vaults/kv-cloudtr-prd"

    builder.play("aks", "--check", "--diff", "-vvv")
    assert azure.written == []
    builder.play("aks", "-vvv")
    kept = [
        request.body["properties"]["value"]
        for request in azure.log
        if request.method == "PUT" and vault in request.path and "/secrets/" in request.path
    ]
    assert set(kept) == {value for name, value in builder.secrets.items() if name != "vault_postgresql_password"}
    assigned = {
        (each["properties"]["principalId"], key.partition("/providers/microsoft.authorization/")[0])
        for key, each in azure.store.items()
        if "/roleassignments/" in key
    }
    registry = f"{group}/Microsoft.ContainerRegistry/registries/acrcloudtrprd"
    assert (principal(f"{cluster}-agentpool"), registry.lower()) in assigned
    assert (principal(f"{cluster}-azureKeyvaultSecretsProvider"), vault.lower()) in assigned
    assert builder.written_by("aks") == []

    # A new value is written once its revision says so.
    builder.keep({**builder.secrets, "vault_jwt_secret": secrets.token_urlsafe()})
    revised = {"azure_keyvault_revisions": {"jwt-secret": 2}}
    assert builder.written_by("aks", "--tags=azure_keyvault", **revised) == [f"PUT {vault}/secrets/jwt-secret"]
    assert azure.log[-2].body["properties"]["value"] == builder.secrets["vault_jwt_secret"]

    # It goes when the cluster's name is given, and not before.
    listed = builder.play("destroy_aks", fails=True)
    assert "There would go, with all data in them:" in said(listed)
    assert "Microsoft.KeyVault/vaults kv-cloudtr-prd" in said(listed)
    assert cluster.lower() in azure.store
    builder.play("destroy_aks", groundwork_confirm="aks-cloudtr-prd")
    assert [key for key in azure.store if "/roleassignments/" not in key] == [f"{GROUPS}/rg-cloudtr-prd".lower()]
