# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.groundwork.kube.plugins.action.argocd_health import Wait, api_arguments
from ansible_collections.groundwork.kube.plugins.module_utils.api import API_ARGUMENT_SPEC
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import (
    APPLICATION_ARGUMENT_SPEC,
    HEALTH_ARGUMENT_SPEC,
)


class ActionModule(ActionBase):
    """Registers through the module, and then waits as groundwork.kube.argocd_health does."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({**API_ARGUMENT_SPEC, **APPLICATION_ARGUMENT_SPEC})
        result.update(self._execute_module(task_vars=task_vars))
        tried = (arguments["sync"] or {}).get("dry_run")
        if result.get("failed") or self._task.check_mode or tried or not arguments["wait"]:
            return result
        options = {
            "namespace": arguments["namespace"],
            "names": [item["name"] for item in arguments["applications"] or [arguments]],
            "state": arguments["state"],
            "waves": arguments["wait_waves"],
            "refresh": self._refreshes(arguments, result),
            "timeout": arguments["wait_timeout"],
            "interval": HEALTH_ARGUMENT_SPEC["interval"]["default"],
        }
        begun: list[str] = []

        def begin_again(names: Sequence[str]) -> bool:
            once_more = {"applications": [{"name": name} for name in names], "sync": {}}
            reached = {**api_arguments(self._task.args), "namespace": arguments["namespace"]}
            done = self._execute_module(module_args={**reached, **once_more}, task_vars=task_vars)
            begun.extend(done.get("synced", []))
            return not done.get("failed")

        changed, synced = result["changed"], result["synced"]
        lasting = arguments["state"] == "present"
        result.update(Wait(self, task_vars, options, begin_again if lasting else None).run())
        result.update(changed=bool(changed or begun), synced=[*synced, *begun])
        return result

    @staticmethod
    def _refreshes(arguments: dict[str, Any], result: dict[str, Any]) -> bool:
        """As the module does it: if nothing is said, what has changed."""
        wish = arguments["refresh"]
        return bool(result["changed"] or arguments["sync"] is not None) if wish is None else bool(wish)
