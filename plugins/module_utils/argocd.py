# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's objects in the Kubernetes API: where they are, how they are written, what a change of them looks like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    APPLY_PATCH,
    ApiClient,
    ApiError,
    ApiModule,
    ApiUnreachableError,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import METADATA_SPEC, fields

Object = dict[str, Any]


FIELD_MANAGER = "groundwork"
API_VERSION = "argoproj.io/v1alpha1"

REFRESH = "argocd.argoproj.io/refresh"
# Ends the sync that is on its way, as Argo CD's own API does it.
ENDED: Object = {"status": {"operationState": {"phase": "Terminating"}}}
# What the server, or a controller on its way, keeps by itself: a difference in it alone is no change of ours.
_SERVER_KEPT = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_PASSING = (REFRESH, "argocd.argoproj.io/hydrate")
# A controller rewrites its objects all the time; each attempt reads anew.
_ATTEMPTS = 10


@dataclass(frozen=True)
class Kind:
    """A kind and where its objects are."""

    name: str
    plural: str
    api_version: str = API_VERSION

    def path(self, namespace: str, name: str = "") -> str:
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        collection = f"{root}/namespaces/{path_segment(namespace)}/{self.plural}"
        return f"{collection}/{path_segment(name)}" if name else collection

    def manifest(self, namespace: str, options: Mapping[str, Any], **content: Any) -> Object:
        metadata = {"name": options["name"], "namespace": namespace, **fields(METADATA_SPEC, options)}
        return {"apiVersion": self.api_version, "kind": self.name, "metadata": metadata, **content}


APPLICATION = Kind("Application", "applications")
APPLICATION_SET = Kind("ApplicationSet", "applicationsets")
PROJECT = Kind("AppProject", "appprojects")
SECRET = Kind("Secret", "secrets", "v1")


@dataclass(frozen=True)
class Change:
    """What became, or in check mode would become, of one object. An object that is not there is ``{}``."""

    name: str
    before: Object
    after: Object

    @property
    def deed(self) -> str:
        return "updated" if self.before and self.after else "created" if self.after else "deleted"

    def diff(self) -> dict[str, str]:
        return {
            "before_header": self.name,
            "after_header": self.name,
            "before": _printed(self.before),
            "after": _printed(self.after),
        }


def change(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Change | None:
    old, new = declared_part(before), declared_part(after)
    return None if old == new else Change(name, old, new)


def declared_part(item: Mapping[str, Any] | None) -> Object:
    """The object without what is not declared, so that two readings can be compared."""
    if not item:
        return {}
    kept = {key: value for key, value in item.items() if key not in ("status", "operation")}
    kept["metadata"] = {key: value for key, value in item["metadata"].items() if key not in _SERVER_KEPT}
    annotations = {key: value for key, value in kept["metadata"].pop("annotations", {}).items() if key not in _PASSING}
    if annotations:
        kept["metadata"]["annotations"] = annotations
    return kept


def outcome(changes: Iterable[Change]) -> dict[str, Any]:
    """The part of a result that all modules that write objects have in common."""
    changes = list(changes)
    names = {deed: [item.name for item in changes if item.deed == deed] for deed in ("created", "updated", "deleted")}
    return {"changed": bool(changes), **names, "diff": [item.diff() for item in changes]}


class Argo:
    """The objects of one namespace, read in one request a kind, and written one by one."""

    def __init__(self, module: ApiModule) -> None:
        self._module = module
        self._api: ApiClient | None = None
        self.namespace: str = module.params["namespace"]
        self.errors: list[ApiError] = []

    @property
    def api(self) -> ApiClient:
        if self._api is None:
            self._api = self._module.connect()
        return self._api

    def read(self, kind: Kind, query: Mapping[str, Any] | None = None) -> dict[str, Object]:
        """All objects of the kind, by name. In check mode none, if what would have them would be made by then."""
        try:
            found = self.api.get(kind.path(self.namespace), query)
            if found is None:
                raise ApiError(
                    f"Reading {kind.plural}",
                    404,
                    "NotFound",
                    f"this cluster has no kind {kind.name}; install Argo CD first (the role groundwork.kube.argocd)",
                )
        except ApiError as error:
            if self._module.assumes_api and (isinstance(error, ApiUnreachableError) or error.status == 404):
                return {}
            raise
        # Items of a list of Kubernetes' own kinds do not say what they are.
        what = {"apiVersion": kind.api_version, "kind": kind.name}
        return {item["metadata"]["name"]: {**what, **item} for item in found.get("items") or []}

    def apply(self, kind: Kind, manifests: Sequence[Object], live: dict[str, Object]) -> list[Change]:
        """Server-side apply, in check mode a dry run of it; ``live`` becomes what is there then.

        One that is refused does not stop the others.
        """
        changes = []
        for manifest in manifests:
            name = manifest["metadata"]["name"]
            try:
                after = self._apply(kind, manifest)
            except ApiUnreachableError:
                raise
            except ApiError as error:
                self.errors.append(error)
                continue
            changes.append(change(name, live.get(name), after))
            if not self._module.check_mode:
                live[name] = after
        return [item for item in changes if item]

    def amend(self, kind: Kind, item: Object, patch_of: Callable[[Object], Object | None]) -> Object:
        """Patch the object as it was read; if somebody else was faster, read it and think again. None is no patch."""
        path = kind.path(self.namespace, item["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, **self.dry_run()}
        for attempt in range(1, _ATTEMPTS + 1):
            patch = patch_of(item)
            if patch is None:
                break
            metadata = {**patch.get("metadata", {}), "resourceVersion": item["metadata"]["resourceVersion"]}
            try:
                return self.api.patch(path, {**patch, "metadata": metadata}, query)
            except ApiError as error:
                if error.status != 409 or attempt == _ATTEMPTS:
                    raise
            item = self.api.request("GET", path)
        return item

    def refresh(self, name: str) -> Object:
        """Ask Argo CD to compare the application with Git now; it takes the mark away when it has."""
        path = APPLICATION.path(self.namespace, name)
        return self.api.patch(path, {"metadata": {"annotations": {REFRESH: "normal"}}}, {"fieldManager": FIELD_MANAGER})

    def delete(self, kind: Kind, name: str, live: Mapping[str, Object]) -> list[Change]:
        deleted = name in live and self.api.delete(kind.path(self.namespace, name), query=self.dry_run())
        return [Change(name, declared_part(live[name]), {})] if deleted else []

    def dry_run(self) -> dict[str, str]:
        return {"dryRun": "All"} if self._module.check_mode else {}

    def _apply(self, kind: Kind, manifest: Object) -> Object:
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict", **self.dry_run()}
        try:
            return self.api.patch(
                kind.path(self.namespace, manifest["metadata"]["name"]), manifest, query, content_type=APPLY_PATCH
            )
        except ApiError as error:
            if self._module.assumes_api and (isinstance(error, ApiUnreachableError) or error.status == 404):
                return manifest
            raise


def _printed(item: Object) -> str:
    return json.dumps(item, indent=2, sort_keys=True) + "\n" if item else ""
