"""That the judge says no: it judges in every other test here, where it should have nothing to say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arm.fake import SUBSCRIPTION, Answer, Request
from tests.arm.judge import JUDGES, problems

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers"
CLUSTER = f"{GROUP}/Microsoft.ContainerService/managedClusters/c"
RULES = f"{GROUP}/Microsoft.Network/firewallPolicies/p/ruleCollectionGroups/r"
ASSIGNMENT = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments/a"


def put(path: str, body: Any, answer: Any = None, method: str = "PUT") -> Request:
    return Request(method, path, {"api-version": "2025-05-01"}, body, {}, Answer(200, answer))


def rules(**rule: Any) -> dict[str, Any]:
    kind = {"ruleCollectionType": "FirewallPolicyFilterRuleCollection", "rules": [{"ruleType": "NetworkRule", **rule}]}
    return {"properties": {"ruleCollections": [kind]}}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (CLUSTER, {"properties": {"kubernetesVersio": "1"}}, "ManagedClusterProperties has no such property"),
        (CLUSTER, {"properties": {"provisioningState": "Succeeded"}}, "provisioningState: is read-only"),
        (CLUSTER, {"properties": {"enableRBAC": "yes"}}, "enableRBAC: 'yes' is no bool"),
        (CLUSTER, {"properties": {"maxAgentPools": True}}, "maxAgentPools: is read-only"),
        (CLUSTER, {"properties": {"agentPoolProfiles": {}}}, "agentPoolProfiles: {} is no list"),
        (CLUSTER, {"properties": {"agentPoolProfiles": [{"count": True}]}}, "Profiles[].count: True is no int"),
        (CLUSTER, {"tags": []}, "tags: [] is no object"),
        (CLUSTER, {"sku": {"tier": "Gold"}}, "sku.tier: 'Gold' is none of"),
        (RULES, rules(ipProtocols=["TCP", "SCTP"]), "ipProtocols[]: 'SCTP' is none of"),
        (RULES, rules(targetFqdns=["*"]), "NetworkRule has no such property"),
        # Of the older kind of models, flattened.
        (ASSIGNMENT, {"properties": {"principal": "x"}}, "properties.principal: the model has no such property"),
        (ASSIGNMENT, {"properties": {"principalType": "Robot"}}, "principalType: 'Robot' is none of"),
        (ASSIGNMENT, {"properties": {"createdBy": "x"}}, "createdBy: is read-only"),
        (f"{GROUP}/Microsoft.Unheard/ofs/o", {"properties": {}}, "no model of it is known to the judge"),
    ],
)  # fmt: skip
def test_what_azures_models_have_not_is_named_by_its_place(path: str, body: Any, said: str) -> None:
    (problem,) = problems([put(path, body)], set())
    assert said in problem


def test_an_answer_may_have_what_is_read_only_and_nothing_that_is_unknown() -> None:
    answer = {"id": CLUSTER, "properties": {"provisioningState": "Succeeded", "nodes": 1}}
    (problem,) = problems([put(CLUSTER, None, answer, method="GET")], set())
    assert "answered: properties.nodes: ManagedClusterProperties has no such property" in problem


def test_what_was_read_may_be_given_back_and_not_changed() -> None:
    shown = {"properties": {"oidcIssuerProfile": {"enabled": True, "issuerURL": "https://a"}}}
    read = put(CLUSTER, None, shown, method="GET")
    assert problems([read, put(CLUSTER, shown)], set()) == []
    changed = {"properties": {"oidcIssuerProfile": {"enabled": True, "issuerURL": "https://b"}}}
    assert "issuerURL: is read-only" in problems([read, put(CLUSTER, changed)], set())[0]


@pytest.mark.parametrize("kind", JUDGES)
def test_every_model_is_where_it_is_looked_for(kind: str) -> None:
    judge = JUDGES[kind]
    assert {judge.model(answered) for answered in (False, True)}
    assert judge.api_version
