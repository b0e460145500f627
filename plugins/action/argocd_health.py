# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.groundwork.kube.plugins.module_utils.api import API_ARGUMENT_SPEC
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import HEALTH_ARGUMENT_SPEC

display = Display()

SHORTEST_INTERVAL = 2
# What Argo CD cannot compare may be about to be mended by what is applied beside it, such as its project.
BROKEN_FOR_GOOD = 30


class ActionModule(ActionBase):
    """Looks through the module until all is well: a module cannot print while it runs, this can."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({**API_ARGUMENT_SPEC, **HEALTH_ARGUMENT_SPEC})
        result.update(wait(self, task_vars, {name: arguments[name] for name in HEALTH_ARGUMENT_SPEC}))
        return result


def wait(action: ActionBase, task_vars: dict[str, Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Look until all is well, something has failed for good, or time is up; the last look, with what to say of it."""
    api = {name: value for name, value in action._task.args.items() if name in _api_options()}

    def look(**asked: Any) -> dict[str, Any]:
        seen: dict[str, Any] = action._execute_module(
            module_name="groundwork.kube.argocd_health",
            module_args={**api, **options, **asked},
            task_vars=task_vars,
        )
        return seen

    if action._task.check_mode:
        return look()
    interval = max(options["interval"], SHORTEST_INTERVAL)
    started = time.monotonic()
    broken_since: dict[str, float] = {}
    shown = ""
    seen = look(explain=False, refresh=options["refresh"] and options["timeout"] > 0)
    while not (seen.get("failed") or seen["healthy"]):
        now = time.monotonic()
        states = [*seen["applications"], *seen["children"]]
        broken = {state["name"] for state in states if state["broken"]}
        broken_since = {name: broken_since.get(name, now) for name in broken}
        hopeless = any(state["failed"] for state in states) or any(
            now - since >= BROKEN_FOR_GOOD for since in broken_since.values()
        )
        if hopeless or now - started >= options["timeout"]:
            return _given_up(look(refresh=False), "Waiting is of no use" if hopeless else "Gave up", now - started)
        if seen["summary"] != shown:
            shown = seen["summary"]
            display.display(f"  {shown}")
        time.sleep(max(0, min(interval, options["timeout"] - (now - started))))
        # An API that did not answer the first time has not passed the request on either.
        seen = look(explain=False, refresh=options["refresh"] and not seen["applications"])
    return seen


def _given_up(seen: dict[str, Any], verdict: str, waited: float) -> dict[str, Any]:
    """The last look decides: it may be the one that finds all well."""
    if seen.get("failed") or seen["healthy"]:
        return seen
    lines = [f"{verdict} after {waited:.0f} s: {seen['summary']}", *seen["report"]]
    return {**seen, "failed": True, "msg": "\n".join(lines)}


def _api_options() -> set[str]:
    aliases = [alias for option in API_ARGUMENT_SPEC.values() for alias in option.get("aliases", [])]
    return {*API_ARGUMENT_SPEC, *aliases}
