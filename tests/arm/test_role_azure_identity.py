"""Identities: made, trusted, let in once, and the same in every run."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.lookup.azure_resources import deed_of
from tests.arm.conftest import Call
from tests.arm.fake import SUBSCRIPTION, FakeArm, Json
from tests.arm.roles import Role
from tests.arm.services import ISSUER, as_azure_does

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/identities"
AGENT = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/agent"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"

VARIABLES: dict[str, Any] = {
    "azure_identity_tags": {},
    "azure_identity_resource_group": "identities",
    "azure_identity_location": "koreacentral",
    "azure_identity_identities": [
        {
            "name": "agent",
            "federated": [
                {"name": name, "issuer": ISSUER, "service_account": f"agui/{name}"} for name in ("agent", "tools")
            ],
        },
        {"name": "control-plane"},
    ],
    "azure_identity_role_assignments": [
        {"identity": "agent", "role": "Key Vault Secrets User", "scope": VAULT},
        {"identity": "control-plane", "role": "Network Contributor", "scope": GROUP},
    ],
}


@pytest.fixture
def role(azure: FakeArm, declare: Call) -> Role:
    azure.plant(GROUP)
    azure.plant(VAULT)
    azure.adds = as_azure_does(azure)
    return Role(declare, "azure_identity", VARIABLES)


def assigned(azure: FakeArm) -> list[Json]:
    return [each["properties"] for key, each in azure.store.items() if "/roleassignments/" in key]


def test_identities_are_made_and_may_what_they_may(azure: FakeArm, role: Role) -> None:
    to_be = role.run(check=True)["resources"]
    assert len(role("assign", check=True, made=to_be)) == 2
    assert azure.written == []
    made = role.run()["resources"]
    role("assign", made=made)
    assert len(assigned(azure)) == 2
    assert azure.resource(AGENT)["properties"]["principalId"] in [each["principalId"] for each in assigned(azure)]
    credential = azure.resource(f"{AGENT}/federatedIdentityCredentials/tools")["properties"]
    assert credential["subject"] == "system:serviceaccount:agui:tools"
    assert role() == role("assign", made=made) == []


def test_they_are_taken_back_with_what_they_may(azure: FakeArm, role: Role) -> None:
    made = role.run()["resources"]
    role("assign", made=made)
    assert len(role.declare(*deed_of("azure_identity", "revoke")(role.plan(), made))["changes"]) == 2
    role("remove")
    assert list(azure.store) == [GROUP.lower(), VAULT.lower()]
