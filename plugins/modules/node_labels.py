#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_labels
short_description: Labels and annotations of all Nodes, as the inventory says
version_added: 0.1.0
description:
  - Gives every Node its labels, and takes away those that left the inventory, in one task for the whole cluster.
  - A label changed by hand is put right. A label that the inventory never had stays.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.nodes
options:
  nodes:
    description:
      - Labels by node, a map of maps. A node with an empty map loses the labels it had from the inventory.
      - Values are strings. Quote what YAML takes for something else, such as V("true") or V("8").
    type: dict
    required: true
  annotations:
    description:
      - Annotations by node, a map of maps. A node of O(nodes) that is not in it loses those it had from the inventory.
      - Without this option annotations are left alone.
    type: dict
seealso:
  - module: groundwork.kube.node_taints
  - module: groundwork.kube.node_info
"""

EXAMPLES = r"""
- name: Label all nodes
  groundwork.kube.node_labels:
    nodes:
      k8s-redis:
        tier: infra
        domain: redis
        node-role.kubernetes.io/infra: ""
      k8s-api-auth:
        tier: api
        domain: auth

- name: Give every node the labels of its host variable node_labels
  groundwork.kube.node_labels:
    nodes: "{{ dict(hosts | zip(hosts | map('extract', hostvars, 'node_labels'))) }}"
  vars:
    hosts: "{{ groups['kube_control_plane'] | union(groups['kube_node']) }}"
  run_once: true
  become: true
"""

RETURN = r"""
nodes:
  description: What was set and removed, by node and section; only Nodes that changed.
  returned: success
  type: dict
  sample:
    k8s-redis: {labels: {set: {tier: infra}, removed: [old]}}
changes:
  description: What was not as the inventory says, a line for each finding.
  returned: success
  type: list
  elements: str
  sample: ["k8s-redis: label tier=web, should be 'infra'", "k8s-redis: label old=1 no longer in the inventory"]
differing:
  description: Keys that somebody else writes and that are not as the inventory says, with the remedy. Also warned of.
  returned: success
  type: list
  elements: str
  sample:
    - "k8s-redis: label kubernetes.io/os=linus, found 'linux'; the kubelet writes it: correct the inventory"
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
from ansible_collections.groundwork.kube.plugins.module_utils.node_plan import (
    ANNOTATIONS,
    LABELS,
    read_annotations,
    read_labels,
)
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES_ARGUMENT_SPEC, reconcile


def main() -> None:
    module = ApiModule({**NODES_ARGUMENT_SPEC, "annotations": {"type": "dict"}})
    nodes, annotations = module.params["nodes"], module.params["annotations"]
    try:
        wishes = {LABELS: read_labels(nodes)}
        if annotations is not None:
            strangers = sorted(set(annotations) - set(nodes))
            if strangers:
                module.fail_json(
                    msg=f"annotations names {', '.join(strangers)}, which nodes does not; name them in both"
                )
            wishes[ANNOTATIONS] = read_annotations({name: annotations.get(name, {}) for name in nodes})
    except MetadataError as error:
        module.fail_json(msg=str(error))
    reconcile(module, wishes)


if __name__ == "__main__":
    main()
