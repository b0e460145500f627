#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: arm_resource
short_description: Declare any resources of Azure's Resource Manager
version_added: 0.1.0
description:
  - Makes resources of any type what a body says, or deletes them, or does something to them. A body is a part of the
    resource as the service's REST reference shows it. What it does not name is left alone; a property that it names as
    null is taken away.
  - The items of a list are told apart by their C(name) or C(id), where each has one, and by their place otherwise. Ids,
    names of properties and the location may be written in any case.
  - Independent resources are made side by side. A resource waits for those it names in C(depends_on), for those it is
    within or on, and for those whose id its body speaks of; what is deleted goes the other way round. Resources within
    one outermost resource are changed one at a time, as Azure wants it. When something fails, what waits for it is not
    begun and is said, and all else is done.
  - A resource that an earlier run left half-made is waited for, or made again if it failed.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.azure
options:
  resources:
    description: The resources.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description: Its type, as in a template, C(Microsoft.Network/virtualNetworks/subnets).
        type: str
        required: true
      name:
        description: Its name, after those of the resources it is within, C(hub/AzureFirewallSubnet).
        type: str
        required: true
      api_version:
        description: The version of the type's API.
        type: str
        required: true
      resource_group:
        description: The resource group it is in, if it is in one.
        type: str
      scope:
        description: The id of what it extends, for a role assignment, a lock or a link.
        type: str
      key:
        description: What C(depends_on) and the result call it. The name, if nothing is said.
        type: str
      state:
        description: Whether it is to be there.
        type: str
        choices: [absent, present]
        default: present
      body:
        description: What is to be so. With O(resources[].action), what the action is told.
        type: dict
        default: {}
      secret_body:
        description:
          - More of the body, whose values are never shown, wherever they turn up.
          - A secret that Azure does not give back cannot be compared. It is sent when the resource is created or put.
        type: dict
        default: {}
      write_only:
        description:
          - Properties of the body that Azure never gives back, as paths (C(properties.createMode)). They are sent
            whenever the resource is created or put, and not compared.
        type: list
        elements: str
        default: []
      initial:
        description:
          - Properties of the body that are said when the resource is made and then are others' business, as paths, such
            as the number of machines that an autoscaler keeps.
        type: list
        elements: str
        default: []
      any_order:
        description: Lists of the body whose order means nothing, as paths.
        type: list
        elements: str
        default: []
      partial:
        description:
          - Lists of the body that name some of their items, as paths. Other items are left alone, such as the pools of
            an AKS cluster that are resources of their own.
        type: list
        elements: str
        default: []
      update:
        description:
          - How a resource that is there is changed. V(put) sends all of it, made to hold the body. V(patch) sends what
            differs, for types that forget something when they are put.
        type: str
        choices: [patch, put]
        default: put
      action:
        description:
          - Something to do to the resource instead, by POST, C(start), C(runCommand) or C(importImage). It is done in
            each run, and told but not done in check mode.
        type: str
      unless:
        description: A part of the resource. Where it is so already, the action is not needed.
        type: dict
      depends_on:
        description: The keys of resources to wait for.
        type: list
        elements: str
        default: []
  parallel:
    description: How many resources to work on at a time.
    type: int
    default: 8
  register_providers:
    description: Whether to register the providers of the types with the subscription, where they are not.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details:
      - Nothing but GET is sent. What Azure would refuse, quotas and policies among it, is only known when it is asked.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: Of each resource that changes, what the body names.
seealso:
  - module: groundwork.kube.arm_resource_info
"""

EXAMPLES = r"""
- name: A network and the subnet of its firewall, within a resource group
  groundwork.kube.arm_resource:
    resources:
      - type: Microsoft.Resources/resourceGroups
        name: network
        api_version: "2022-09-01"
        body: {location: koreacentral}
      - type: Microsoft.Network/virtualNetworks
        name: hub
        resource_group: network
        api_version: "2024-05-01"
        body:
          location: koreacentral
          properties:
            addressSpace: {addressPrefixes: [10.100.0.0/16]}
      - type: Microsoft.Network/virtualNetworks/subnets
        name: hub/AzureFirewallSubnet
        resource_group: network
        api_version: "2024-05-01"
        body:
          properties: {addressPrefix: 10.100.0.0/26}

