# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all plans of Azure's resources have in common: a place, ids that follow from names, and one way to be refused.

A plan is what a role's variables say, by their names without the role's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import arm_plan

Plan = Mapping[str, Any]
Resource = dict[str, Any]


class PlanError(ValueError):
    """What is wrong with a plan, all of it, each with what would be right."""


def refuse(role: str, plan: Plan, problems: Iterable[str]) -> None:
    """Fail with all that is wrong, if anything is."""
    found = [] if plan["subscription_id"] else [f"{role}_subscription_id: is empty; set it, or AZURE_SUBSCRIPTION_ID"]
    found += problems
    if found:
        raise PlanError("; ".join(found))


def listed(holder: Mapping[str, Any], name: str) -> list[Any]:
    """What a role's specification calls optional is not there when nobody has said it."""
    return holder.get(name) or []


def resource(plan: Plan, kind: str, name: str, api_version: str, body: Any = None, **more: Any) -> Resource:
    """A resource of the plan's resource group, as arm_resource takes it."""
    where = {"type": kind, "name": name, "resource_group": plan["resource_group"], "api_version": api_version}
    return {**where, "body": body or {}, **more}


def resource_id(plan: Plan, kind: str, name: str, resource_group: str = "") -> str:
    """The id of a resource of the plan's resource group, or of another one."""
    where = {"type": kind, "name": name, "scope": "", "resource_group": resource_group or plan["resource_group"]}
    return arm_plan.resource_id(where, plan["subscription_id"])


def placed(plan: Plan, location: str = "", **more: Any) -> dict[str, Any]:
    """The body of what is at a place of its own and has tags."""
    return {"location": location or plan["location"], "tags": plan["tags"], **more}


def public_access(plan: Plan) -> str:
    """What Azure's services are told of it."""
    return "Enabled" if plan["public_access"] else "Disabled"


def identity(user_assigned: str) -> dict[str, Any]:
    """Who a resource is: the identity of this id, or one that Azure makes for it."""
    if user_assigned:
        return {"type": "UserAssigned", "userAssignedIdentities": {user_assigned: {}}}
    return {"type": "SystemAssigned"}
