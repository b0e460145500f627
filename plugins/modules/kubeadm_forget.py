#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_forget
short_description: Let a cluster forget a control plane that is gone
version_added: 0.1.0
description:
  - Removes what a cluster keeps of a control plane whose machine is lost or was reset. That is its member of etcd, its
    Node, and the pods of its control plane, at whose addresses kubeadm would still look for etcd.
  - Refuses when etcd would lose its quorum, or has lost it already, and changes nothing then.
  - Run it on another control plane. Of a control plane that the cluster does not know it has nothing to remove.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: Says what would be removed, and refuses what it would refuse.
  diff_mode:
    support: full
    description: Shows what would be removed.
options:
  name:
    description: The name of the control plane's Node, which is its member's, too.
    type: str
    required: true
  address:
    description:
      - Its address, by which a member is known that was added to etcd and has never started.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Let the cluster forget a machine that burnt
  groundwork.kube.kubeadm_forget:
    name: control-plane-1
  delegate_to: control-plane-2
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
  sample: ["etcdctl member remove 8e9e05c52164694d", "kubectl delete node control-plane-1"]
removed:
  description: What was removed, or would be.
  type: list
  elements: str
  returned: success
  sample: ["etcd member control-plane-1 (8e9e05c52164694d at https://192.0.2.11:2380)", "Node control-plane-1"]
members:
  description: etcd's members afterwards, by name. Empty where etcd is not on the control planes.
  type: list
  elements: str
  returned: success
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import etcd as e
from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k

PODS = "/api/v1/namespaces/kube-system/pods"
# The API's address may be on its way from the very machine that is gone.
PATIENCE = 60
# A kubelet that is gone confirms no end of a pod.
AT_ONCE = {"gracePeriodSeconds": 0}


class Cluster:
    """What a cluster keeps of one control plane."""

    def __init__(self, name: str, address: str) -> None:
        """Stops before anything that would harm the cluster. etcd comes first: without its quorum the API is silent."""
        self.name = name
        # Without this file etcd is elsewhere, and has no member of a control plane.
        self.etcd = e.Etcd() if os.path.exists(f"{k.MANIFESTS}/etcd.yaml") else None
        self.members = self.etcd.members() if self.etcd else []
        self.member = next((member for member in self.members if member.is_at(name, address)), None)
        if self.etcd and self.member:
            objection = e.objection(self.members, self.etcd.healthy(self.members), self.member)
            if objection:
                raise k.KubeadmError(f"{name} cannot go: {objection}")
        self.api = k.connect(k.ADMIN_CONF, patience=PATIENCE)
        self.node = self.api.get("/api/v1/nodes/" + name)
        labels = (self.node or {}).get("metadata", {}).get("labels", {})
        if self.node and k.CONTROL_PLANE_LABEL not in labels and not self.member:
            raise k.KubeadmError(f"{name} is no control plane: playbooks/reset.yml takes a worker out")
        static_pods = (f"{component}-{name}" for component in ("etcd", *k.CONTROL_PLANE_COMPONENTS))
        self.pods = [pod for pod in static_pods if self.api.get(f"{PODS}/{pod}")]

    @property
    def remains(self) -> list[str]:
        return [
            *([f"etcd member {self.member}"] if self.member else []),
            *([f"Node {self.name}"] if self.node else []),
            *(f"Pod kube-system/{pod}" for pod in self.pods),
        ]

    def remove(self, kubeadm: k.Kubeadm) -> None:
        if self.etcd and self.member:
            kubeadm.commands.append(f"etcdctl member remove {int(self.member.id):x}")
            self.etcd.remove(self.member)
        if self.node:
            kubeadm.commands.append(f"kubectl delete node {self.name}")
            self.api.delete("/api/v1/nodes/" + self.name)
        for pod in self.pods:
            kubeadm.commands.append(f"kubectl --namespace kube-system delete pod {pod} --force")
            self.api.delete(f"{PODS}/{pod}", body=AT_ONCE)


def forget(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    try:
        cluster = Cluster(module.params["name"], module.params["address"])
        remains = cluster.remains
        if not module.check_mode:
            cluster.remove(kubeadm)
    except e.EtcdError as error:
        raise k.KubeadmError(str(error)) from error
    return {
        "changed": bool(remains),
        "removed": remains,
        "members": sorted(member.name for member in cluster.members if member != cluster.member),
        "diff": {"before": "".join(f"{what}\n" for what in remains), "after": ""},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={"name": {"type": "str", "required": True}, "address": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "removal of a control plane", forget)


if __name__ == "__main__":
    main()
