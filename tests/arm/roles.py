"""A role, run as a user would, with the variables of its tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.arm.conftest import Play, Run


@dataclass(frozen=True)
class Role:
    play: Play
    name: str
    variables: dict[str, Any]

    def __call__(self, *arguments: str, part: str = "main", fails: bool = False, **changes: Any) -> Run:
        task = {"ansible.builtin.include_role": {"name": f"groundwork.kube.{self.name}", "tasks_from": part}}
        return self.play([task], *arguments, fails=fails, **{**self.variables, **changes})
