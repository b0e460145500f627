# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Key Vault and what it keeps. Secrets go in by ARM, which writes them and lets nobody read them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    placed,
    public_access,
    refuse,
    resource,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

VAULT = "Microsoft.KeyVault/vaults"
API = "2023-07-01"

_NAME = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,22}[a-zA-Z0-9]")
_SECRET_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")


def resources(plan: Plan) -> list[Resource]:
    """The vault and its secrets, as arm_resource takes them."""
    refuse("azure_keyvault", plan, _problems(plan))
    return [_vault(plan), *(_secret(plan, name) for name in plan["secrets"])]


def _problems(plan: Plan) -> Iterator[str]:
    if not plan["tenant_id"]:
        yield "azure_keyvault_tenant_id: is empty; set it, or AZURE_TENANT"
    if not _NAME.fullmatch(plan["name"]):
        yield f"azure_keyvault_name: {plan['name']} is not 3 to 24 letters, digits and single hyphens, a letter first"
    for name, value in plan["secrets"].items():
        if not _SECRET_NAME.fullmatch(name):
            yield f"azure_keyvault_secrets: {name}: a name is 1 to 127 letters, digits and hyphens"
        if not value:
            yield f"azure_keyvault_secrets: {name}: has no value"
    for name in plan["revisions"]:
        if name not in plan["secrets"]:
            meant = did_you_mean(name, plan["secrets"])
            yield f"azure_keyvault_revisions: {name}: azure_keyvault_secrets has none{meant}"


def _vault(plan: Plan) -> Resource:
    properties = {
        "tenantId": plan["tenant_id"],
        "sku": {"family": "A", "name": plan["sku"]},
        "enableRbacAuthorization": True,
        "softDeleteRetentionInDays": plan["retention_days"],
        "publicNetworkAccess": public_access(plan),
        # A closed vault answers to Azure's own services, such as a firewall that asks for its authority.
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow" if plan["public_access"] else "Deny"},
        # Azure knows no way back, and takes no for an answer only by silence.
        **({"enablePurgeProtection": True} if plan["purge_protection"] else {}),
    }
    body = placed(plan, properties=properties)
    return resource(plan, VAULT, plan["name"], API, body, initial=["properties.softDeleteRetentionInDays"])


def _secret(plan: Plan, name: str) -> Resource:
    # Nobody can see whether a value is the one that is wanted. Of its revision, anybody can.
    body = {"tags": {"revision": str(plan["revisions"].get(name, 1))}}
    secret = {"properties": {"value": plan["secrets"][name]}}
    return resource(plan, f"{VAULT}/secrets", f"{plan['name']}/{name}", API, body, secret_body=secret)
