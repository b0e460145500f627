# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AI Foundry account, its projects and the models that it serves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    identity,
    placed,
    public_access,
    refuse,
    resource,
)

ACCOUNT = "Microsoft.CognitiveServices/accounts"
API = "2025-06-01"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}[a-zA-Z0-9]")


def resources(plan: Plan) -> list[Resource]:
    """The account, its projects and its models, as arm_resource takes them."""
    refuse("azure_ai_foundry", plan, _problems(plan))
    return [
        _account(plan),
        *(_project(plan, name) for name in plan["projects"]),
        *(_deployment(plan, each) for each in plan["deployments"]),
    ]


def _problems(plan: Plan) -> Iterator[str]:
    if not _NAME.fullmatch(plan["name"]):
        yield f"azure_ai_foundry_name: {plan['name']} is no name of a host, 2 to 64 letters, digits and hyphens"
    for each in plan["deployments"]:
        if each["capacity"] < 1:
            yield f"azure_ai_foundry_deployments: {each['name']}: capacity {each['capacity']} serves nobody"


def _account(plan: Plan) -> Resource:
    body = placed(
        plan,
        kind="AIServices",
        sku={"name": "S0"},
        identity=identity(""),
        properties={
            # Without a name of its own it takes no token of Entra, and has no private endpoint.
            "customSubDomainName": plan["name"],
            "allowProjectManagement": True,
            "disableLocalAuth": True,
            "publicNetworkAccess": public_access(plan),
        },
    )
    return resource(plan, ACCOUNT, plan["name"], API, body)


def _project(plan: Plan, name: str) -> Resource:
    body = placed(plan, identity=identity(""), properties={"displayName": name})
    return resource(plan, f"{ACCOUNT}/projects", f"{plan['name']}/{name}", API, body)


def _deployment(plan: Plan, deployment: Mapping[str, Any]) -> Resource:
    model = {"format": "OpenAI", "name": deployment["model"], "version": deployment["version"]}
    body = {
        "sku": {"name": deployment.get("sku") or "GlobalStandard", "capacity": deployment["capacity"]},
        # Another version is another model: it comes when the inventory says so.
        "properties": {"model": model, "versionUpgradeOption": "NoAutoUpgrade"},
    }
    return resource(plan, f"{ACCOUNT}/deployments", f"{plan['name']}/{deployment['name']}", API, body)
