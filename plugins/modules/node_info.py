#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: What the Nodes of a cluster are and carry
version_added: 0.1.0
description:
  - Reads all Nodes in one request, with their labels, taints and annotations, and which of them the inventory set.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  names:
    description: Only these Nodes. A name that the cluster does not have is left out of the answer.
    type: list
    elements: str
  label_selectors:
    description: Only Nodes that all of these select, as C(kubectl --selector) understands them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
seealso:
  - module: groundwork.kube.node_labels
  - module: groundwork.kube.node_taints
"""

EXAMPLES = r"""
- name: Read all Nodes
  groundwork.kube.node_info:
  register: cluster

- name: Show the taints of the infrastructure nodes
  groundwork.kube.node_info:
    label_selectors: [tier=infra]
"""

RETURN = r"""
nodes:
  description: The Nodes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str}
    ready: {description: Whether it is Ready., type: bool}
    reason: {description: Why it is not., type: str, sample: NetworkPluginNotReady}
    schedulable: {description: Whether it takes new pods., type: bool}
    labels: {description: All its labels., type: dict}
    taints: {description: All its taints., type: list, elements: str, sample: ["domain=redis:NoSchedule"]}
    annotations: {description: All its annotations., type: dict}
    owned:
      description: The keys that the inventory set, by section.
      type: dict
      sample: {labels: [domain, tier], taints: [domain]}
    addresses: {description: Its addresses by type., type: dict, sample: {InternalIP: 10.0.0.14}}
    kubelet_version: {description: Version of its kubelet., type: str, sample: v1.36.4}
    container_runtime: {description: Its container runtime., type: str, sample: "containerd://2.3.7"}
    operating_system: {description: Its operating system., type: str, sample: Debian GNU/Linux 13 (trixie)}
    capacity: {description: What it has., type: dict}
    allocatable: {description: What is left of it for pods., type: dict}
    provider_id: {description: The cloud's name for the machine., type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule, ApiUnreachableError
from ansible_collections.groundwork.kube.plugins.module_utils.health import node_state
from ansible_collections.groundwork.kube.plugins.module_utils.node_plan import live_taints, owned_sections
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES


def describe(node: Mapping[str, Any]) -> dict[str, Any]:
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    state = node_state(metadata["name"], node)
    software = status.get("nodeInfo") or {}
    return {
        "name": state.name,
        "ready": state.ready,
        "reason": state.reason,
        "schedulable": not spec.get("unschedulable", False),
        "labels": metadata.get("labels") or {},
        "taints": [str(taint) for taint in live_taints(node)],
        "annotations": metadata.get("annotations") or {},
        "owned": owned_sections(node),
        "addresses": {address["type"]: address["address"] for address in status.get("addresses") or []},
        "kubelet_version": software.get("kubeletVersion", ""),
        "container_runtime": software.get("containerRuntimeVersion", ""),
        "operating_system": software.get("osImage", ""),
        "capacity": status.get("capacity") or {},
        "allocatable": status.get("allocatable") or {},
        "provider_id": spec.get("providerID", ""),
    }


def main() -> None:
    module = ApiModule(
        {
            "names": {"type": "list", "elements": "str"},
            "label_selectors": {"type": "list", "elements": "str", "default": []},
        }
    )
    names, selector = module.params["names"], ",".join(module.params["label_selectors"])
    try:
        live = module.connect().list(NODES, {"labelSelector": selector} if selector else None)
    except ApiUnreachableError as error:
        if not module.assumes_api:
            module.fail_with(error)
        live = []
    except ApiError as error:
        module.fail_with(error)
    nodes = [describe(node) for node in live if names is None or node["metadata"]["name"] in names]
    module.exit_json(changed=False, nodes=sorted(nodes, key=lambda node: node["name"]))


if __name__ == "__main__":
    main()
