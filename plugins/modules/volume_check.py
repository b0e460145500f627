#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: volume_check
short_description: Whether pods get volumes, or which of driver, IAM, metadata and topology is missing
version_added: 0.1.0
description:
  - With O(driver) it waits until that CSI driver is registered on every Node of O(nodes).
  - With O(bind) it makes a claim and a pod that needs it in a namespace of their own, waits until the pod runs, and
    removes them.
  - What fails is told by its cause, from the objects and events of the cluster, with a remedy.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  driver:
    description: The CSI driver that must be on every Node, such as V(ebs.csi.aws.com).
    type: str
  nodes:
    description: Names of the Nodes it must be on.
    type: list
    elements: str
    default: []
  bind:
    description: Whether to bind a volume.
    type: bool
    default: false
  storage_class:
    description: The class of that volume. Without it, the cluster's default.
    type: str
  image:
    description: The image of the pod, agnhost of Kubernetes' own tests.
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.63.0
  timeout:
    description: Seconds to wait, for the driver and again for the volume.
    type: int
    default: 180
attributes:
  check_mode:
    support: full
    description: A driver is looked for once and not missed; no volume is bound.
  diff_mode:
    support: N/A
    description: What it makes it removes.
"""

EXAMPLES = r"""
- name: Wait until the driver is on every node
  groundwork.kube.volume_check:
    driver: ebs.csi.aws.com
    nodes: "{{ groups['kube_node'] }}"

- name: Bind a volume of the default class
  groundwork.kube.volume_check:
    bind: true
"""

RETURN = r"""
missing:
  description: Which of C(driver), C(IAM), C(metadata) and C(topology) is missing. Empty if that cannot be told.
  returned: on failure
  type: str
node:
  description: The Node on which the pod got its volume.
  returned: when a volume was bound
  type: str
storage_class:
  description: The class of the volume.
  returned: when a volume was bound
  type: str
"""

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import volume_check as plan
from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
)
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES
from ansible_collections.groundwork.kube.plugins.module_utils.trial import (
    NAMESPACES,
    create_pod,
    trial_namespace,
)

STORAGE = "/apis/storage.k8s.io/v1"
VOLUMES = "/api/v1/persistentvolumes"
INTERVAL = 1.0


class VolumeCheckError(Exception):
    """What is missing."""

    def __init__(self, found: plan.Finding) -> None:
        super().__init__(str(found))
        self.what = found.what


def observe(api: ApiClient, provisioner: str, names: list[str], namespace: str = "") -> plan.Observed:
    nodes = plan.by_name(api.list(NODES))
    events = api.list(f"/api/v1/namespaces/{namespace}/events") if namespace else []
    return plan.Observed(
        provisioner=provisioner,
        drivers=frozenset(plan.by_name(api.list(f"{STORAGE}/csidrivers"))),
        nodes={name: node for name, node in nodes.items() if name in names or not names},
        csi_nodes=plan.by_name(api.list(f"{STORAGE}/csinodes")),
        messages=plan.messages(events),
    )


def until(done: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(INTERVAL)
    return True


def wait_for_driver(module: ApiModule, api: ApiClient) -> None:
    found: plan.Finding | None = None

    def registered() -> bool:
        nonlocal found
        found = plan.registration_problem(observe(api, module.params["driver"], module.params["nodes"]))
        return found is None

    until(registered, 0 if module.check_mode else module.params["timeout"])
    if found and not module.check_mode:
        raise VolumeCheckError(found)


def bind(module: ApiModule, api: ApiClient) -> dict[str, Any]:
    classes = api.list(f"{STORAGE}/storageclasses")
    wanted = module.params["storage_class"]
    chosen = plan.by_name(classes).get(wanted) if wanted else plan.default_class(classes)
    if chosen is None:
        what = f"there is no StorageClass {wanted}" if wanted else "there is no default StorageClass"
        raise VolumeCheckError(
            plan.Finding("driver", what, "install a driver with a class (groundwork_storage: ebs_csi)")
        )
    name = chosen["metadata"]["name"]
    deadline = time.monotonic() + module.params["timeout"]
    with trial_namespace(api) as namespace:
        home = f"{NAMESPACES}/{namespace}"
        try:
            api.create(f"{home}/persistentvolumeclaims", plan.claim(name))
            create_pod(api, namespace, plan.pod(module.params["image"]), deadline)

            def runs() -> bool:
                return ((api.get(f"{home}/pods/{plan.NAME}") or {}).get("status") or {}).get("phase") == "Running"

            if not until(runs, deadline - time.monotonic()):
                raise VolumeCheckError(
                    plan.diagnose(observe(api, chosen["provisioner"], module.params["nodes"], namespace))
                )
            node = (api.get(f"{home}/pods/{plan.NAME}") or {}).get("spec", {}).get("nodeName", "")
        finally:
            let_go(api, home)
    return {"node": node, "storage_class": name}


def let_go(api: ApiClient, home: str) -> None:
    """A class may retain its volumes, which then nobody would take away."""
    volume = (api.get(f"{home}/persistentvolumeclaims/{plan.NAME}") or {}).get("spec", {}).get("volumeName")
    if volume and api.get(f"{VOLUMES}/{volume}"):
        api.patch(f"{VOLUMES}/{volume}", {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})


def main() -> None:
    module = ApiModule(
        {
            "driver": {"type": "str"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "bind": {"type": "bool", "default": False},
            "storage_class": {"type": "str"},
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"},
            "timeout": {"type": "int", "default": 180},
        }
    )
    result: dict[str, Any] = {"changed": False}
    try:
        api = module.connect()
        if module.params["driver"]:
            wait_for_driver(module, api)
        if module.params["bind"] and not module.check_mode:
            result.update(bind(module, api))
    except VolumeCheckError as error:
        module.fail_json(msg=str(error), missing=error.what)
    except ApiError as error:
        module.fail_unless_assumed(error)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
