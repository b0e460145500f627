"""Identities: made, trusted, let in once, and the same in every run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arm.conftest import Play
from tests.arm.fake import SUBSCRIPTION, FakeArm, Json
from tests.arm.roles import Role
from tests.arm.services import ISSUER, as_azure_does

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/identities"
AGENT = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/agent"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"

VARIABLES: dict[str, Any] = {
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
def role(azure: FakeArm, play: Play) -> Role:
    azure.plant(GROUP)
    azure.plant(VAULT)
    azure.adds = as_azure_does(azure)
    return Role(play, "azure_identity", VARIABLES)


def assigned(azure: FakeArm) -> list[Json]:
    return [each["properties"] for key, each in azure.store.items() if "/roleassignments/" in key]


def test_identities_are_made_and_may_what_they_may(azure: FakeArm, role: Role) -> None:
    checked = role("--check", "--diff")
    assert (checked.count("changed"), azure.written) == (2, [])
    assert checked.printed.count("(create)") == 6 * 2
    assert role().count("changed") == 2
    assert len(assigned(azure)) == 2
    assert azure.resource(AGENT)["properties"]["principalId"] in [each["principalId"] for each in assigned(azure)]
    credential = azure.resource(f"{AGENT}/federatedIdentityCredentials/tools")["properties"]
    assert credential["subject"] == "system:serviceaccount:agui:tools"
    written = azure.written
    assert role().count("changed") == 0
    assert role("--check").count("changed") == 0
    assert azure.written == written


def test_a_plan_that_cannot_be_is_refused_before_azure_is_asked(azure: FakeArm, role: Role) -> None:
    refused = role(fails=True, azure_identity_role_assignments=[{"identity": "agent", "role": "Root", "scope": VAULT}])
    assert "agent: Root: is no role that is known here by name" in " ".join(refused.printed.split())
    assert azure.log == []
