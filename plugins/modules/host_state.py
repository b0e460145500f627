#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Read in one cheap round trip what decisions about a machine need
version_added: 0.1.0
description:
  - Reads a machine once, so that every later step can decide without asking again.
  - The reading is the result itself. Register it as C(host_state), the name under which Groundwork's roles look for it.
  - Files below C(/proc), C(/sys), C(/etc) and C(/var) are read, and one C(systemctl show) is run. Nothing is changed.
  - With O(provider_id) the machine's metadata service is asked, too.
author: Groundwork founders (@groundwork)
options:
  packages:
    description: The Debian packages whose versions and holds to tell.
    type: list
    elements: str
    default:
      - containerd
      - containerd.io
      - cri-tools
      - haproxy
      - keepalived
      - kubeadm
      - kubectl
      - kubelet
      - kubernetes-cni
      - runc
  services:
    description: The systemd services whose state to tell.
    type: list
    elements: str
    default: [containerd, haproxy, keepalived, kubelet, chrony, ntp, ntpd-rs, ntpsec, openntpd, systemd-timesyncd]
  modules:
    description: The kernel modules to look for.
    type: list
    elements: str
    default: [overlay, br_netfilter, ipip]
  provider_id:
    description:
      - Whether to ask the metadata service what the cloud calls the machine. AWS' is the only one known so far.
    type: bool
    default: false
  root:
    description: The tree to read, for the image of a machine.
    type: path
    default: /
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: N/A
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Read the machine
  groundwork.kube.host_state:
  register: host_state

- name: Say what it is
  ansible.builtin.debug:
    msg: "{{ host_state.os.pretty }} with {{ host_state.memory_mib }} MiB"
"""

RETURN = r"""
os:
  description: The operating system by C(id), C(version), C(codename) and C(pretty) name.
  returned: success
  type: dict
  sample: {id: debian, version: "13", codename: trixie, pretty: Debian GNU/Linux 13 (trixie)}
architecture:
  description: The machine's architecture, as C(uname -m) says it.
  returned: success
  type: str
  sample: x86_64
kernel:
  description: The running kernel's release.
  returned: success
  type: str
hostname:
  description: The host name that the machine gives itself.
  returned: success
  type: str
machine_id:
  description: The content of C(/etc/machine-id).
  returned: success
  type: str
time:
  description: The machine's clock when it was read, in seconds since 1970.
  returned: success
  type: float
clock:
  description: >-
    Between which bounds, in seconds, the machine's clock is ahead of the controller's.
    The bounds are as far apart as the reading took.
  returned: success
  type: dict
  sample: {ahead_at_least: -0.4, ahead_at_most: 0.1}
memory_mib:
  description: The machine's memory as the kubelet will see it.
  returned: success
  type: int
cpus:
  description: How many processors may be used.
  returned: success
  type: int
swap:
  description: The devices and files swapped to.
  returned: success
  type: list
  elements: str
cgroup:
  description: The C(version) of the control groups, 1 or 2.
  returned: success
  type: dict
modules:
  description: Each of O(modules) as C(built-in), C(loaded), C(available) or C(missing).
  returned: success
  type: dict
inotify:
  description: The limits C(max_user_instances) and C(max_user_watches).
  returned: success
  type: dict
resolver:
  description: The C(nameservers), and whether systemd-resolved keeps an C(upstream_file).
  returned: success
  type: dict
addresses:
  description: The machine's addresses by C(interface), C(address) and C(prefix).
  returned: success
  type: list
  elements: dict
routes:
  description: The machine's routes by C(destination), C(gateway) and C(interface).
  returned: success
  type: list
  elements: dict
packages:
  description: The versions of those of O(packages) that are installed.
  returned: success
  type: dict
holds:
  description: Those of O(packages) that are held.
  returned: success
  type: list
  elements: str
services:
  description: The state of those of O(services) that exist, as systemd says it.
  returned: success
  type: dict
  sample: {containerd: active}
kubeadm:
  description:
    - The traces of kubeadm. The booleans C(admin_conf), C(kubelet_conf), C(bootstrap_conf) and C(etcd_data), the
      static pods' C(manifests), the C(server) that the kubelet talks to, C(ca_digest), C(kubelet_flags),
      C(kubelet_config_digest), C(kubelet_cgroup_driver) and C(kubelet_provider_id).
  returned: success
  type: dict
cloud:
  description:
    - The C(provider_id) that the metadata service gave, and the C(error) for which it is empty. Both are empty where it
      was not asked.
  returned: success
  type: dict
  sample: {provider_id: "aws:///ap-northeast-2a/i-0123456789abcdef0", error: ""}
containerd:
  description:
    - The C(cgroup_driver) that containerd's configuration asks for, and C(config_digest), the SHA-256 of that file.
  returned: success
  type: dict
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import (
    host_network,
    host_reading,
    instance_metadata,
)
from ansible_collections.groundwork.kube.plugins.module_utils.host_packages import installed_packages
from ansible_collections.groundwork.kube.plugins.module_utils.host_root import Root
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_program


def services(module: AnsibleModule, names: list[str]) -> dict[str, str]:
    """The states of the named services; one that systemd has no unit of is left out."""
    systemctl = module.get_bin_path("systemctl")
    if not systemctl or not names:
        return {}
    units = [f"{name}.service" for name in names]
    _status, out, _err = run_program(module, [systemctl, "show", "--property=LoadState,ActiveState", *units])
    found = {}
    for name, block in zip(names, out.split("\n\n")):
        state = dict(line.split("=", 1) for line in block.split() if "=" in line)
        if state.get("LoadState") == "loaded":
            found[name] = state.get("ActiveState", "")
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "packages": {
                "type": "list",
                "elements": "str",
                "default": [
                    "containerd",
                    "containerd.io",
                    "cri-tools",
                    "haproxy",
                    "keepalived",
                    "kubeadm",
                    "kubectl",
                    "kubelet",
                    "kubernetes-cni",
                    "runc",
                ],
            },
            "services": {
                "type": "list",
                "elements": "str",
                "default": [
                    "containerd",
                    "haproxy",
                    "keepalived",
                    "kubelet",
                    "chrony",
                    "ntp",
                    "ntpd-rs",
                    "ntpsec",
                    "openntpd",
                    "systemd-timesyncd",
                ],
            },
            "modules": {"type": "list", "elements": "str", "default": ["overlay", "br_netfilter", "ipip"]},
            "provider_id": {"type": "bool", "default": False},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    root = Root(wanted["root"])
    packages = installed_packages(root, wanted["packages"])
    module.exit_json(
        changed=False,
        **host_reading.everything(root, wanted["modules"]),
        cpus=len(os.sched_getaffinity(0)),
        addresses=host_network.addresses(),
        routes=host_network.routes(),
        packages={name: package.version for name, package in packages.items()},
        holds=sorted(name for name, package in packages.items() if package.held),
        services=services(module, wanted["services"]),
        cloud=instance_metadata.provider_id() if wanted["provider_id"] else {"provider_id": "", "error": ""},
        time=time.time(),
    )


if __name__ == "__main__":
    main()
