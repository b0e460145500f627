# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.groundwork.kube.plugins.module_utils.veil import new_veil, unveiled


class ActionModule(ActionBase):
    """Keeps the token out of every log, and leaves a failure, which has none, readable."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {**self._task.args, "veil": new_veil()}
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        material = result.pop("join_material", None)
        if material:
            result.update(unveiled(material, arguments["veil"]), _ansible_no_log=True)
        return result