- name: An identity may read the secrets of a vault
  groundwork.kube.arm_resource:
    resources:
      - type: Microsoft.Authorization/roleAssignments
        name: "{{ (vault_id ~ identity.principalId ~ role) | to_uuid }}"
        key: secrets user
        scope: "{{ vault_id }}"
        api_version: "2022-04-01"
        body:
          properties:
            principalId: "{{ identity.principalId }}"
            principalType: ServicePrincipal
            roleDefinitionId: "{{ role }}"

- name: A database server, whose password Azure does not give back
  groundwork.kube.arm_resource:
    resources:
      - type: Microsoft.DBforPostgreSQL/flexibleServers
        name: cms
        resource_group: data
        api_version: "2024-08-01"
        body: "{{ server }}"
        secret_body:
          properties: {administratorLoginPassword: "{{ vault_postgresql_password }}"}

- name: The cluster does not run at night
  groundwork.kube.arm_resource:
    resources:
      - type: Microsoft.ContainerService/managedClusters
        name: staging
        resource_group: aks
        api_version: "2025-05-01"
        action: stop
        unless: {properties: {powerState: {code: Stopped}}}
"""

RETURN = r"""
resources:
  description:
    - Each declared resource by its key, as it is now. In check mode, as it would be, without what only Azure can say.
      A resource that is not there, and the answer of an action, are not among them.
  returned: success
  type: dict
changes:
  description: What was done, or would be, in the order of the task.
  returned: always
  type: list
  elements: dict
  contains:
    key: {description: What the task calls it., type: str, sample: hub}
    id: {description: Its id., type: str}
    verb: {description: "C(create), C(update), C(delete), C(register) or the action.", type: str, sample: update}
    differences:
      description: What was not as it is to be.
      type: list
      elements: str
      sample: ['properties.sku.tier: "Standard" -> "Premium"']
responses:
  description:
    - What each action answered, by the key of its resource. One that answers with secrets, such as C(listKeys), wants
      C(no_log) on the task.
  returned: success
  type: dict
failures:
  description: What failed, by Azure's own C(status), C(code), C(target) and C(correlation_id).
  returned: failure
  type: list
  elements: dict
not_begun:
  description: The keys of resources that would have changed and wait for something that failed.
  returned: failure
  type: list
  elements: str
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.arm import (
    ArmClient,
    ArmError,
    ArmModule,
    side_by_side,
)
from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import (
    ArmPlanError,
    Body,
    Change,
    Resource,
    expected,
    plan,
    prerequisites,
    resources_of,
    secrets_in,
    what_is_left,
)

# Every subscription has these.
BUILT_IN = {"Microsoft.Authorization", "Microsoft.Resources"}


