# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

from ansible_collections.groundwork.kube.plugins.module_utils import (
    control_plane_problems,
    role_variables,
    topology,
)
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import (
    GROUNDWORK_VARIABLES,
    READS,
    Inventory,
    plan,
)
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_problems import problems
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem, Variables

_COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ActionBase):
    """Reads the inventory on the controller and decides; no host is asked anything."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        if task_vars is None:
            raise AnsibleError("cluster_plan needs the play's variables")
        inventory, found = _read(task_vars["groups"], task_vars["hostvars"])
        found += _independent(problems(inventory), found)
        found += _unknown_variables(inventory)
        # Asking DNS takes its time, and only a sound inventory says whom to ask for.
        found += [] if found else control_plane_problems.unresolved(inventory, _resolves)
        if found:
            return {**result, **_refusal(found)}
        phases = _load("playbooks/vars/phases.yml")["phases"]
        return {**result, "changed": False, "plan": plan(inventory, phases)}


def _read(groups: Mapping[str, Any], hostvars: Mapping[str, Variables]) -> tuple[Inventory, list[Problem]]:
    """The inventory with the values of what the plan reads, and what of them could not be worked out."""
    names = [*topology.members(groups), *groups.get(topology.API_LB, ()), *groups.get("ungrouped", ())]
    written: dict[str, Variables] = {}
    variables: dict[str, dict[str, Any]] = {}
    found: list[Problem] = []
    for host in dict.fromkeys(str(name) for name in names):
        of_host = hostvars[host]
        written[host] = hostvars.raw_get(host) if hasattr(hostvars, "raw_get") else of_host
        variables[host] = {}
        for name in READS:
            if name not in of_host:
                continue
            try:
                variables[host][name] = _plain(of_host[name])
            except AnsibleError as error:
                found.append(_unresolved(host, name, error))
    plain_groups = {str(group): [str(host) for host in hosts] for group, hosts in groups.items()}
    return Inventory(plain_groups, variables, written, _load("versions.yml")), found


def _unresolved(host: str, name: str, error: AnsibleError) -> Problem:
    reason = str(error).strip().rstrip(".").splitlines()[-1]
    return Problem(
        host,
        name,
        f"its template cannot be worked out before a machine is reached: {reason}",
        "define what it uses in the inventory, or write the value itself",
    )


def _independent(found: list[Problem], unresolved: list[Problem]) -> list[Problem]:
    """What is not merely due to an address that could not be worked out."""
    due = {*topology.ADDRESS_VARIABLES, "kubeadm_control_plane_endpoint_address"}
    hosts = {problem.host for problem in unresolved if problem.variable in topology.ADDRESS_VARIABLES}
    return [problem for problem in found if not (problem.host in hosts and problem.variable in due)]


def _unknown_variables(inventory: Inventory) -> Iterator[Problem]:
    specs = {
        path.parents[1].name: yaml_load(path.read_text())
        for path in _COLLECTION.glob("roles/*/meta/argument_specs.yml")
    }
    # The plan looks at the values of its own variables more closely than a type does.
    own: dict[str, dict[str, Any]] = {name: {"type": "raw"} for name in (*GROUNDWORK_VARIABLES, *READS)}
    return role_variables.problems(
        list(dict.fromkeys([*inventory.nodes, *inventory.address_keepers])),
        inventory.written,
        [*(f"{role}_" for role in specs), "groundwork_"],
        {**role_variables.options(specs.values()), **own},
    )


def _resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


def _refusal(found: list[Problem]) -> dict[str, Any]:
    lines = topology.summary(found)
    count = "one problem" if len(lines) == 1 else f"{len(lines)} problems"
    return {
        "failed": True,
        "msg": "\n".join([f"This inventory has {count}; no machine was touched.", *(f"- {line}" for line in lines)]),
    }


def _load(path: str) -> Any:
    return yaml_load((_COLLECTION / path).read_text())


def _plain(value: Any) -> Any:
    """Resolve whatever is still lazy in here, now, while its failure can be told by host and variable."""
    if isinstance(value, Mapping):
        return {str(key) if isinstance(key, str) else key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
