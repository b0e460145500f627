"""A system on AKS, run by its own inventory as its owners would."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests import ansible_playbook
from tests.ansible_playbook import REPOSITORY
from tests.arm.conftest import Run
from tests.arm.fake import FakeArm
from tests.arm.services import as_azure_does
from tests.arm.variables import digests, vault


class System:
    """A system of an inventory, with values of its own for what the inventory's vault has."""

    def __init__(self, inventory: str, azure: FakeArm, directory: Path) -> None:
        self.inventory = REPOSITORY / "inventories" / inventory
        self.azure = azure
        self.directory = directory
        self.vault = directory / "vault.json"
        self.keep(vault(self.inventory))
        azure.adds = as_azure_does(azure)
        azure.actions["importImage"] = lambda registry, body: None
        azure.never_returned = {"value", "administratorLoginPassword"}

    def keep(self, values: dict[str, str]) -> None:
        self.secrets = values
        self.vault.write_text(json.dumps(values))

    def play(self, name: str, *arguments: str, fails: bool = False, **variables: Any) -> Run:
        """A playbook, as far as Azure goes unless the variables say more: it has no cluster to offer."""
        variables = {"groundwork_gitops": "none", **digests(self.inventory), **variables}
        given = ["-i", self.inventory, "-e", f"@{self.vault}", "-e", json.dumps(variables)]
        done = subprocess.run(
            [ansible_playbook.PROGRAM, *given, *arguments, REPOSITORY / f"playbooks/{name}.yml"],
            env=ansible_playbook.environment(self.directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert fails == (done.returncode != 0), done.stdout
        assert [name for name, value in self.secrets.items() if value in done.stdout] == []
        return Run(done.returncode, done.stdout)

    def written_by(self, name: str, *arguments: str, **variables: Any) -> list[str]:
        before = len(self.azure.written)
        self.play(name, *arguments, **variables)
        return self.azure.written[before:]


def said(run: Run) -> str:
    return " ".join(run.printed.split())
