"""What an inventory's roles declare, in this process: many runs of a whole system, without a playbook for each."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from ansible_collections.groundwork.kube.plugins.lookup.azure_resources import deed_of
from tests.arm.fake import SUBSCRIPTION, TENANT, Json
from tests.arm.variables import variables


class Plans:
    """The variables of an inventory and of its roles, as a play sees them."""

    def __init__(self, inventory: str) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            said = pool.submit(variables, inventory, SUBSCRIPTION, TENANT).result()
        self.variables: dict[str, Any] = json.loads(said)
        self.roles: list[str] = self.variables["groundwork_azure_roles"]

    def resources(self, role: str, deed: str = "make", **more: Any) -> list[Json]:
        prefix = f"{role}_"
        plan: Mapping[str, Any] = {
            name.removeprefix(prefix): value for name, value in self.variables.items() if name.startswith(prefix)
        }
        return deed_of(role, deed)(plan, **more)
