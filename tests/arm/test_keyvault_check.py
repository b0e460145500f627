"""A vault, its objects, and who may read them, asked of the vault and of ARM."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.ansible_playbook import REPOSITORY
from tests.arm.fake import SUBSCRIPTION, Answer, FakeArm, Refusal

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/cloudtr"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-cloudtr-prd"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/add-on"
ASSIGNED = "/providers/Microsoft.Authorization/roleAssignments"
ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
READER = "00000000-0000-4000-8000-00000000000a"
CLIENT = "00000000-0000-4000-8000-00000000000b"
MAPPING: list[dict[str, str]] = yaml.safe_load(
    (REPOSITORY / "gitops/platforms/auto_builder/secrets/mapping.yaml").read_text()
)

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(azure: FakeArm, run_module: Callable[..., dict[str, Any]]) -> Check:
    """The seed's vault with its nine secrets; the add-on's identity may read none yet."""
    azure.plant(GROUP)
    azure.plant(VAULT, properties={"enableRbacAuthorization": True})
    azure.plant(IDENTITY, properties={"clientId": CLIENT, "principalId": READER})
    azure.plant(f"{ROLES}/user", properties=role("Microsoft.KeyVault/vaults/secrets/getSecret/action"))
    azure.plant(f"{ROLES}/reader", properties=role("Microsoft.KeyVault/vaults/secrets/readMetadata/action"))
    azure.plant(f"{ROLES}/all", properties=role("Microsoft.KeyVault/vaults/*"))
    for row in MAPPING:
        azure.plant(f"{VAULT}/secrets/{row['object']}", properties={"value": secrets.token_urlsafe()})

    def check(*rows: dict[str, str], check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"vault": "kv-cloudtr-prd", "mapping": [*rows] or MAPPING, "reader_client_id": CLIENT}
        options = {name: value for name, value in {**given, **options}.items() if value is not None}
        return run_module("keyvault_check", options, check=check)

    return check


def role(*actions: str) -> dict[str, Any]:
    return {"permissions": [{"actions": [], "dataActions": list(actions), "notDataActions": []}]}


def assign(azure: FakeArm, name: str, scope: str = VAULT, principal: str = READER) -> None:
    azure.plant(
        f"{scope}{ASSIGNED}/{name}", properties={"roleDefinitionId": f"{ROLES}/{name}", "principalId": principal}
    )


def wrong(result: dict[str, Any]) -> dict[str, str]:
    return {each["object"]: each["problem"] for each in result["objects"] if each["problem"]}


def test_all_that_is_there_and_may_be_read_is_well(azure: FakeArm, check: Check) -> None:
    assign(azure, "user")
    result = check()
    assert (result["failed"], result["changed"], wrong(result)) == (False, False, {})
    assert len(result["objects"]) == 9
    assert azure.written == []
    # No value was asked for.
    assert not [request.path for request in azure.log if "/secrets/" in request.path]


@pytest.mark.parametrize("scope", [f"/subscriptions/{SUBSCRIPTION}", GROUP, f"{VAULT}/secrets/jwt-secret"])
def test_a_role_counts_wherever_it_was_given(azure: FakeArm, check: Check, scope: str) -> None:
    assign(azure, "all", scope)
    assert not check({"object": "jwt-secret"})["failed"]
    assert check({"object": "database-url"})["failed"] == scope.startswith(VAULT)


def test_a_role_that_does_not_show_values_is_none(azure: FakeArm, check: Check) -> None:
    assign(azure, "reader")
    assign(azure, "user", principal="somebody else")
    result = check({"object": "jwt-secret"})
    assert wrong(result).keys() == {"jwt-secret"}
    assert f"give {READER} the role Key Vault Secrets User" in result["msg"]
    assert VAULT in result["msg"]


def test_what_is_not_there_is_named_with_what_may_be_meant(azure: FakeArm, check: Check) -> None:
    assign(azure, "user")
    azure.resource(f"{VAULT}/secrets/init-password")["properties"]["attributes"] = {"enabled": False}
    result = check(
        {"object": "jwt-secrets"},
        {"object": "init-password"},
        {"object": "jwt-secret", "type": "cert"},
        {"object": "OPENAI-KEY-1", "version": "2"},
    )
    assert result["failed"]
    assert wrong(result) == {
        "jwt-secrets": "is not there; did you mean jwt-secret?",
        "init-password": "is disabled",
        "jwt-secret": "is not there",
        "OPENAI-KEY-1": "has no such version",
    }
    assert "cert jwt-secret: is not there" in result["msg"]
    assert not check({"object": "jwt-secrets"}, check=True)["failed"]


def test_a_vault_with_access_policies_is_judged_by_these(azure: FakeArm, check: Check) -> None:
    vault = azure.resource(VAULT)["properties"]
    vault["enableRbacAuthorization"] = False
    assign(azure, "all")
    assert "give 00000000-0000-4000-8000-00000000000a get in an access policy" in check()["msg"]
    vault["accessPolicies"] = [{"objectId": READER.upper(), "permissions": {"secrets": ["Get", "List"]}}]
    assert not check()["failed"]


def test_whoever_can_log_in_as_the_reader_reads_and_shows_nothing(azure: FakeArm, check: Check) -> None:
    result = check(reader_client_id=None)
    assert not result["failed"]
    values = [each["properties"]["value"] for path, each in azure.store.items() if "/secrets/" in path]
    assert not any(value in str(result) for value in values)
    azure.fault("GET", "/jwt-secret", Refusal(403, "Forbidden", "Caller is not authorized to perform action."))
    result = check({"object": "jwt-secret"}, {"object": "nothing"}, reader_client_id=None)
    assert "may not be read: 403 Forbidden: Caller is not authorized" in wrong(result)["jwt-secret"]
    assert wrong(result)["nothing"] == "is not there"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vault": "kv-cloudtr-dev"}, "vault: there is no kv-cloudtr-dev in subscription"),
        ({"reader_client_id": "another"}, "has the client id 'another'; say reader_principal_id"),
        ({"reader_client_id": ""}, "has the client id ''; say reader_principal_id"),
    ],
)
def test_what_is_not_there_yet_is_a_failure_outside_of_check_mode(
    check: Check, options: dict[str, str], said: str
) -> None:
    assert said in check(**options)["msg"]
    result = check(check=True, **options)
    assert said in result["msg"]
    assert not result["failed"]


def test_a_vault_that_does_not_answer_this_login_says_what_it_takes(azure: FakeArm, check: Check) -> None:
    azure.fault("GET", "/secrets", Refusal(403, "Forbidden", "Public network access is disabled."))
    result = check()
    assert "Public network access is disabled." in result["msg"]
    assert "the role Key Vault Reader, and a way to the vault" in result["msg"]


def test_one_that_asks_for_patience_is_given_it(azure: FakeArm, check: Check) -> None:
    assign(azure, "user")
    busy = Answer(429, {"error": {"code": "Throttled", "message": "Slow down."}}, {"retry-after-ms": "1"})
    azure.fault("GET", "/secrets", busy, busy)
    assert not check()["failed"]