class Task:
    """The resources of one task: read once, planned once, and changed as planned."""

    def __init__(self, module: ArmModule) -> None:
        self.module = module
        self.resources = {
            resource.key: resource
            for resource in resources_of(module.params["resources"], module.params["subscription_id"])
        }
        self.azure: ArmClient = module.connect()
        self.observed: dict[str, Body | None] = {}
        self.changes: dict[str, Change] = {}
        self.unregistered: list[str] = []
        self.responses: dict[str, Any] = {}
        self.done: list[str] = []
        self.failed: dict[str, ArmError] = {}

    def read(self) -> None:
        resources = list(self.resources.values())
        # The first one logs in; the others have its token then, instead of one each.
        found = [self._read(resource) for resource in resources[:1]]
        with ThreadPoolExecutor(self.module.params["parallel"]) as pool:
            found += pool.map(self._read, resources[1:])
        self.observed = dict(zip(self.resources, found))
        for key, resource in self.resources.items():
            change = plan(resource, self.observed[key])
            if change:
                self.changes[key] = change
        created = {change.resource.namespace for change in self.changes.values() if change.verb == "create"}
        self.unregistered = [name for name in sorted(created - BUILT_IN) if not self.azure.is_registered(name)]

    def _read(self, resource: Resource) -> Body | None:
        # An action is done whatever there is, unless something is said that makes it needless.
        if resource.action and resource.unless is None:
            return None
        settled = not self.module.check_mode
        return self._found(self.azure.get(f"read {resource}", resource.id, resource.api_version, settled), resource)

    def _found(self, observed: Body | None, resource: Resource) -> Body | None:
        self.module.keep_secret(secrets_in(resource, observed))
        return observed

    def register(self) -> None:
        if self.unregistered and not self.module.params["register_providers"]:
            names = ", ".join(self.unregistered)
            raise ArmError(
                "register providers",
                f"the subscription has not registered {names}, and register_providers is off: az provider register "
                f"--namespace {self.unregistered[0]}",
            )
        if not self.module.check_mode:
            for namespace in self.unregistered:
                self.azure.register(namespace)

    def carry_out(self) -> None:
        order = prerequisites(list(self.resources.values()))
        self.failed = side_by_side(
            order, lambda key: self.resources[key].family, self._carry_out, self.module.params["parallel"]
        )

    def _carry_out(self, key: str) -> None:
        if key not in self.changes:
            return
        change = self.changes[key]
        resource = change.resource
        path = f"{resource.id}/{resource.action}" if resource.action else resource.id
        answer = self.azure.write(change.deed, change.method, path, resource.api_version, change.body)
        if resource.action:
            self.responses[key] = answer
        elif resource.present:
            made = self.azure.get(f"read {resource}", resource.id, resource.api_version, settled=True)
            self.observed[key] = self._found(made, resource)
        else:
            self.observed[key] = None
        self.done.append(key)

    def result(self) -> dict[str, Any]:
        if self.module.check_mode:
            found = {key: expected(resource, self.observed[key]) for key, resource in self.resources.items()}
        else:
            found = self.observed
        declared = {key: value for key, value in found.items() if value and not self.resources[key].action}
        return {"resources": declared, "responses": self.responses}

    def told(self) -> dict[str, Any]:
        """What was changed, or would be."""
        changes = [change for key, change in self.changes.items() if self.module.check_mode or key in self.done]
        registered = [
            {"key": name, "id": self.azure.provider(name), "verb": "register", "differences": []}
            for name in self.unregistered
        ]
        return {
            "changed": bool(changes or registered),
            "changes": [*registered, *(change.told() for change in changes)],
            "diff": [change.diff() for change in changes],
        }


def warn_of_what_did_not_last(task: Task) -> None:
    """What Azure took and does not give back would change in each run."""
    for key in task.done:
        resource = task.resources[key]
        left = what_is_left(resource, task.observed[key])
        if left:
            task.module.warn(
                f"{resource}: Azure took the body and does not hold all of it: {'; '.join(map(str, left))}. "
                "What it never gives back belongs in write_only; what it says in another way, say as it does"
            )


def fail(task: Task) -> None:
    not_begun = [key for key in task.changes if key not in task.done and key not in task.failed]
    message = "; ".join(str(error) for error in task.failed.values())
    task.module.fail_json(
        msg=message + (f". Not begun: {', '.join(not_begun)}" if not_begun else ""),
        failures=[{"key": key, **error.told()} for key, error in task.failed.items()],
        not_begun=not_begun,
        **task.told(),
    )


def main() -> None:
    module = ArmModule(
        {
            "resources": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "mutually_exclusive": [("resource_group", "scope")],
                "options": {
                    "type": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "api_version": {"type": "str", "required": True},
                    "resource_group": {"type": "str"},
                    "scope": {"type": "str"},
                    "key": {"type": "str", "no_log": False},
                    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
                    "body": {"type": "dict", "default": {}},
                    "secret_body": {"type": "dict", "default": {}, "no_log": True},
                    "write_only": {"type": "list", "elements": "str", "default": []},
                    "initial": {"type": "list", "elements": "str", "default": []},
                    "any_order": {"type": "list", "elements": "str", "default": []},
                    "partial": {"type": "list", "elements": "str", "default": []},
                    "update": {"type": "str", "choices": ["patch", "put"], "default": "put"},
                    "action": {"type": "str"},
                    "unless": {"type": "dict"},
                    "depends_on": {"type": "list", "elements": "str", "default": []},
                },
            },
            "parallel": {"type": "int", "default": 8},
            "register_providers": {"type": "bool", "default": True},
        }
    )
    module.keep_secret(list(module.no_log_values))
    try:
        task = Task(module)
        task.read()
        task.register()
    except ArmPlanError as error:
        module.fail_json(msg=str(error))
    except ArmError as error:
        module.fail_with(error)
    if not module.check_mode:
        task.carry_out()
        if task.failed:
            fail(task)
        warn_of_what_did_not_last(task)
    module.exit_json(**task.told(), **task.result())


if __name__ == "__main__":
    main()
