# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specs of Argo CD's own kinds as options: one table each, and the one rule that makes fields of options. Pure.

An option is the field's name in snake_case. tests/api/test_argocd_crds.py walks the CRDs and names any field that no
option covers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Spec = dict[str, dict[str, Any]]


class RequestError(Exception):
    """What is asked for cannot be, and what would be right, for the operator."""


_TEXT: dict[str, Any] = {"type": "str"}
_NEEDED: dict[str, Any] = {"type": "str", "required": True}
_FLAG: dict[str, Any] = {"type": "bool"}
_NUMBER: dict[str, Any] = {"type": "int"}
_TEXTS: dict[str, Any] = {"type": "list", "elements": "str"}
_MAP: dict[str, Any] = {"type": "dict"}
# A field that holds text which itself is YAML or JSON, so that a mapping or true may be said as such.
_DOCUMENT: dict[str, Any] = {"type": "raw"}


def _one(**options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "dict", "options": options}


def _many(**options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": options}


def _needed(option: dict[str, Any]) -> dict[str, Any]:
    return {**option, "required": True}


_JSONNET_VARIABLES = _many(name=_NEEDED, value=_needed(_DOCUMENT), code=_FLAG)

_RENDERING: Spec = {
    "helm": _one(
        release_name=_TEXT,
        namespace=_TEXT,
        version=_TEXT,
        values=_TEXT,
        values_object=_MAP,
        value_files=_TEXTS,
        ignore_missing_value_files=_FLAG,
        parameters=_many(name=_NEEDED, value=_DOCUMENT, force_string=_FLAG),
        file_parameters=_many(name=_NEEDED, path=_NEEDED),
        pass_credentials={**_FLAG, "no_log": False},
        skip_crds=_FLAG,
        skip_schema_validation=_FLAG,
        skip_tests=_FLAG,
        kube_version=_TEXT,
        api_versions=_TEXTS,
    ),
    "kustomize": _one(
        name_prefix=_TEXT,
        name_suffix=_TEXT,
        namespace=_TEXT,
        version=_TEXT,
        images=_TEXTS,
        replicas=_many(name=_NEEDED, count=_needed(_NUMBER)),
        patches=_many(
            patch=_DOCUMENT,
            path=_TEXT,
            target=_one(
                group=_TEXT,
                version=_TEXT,
                kind=_TEXT,
                name=_TEXT,
                namespace=_TEXT,
                label_selector=_TEXT,
                annotation_selector=_TEXT,
            ),
            options=_MAP,
        ),
        components=_TEXTS,
        ignore_missing_components=_FLAG,
        common_labels=_MAP,
        label_without_selector=_FLAG,
        label_include_templates=_FLAG,
        force_common_labels=_FLAG,
        common_annotations=_MAP,
        common_annotations_envsubst=_FLAG,
        force_common_annotations=_FLAG,
        kube_version=_TEXT,
        api_versions=_TEXTS,
    ),
    "directory": _one(
        recurse=_FLAG,
        include=_TEXT,
        exclude=_TEXT,
        disable_extension_filter=_FLAG,
        jsonnet=_one(ext_vars=_JSONNET_VARIABLES, tlas=_JSONNET_VARIABLES, libs=_TEXTS),
    ),
    "plugin": _one(
        name=_TEXT,
        env=_many(name=_NEEDED, value=_NEEDED),
        parameters=_many(name=_NEEDED, string=_TEXT, array=_TEXTS, map=_MAP),
    ),
}

_SOURCE: Spec = {
    "repo_url": _NEEDED,
    "path": _TEXT,
    "chart": _TEXT,
    "target_revision": _TEXT,
    "tag_prefix": _TEXT,
    "ref": _TEXT,
    "name": _TEXT,
    **_RENDERING,
}

_RETRY = _one(
    limit=_NUMBER,
    refresh=_FLAG,
    backoff=_one(duration=_TEXT, factor=_NUMBER, max_duration=_TEXT),
)
_INFO = _many(name=_NEEDED, value=_NEEDED)

METADATA_SPEC: Spec = {"labels": _MAP, "annotations": _MAP}

APPLICATION_SPEC: Spec = {
    "project": _TEXT,
    "source": _one(**_SOURCE),
    "sources": _many(**_SOURCE),
    "source_hydrator": _one(
        dry_source=_needed(_one(repo_url=_NEEDED, path=_NEEDED, target_revision=_NEEDED, **_RENDERING)),
        sync_source=_needed(_one(repo_url=_TEXT, path=_NEEDED, target_branch=_NEEDED)),
        hydrate_to=_one(target_branch=_NEEDED),
    ),
    "destination": _one(server=_TEXT, name=_TEXT, namespace=_TEXT),
    "sync_policy": _one(
        automated=_one(enabled=_FLAG, prune=_FLAG, self_heal=_FLAG, allow_empty=_FLAG),
        sync_options=_TEXTS,
        retry=_RETRY,
        managed_namespace_metadata=_one(labels=_MAP, annotations=_MAP),
    ),
    "ignore_differences": _many(
        group=_TEXT,
        kind=_NEEDED,
        name=_TEXT,
        namespace=_TEXT,
        json_pointers=_TEXTS,
        jq_path_expressions=_TEXTS,
        managed_fields_managers=_TEXTS,
    ),
    "info": _INFO,
    "revision_history_limit": _NUMBER,
}

SYNC_SPEC: Spec = {
    "revision": _TEXT,
    "prune": _FLAG,
    "dry_run": _FLAG,
    "force": _FLAG,
    "resources": _many(group=_TEXT, kind=_NEEDED, name=_NEEDED, namespace=_TEXT),
    "sync_options": _TEXTS,
    "retry": _RETRY,
    "info": _INFO,
}

APPLICATION_OPTIONS: Spec = {**METADATA_SPEC, **APPLICATION_SPEC}

_KIND = {"group": _NEEDED, "kind": _NEEDED}
_GPG = _needed(_one(mode=_NEEDED, keys={**_needed(_TEXTS), "no_log": False}))
_CLUSTER_KINDS = _many(**_KIND, name=_TEXT)

PROJECT_SPEC: Spec = {
    "description": _TEXT,
    "source_repos": _TEXTS,
    "source_namespaces": _TEXTS,
    "destinations": _many(server=_TEXT, name=_TEXT, namespace=_TEXT),
    "destination_service_accounts": _many(server=_NEEDED, namespace=_TEXT, default_service_account=_NEEDED),
    "cluster_resource_whitelist": _CLUSTER_KINDS,
    "cluster_resource_blacklist": _CLUSTER_KINDS,
    "namespace_resource_whitelist": _many(**_KIND),
    "namespace_resource_blacklist": _many(**_KIND),
    "orphaned_resources": _one(warn=_FLAG, ignore=_many(group=_TEXT, kind=_TEXT, name=_TEXT)),
    "permit_only_project_scoped_clusters": _FLAG,
    "roles": _many(
        name=_NEEDED,
        description=_TEXT,
        policies=_TEXTS,
        groups=_TEXTS,
        jwt_tokens={**_many(iat=_needed(_NUMBER), exp=_NUMBER, id=_TEXT), "no_log": False},
    ),
    "signature_keys": {**_many(key_id=_NEEDED), "no_log": False},
    "source_integrity": _one(git=_needed(_one(policies=_needed(_many(repos=_needed(_many(url=_NEEDED)), gpg=_GPG))))),
    "sync_windows": _many(
        kind=_TEXT,
        schedule=_TEXT,
        duration=_TEXT,
        time_zone=_TEXT,
        applications=_TEXTS,
        namespaces=_TEXTS,
        clusters=_TEXTS,
        and_operator=_FLAG,
        manual_sync=_FLAG,
        sync_overrun=_FLAG,
        description=_TEXT,
    ),
}


PROJECT_OPTIONS: Spec = {**METADATA_SPEC, **PROJECT_SPEC}


def one_or_many(plural: str, spec: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Options for one object, or under ``plural`` for many."""
    many = {"name": {"type": "str", "required": True}, **spec}
    return {"name": {"type": "str"}, **spec, plural: {"type": "list", "elements": "dict", "options": many}}


def exclusive(plural: str, spec: Iterable[str]) -> list[tuple[str, str]]:
    return [(plural, option) for option in ("name", *spec)]


def wanted(params: Mapping[str, Any], plural: str, spec: Iterable[str]) -> list[dict[str, Any]]:
    """The objects that the options are about, each by its options."""
    if params[plural] is None:
        return [{option: params[option] for option in ("name", *spec)}]
    names = [item["name"] for item in params[plural]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestError(f"{plural} names {', '.join(twice)} more than once")
    return list(params[plural])


NAMESPACE_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {"namespace": {"type": "str", "default": "argocd"}}
ARGOCD_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **NAMESPACE_ARGUMENT_SPEC,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

APPLICATION_ARGUMENT_SPEC: Spec = {
    **ARGOCD_ARGUMENT_SPEC,
    **one_or_many("applications", APPLICATION_OPTIONS),
    "cascade": {"type": "str", "choices": ["foreground", "background", "orphan"]},
    "refresh": {"type": "bool"},
    "sync": {"type": "dict", "options": SYNC_SPEC},
    "wait": {"type": "bool", "default": True},
    "wait_waves": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 600},
}
PROJECT_ARGUMENT_SPEC: Spec = {
    **ARGOCD_ARGUMENT_SPEC,
    **one_or_many("projects", PROJECT_OPTIONS),
}
HEALTH_ARGUMENT_SPEC: Spec = {
    **NAMESPACE_ARGUMENT_SPEC,
    "names": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "waves": {"type": "bool", "default": True},
    "refresh": {"type": "bool", "default": True},
    "explain": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 600},
    "interval": {"type": "int", "default": 5},
}

# Maps whose values the API takes as text only, as which a wave of 5 or an exclusion of true is meant too.
_TEXT_MAPS = ("labels", "annotations", "common_labels", "common_annotations", "map")
_IRREGULAR = {"repo_url": "repoURL", "key_id": "keyID", "role_arn": "roleARN"}


def field_name(option: str) -> str:
    head, *rest = option.split("_")
    return _IRREGULAR.get(option) or head + "".join(word.capitalize() for word in rest)


def fields(spec: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that these options say. What was not said is left out; what was said to be empty stays empty."""
    return {
        field_name(name): _value(name, spec[name], value)
        for name, value in options.items()
        if name in spec and value is not None
    }


def _value(name: str, spec: Mapping[str, Any], value: Any) -> Any:
    if "options" in spec:
        nested = spec["options"]
        return [fields(nested, item) for item in value] if spec["type"] == "list" else fields(nested, value)
    if name in _TEXT_MAPS:
        return {key: _text(item) for key, item in value.items()}
    return _text(value) if spec["type"] == "raw" else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
