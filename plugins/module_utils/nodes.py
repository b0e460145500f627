# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring all Nodes to their plans: one LIST, and one patch for each Node that differs."""

from __future__ import annotations

import difflib
import gc
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    ApiUnreachableError,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.node_plan import NodePlan, owned_keys, plan_node

NODES = "/api/v1/nodes"
RECORD_NAMESPACE = "kube-system"
RECORD_NAME = "groundwork-nodes"

NODES_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "nodes": {"type": "dict", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "cloud_controller": {"type": "bool"},
}

# A Node is rewritten by its kubelet and by controllers; each attempt reads it anew.
_ATTEMPTS = 10


class Record:
    """The keys the inventory has set on any Node, kept in a ConfigMap.

    A Node that was deleted and registered again comes back without its annotation but with the labels and taints of
    its old flags. This is how they are still known to be the inventory's.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{RECORD_NAMESPACE}/configmaps"
        self._keys: dict[str, set[str]] | None = None

    def keys(self, section: str) -> set[str]:
        if self._keys is None:
            found = self._api.get(f"{self._path}/{RECORD_NAME}") or {}
            self._keys = {name: set(text.split()) for name, text in (found.get("data") or {}).items()}
        return self._keys.get(section, set())

    def write(self, keys: Mapping[str, set[str]]) -> None:
        news = {section: wanted for section, wanted in keys.items() if wanted != self.keys(section)}
        if not news:
            return
        data = {section: "".join(f"{key}\n" for key in sorted(wanted)) for section, wanted in news.items()}
        try:
            self._api.patch(f"{self._path}/{RECORD_NAME}", {"data": data})
        except ApiError as error:
            if error.status != 404:
                raise
            self._api.create(self._path, {"metadata": {"name": RECORD_NAME}, "data": data})
        self._keys = {**(self._keys or {}), **news}


def reconcile(module: ApiModule, wishes: Mapping[str, Mapping[str, Any]]) -> None:
    """Do (or in check mode ask the server about) all that ``wishes``, section by section, node by node, call for."""
    # What a LIST of thousands of Nodes makes is needed to the end: looking it through for garbage takes half its time.
    gc.disable()
    try:
        _Reconciliation(module, wishes).run()
    except ApiError as error:
        module.fail_with(error)


class _Reconciliation:
    def __init__(self, module: ApiModule, wishes: Mapping[str, Mapping[str, Any]]) -> None:
        self._module = module
        self._wishes = wishes
        self._names = sorted({name for section in wishes.values() for name in section})
        self._plans: dict[str, NodePlan] = {}
        self._would_be: dict[str, NodePlan] = {}
        self._missing: list[str] = []
        self._errors: list[ApiError] = []

    def run(self) -> None:
        live = self._read()
        missing = [name for name in self._names if name not in live]
        self._missing = [name for name in missing if name in self._module.params["absent"]]
        unknown = [name for name in missing if name not in self._missing]
        if self._module.assumes_api:
            self._would_be = {name: self._plan({"metadata": {"name": name}}, new=True) for name in unknown}
        elif unknown:
            self._module.fail_json(msg=_unknown(unknown, live), missing=missing)
        self._plans = {name: self._plan(live[name]) for name in self._names if name in live}
        self._act(live)
        self._exit()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            self._api = self._module.connect()
            self._record = Record(self._api)
            return {node["metadata"]["name"]: node for node in self._api.list(NODES)}
        except ApiUnreachableError:
            if self._module.assumes_api:
                return {}
            raise

    def _plan(self, node: Mapping[str, Any], new: bool = False) -> NodePlan:
        name = node["metadata"]["name"]
        recorded = {
            section: self._record.keys(section)
            for section in self._wishes
            if not new and owned_keys(node, section) is None
        }
        wishes = {section: wishes[name] for section, wishes in self._wishes.items()}
        return plan_node(node, wishes, recorded, self._module.params["cloud_controller"])

    def _act(self, live: Mapping[str, Mapping[str, Any]]) -> None:
        changed = [plan for plan in self._plans.values() if plan.changed]
        remembering = bool(changed) and not self._module.check_mode
        # A key is on record before any Node carries it, and leaves the record only after every Node has lost it.
        if remembering:
            self._record.write(self._owned(live, and_recorded=True))
        for plan in changed:
            try:
                self._patch(plan)
            except ApiUnreachableError:
                raise
            except ApiError as error:
                self._errors.append(error)
                del self._plans[plan.name]
        if remembering and not self._missing and not self._errors:
            self._record.write(self._owned(live, and_recorded=False))

    def _patch(self, plan: NodePlan) -> None:
        """Patch the Node as it was read; if somebody else was faster, read it and plan again."""
        path = f"{NODES}/{path_segment(plan.name)}"
        query = {"dryRun": "All"} if self._module.check_mode else {}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._api.patch(path, plan.patch(), query)
            except ApiError as error:
                if error.status != 409 or attempt == _ATTEMPTS:
                    raise
            else:
                return
            plan = self._plans[plan.name] = self._plan(self._api.request("GET", path))
            if not plan.changed:
                return

    def _owned(self, live: Mapping[str, Mapping[str, Any]], and_recorded: bool) -> dict[str, set[str]]:
        """All keys owned on any Node, by section: as planned, or on Nodes this call is not about as they say."""
        owned: dict[str, set[str]] = {}
        for section in self._wishes:
            keys = owned[section] = set(self._record.keys(section)) if and_recorded else set()
            for name, node in live.items():
                plan = self._plans.get(name)
                keys.update(plan.owned(section) if plan else owned_keys(node, section) or ())
        return owned

    def _exit(self) -> None:
        plans = {**self._plans, **self._would_be}
        changed = [plans[name] for name in sorted(plans) if plans[name].changed]
        differing = [f"{plan.name}: {line}" for plan in self._plans.values() for line in plan.differing]
        for line in differing:
            self._module.warn(line)
        result = {
            "changed": bool(changed),
            "nodes": {plan.name: plan.summary() for plan in changed},
            "changes": [f"{plan.name}: {line}" for plan in changed for line in plan.drift],
            "differing": differing,
            "missing": self._missing,
            "diff": [plan.diff() for plan in changed],
            "invocation": {"module_args": self._told()},
        }
        if self._errors:
            self._module.fail_json(msg="\n".join(map(str, self._errors)), **result)
        self._module.exit_json(msg=f"{len(changed)} of {len(plans)} Nodes were not as the inventory says", **result)

    def _told(self) -> dict[str, Any]:
        """The arguments as a result repeats them, but for the maps of all Nodes: Ansible copies a result many times."""
        return {name: value for name, value in self._module.params.items() if name not in ("nodes", "annotations")}


def _unknown(missing: Iterable[str], live: Iterable[str]) -> str:
    known = sorted(live)
    lines = []
    for name in missing:
        nearest = difflib.get_close_matches(name, known, n=3)
        lines.append(f"There is no Node {name}" + (f"; the nearest: {', '.join(nearest)}" if nearest else ""))
    return "\n".join(
        [*lines, f"Nothing was written. The cluster has {len(known)} Nodes: {', '.join(known[:50]) or '-'}"]
    )
