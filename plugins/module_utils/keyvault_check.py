# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Key Vault holds what a table speaks of, and whether an identity may read it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

Body = Mapping[str, Any]

ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class Kind:
    """What a row of the table calls a type: where the vault lists them, and the right to read one."""

    collection: str
    action: str


KINDS = {
    "secret": Kind("secrets", "Microsoft.KeyVault/vaults/secrets/getSecret/action"),
    "key": Kind("keys", "Microsoft.KeyVault/vaults/keys/read"),
    "cert": Kind("certificates", "Microsoft.KeyVault/vaults/certificates/read"),
}


@dataclass(frozen=True)
class Object:
    """What a row mounts."""

    name: str
    type: str = "secret"
    version: str = ""

    @property
    def kind(self) -> Kind:
        return KINDS[self.type]

    @property
    def path(self) -> str:
        """Where it is within its vault, whichever version."""
        return f"/{self.kind.collection}/{self.name}"

    def __str__(self) -> str:
        return f"{self.type} {self.name}" + (f" of version {self.version}" if self.version else "")


def objects_of(mapping: Iterable[Body]) -> list[Object]:
    """Each object once, however many rows speak of it."""
    rows = (Object(row["object"], row.get("type") or "secret", row.get("version") or "") for row in mapping)
    return list(dict.fromkeys(rows))


def missing(wanted: Object, listed: Sequence[Body], versions: Sequence[Body]) -> str | None:
    """Why an object cannot be mounted, by those of its kind that the vault lists; None if nothing speaks against it."""
    found = {_last(item): item for item in listed}
    item = found.get(wanted.name.lower())
    if item is None:
        return f"is not there{did_you_mean(wanted.name, found)}"
    if wanted.version:
        item = {_last(each): each for each in versions}.get(wanted.version.lower())
        if item is None:
            return "has no such version"
    return None if (item.get("attributes") or {}).get("enabled", True) else "is disabled"


def _last(item: Body) -> str:
    # A key says kid where others say id.
    return str(item.get("id") or item.get("kid")).rpartition("/")[2].lower()


def may_read(
    wanted: Object, vault: Body, principal: str, assignments: Iterable[Body], definitions: Mapping[str, Body]
) -> bool:
    """Whether the principal's roles, or the vault's access policies where it goes by these, let it read the object."""
    properties = vault["properties"]
    if not properties.get("enableRbacAuthorization"):
        return _policies_permit(wanted, properties.get("accessPolicies") or (), principal)
    place = (vault["id"] + wanted.path).lower()
    return any(
        _permits(definitions[assignment["properties"]["roleDefinitionId"]], wanted.kind.action)
        for assignment in assignments
        if _covers(assignment["id"].rpartition(ASSIGNMENTS)[0].lower(), place)
    )


def remedy(vault: Body, principal: str) -> str:
    if vault["properties"].get("enableRbacAuthorization"):
        return (
            f"give {principal} the role Key Vault Secrets User, or Certificate User for what is a key or a cert, "
            f"on {vault['id']}"
        )
    return f"give {principal} get in an access policy of {vault['name']}, which does not go by roles"


def _policies_permit(wanted: Object, policies: Iterable[Body], principal: str) -> bool:
    return any(
        {"get", "all"} & {right.lower() for right in policy["permissions"].get(wanted.kind.collection) or ()}
        for policy in policies
        if policy["objectId"].lower() == principal.lower()
    )


def _covers(scope: str, place: str) -> bool:
    # What is asked about this place is either of a scope around it, or of another object within the vault.
    return "/subscriptions/" not in scope or f"{place}/".startswith(f"{scope}/")


def _permits(definition: Body, action: str) -> bool:
    return any(
        _matches(permission.get("dataActions"), action) and not _matches(permission.get("notDataActions"), action)
        for permission in definition["properties"]["permissions"]
    )


def _matches(patterns: Iterable[str] | None, action: str) -> bool:
    return any(_matches_one(pattern, action) for pattern in patterns or ())


def _matches_one(pattern: str, action: str) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, action, re.IGNORECASE) is not None


def told(problems: Mapping[Object, str]) -> Iterator[str]:
    for wanted, problem in problems.items():
        yield f"{wanted}: {problem}"
