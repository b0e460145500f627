# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of what in Azure Key Vault becomes which key of which Secret, as the Secrets Store CSI driver reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_OBJECT_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_SECRET_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_FILE_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_OBJECT_TYPES = ("secret", "key", "cert")

# What a row says about its object beside name and type, and what the provider calls it.
_OBJECT_SETTINGS = {
    "alias": "objectAlias",
    "version": "objectVersion",
    "version_history": "objectVersionHistory",
    "format": "objectFormat",
    "encoding": "objectEncoding",
    "file_permission": "filePermission",
}
_ROW_KEYS = {"object", "type", *_OBJECT_SETTINGS, "secret", "key", "secret_type", "purpose"}

_IDENTITIES = ("vm", "workload", "service_principal")


def problems(mapping: Sequence[Mapping[str, Any]], identity: str, client_id: str | None) -> Iterator[str]:
    """What is wrong, with the row and the remedy; values of secrets are not in the table, so all of it may be told."""
    if identity not in _IDENTITIES:
        yield f"identity: {identity!r} is none of {', '.join(_IDENTITIES)}."
    elif identity == "workload" and not client_id:
        yield "client_id: workload identity needs that of the identity the pods' service account is federated with."
    elif identity == "service_principal" and client_id:
        yield "client_id: a service principal's is in the Secret that the volumes name as nodePublishSecretRef."
    files: dict[str, str] = {}
    taken: set[tuple[str, str]] = set()
    types: dict[str, str] = {}
    for number, row in enumerate(mapping, start=1):
        where = f"row {number} ({row.get('object', 'without object')})"
        yield from (f"{where}: {problem}" for problem in _row_problems(row))
        # Rows of one object that are of one file are one file; another object must not overwrite it.
        described = _object_text(row)
        if files.setdefault(_file_name(row), described) != described:
            yield f"{where}: another row has a file {_file_name(row)!r}. Give one of them an alias."
        if row.get("secret") and row.get("key"):
            target = (str(row["secret"]), str(row["key"]))
            if target in taken:
                yield f"{where}: {target[0]} already has a key {target[1]}."
            taken.add(target)
            if types.setdefault(target[0], _secret_type(row)) != _secret_type(row):
                yield f"{where}: {target[0]} is {types[target[0]]} in a row before; a Secret has one secret_type."


def _row_problems(row: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted(set(row) - _ROW_KEYS)
    if unknown:
        yield f"unknown {', '.join(unknown)}; a row has {', '.join(sorted(_ROW_KEYS))}."
    if not _OBJECT_NAME.fullmatch(str(row.get("object", ""))):
        yield "object: Key Vault names are 1 to 127 letters, digits and hyphens."
    if row.get("type", "secret") not in _OBJECT_TYPES:
        yield f"type: {row['type']!r} is none of {', '.join(_OBJECT_TYPES)}."
    if row.get("alias") and not _FILE_NAME.fullmatch(str(row["alias"])):
        yield "alias: it names a file, of letters, digits, '-', '_' and '.'."
    if not isinstance(row.get("version_history", 1), int):
        yield "version_history: a number of versions."
    for text in sorted({"alias", "version", "format", "encoding", "file_permission"} & set(row)):
        if not isinstance(row[text], str):
            yield f"{text}: {row[text]!r} is no text; put it in quotes."
    if bool(row.get("secret")) != bool(row.get("key")):
        yield "secret and key belong together; with neither the object is only a file in the volume."
    elif row.get("secret"):
        if not _SECRET_NAME.fullmatch(str(row["secret"])):
            yield f"secret: {row['secret']!r} is no name of a Secret (lower case, digits, '-' and '.')."
        if not _FILE_NAME.fullmatch(str(row["key"])):
            yield f"key: {row['key']!r} is no key of a Secret (letters, digits, '-', '_' and '.')."


def _file_name(row: Mapping[str, Any]) -> str:
    """The object's file in the volume. secretObjects name objects by it: by the alias where there is one."""
    return str(row.get("alias") or row.get("object"))


def _secret_type(row: Mapping[str, Any]) -> str:
    return str(row.get("secret_type", "Opaque"))


def _object_text(row: Mapping[str, Any]) -> str:
    settings = {"objectName": row.get("object"), "objectType": row.get("type", "secret")}
    settings.update({name: row[key] for key, name in _OBJECT_SETTINGS.items() if key in row})
    # Quoted as JSON: a name that reads as a number or as true stays a name.
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def _objects(mapping: Iterable[Mapping[str, Any]]) -> str:
    """The provider wants YAML in a string: a list of strings, each of them YAML again."""
    entries = dict.fromkeys(_object_text(row) for row in mapping)
    return "array:\n" + "".join(
        "  - |\n" + "".join(f"    {line}\n" for line in entry.splitlines()) for entry in entries
    )


def _secret_objects(mapping: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    secrets: dict[str, dict[str, Any]] = {}
    for row in mapping:
        if row.get("secret"):
            secret = secrets.setdefault(
                row["secret"], {"secretName": row["secret"], "type": _secret_type(row), "data": []}
            )
            # With a history the file is a directory of versions, the newest of them 0.
            newest = "/0" if row.get("version_history", 1) > 1 else ""
            secret["data"].append({"key": row["key"], "objectName": _file_name(row) + newest})
    return list(secrets.values())


def _login(identity: str, client_id: str | None) -> dict[str, str]:
    login = {"usePodIdentity": "false", "useVMManagedIdentity": "true" if identity == "vm" else "false"}
    if identity == "vm":
        # An empty one is the machine's own, system-assigned identity.
        login["userAssignedIdentityID"] = client_id or ""
    elif identity == "workload":
        login["clientID"] = client_id or ""
    return login


def secret_provider_class(
    mapping: Sequence[Mapping[str, Any]],
    name: str,
    namespace: str,
    key_vault: str,
    tenant_id: str,
    identity: str = "vm",
    client_id: str | None = None,
    cloud: str | None = None,
) -> dict[str, Any]:
    """The SecretProviderClass of a table. ValueError lists everything wrong with the table."""
    found = list(problems(mapping, identity, client_id))
    if not mapping:
        found.append("the table has no rows.")
    if found:
        raise ValueError("\n".join(found))
    parameters = {"keyvaultName": key_vault, "tenantId": tenant_id}
    if cloud:
        parameters["cloudName"] = cloud
    parameters.update(_login(identity, client_id))
    parameters["objects"] = _objects(mapping)
    spec: dict[str, Any] = {"provider": "azure", "parameters": parameters}
    secrets = _secret_objects(mapping)
    if secrets:
        spec["secretObjects"] = secrets
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
