# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a wait waits, on a clock of its own; tests/api has it against a real API server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.action import argocd_health

BROKEN = {"brief": "ComparisonError", "erring": True, "broken": True}
PASSING = {"brief": "ComparisonError", "erring": True}
PROGRESSING = {"brief": "Progressing", "sync": "Synced", "health": "Progressing", "phase": "Succeeded"}
SYNCING = {**PROGRESSING, "brief": "syncing", "phase": "Running"}
OVERTAKEN = {**SYNCING, "overtaken": True}
FAILED = {"brief": "sync Failed", "failed": True}
ASKED = {"brief": "not compared yet"}
UNREACHABLE: dict[str, Any] = {}


def seen(**state: Any) -> dict[str, Any]:
    """What a look at one application finds; none is found while the API does not answer."""
    known: dict[str, Any] = {"name": "eco2", "brief": "", "sync": "", "health": "", "phase": ""}
    known.update(dict.fromkeys(("ready", "failed", "erring", "broken", "overtaken"), False))
    states = [{**known, **state}] if state else []
    brief = state.get("brief", "does not answer")
    return {
        "healthy": bool(state.get("ready")),
        "summary": brief,
        "report": [f"eco2: {brief}"],
        "applications": states,
        "children": [],
    }


class Task:
    """The task as the wait sees it: looks that find one thing after the other, the last one for ever."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = list(found)
        self.now = 0.0
        self.looks: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self._task = SimpleNamespace(args={"kubeconfig": "admin.conf"}, check_mode=False)

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.looks.append(module_args)
        if not module_args["waves"]:
            return seen(**ASKED)
        return seen(**(self.found.pop(0) if len(self.found) > 1 else self.found[0]))

    def wait(self, begin_again: Callable[[Sequence[str]], bool] | None = None, **options: Any) -> dict[str, Any]:
        asked = {"names": ["eco2"], "state": "present", "waves": True, "refresh": True, "explain": True}
        asked.update({"timeout": 600, "interval": 5, **options})
        result: dict[str, Any] = argocd_health.Wait(self, {}, asked, begin_again).run()
        return result


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Task]:
    def task(*found: dict[str, Any]) -> Task:
        made = Task(*found)

        def sleep(seconds: float) -> None:
            made.now += seconds

        monkeypatch.setattr(argocd_health, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=sleep))
        monkeypatch.setattr(argocd_health.display, "display", made.lines.append)
        return made

    return task


def test_it_prints_a_line_only_when_something_has_changed(task: Callable[..., Task]) -> None:
    waiting = task({"brief": "a"}, {"brief": "a"}, {"brief": "b"}, {"ready": True})
    assert waiting.wait()["healthy"]
    assert waiting.lines == ["  a", "  b"]


def test_only_the_first_look_has_git_read_anew_and_only_the_last_asks_why(task: Callable[..., Task]) -> None:
    waiting = task({"brief": "a"})
    failed = waiting.wait(timeout=12)
    assert failed["msg"] == "Gave up after 12 s: a\neco2: a"
    assert [look["refresh"] for look in waiting.looks] == [True, False, False, False, False]
    assert [look["explain"] for look in waiting.looks] == [False, False, False, False, True]
    assert all(look["kubeconfig"] == "admin.conf" for look in waiting.looks)


def test_an_api_that_did_not_answer_is_asked_again(task: Callable[..., Task]) -> None:
    waiting = task(UNREACHABLE, {"brief": "a"}, {"ready": True})
    assert waiting.wait()["healthy"]
    assert [look["refresh"] for look in waiting.looks] == [True, True, False]


def test_nobody_polls_faster_than_every_two_seconds(task: Callable[..., Task]) -> None:
    waiting = task({"brief": "a"}, {"brief": "a"}, {"ready": True})
    waiting.wait(interval=0)
    assert waiting.now == 4


def test_a_failed_sync_ends_it_at_once(task: Callable[..., Task]) -> None:
    waiting = task(FAILED)
    assert waiting.wait()["msg"].startswith("Waiting is of no use after 0 s: sync Failed")


def test_what_had_failed_before_is_looked_at_anew_for_it_may_have_been_mended(task: Callable[..., Task]) -> None:
    waiting = task(FAILED, ASKED, {"ready": True})
    assert waiting.wait(refresh=False)["healthy"]
    assert [look["refresh"] for look in waiting.looks] == [False, True, False]


def test_what_had_failed_before_is_begun_again_once(task: Callable[..., Task]) -> None:
    begun: list[list[str]] = []
    waiting = task(FAILED, FAILED, SYNCING, FAILED)
    told = waiting.wait(begin_again=lambda names: not begun.append(list(names)), refresh=False)
    assert begun == [["eco2"]]
    assert told["msg"].startswith("Waiting is of no use after 10 s")


def test_what_fails_meanwhile_has_had_its_retries(task: Callable[..., Task]) -> None:
    waiting = task(SYNCING, FAILED)
    assert "of no use" in waiting.wait(begin_again=lambda names: pytest.fail("it was begun again"))["msg"]


def test_what_cannot_be_begun_again_has_failed(task: Callable[..., Task]) -> None:
    assert "of no use after 0 s" in task(FAILED).wait(begin_again=lambda names: False, refresh=False)["msg"]


def test_what_is_broken_is_believed_after_it_was_looked_at_again(task: Callable[..., Task]) -> None:
    waiting = task(BROKEN, ASKED, *[BROKEN] * 3, ASKED, BROKEN)
    assert waiting.wait()["msg"].startswith("Waiting is of no use after 30 s: ComparisonError")
    again = [look for look in waiting.looks if not look["waves"]]
    assert [look["names"] for look in again] == [["eco2"], ["eco2"]]
    assert all(look["refresh"] for look in again)


def test_what_was_broken_for_a_moment_is_waited_for(task: Callable[..., Task]) -> None:
    assert task(BROKEN, ASKED, {"brief": "Progressing"}, *[{"brief": "Progressing"}] * 9, {"ready": True}).wait()[
        "healthy"
    ]


def test_what_may_pass_is_looked_at_again_until_time_is_up(task: Callable[..., Task]) -> None:
    waiting = task(PASSING)
    assert waiting.wait(timeout=60)["msg"].startswith("Gave up after 60 s")
    assert len([look for look in waiting.looks if not look["waves"]]) == 4


@pytest.mark.parametrize(("state", "times"), [(PROGRESSING, 4), (OVERTAKEN, 4), (SYNCING, 0)])
def test_what_seems_to_progress_is_looked_at_again(task: Callable[..., Task], state: Any, times: int) -> None:
    waiting = task(state)
    waiting.wait(timeout=60)
    assert len([look for look in waiting.looks if not look["waves"]]) == times


def test_the_last_look_may_find_all_well(task: Callable[..., Task]) -> None:
    assert "msg" not in task({"brief": "a"}, {"ready": True}).wait(timeout=0)


def test_a_single_look_does_not_have_git_read(task: Callable[..., Task]) -> None:
    waiting = task({"brief": "a"})
    assert waiting.wait(timeout=0)["failed"]
    assert not any(look["refresh"] for look in waiting.looks)


def test_in_check_mode_it_looks_once(task: Callable[..., Task]) -> None:
    waiting = task({"brief": "a"})
    waiting._task.check_mode = True
    assert not waiting.wait()["healthy"]
    assert len(waiting.looks) == 1
