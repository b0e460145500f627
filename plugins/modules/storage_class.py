#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: storage_class
short_description: A StorageClass with one owner, and the only default
version_added: 0.1.0
description:
  - Makes a StorageClass, or changes what of one can be changed.
  - Refuses a class that an Application of Argo CD's applies, a second default, and what Kubernetes changes on no class.
  - Removes it only when no volume of its provisioner is left, and no other class of it.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  name:
    description: Name of the class.
    type: str
    required: true
  provisioner:
    description: The driver that makes its volumes.
    type: str
    required: true
  parameters:
    description: What the driver is told of each volume.
    type: dict
    default: {}
  reclaim_policy:
    description: What becomes of a volume whose claim is deleted.
    type: str
    choices: [Delete, Retain]
    default: Delete
  volume_binding_mode:
    description: Whether a volume is made at once, or where its first pod is.
    type: str
    choices: [WaitForFirstConsumer, Immediate]
    default: WaitForFirstConsumer
  allow_volume_expansion:
    description: Whether volumes may grow.
    type: bool
    default: true
  default:
    description: Whether claims that name no class get this one.
    type: bool
    default: false
  state:
    description: >-
      Whether the class shall be there. With V(absent) its parameters do not matter, and one of another provisioner's
      stays.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says what it would do. Each change goes to the API as a dry run.
  diff_mode:
    support: full
    description: Shows what changes.
"""

EXAMPLES = r"""
- name: Volumes of type gp3, encrypted, in the zone of the pod that needs them
  groundwork.kube.storage_class:
    name: gp3
    provisioner: ebs.csi.aws.com
    parameters: {type: gp3, encrypted: "true"}
    default: true
"""

RETURN = r"""
problems:
  description: Why the class must not be made or removed, each with its remedy.
  returned: always
  type: list
  elements: str
"""

import json
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.storage_class import (
    change,
    refusals,
    removal_refusals,
    wanted,
)

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES = "/api/v1/persistentvolumes"


def present(module: ApiModule, api: ApiClient) -> dict[str, Any]:
    desired = wanted(module.params)
    classes = api.list(CLASSES)
    live = next((each for each in classes if each["metadata"]["name"] == module.params["name"]), None)
    problems = list(refusals(live, desired, classes))
    needed = None if problems else change(live, desired)
    if needed:
        query = {"dryRun": "All"} if module.check_mode else {}
        if live is None:
            api.create(CLASSES, needed, query)
        else:
            api.patch(f"{CLASSES}/{path_segment(module.params['name'])}", needed, query)
    return {"changed": bool(needed), "problems": problems, "diff": diff(module, "", needed)}


def absent(module: ApiModule, api: ApiClient) -> dict[str, Any]:
    name, provisioner = module.params["name"], module.params["provisioner"]
    classes = api.list(CLASSES)
    problems = list(removal_refusals(name, provisioner, classes, api.list(VOLUMES)))
    there = [each for each in classes if (each["metadata"]["name"], each.get("provisioner")) == (name, provisioner)]
    if there and not problems:
        query = {"dryRun": "All"} if module.check_mode else {}
        api.delete(f"{CLASSES}/{path_segment(name)}", query=query)
    removed = bool(there) and not problems
    return {
        "changed": removed,
        "problems": problems,
        "diff": diff(module, {"provisioner": provisioner} if removed else "", ""),
    }


def diff(module: ApiModule, before: Any, after: Any) -> list[dict[str, str]]:
    header = f"StorageClass {module.params['name']}"
    texts = [json.dumps(each, indent=2, sort_keys=True) + "\n" if each else "" for each in (before, after)]
    return (
        [{"before_header": header, "after_header": header, "before": texts[0], "after": texts[1]}] if any(texts) else []
    )


def main() -> None:
    module = ApiModule(
        {
            "name": {"type": "str", "required": True},
            "provisioner": {"type": "str", "required": True},
            "parameters": {"type": "dict", "default": {}},
            "reclaim_policy": {"type": "str", "choices": ["Delete", "Retain"], "default": "Delete"},
            "volume_binding_mode": {
                "type": "str",
                "choices": ["WaitForFirstConsumer", "Immediate"],
                "default": "WaitForFirstConsumer",
            },
            "allow_volume_expansion": {"type": "bool", "default": True},
            "default": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
    act = present if module.params["state"] == "present" else absent
    try:
        result = act(module, module.connect())
    except ApiError as error:
        module.fail_unless_assumed(error)
        would_be = wanted(module.params) if module.params["state"] == "present" else ""
        result = {"changed": bool(would_be), "problems": [], "diff": diff(module, "", would_be)}
    if result["problems"]:
        module.fail_json(msg="\n".join(result["problems"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
