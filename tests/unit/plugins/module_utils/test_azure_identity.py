"""A plan of identities: what is wrong with it, and what it is made of."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.azure_identity import (
    ROLES,
    assignments,
    connections,
    identities,
    revocations,
)
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import PlanError

VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
ISSUER = "https://koreacentral.oic.prod-aks.azure.com/t/u/"
TRUST = {"name": "pods", "issuer": ISSUER, "service_account": "agui/agent"}
PULLS = {"identity": "agent", "role": "Key Vault Secrets User", "scope": VAULT}
MADE = {"agent": {"properties": {"principalId": "11111111-0000-4000-8000-000000000000", "clientId": "c"}}}
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/agui"
CONNECTION = {"name": "aif", "identity": "agent", "cluster": CLUSTER, "namespace": "myapp", "target": VAULT}


def plan(trust: dict[str, Any] | None = None, assigned: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "subscription_id": "s",
        "resource_group": "g",
        "location": "koreacentral",
        "identities": [{"name": "agent", "federated": [{**TRUST, **(trust or {})}]}, {"name": "idle"}],
        "issuer": "",
        "connections": [],
        "role_assignments": [{**PULLS, **(assigned or {})}],
        "tags": {},
        **changes,
    }


def test_an_identity_and_whom_it_trusts() -> None:
    made = identities(plan())
    assert [each["name"] for each in made] == ["agent", "agent/pods", "idle"]
    assert made[1]["body"]["properties"] == {
        "issuer": ISSUER,
        "subject": "system:serviceaccount:agui:agent",
        "audiences": ["api://AzureADTokenExchange"],
    }
    other = identities(plan({"service_account": None, "subject": "repo:o/r", "audiences": ["me"]}))
    assert other[1]["body"]["properties"] == {"issuer": ISSUER, "subject": "repo:o/r", "audiences": ["me"]}


def test_a_trust_in_a_cluster_waits_for_the_cluster() -> None:
    assert [each["name"] for each in identities(plan({"issuer": None}))] == ["agent", "idle"]
    trusting = identities(plan({"issuer": None}, issuer=ISSUER))[1]
    assert trusting["body"]["properties"]["issuer"] == ISSUER


def test_an_assignment_is_called_by_what_it_assigns() -> None:
    (one,) = assignments(plan(), MADE, assume=False)
    definitions = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions"
    assert one["scope"] == VAULT
    assert one["body"]["properties"] == {
        "roleDefinitionId": f"{definitions}/4633458b-17de-408a-b874-0445c86b69e6",
        "principalId": MADE["agent"]["properties"]["principalId"],
        "principalType": "ServicePrincipal",
    }
    again = {"role": ROLES[PULLS["role"]], "scope": VAULT.upper() + "/"}
    assert assignments(plan(assigned=again), MADE, assume=False)[0]["name"] == one["name"]
    for another in ({"role": "Reader"}, {"scope": VAULT + "2"}, {"identity": None, "principal_id": "x"}):
        assert assignments(plan(assigned=another), MADE, assume=False)[0]["name"] != one["name"]


def test_an_identity_that_is_still_to_be_made_has_no_principal() -> None:
    (one,) = assignments(plan(), {"agent": {}}, assume=True)
    assert one["body"]["properties"]["principalId"] == "the principalId of agent, once it is made"
    with pytest.raises(PlanError, match="identity agent: Azure has not said its principalId"):
        assignments(plan(), {"agent": {}}, assume=False)


def test_a_connection_waits_for_the_cluster_and_is_made_on_it() -> None:
    assert connections(plan(connections=[CONNECTION]), MADE, assume=False) == []
    (made,) = connections(plan(connections=[CONNECTION], issuer=ISSUER), MADE, assume=False)
    assert (made["scope"], made["name"]) == (CLUSTER, "aif")
    assert made["body"]["properties"]["targetService"] == {"type": "AzureResource", "id": VAULT}
    assert made["body"]["properties"]["authInfo"]["clientId"] == "c"
    assert made["body"]["properties"]["scope"] == "myapp"


def test_what_is_taken_back_is_what_was_assigned_to_those_that_are_there() -> None:
    (given,) = assignments(plan(), MADE, assume=False)
    assert revocations(plan(), MADE) == [{**given, "state": "absent"}]
    assert revocations(plan(), {}) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (plan(subscription_id=""), "azure_identity_subscription_id: is empty"),
        (plan({"issuer": ISSUER[:-1]}), f"agent: pods: issuer {ISSUER[:-1]}: AKS' own ends with a slash"),
        (plan({"issuer": "koreacentral"}), "agent: pods: issuer 'koreacentral': is an address"),
        (plan({"subject": "x"}), "agent: pods: says either service_account or subject"),
        (plan({"service_account": "agent"}), "agent: pods: service_account agent: write it as namespace/name"),
        (
            plan(assigned={"role": "AcrPul"}),
            "agent: AcrPul: is no role that is known here by name; did you mean AcrPull?",
        ),
        (plan(assigned={"identity": "agnt"}), "there is no identity agnt; did you mean agent?"),
        (plan(assigned={"principal_id": "x"}), "agent: Key Vault Secrets User: says either identity or principal_id"),
        (plan(connections=[{**CONNECTION, "identity": "agnt"}]), "there is no identity agnt; did you mean agent?"),
        (plan(connections=[{**CONNECTION, "target": "aif"}]), "aif: target 'aif': is the id of a resource"),
        (plan(assigned={"scope": "kv"}), "scope 'kv': is the id of a resource, a resource group or a subscription"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any], problem: str) -> None:
    for refused in (lambda: identities(wrong), lambda: assignments(wrong, MADE, assume=False)):
        with pytest.raises(PlanError) as said:
            refused()
        assert problem in str(said.value)
