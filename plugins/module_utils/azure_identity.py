# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities in Azure: who they are, whose tokens they are given for, and what they may do where."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    PlanError,
    Resource,
    listed,
    placed,
    refuse,
    resource,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
IDENTITY_API = "2023-01-31"
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
ASSIGNMENT_API = "2022-04-01"
LINKER = "Microsoft.ServiceLinker/linkers"
LINKER_API = "2024-04-01"

# Azure's own roles have the same id in every tenant.
ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Monitoring Data Reader": "b0d8363b-8ddd-447d-831f-62ca05bff136",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Private DNS Zone Contributor": "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AKS_ISSUER = ".oic.prod-aks.azure.com/"


def identities(plan: Plan) -> list[Resource]:
    """The identities and whom they trust, as arm_resource takes them; none in a cluster that is still to be made."""
    refuse("azure_identity", plan, _problems(plan))
    made = []
    for identity in plan["identities"]:
        made.append(resource(plan, IDENTITY, identity["name"], IDENTITY_API, placed(plan)))
        for trusted in listed(identity, "federated"):
            issuer = trusted.get("issuer") or plan["issuer"]
            if not issuer:
                continue
            properties = {
                "issuer": issuer,
                "subject": _subject(trusted),
                "audiences": listed(trusted, "audiences") or ["api://AzureADTokenExchange"],
            }
            name = f"{identity['name']}/{trusted['name']}"
            kind = f"{IDENTITY}/federatedIdentityCredentials"
            body = {"properties": properties}
            made.append(resource(plan, kind, name, IDENTITY_API, body, any_order=["properties.audiences"]))
    return made


def assignments(plan: Plan, made: Mapping[str, Any], assume: bool) -> list[Resource]:
    """What each may do. Names follow from what is assigned, so that nothing is assigned twice.

    ``made``: the identities by name, as Azure gives them; ``assume``: those that are not there are still to be made.
    """
    refuse("azure_identity", plan, _problems(plan))
    return [_assignment(plan, each, _principal(each, made, assume)) for each in plan["role_assignments"]]


def revocations(plan: Plan, made: Mapping[str, Any]) -> list[Resource]:
    """No assignment outlives its identity: what Azure leaves of it is a principal that nobody knows any more."""
    refuse("azure_identity", plan, _problems(plan))
    known = [each for each in plan["role_assignments"] if each.get("principal_id") or _known(each["identity"], made)]
    return [{**_assignment(plan, each, _principal(each, made, assume=False)), "state": "absent"} for each in known]


def connections(plan: Plan, made: Mapping[str, Any], assume: bool) -> list[Resource]:
    """What Service Connector makes in a cluster that is there: a service account, a Secret and a trust."""
    refuse("azure_identity", plan, _problems(plan))
    if not plan["issuer"]:
        return []
    return [_connection(plan, each, _said(each, made, assume, "clientId")) for each in plan["connections"]]


def _connection(plan: Plan, connection: Mapping[str, Any], client: str) -> Resource:
    login = {"authType": "userAssignedIdentity", "clientId": client, "subscriptionId": plan["subscription_id"]}
    properties = {
        "targetService": {"type": "AzureResource", "id": connection["target"]},
        "authInfo": login,
        "clientType": connection.get("client_type") or "none",
        "scope": connection["namespace"],
    }
    return {
        "type": LINKER,
        "name": connection["name"],
        "scope": connection["cluster"],
        "api_version": LINKER_API,
        "body": {"properties": properties},
    }


def own_assignments(
    plan: Plan, wanted: list[Mapping[str, Any]], found: Mapping[str, Any], assume: bool
) -> list[Resource]:
    """What identities may do that Azure makes for a resource, ``found`` there by their names."""
    names = [{"name": name} for name in found]
    what = {"role_assignments": wanted, "identities": names, "connections": [], "issuer": ""}
    return assignments({"subscription_id": plan["subscription_id"], **what}, found, assume)


