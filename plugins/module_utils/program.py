# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are run for what they print."""

from __future__ import annotations

import os
import subprocess
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule


def run_program(
    module: AnsibleModule,
    command: Sequence[str],
    data: str = "",
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> tuple[int, str, str]:
    """The exit code of a program, and all that it printed.

    AnsibleModule.run_command loses the output of a program that is silent for a second, then prints and ends before it
    is looked at again (ansible-core 2.19 to 2.21, basic.py: ``not events``), as happens on a machine that is busy.
    """
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(command),
            input=data,
            env={**os.environ, **(environment or {})},
            pass_fds=pass_fds,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        module.fail_json(msg=f"{command[0]} cannot be run: {error.strerror}.")
    return done.returncode, done.stdout, done.stderr


def run_or_fail(module: AnsibleModule, command: Sequence[str], data: str = "", pass_fds: Sequence[int] = ()) -> None:
    """For a program's effect: if it has none, the module fails with what the program said."""
    code, out, err = run_program(module, command, data, pass_fds=pass_fds)
    if code != 0:
        module.fail_json(msg=f"{' '.join(command)} failed: {(err or out).strip()}")
