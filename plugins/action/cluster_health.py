# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.groundwork.kube.plugins.module_utils.api import API_ARGUMENT_SPEC
from ansible_collections.groundwork.kube.plugins.module_utils.health import HEALTH_ARGUMENT_SPEC

display = Display()


class ActionModule(ActionBase):
    """Looks through the module until all is well: a module cannot print while it runs, this can."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({**API_ARGUMENT_SPEC, **HEALTH_ARGUMENT_SPEC})
        started = time.monotonic()
        shown = ""
        while True:
            seen = self._execute_module(module_name="groundwork.kube.cluster_health", task_vars=task_vars)
            result.update(seen)
            if seen.get("failed") or seen.get("healthy") or self._task.check_mode:
                return result
            waited = time.monotonic() - started
            if waited >= arguments["timeout"]:
                result.update(failed=True, msg=_given_up(seen, waited))
                return result
            if seen["summary"] != shown:
                shown = seen["summary"]
                display.display(f"  {shown}")
            time.sleep(arguments["interval"])


def _given_up(seen: dict[str, Any], waited: float) -> str:
    states = {**seen["nodes"], **seen["workloads"]}
    waiting = [f"{name}: {state['reason']}" for name, state in states.items() if not state["ready"]]
    return "\n".join([f"Gave up after {waited:.0f} s: {seen['summary']}", *waiting])
