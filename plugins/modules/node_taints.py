#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_taints
short_description: Taints of all Nodes, as the inventory says
version_added: 0.1.0
description:
  - Gives every Node its taints, and takes away those that left the inventory, in one task for the whole cluster.
  - A key that the inventory uses on a Node is the inventory's there, with every value and effect. Foreign taints, such
    as those of the autoscaler or Kubernetes itself, stay as they are, with the time they were added.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.nodes
options:
  nodes:
    description:
      - Taints by node, each as C(key=value:Effect) or C(key:Effect). A node with an empty list loses those it had from
        the inventory.
    type: dict
    required: true
seealso:
  - module: groundwork.kube.node_labels
  - module: groundwork.kube.node_info
"""

EXAMPLES = r"""
- name: Taint all nodes
  groundwork.kube.node_taints:
    nodes:
      k8s-redis: ["domain=redis:NoSchedule"]
      k8s-worker-ai: []

- name: Show what differs, and change nothing
  groundwork.kube.node_taints:
    nodes:
      k8s-redis: ["domain=redis:NoSchedule"]
  check_mode: true
  diff: true
"""

RETURN = r"""
nodes:
  description: What was set and removed, by node; only Nodes that changed.
  returned: success
  type: dict
  sample:
    k8s-redis: {taints: {set: ["domain=redis:NoSchedule"], removed: []}}
changes:
  description: What was not as the inventory says, a line for each finding.
  returned: success
  type: list
  elements: str
  sample: ["k8s-redis: taint domain=redis:NoSchedule missing"]
differing:
  description: Taints that somebody else writes and that are not as the inventory says, with the remedy. Also warned of.
  returned: success
  type: list
  elements: str
missing:
  description: Names of O(absent) that the cluster does not have.
  returned: success
  type: list
  elements: str
msg:
  description: How many Nodes differed.
  returned: always
  type: str
  sample: 1 of 14 Nodes were not as the inventory says
"""

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.metadata import MetadataError
from ansible_collections.groundwork.kube.plugins.module_utils.node_plan import TAINTS, read_taints
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES_ARGUMENT_SPEC, reconcile


def main() -> None:
    module = ApiModule(NODES_ARGUMENT_SPEC)
    try:
        taints = read_taints(module.params["nodes"])
    except MetadataError as error:
        module.fail_json(msg=str(error))
    reconcile(module, {TAINTS: taints})


if __name__ == "__main__":
    main()
