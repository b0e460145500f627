#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: arm_resource_info
short_description: Read any resources of Azure's Resource Manager
version_added: 0.1.0
description:
  - Reads one resource of any type, or all of a type that are in a resource group, in the subscription, or within
    another resource.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.azure
options:
  type:
    description: Its type, as in a template, C(Microsoft.ContainerService/managedClusters/agentPools).
    type: str
    required: true
  name:
    description:
      - Its name, after those of the resources it is within, C(staging/general). Without the last name, all that are
        within the outer one, and without any, all of the type.
    type: str
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
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: It changes nothing.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: It changes nothing.
seealso:
  - module: groundwork.kube.arm_resource
"""

EXAMPLES = r"""
- name: Where the cluster's tokens are issued
  groundwork.kube.arm_resource_info:
    type: Microsoft.ContainerService/managedClusters
    name: staging
    resource_group: aks
    api_version: "2025-05-01"
  register: cluster

- name: All of its pools
  groundwork.kube.arm_resource_info:
    type: Microsoft.ContainerService/managedClusters/agentPools
    name: staging
    resource_group: aks
    api_version: "2025-05-01"
"""

RETURN = r"""
resources:
  description: The resources that are there, as Azure gives them.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.groundwork.kube.plugins.module_utils.arm import ArmError, ArmModule
from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import ArmPlanError, is_collection, resource_id


def main() -> None:
    module = ArmModule(
        {
            "type": {"type": "str", "required": True},
            "name": {"type": "str"},
            "api_version": {"type": "str", "required": True},
            "resource_group": {"type": "str"},
            "scope": {"type": "str"},
        },
        mutually_exclusive=[("resource_group", "scope")],
    )
    version = module.params["api_version"]
    deed = f"read {module.params['type']} {module.params['name'] or ''}".rstrip()
    try:
        path = resource_id(module.params, module.params["subscription_id"], collection=True)
        azure = module.connect()
        if is_collection(module.params):
            resources = azure.list(deed, path, version)
        else:
            found = azure.get(deed, path, version)
            resources = [found] if found is not None else []
    except ArmPlanError as error:
        module.fail_json(msg=str(error))
    except ArmError as error:
        module.fail_with(error)
    module.exit_json(changed=False, resources=resources)


if __name__ == "__main__":
    main()
