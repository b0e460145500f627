# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are run for what they print, with real ones."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.program import run_or_fail, run_program


class Failed(Exception):
    pass


class Module:
    def fail_json(self, **result: Any) -> None:
        raise Failed(result["msg"])


def run(command: list[str], **options: Any) -> tuple[int, str, str]:
    return run_program(Module(), command, **options)  # type: ignore[arg-type]


def test_all_that_a_program_printed_comes_back_with_its_code() -> None:
    program = "import sys; print('a' * 10**6); print('b', file=sys.stderr); sys.exit(3)"
    assert run([sys.executable, "-c", program]) == (3, "a" * 10**6 + "\n", "b\n")


def test_it_is_given_data_and_variables_and_nothing_of_ours_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "kept")
    command = ["sh", "-c", 'cat; echo "$KEPT $NEW"']
    assert run(command, data="given\n", environment={"NEW": "$HOME"})[1] == "given\nkept $HOME\n"
    assert run(command)[1] == "kept \n"


def test_what_is_no_text_does_not_stop_it() -> None:
    assert run(["printf", r"\377"])[1].encode(errors="surrogateescape") == b"\xff"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(Failed, match=r"^no-such-program cannot be run: No such file or directory\.$"):
        run(["no-such-program"])


def test_a_program_without_its_effect_fails_the_module_with_what_it_said() -> None:
    run_or_fail(Module(), ["true"])  # type: ignore[arg-type]
    with pytest.raises(Failed, match=r"^sh -c .* failed: no such device$"):
        run_or_fail(Module(), ["sh", "-c", "echo no such device >&2; exit 2"])  # type: ignore[arg-type]
