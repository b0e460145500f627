# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: azure_resources
author: Groundwork founders (@groundwork)
version_added: 0.1.0
short_description: The resources that the variables of Azure's roles ask for
description:
  - Makes of the variables of a role, such as P(groundwork.kube.azure_network#role), the resources that
    M(groundwork.kube.arm_resource) declares.
  - Fails when what they ask for cannot be, naming every fault and what would be right, before Azure is asked for
    anything.
options:
  _terms:
    description: The names of the roles. A play need not have them.
    type: list
    elements: str
    required: true
  deed:
    description:
      - What is to be done. V(make) and V(remove) are known to all roles, others to those whose C(tasks_from) says so.
    type: str
    default: make
notes:
  - Whatever else is said goes to the role's plan, such as C(made) and C(assume) to V(assign) the roles of identities.
"""

EXAMPLES = r"""
- name: Make the network
  groundwork.kube.arm_resource:
    resources: "{{ query('groundwork.kube.azure_resources', 'azure_network') }}"

- name: Stop the cluster
  groundwork.kube.arm_resource:
    resources: "{{ query('groundwork.kube.azure_resources', 'aks', deed='stop') }}"
"""

RETURN = r"""
_raw:
  description: The resources.
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.groundwork.kube.plugins.module_utils import (
    aks,
    azure_ai_foundry,
    azure_firewall,
    azure_identity,
    azure_keyvault,
    azure_monitor,
    azure_network,
    azure_postgresql,
    azure_private_endpoint,
    azure_registry,
)
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import Plan, PlanError, Resource
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

Deed = Callable[..., list[Resource]]

DEEDS: dict[str, dict[str, Deed]] = {
    "aks": {
        "make": aks.resources,
        "assign": aks.assignments,
        "find": aks.found,
        "node_image_profiles": aks.node_image_profiles,
        "remove": aks.removal,
        "renew": aks.node_images,
        "run": aks.run,
        "start": partial(aks.power, action="start"),
        "stop": partial(aks.power, action="stop"),
    },
    "azure_ai_foundry": {"make": azure_ai_foundry.resources},
    "azure_firewall": {"make": azure_firewall.resources},
    "azure_identity": {
        "make": azure_identity.identities,
        "assign": azure_identity.assignments,
        "connect": azure_identity.connections,
        "revoke": azure_identity.revocations,
    },
    "azure_keyvault": {"make": azure_keyvault.resources},
    "azure_monitor": {
        "make": azure_monitor.resources,
        "assign": azure_monitor.assignments,
        "cluster": azure_monitor.associations,
    },
    "azure_network": {"make": azure_network.resources, "name_servers": azure_network.name_servers},
    "azure_postgresql": {"make": azure_postgresql.resources},
    "azure_private_endpoint": {"make": azure_private_endpoint.resources},
    "azure_registry": {
        "make": azure_registry.resources,
        "imports": azure_registry.imports,
        "imported": azure_registry.imported,
    },
}
_ROLES = Path(__file__).resolve().parents[2] / "roles"
# It may hold what is not the role's.
_KEPT = "Microsoft.Resources/resourceGroups"


class Variables(Mapping[str, Any]):
    """A role's variables by their names without the role's, each worked out when it is asked for."""

    def __init__(self, role: str, templar: Any) -> None:
        self._prefix = f"{role}_"
        self._templar = templar

    def __getitem__(self, name: str) -> Any:
        if self._prefix + name not in self._templar.available_variables:
            raise PlanError(f"{self._prefix}{name}: is not set")
        return self._templar.template(self._templar.available_variables[self._prefix + name])

    def __iter__(self) -> Iterator[str]:
        names = self._templar.available_variables
        return (name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _name in self)


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Mapping[str, Any], deed: str = "make", **more: Any) -> list[Resource]:
        known = {**self._defaults(), **variables}
        templar = self._templar.copy_with_new_env(available_variables=known)
        found = []
        for role in terms:
            try:
                found += deed_of(role, deed)(Variables(role, templar), **more)
            except PlanError as error:
                raise AnsibleError(f"{role}: {error}") from error
        return found

    def _defaults(self) -> dict[str, Any]:
        """Those of all of these roles, as one reads what another is told, and a play need not have them all."""
        found: dict[str, Any] = {}
        for role in DEEDS:
            found.update(
                self._loader.load_from_file(str(_ROLES / role / "defaults/main.yml"), trusted_as_template=True)
            )
        return found


def deed_of(role: str, deed: str) -> Deed:
    """What makes a role's resources of its variables, to make them or to do something else."""
    if role not in DEEDS:
        raise PlanError(f"is no role of Azure's{did_you_mean(role, DEEDS)}")
    deeds: dict[str, Deed] = {"remove": partial(_removal, DEEDS[role]["make"]), **DEEDS[role]}
    if deed not in deeds:
        raise PlanError(f"does not know how to {deed}{did_you_mean(deed, deeds)}")
    return deeds[deed]


def _removal(make: Deed, plan: Plan) -> list[Resource]:
    """What the role makes goes, whatever it was to be like."""
    # Names are told apart by their type: several roles may go at once.
    return [
        {**made, "key": f"{made['type']} {made['name']}", "state": "absent", "depends_on": []}
        for made in make(plan)
        if made["type"] != _KEPT
    ]
