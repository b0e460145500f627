"""A role's resources, declared as its tasks do, in this process and without a playbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from ansible_collections.groundwork.kube.plugins.lookup.azure_resources import deed_of
from tests.ansible_playbook import REPOSITORY
from tests.arm.conftest import Call
from tests.arm.fake import SUBSCRIPTION, Json


@dataclass(frozen=True)
class Role:
    declare: Call
    name: str
    variables: dict[str, Any]

    def __call__(self, deed: str = "make", *, check: bool = False, **changes: Any) -> list[Json]:
        """What changed, or would."""
        result = self.run(deed, check=check, **changes)
        assert not result["failed"], result
        found: list[Json] = result["changes"]
        return found

    def run(self, deed: str = "make", *, check: bool = False, made: Json | None = None, **changes: Any) -> Json:
        more = {"made": made, "assume": check} if deed == "assign" else {}
        return self.declare(*deed_of(self.name, deed)(self.plan(**changes), **more), check=check)

    def plan(self, **changes: Any) -> dict[str, Any]:
        defaults = yaml.safe_load((REPOSITORY / "roles" / self.name / "defaults/main.yml").read_text())
        said = {**defaults, f"{self.name}_subscription_id": SUBSCRIPTION, **self.variables, **changes}
        return {name.removeprefix(f"{self.name}_"): value for name, value in said.items()}
