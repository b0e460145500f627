#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_reset
short_description: Take a node out of its cluster with kubeadm, and say what is left on it
version_added: 0.1.0
description:
  - Runs C(kubeadm reset) on a node that has anything of a cluster, and removes what the other kubeadm modules wrote.
  - Reports what kubeadm leaves behind. It removes none of it, and flushes no firewall rule, whoever made it.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: Says that the node would be reset.
  diff_mode:
    support: full
    description: Shows the files that would go.
options:
  cri_socket:
    description: The container runtime's socket.
    type: str
    default: unix:///run/containerd/containerd.sock
"""

EXAMPLES = r"""
- name: Take the node out of its cluster
  groundwork.kube.kubeadm_reset:
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
found:
  description: What there was of a cluster.
  type: list
  elements: str
  returned: success
leftovers:
  description: What is there afterwards, or in check mode now, that C(kubeadm reset) does not remove.
  type: list
  elements: str
  returned: success
  sample: ["network interface vxlan.calico", "112 iptables rules of KUBE chains"]
"""

import os
import shutil
import socket
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.host_network import POD_NETWORK_INTERFACE
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_program

# What a cluster's network leaves on a node, by the marks in its firewall rules.
RULES = {"KUBE chains": "KUBE-", "Calico's chains": "cali-"}
CNI_CONFIGURATION = "/etc/cni/net.d"
STATE = "/var/lib/calico"


def cluster_files() -> list[str]:
    """What makes a node a member, or half of one."""
    single = [k.ADMIN_CONF, k.KUBELET_CONF, k.BOOTSTRAP_CONF, f"{k.KUBELET}/config.yaml"]
    directories = [k.PKI, k.MANIFESTS, os.path.dirname(k.ETCD_MEMBER), k.OWN_DIRECTORY]
    return [path for path in single if os.path.exists(path)] + [path for path in directories if k.files_below(path)]


def interfaces() -> list[str]:
    """Asked of the kernel: a container's /sys may be its host's."""
    return sorted(name for _index, name in socket.if_nameindex() if POD_NETWORK_INTERFACE.match(name))


def kubelet_mounts() -> list[str]:
    return [
        line.split()[1] for line in k.read("/proc/mounts").splitlines() if line.split()[1].startswith(k.KUBELET + "/")
    ]


def firewall_rules(module: AnsibleModule) -> list[str]:
    program = module.get_bin_path("iptables-save")
    if not program:
        return ["perhaps firewall rules: this node has no iptables-save to list them; a reboot clears them"]
    counted = []
    rules = run_program(module, [program])[1].splitlines()
    for owner, mark in RULES.items():
        count = sum(1 for rule in rules if rule.startswith("-A") and mark in rule)
        if count:
            counted.append(f"{count} iptables rules of {owner}")
    return counted


def leftovers(module: AnsibleModule) -> list[str]:
    return [
        *(f"network interface {name}" for name in interfaces()),
        *(f"file {CNI_CONFIGURATION}/{name}" for name in k.files_below(CNI_CONFIGURATION)),
        # Of those that are there before, kubeadm takes down what it can.
        *(f"mount {path}" for path in ([] if module.check_mode else kubelet_mounts())),
        *(f"directory {path}" for path in (STATE,) if os.path.isdir(path)),
        *firewall_rules(module),
    ]


def reset(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    found = cluster_files()
    if found and not module.check_mode:
        if found != [k.OWN_DIRECTORY]:
            kubeadm.act("reset", "--force", "--cleanup-tmp-dir", "--cri-socket", module.params["cri_socket"])
        if os.path.isdir(k.OWN_DIRECTORY):
            kubeadm.commands.append(f"rm -r {k.OWN_DIRECTORY}")
            shutil.rmtree(k.OWN_DIRECTORY)
    return {
        "changed": bool(found),
        "found": found,
        "leftovers": leftovers(module),
        "diff": {"before": "".join(f"{path}\n" for path in found), "after": ""},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={"cri_socket": {"type": "str", "default": "unix:///run/containerd/containerd.sock"}},
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "kubeadm reset", reset)


if __name__ == "__main__":
    main()