def _assignment(plan: Plan, assignment: Mapping[str, Any], principal: str) -> dict[str, Any]:
    scope, role = assignment["scope"], assignment["role"]
    definition = ROLES.get(role, role)
    if not definition.startswith("/"):
        place = f"/subscriptions/{plan['subscription_id']}/providers/Microsoft.Authorization/roleDefinitions"
        definition = f"{place}/{definition}"
    what = "|".join([scope.rstrip("/"), principal, definition]).lower()
    properties = {
        "roleDefinitionId": definition,
        "principalId": principal,
        # Said, so that Azure does not look for an identity that it does not yet know everywhere.
        "principalType": assignment.get("principal_type") or "ServicePrincipal",
    }
    return {
        "type": ASSIGNMENT,
        "name": str(uuid.uuid5(uuid.NAMESPACE_URL, what)),
        "key": f"{_who(assignment)}: {role} of {scope}",
        "scope": scope,
        "api_version": ASSIGNMENT_API,
        "body": {"properties": properties},
    }


def _principal(assignment: Mapping[str, Any], made: Mapping[str, Any], assume: bool) -> str:
    if assignment.get("principal_id"):
        return str(assignment["principal_id"])
    return _said(assignment, made, assume, "principalId")


def _said(entry: Mapping[str, Any], made: Mapping[str, Any], assume: bool, what: str) -> str:
    """What Azure says of an identity, or will once it is made."""
    name = entry["identity"]
    said = _known(name, made, what)
    if said or assume:
        return str(said or f"the {what} of {name}, once it is made")
    raise PlanError(f"identity {name}: Azure has not said its {what}")


def _known(identity: str, made: Mapping[str, Any], what: str = "principalId") -> str | None:
    return ((made.get(identity) or {}).get("properties") or {}).get(what)


def _subject(trusted: Mapping[str, Any]) -> str:
    if trusted.get("service_account"):
        namespace, _slash, name = trusted["service_account"].partition("/")
        return f"system:serviceaccount:{namespace}:{name}"
    return str(trusted["subject"])


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _problems(plan: Plan) -> Iterator[str]:
    for identity in plan["identities"]:
        for trusted in listed(identity, "federated"):
            where = f"{identity['name']}: {trusted['name']}"
            yield from (f"{where}: {problem}" for problem in _trust_problems(trusted, plan["issuer"]))
    names = [identity["name"] for identity in plan["identities"]]
    yield from assignment_problems(plan["role_assignments"], names)
    for connection in plan["connections"]:
        where = f"azure_identity_connections: {connection['name']}"
        if connection["identity"] not in names:
            meant = did_you_mean(connection["identity"], names)
            yield f"{where}: there is no identity {connection['identity']}{meant}"
        for place in ("cluster", "target"):
            if not connection[place].startswith("/subscriptions/"):
                yield f"{where}: {place} {connection[place]!r}: is the id of a resource"


def assignment_problems(assignments: Iterable[Mapping[str, Any]], identities: Collection[str]) -> Iterator[str]:
    """What is wrong with role assignments, of these identities or of others."""
    for assignment in assignments:
        where = f"{_who(assignment)}: {assignment['role']}"
        yield from (f"{where}: {problem}" for problem in _assignment_problems(assignment, identities))


def _trust_problems(trusted: Mapping[str, Any], cluster: str) -> Iterator[str]:
    issuer = trusted.get("issuer") or cluster
    if issuer and not issuer.startswith("https://"):
        yield f"issuer {issuer!r}: is an address, https://…"
    elif _AKS_ISSUER in issuer and not issuer.endswith("/"):
        yield f"issuer {issuer}: AKS' own ends with a slash, without which no token is taken; write {issuer}/"
    account = trusted.get("service_account")
    if bool(account) == bool(trusted.get("subject")):
        yield "says either service_account or subject"
    elif account and len([part for part in account.split("/") if part]) != 2:
        yield f"service_account {account}: write it as namespace/name"


def _assignment_problems(assignment: Mapping[str, Any], identities: Collection[str]) -> Iterator[str]:
    role, identity = assignment["role"], assignment.get("identity")
    if role not in ROLES and not _UUID.fullmatch(role) and not role.startswith("/"):
        yield f"is no role that is known here by name{did_you_mean(role, ROLES)}; its id does, too"
    if bool(identity) == bool(assignment.get("principal_id")):
        yield "says either identity or principal_id"
    elif identity and identity not in identities:
        yield f"there is no identity {identity}{did_you_mean(identity, identities)}"
    if not assignment["scope"].startswith("/"):
        yield f"scope {assignment['scope']!r}: is the id of a resource, a resource group or a subscription"


def _who(assignment: Mapping[str, Any]) -> str:
    return str(assignment.get("identity") or assignment.get("principal_id") or "nobody")
