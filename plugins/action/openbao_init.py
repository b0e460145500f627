# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.groundwork.kube.plugins.module_utils.api import API_ARGUMENT_SPEC
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import (
    OPENBAO_ARGUMENT_SPEC,
    OPENBAO_INIT_ARGUMENT_SPEC,
    init_problem,
    is_encrypted,
)
from ansible_collections.groundwork.kube.plugins.module_utils.veil import new_veil, unveiled

WHERE = (*API_ARGUMENT_SPEC, *OPENBAO_ARGUMENT_SPEC)


class ActionModule(ActionBase):
    """Has a file for the keys before there are keys, and takes them out of what the module returns."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        specification = {**API_ARGUMENT_SPEC, **OPENBAO_ARGUMENT_SPEC, **OPENBAO_INIT_ARGUMENT_SPEC}
        _validation, options = self.validate_argument_spec(specification)
        problem = init_problem(options)
        if problem:
            raise AnsibleActionFail(problem)
        where = {name: value for name, value in self._task.args.items() if name in WHERE}
        known = self._execute_module("groundwork.kube.openbao_info", where, task_vars=task_vars)
        if known.get("failed") or known["initialized"] or self._task.check_mode:
            return {**result, **known, "changed": not known.get("failed") and not known["initialized"]}
        return {**result, **self._initialise(options, task_vars)}

    def _initialise(self, options: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        path = Path(options["keys_file"]) if options["keys_file"] else None
        if path:
            claim(path)
        arguments = {**self._task.args, "veil": new_veil()}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        material = result.pop("key_material", None)
        keys = unveiled(material, arguments["veil"]) if material else None
        if path and keys:
            path.write_text(json.dumps(keys, indent=2) + "\n")
            result["keys_file"] = str(path)
        elif path:
            path.unlink()
        if keys and is_encrypted(options):
            result["key_material"] = keys
        return result


def claim(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise AnsibleActionFail(
            f"keys_file {path} is there already, and may hold the keys of another OpenBao: name a new one"
        ) from None
    except OSError as error:
        raise AnsibleActionFail(f"keys_file {path} cannot be written: {error.strerror}") from error
