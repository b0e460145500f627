# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flexible server of Azure Database for PostgreSQL, and its databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    placed,
    public_access,
    refuse,
    resource,
)

SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
API = "2024-08-01"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_ZONE_ENDING = ".postgres.database.azure.com"
_TIERS = {"B": "Burstable", "D": "GeneralPurpose", "E": "MemoryOptimized"}
_NOT_ADMINISTRATORS = {"azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"}


def resources(plan: Plan) -> list[Resource]:
    """The server, who may reach it, and its databases, as arm_resource takes them."""
    refuse("azure_postgresql", plan, _problems(plan))
    return [
        _server(plan),
        *(_within(plan, "databases", name, charset="UTF8", collation="en_US.utf8") for name in plan["databases"]),
        *(
            _within(plan, "firewallRules", name, startIpAddress=span["first"], endIpAddress=span["last"])
            for name, span in plan["allowed"].items()
        ),
    ]


def _problems(plan: Plan) -> Iterator[str]:
    if not _NAME.fullmatch(plan["name"]):
        yield f"azure_postgresql_name: {plan['name']} has to be 3 to 63 lower-case letters, digits and hyphens"
    if plan["administrator"].lower() in _NOT_ADMINISTRATORS or plan["administrator"].startswith("pg_"):
        yield f"azure_postgresql_administrator: {plan['administrator']} is a name that Azure keeps; take another"
    if not plan["password"]:
        yield "azure_postgresql_password: is empty; write it into the vault of your inventory"
    if bool(plan["subnet_id"]) != bool(plan["private_dns_zone_id"]):
        yield "azure_postgresql_subnet_id and azure_postgresql_private_dns_zone_id go together"
    elif plan["subnet_id"] and not plan["private_dns_zone_id"].endswith(_ZONE_ENDING):
        yield f"azure_postgresql_private_dns_zone_id: the zone's name has to end in {_ZONE_ENDING}"
    if plan["allowed"] and (plan["subnet_id"] or not plan["public_access"]):
        yield "azure_postgresql_allowed: says who may dial a public address, and there is none"
    if plan["high_availability"] != "Disabled" and _tier(plan) == "Burstable":
        yield f"azure_postgresql_high_availability: {plan['sku']} has none; take a Standard_D or Standard_E size"


def _server(plan: Plan) -> Resource:
    body = placed(
        plan,
        sku={"name": plan["sku"], "tier": _tier(plan)},
        properties={
            "version": plan["version"],
            "administratorLogin": plan["administrator"],
            "storage": {"storageSizeGB": plan["storage_gb"], "autoGrow": "Enabled"},
            "backup": {"backupRetentionDays": plan["backup_days"], "geoRedundantBackup": "Disabled"},
            "highAvailability": {"mode": plan["high_availability"]},
            "network": _network(plan),
        },
    )
    # It grows by itself; and Azure never gives a password back.
    return resource(
        plan,
        SERVER,
        plan["name"],
        API,
        body,
        secret_body={"properties": {"administratorLoginPassword": plan["password"]}},
        initial=["properties.storage.storageSizeGB", "properties.backup.geoRedundantBackup"],
        update="patch",
    )


def _network(plan: Plan) -> dict[str, Any]:
    if plan["subnet_id"]:
        return {
            "delegatedSubnetResourceId": plan["subnet_id"],
            "privateDnsZoneArmResourceId": plan["private_dns_zone_id"],
        }
    return {"publicNetworkAccess": public_access(plan)}


def _tier(plan: Plan) -> str:
    return _TIERS.get(plan["sku"].removeprefix("Standard_")[:1], "GeneralPurpose")


def _within(plan: Plan, kind: str, name: str, **properties: Any) -> Resource:
    return resource(plan, f"{SERVER}/{kind}", f"{plan['name']}/{name}", API, {"properties": properties})
