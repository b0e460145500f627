#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
short_description: Join a node to a cluster with kubeadm, or finish joining it
version_added: 0.1.0
description:
  - Runs C(kubeadm join) with a document of yours, and waits until the cluster has the Node object.
  - On a node where an earlier run was killed, runs C(kubeadm join) again over what is there.
  - On a member it changes nothing. A member of another cluster is refused; it is never reset.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: Says that the node would join.
  diff_mode:
    support: full
    description: Shows the document, secrets masked, and the patches.
options:
  config:
    description:
      - The kubeadm document (C(JoinConfiguration)) as text, with the token.
      - It is in a file readable by root only while kubeadm runs, and removed then.
    type: str
    required: true
  node_name:
    description: The name of the Node.
    type: str
    required: true
  ca_cert_hashes:
    description: The hashes of the cluster's certificate authority, to know a node of another cluster.
    type: list
    elements: str
    required: true
  control_plane:
    description: Whether the node joins as a control plane.
    type: bool
    default: false
  etcd:
    description: Whether a control plane brings a member of etcd along. Not where etcd is elsewhere.
    type: bool
    default: true
  patches:
    description: Files of kubeadm's patches directory, name to content.
    type: dict
    default: {}
  timeout:
    description: Seconds to wait for the Node object after kubeadm is done.
    type: int
    default: 60
  assume:
    description:
      - What earlier steps of this run would have made, in check mode on a bare machine.
    type: list
    elements: str
    choices: [packages, runtime, api]
    default: []
"""

EXAMPLES = r"""
- name: Join
  groundwork.kube.kubeadm_join:
    config: "{{ lookup('ansible.builtin.template', 'join.yaml.j2') }}"
    node_name: "{{ inventory_hostname }}"
    ca_cert_hashes: "{{ _join.ca_cert_hashes }}"
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed, secrets masked.
  type: list
  elements: str
  returned: always
state:
  description:
    - What was found. V(unregistered) is a member without a Node object, whose kubelet is restarted.
    - One of V(absent), V(partial), V(unregistered), V(member).
  type: str
  returned: success
kubelet_log:
  description: The end of the kubelet's journal.
  type: list
  elements: str
  returned: when kubeadm failed
container_logs:
  description: The end of the logs of the control plane's containers.
  type: dict
  returned: when kubeadm failed
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.api import ASSUME_ARGUMENT_SPEC

# The checks of kubeadm that an interrupted join of this very node fails.
LEFT_BY_A_JOIN = (
    "FileAvailable--etc-kubernetes-kubelet.conf",
    "FileAvailable--etc-kubernetes-bootstrap-kubelet.conf",
    "FileAvailable--etc-kubernetes-pki-ca.crt",
    "FileAvailable--etc-kubernetes-manifests-etcd.yaml",
    *(f"FileAvailable--etc-kubernetes-manifests-{name}.yaml" for name in k.CONTROL_PLANE_COMPONENTS),
    "DirAvailable--etc-kubernetes-manifests",
    "DirAvailable--var-lib-etcd",
    *(f"Port-{port}" for port in (2379, 2380, 6443, 10250, 10257, 10259)),
)


def local_state(control_plane: bool, etcd: bool) -> str:
    """What the disk says: absent, partial, or member. Only a member's credentials can tell the rest."""
    manifests = (*(("etcd",) if etcd else ()), *k.CONTROL_PLANE_COMPONENTS) if control_plane else ()
    traces = [
        k.KUBELET_CONF,
        k.BOOTSTRAP_CONF,
        f"{k.PKI}/ca.crt",
        *(f"{k.MANIFESTS}/{name}.yaml" for name in manifests),
    ]
    if not any(k.present(path) for path in traces):
        return "absent"
    complete = k.present(k.KUBELET_CONF) and all(k.present(f"{k.MANIFESTS}/{name}.yaml") for name in manifests)
    return "member" if complete and not os.path.exists(k.BOOTSTRAP_CONF) else "partial"


def refuse_other_cluster(ca_cert_hashes: list[str]) -> None:
    authority = k.read(f"{k.PKI}/ca.crt")
    if authority and k.public_key_hash(authority) not in ca_cert_hashes:
        raise k.KubeadmError(
            "this node belongs to another cluster: its /etc/kubernetes/pki/ca.crt has the public key hash "
            f"{k.public_key_hash(authority)}, this cluster's is {', '.join(ca_cert_hashes)}. "
            "If the other cluster is gone, run `kubeadm reset` on this node, then this playbook again."
        )


def observe(module: AnsibleModule) -> str:
    state = local_state(module.params["control_plane"], module.params["etcd"])
    if state == "absent":
        return state
    if not (module.check_mode and "api" in module.params["assume"]):
        refuse_other_cluster(module.params["ca_cert_hashes"])
    if state == "member":
        seen = k.node_seen_by_kubelet(module.params["node_name"])
        if seen is None:
            # The certificate has expired: joining again gives the kubelet a new one.
            return "partial"
        if not (seen and k.unit_is_active(module, "kubelet")):
            return "unregistered"
    return state


def join(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    config, patches = module.params["config"], module.params["patches"]
    state = observe(module)
    if state == "member":
        return {"changed": False, "state": state}
    diff = [k.text_diff("", config, k.JOIN_DOCUMENT), *k.place_patches(patches, module.check_mode)]
    if not module.check_mode:
        _run(kubeadm, config, state)
    return {"changed": True, "state": state, "diff": diff}


def _run(kubeadm: k.Kubeadm, config: str, state: str) -> None:
    module = kubeadm.module
    try:
        if state == "unregistered":
            # A kubelet registers its node when it starts, and only then.
            k.restart_kubelet(kubeadm)
        else:
            _kubeadm_join(kubeadm, config, state)
    except k.KubeadmError as error:
        error.details.update(k.evidence(module))
        raise

    k.wait_until_registered(module, module.params["node_name"], module.params["timeout"])


def _kubeadm_join(kubeadm: k.Kubeadm, config: str, state: str) -> None:
    arguments = ["join", "--config", k.JOIN_DOCUMENT]
    if state == "partial":
        arguments += ["--ignore-preflight-errors", ",".join(LEFT_BY_A_JOIN)]
    k.write(k.JOIN_DOCUMENT, config)
    try:
        kubeadm.act(*arguments)
    finally:
        os.unlink(k.JOIN_DOCUMENT)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "str", "required": True, "no_log": True},
            "node_name": {"type": "str", "required": True},
            "ca_cert_hashes": {"type": "list", "elements": "str", "required": True},
            "control_plane": {"type": "bool", "default": False},
            "etcd": {"type": "bool", "default": True},
            "patches": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 60},
            **ASSUME_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "kubeadm join", join)


if __name__ == "__main__":
    main()
