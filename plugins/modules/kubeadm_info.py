#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_info
short_description: Read what kubeadm made of a node
version_added: 0.1.0
description:
  - Reads the version of kubeadm, the node's place in its cluster, the certificates and their ends.
  - It does not ask the API.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: N/A
    description: It only reads.
"""

EXAMPLES = r"""
- name: Read when certificates end
  groundwork.kube.kubeadm_info:
  register: _kubeadm
"""

RETURN = r"""
version:
  description: The version of kubeadm; empty when it is not installed.
  type: str
  returned: success
role:
  description: V(none), V(worker) or V(control_plane).
  type: str
  returned: success
static_pods:
  description: The static pods that have a manifest.
  type: list
  elements: str
  returned: success
certificates:
  description: Certificates by name, with C(not_after) and the C(names) they are signed for.
  type: dict
  returned: success
ca_cert_hash:
  description: The hash of the cluster's certificate authority; empty on a node of no cluster.
  type: str
  returned: success
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k


def certificates() -> dict[str, dict[str, t.Any]]:
    found = {}
    for name in k.files_below(k.PKI):
        text = k.read(f"{k.PKI}/{name}") if name.endswith(".crt") else ""
        if text:
            found[name[: -len(".crt")]] = {
                "not_after": k.not_after(text),
                "names": k.subject_alternative_names(text),
            }
    return found


def inform(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    authority = k.read(f"{k.PKI}/ca.crt")
    static_pods = [name[: -len(".yaml")] for name in k.files_below(k.MANIFESTS) if name.endswith(".yaml")]
    role = "none"
    if k.present(k.KUBELET_CONF):
        role = "control_plane" if "kube-apiserver" in static_pods else "worker"
    return {
        "changed": False,
        "version": kubeadm.version if kubeadm.binary else "",
        "role": role,
        "static_pods": static_pods,
        "certificates": certificates(),
        "ca_cert_hash": k.public_key_hash(authority) if authority else "",
    }


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        result = inform(k.Kubeadm(module))
    except k.KubeadmError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
