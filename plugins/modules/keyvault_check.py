#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: keyvault_check
short_description: Whether a Key Vault holds what a table of its objects speaks of, and an identity may read it
version_added: 0.1.0
description:
  - Looks for each object of a table, the one that filter P(groundwork.kube.secret_provider_class#filter) takes, in a
    Key Vault, and for the right to read it.
  - A managed identity cannot be logged in as from elsewhere. With O(reader_client_id) or O(reader_principal_id), its
    roles are read, those of its groups among them, or the vault's access policies where the vault goes by these.
  - Without, the login itself is the reader, and reads each object. What it reads is not kept and not shown.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.azure
options:
  vault:
    description: The name of the Key Vault, which is in the subscription.
    type: str
    required: true
  mapping:
    description: The table; of a row its C(object), C(type) and C(version) are looked at.
    type: list
    elements: dict
    required: true
  reader_client_id:
    description: The client id of the managed identity that will read, which is in the subscription.
    type: str
  reader_principal_id:
    description: The object id of the principal that will read.
    type: str
attributes:
  check_mode:
    description: Changes nothing.
    support: full
    details: What is missing is told and no failure, as another task may be about to make it.
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
notes:
  - It asks the vault itself, which a vault without public access answers within its network alone. To list what is
    there its login needs the role Key Vault Reader.
  - A role that was given a minute ago is seen here before the vault has heard of it.
seealso:
  - module: groundwork.kube.secret_provider_check
"""

EXAMPLES = r"""
- name: The AKS add-on's identity may read all that the application mounts
  groundwork.kube.keyvault_check:
    vault: kv-cloudtr-prd
    mapping: "{{ lookup('ansible.builtin.file', 'mapping.yaml') | from_yaml }}"
    reader_client_id: "{{ cluster.properties.addonProfiles.azureKeyvaultSecretsProvider.identity.clientId }}"
  delegate_to: localhost
"""

RETURN = r"""
objects:
  description: Each object of the table, and what keeps it from being read; nothing, if nothing does.
  returned: always
  type: list
  elements: dict
  contains:
    object: {description: Its name., type: str, sample: database-url}
    type: {description: What it is., type: str, sample: secret}
    problem: {description: What is wrong., type: str, sample: is not there}
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.arm import ArmClient, ArmError, ArmModule
from ansible_collections.groundwork.kube.plugins.module_utils.keyvault_check import (
    ASSIGNMENTS,
    KINDS,
    Body,
    Object,
    may_read,
    missing,
    objects_of,
    remedy,
    told,
)

VAULTS_API = "2023-07-01"
OBJECTS_API = "7.4"
IDENTITIES_API = "2023-01-31"
ROLES_API = "2022-04-01"


class KeyVaultCheckError(Exception):
    """Why the objects cannot be looked at."""


class Check:
    """What one vault says of the objects of one table."""

    def __init__(self, azure: ArmClient, vault: Body) -> None:
        self.azure = azure
        self.vault = vault
        self.objects = azure.key_vault(vault["properties"]["vaultUri"])

    def missing(self, wanted: list[Object]) -> Iterator[tuple[Object, str]]:
        """Of these, those that are not to be had."""
        listed = {kind: self._list(f"/{kind}") for kind in {each.kind.collection for each in wanted}}
        for each in wanted:
            versions = self._list(f"{each.path}/versions") if each.version else []
            problem = missing(each, listed[each.kind.collection], versions)
            if problem:
                yield each, problem

    def unreadable(self, wanted: list[Object], principal: str) -> Iterator[tuple[Object, str]]:
        """Of these, those that the principal may not read."""
        assignments: Sequence[Body] = []
        if self.vault["properties"].get("enableRbacAuthorization"):
            assignments = self.azure.list(
                f"read what {principal} may do",
                self.vault["id"] + ASSIGNMENTS,
                ROLES_API,
                {"$filter": f"assignedTo('{principal}')"},
            )
        definitions = {
            role: self.azure.get(f"read role {role}", role, ROLES_API) or {"properties": {"permissions": []}}
            for role in {assignment["properties"]["roleDefinitionId"] for assignment in assignments}
        }
        for each in wanted:
            if not may_read(each, self.vault, principal, assignments, definitions):
                yield each, f"may not be read; {remedy(self.vault, principal)}"

    def read(self, wanted: list[Object]) -> Iterator[tuple[Object, str]]:
        """Of these, those that this login cannot read."""
        for each in wanted:
            path = f"{each.path}/{each.version}".rstrip("/")
            try:
                found = self.objects.get(f"read {each}", path, OBJECTS_API)
            except ArmError as error:
                if error.status != 403:
                    raise
                yield each, f"may not be read: {error.message}"
            else:
                if found is None:
                    yield each, "is not there"

    def _list(self, path: str) -> list[Body]:
        try:
            return list(self.objects.list(f"list {self.vault['name']}{path}", path, OBJECTS_API))
        except ArmError as error:
            if error.status != 403:
                raise
            raise KeyVaultCheckError(
                f"{error}. Whoever looks needs the role Key Vault Reader, and a way to the vault, if it is private"
            ) from error


def named(azure: ArmClient, name: str) -> Body:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.KeyVault/vaults"
    for vault in azure.list("list Key Vaults", path, VAULTS_API):
        if vault["name"].lower() == name.lower():
            return vault
    raise KeyVaultCheckError(f"vault: there is no {name} in subscription {azure.subscription}")


def principal_of(azure: ArmClient, client_id: str) -> str:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    for identity in azure.list("list managed identities", path, IDENTITIES_API):
        if identity["properties"]["clientId"].lower() == client_id.lower():
            return str(identity["properties"]["principalId"])
    raise KeyVaultCheckError(
        f"reader_client_id: no user-assigned identity of subscription {azure.subscription} has the client id "
        f"{client_id!r}; say reader_principal_id, if it is elsewhere"
    )


def checked(azure: ArmClient, options: dict[str, Any]) -> dict[Object, str]:
    wanted = objects_of(options["mapping"])
    check = Check(azure, named(azure, options["vault"]))
    principal = options["reader_principal_id"]
    if options["reader_client_id"] is not None:
        principal = principal_of(azure, options["reader_client_id"])
    if principal is None:
        return dict(check.read(wanted))
    problems = dict(check.missing(wanted))
    there = [each for each in wanted if each not in problems]
    return {**problems, **dict(check.unreadable(there, principal))}


def main() -> None:
    module = ArmModule(
        {
            "vault": {"type": "str", "required": True},
            "mapping": {"type": "list", "elements": "dict", "required": True},
            "reader_client_id": {"type": "str"},
            "reader_principal_id": {"type": "str"},
        },
        mutually_exclusive=[("reader_client_id", "reader_principal_id")],
    )
    types = {row.get("type") or "secret" for row in module.params["mapping"]}
    if not types <= set(KINDS):
        module.fail_json(msg=f"mapping: type is one of {', '.join(KINDS)}, not {', '.join(sorted(types - set(KINDS)))}")
    result: dict[str, Any] = {"changed": False, "objects": []}
    try:
        problems = checked(module.connect(), module.params)
    except ArmError as error:
        module.fail_with(error)
    except KeyVaultCheckError as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        module.exit_json(msg=str(error), **result)
    result["objects"] = [
        {"object": each.name, "type": each.type, "problem": problems.get(each, "")}
        for each in objects_of(module.params["mapping"])
    ]
    message = "\n".join([f"Key Vault {module.params['vault']}:", *told(problems)]) if problems else ""
    if problems and not module.check_mode:
        module.fail_json(msg=message, **result)
    module.exit_json(msg=message, **result)


if __name__ == "__main__":
    main()
