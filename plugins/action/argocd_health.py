# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.groundwork.kube.plugins.module_utils.api import API_ARGUMENT_SPEC
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_health import NOT_COMPARED
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import HEALTH_ARGUMENT_SPEC

display = Display()

SHORTEST_INTERVAL = 2
# What Argo CD cannot compare may be mended by what is applied beside it, such as its project, or by itself, such as a
# repository that answers again. And it may have missed that the last of many new objects has become healthy: it passes
# over changes of status alone (seen with 3.5.7 and CRDs). It looks again after minutes only, so it is asked to.
LOOK_AGAIN = 15
BROKEN_FOR_GOOD = 30


class ActionModule(ActionBase):
    """Looks through the module until all is well: a module cannot print while it runs, this can."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({**API_ARGUMENT_SPEC, **HEALTH_ARGUMENT_SPEC})
        result.update(Wait(self, task_vars, {name: arguments[name] for name in HEALTH_ARGUMENT_SPEC}).run())
        return result


class Wait:
    """Looks until all is well, something has failed for good, or time is up."""

    def __init__(
        self,
        action: ActionBase,
        task_vars: dict[str, Any] | None,
        options: Mapping[str, Any],
        begin_again: Callable[[Sequence[str]], bool] | None = None,
    ) -> None:
        self._action = action
        self._task_vars = task_vars
        self._options = options
        self._begin_again = begin_again
        self._failed_before: set[str] = set()
        self._interval = max(options["interval"], SHORTEST_INTERVAL)
        self._started = time.monotonic()
        self._broken_since: dict[str, float] = {}
        self._asked_again: float = -LOOK_AGAIN

    def run(self) -> dict[str, Any]:
        if self._action._task.check_mode:
            return self._look()
        refresh, timeout = self._options["refresh"], self._options["timeout"]
        shown = ""
        seen = self._first_look(refresh and timeout > 0)
        while not (seen.get("failed") or seen["healthy"]):
            states = [*seen["applications"], *seen["children"]]
            if self._is_hopeless(states) and not self._has_begun_again(states):
                return self._given_up("Waiting is of no use")
            if self._waited >= timeout:
                return self._given_up("Gave up")
            if seen["summary"] != shown:
                shown = seen["summary"]
                display.display(f"  {shown}")
            self._look_again(states)
            time.sleep(max(0, min(self._interval, timeout - self._waited)))
            # An API that did not answer the first time has not passed the request on either.
            seen = self._look(explain=False, refresh=refresh and not states)
        return seen

    @property
    def _waited(self) -> float:
        return time.monotonic() - self._started

    def _first_look(self, refresh: bool) -> dict[str, Any]:
        seen = self._look(explain=False, refresh=refresh)
        self._failed_before = failed(seen.get("applications", []), seen.get("children", []))
        if self._failed_before and self._options["timeout"] > 0 and not refresh:
            # It may have been mended in Git since Argo CD read it.
            seen = self._look(explain=False, refresh=True)
        return seen

    def _has_begun_again(self, states: Sequence[Mapping[str, Any]]) -> bool:
        """Whether syncs that failed before this wait are on their way again. Its own have had their retries."""
        again = self._failed_before & failed(states)
        self._failed_before -= again
        return bool(again and self._begin_again and self._begin_again(sorted(again)))

    def _look(self, **asked: Any) -> dict[str, Any]:
        seen: dict[str, Any] = self._action._execute_module(
            module_name="groundwork.kube.argocd_health",
            module_args={**api_arguments(self._action._task.args), **self._options, **asked},
            task_vars=self._task_vars,
        )
        return seen

    def _is_hopeless(self, states: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a sync has failed for good, or Argo CD has found the same thing broken again and again."""
        broken = {state["name"] for state in states if state["broken"]}
        asked = {state["name"] for state in states if state["brief"] == NOT_COMPARED} & set(self._broken_since)
        self._broken_since = {name: self._broken_since.get(name, self._waited) for name in broken | asked}
        believed = [name for name in broken if self._waited - self._broken_since[name] >= BROKEN_FOR_GOOD]
        return bool(believed) or any(state["failed"] for state in states)

    def _look_again(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Have Argo CD look anew at what it could not compare, what Git has left behind, and what seems to progress."""
        names = [state["name"] for state in states if state["erring"] or state["overtaken"] or _is_progressing(state)]
        if names and self._waited - self._asked_again >= LOOK_AGAIN:
            self._asked_again = self._waited
            self._look(names=names, waves=False, explain=False, refresh=True)

    def _given_up(self, verdict: str) -> dict[str, Any]:
        """The last look decides: it may be the one that finds all well."""
        waited = self._waited
        seen = self._look(refresh=False)
        if seen.get("failed") or seen["healthy"]:
            return seen
        lines = [f"{verdict} after {waited:.0f} s: {seen['summary']}", *seen["report"]]
        return {**seen, "failed": True, "msg": "\n".join(lines)}


def failed(*states: Sequence[Mapping[str, Any]]) -> set[str]:
    return {state["name"] for each in states for state in each if state["failed"]}


def _is_progressing(state: Mapping[str, Any]) -> bool:
    return (state["sync"], state["health"]) == ("Synced", "Progressing") and state["phase"] != "Running"


def api_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a task's arguments that say how the API is reached."""
    aliases = [alias for option in API_ARGUMENT_SPEC.values() for alias in option.get("aliases", [])]
    return {name: given[name] for name in (*API_ARGUMENT_SPEC, *aliases) if name in given}
