#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_node
short_description: Bring a member's kubelet settings and registration flags to what the inventory says
version_added: 0.1.0
description:
  - Asks kubeadm what it would write into C(/var/lib/kubelet) for a document of yours, and writes what differs.
  - The kubelet is restarted only when a setting that it reads while running changed, and has to be healthy afterwards,
    else the old files come back. Pods are not restarted. Labels and taints of registration are read when a node
    registers; a change of them restarts nothing.
  - A kubelet whose Node object was deleted while it ran is restarted, because it registers only when it starts.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: On a machine that is not a member there is nothing to change yet.
  diff_mode:
    support: full
    description: Shows the kubelet's configuration that would change.
options:
  config:
    description:
      - The kubeadm document as text, with C(InitConfiguration) for this very node, C(ClusterConfiguration) and
        C(KubeletConfiguration).
    type: str
    required: true
  patches:
    description: Files of kubeadm's patches directory, name to content.
    type: dict
    default: {}
  node_name:
    description: The name of this node in the cluster. Without it, nothing is asked about its Node object.
    type: str
  registration_only:
    description: Leave all but the labels and taints of registration as it is.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for a restarted kubelet to be healthy.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Bring kubelet settings to what the inventory says
  groundwork.kube.kubeadm_node:
    config: "{{ lookup('ansible.builtin.template', 'init.yaml.j2') }}"
    node_name: "{{ inventory_hostname }}"
    patches:
      kubeletconfiguration+strategic.yaml: |
        kubeReserved: {cpu: 100m, memory: 200Mi}

- name: Let a node that registers again carry the labels and taints of the inventory
  groundwork.kube.kubeadm_node:
    config: "{{ lookup('ansible.builtin.template', 'init.yaml.j2') }}"
    registration_only: true
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
changed_files:
  description: The files that changed, or would.
  type: list
  elements: str
  returned: success
registered:
  description: Whether the cluster had this node's object. Empty when it was not asked or did not say.
  type: bool
  returned: success
restarted:
  description: Whether the kubelet was restarted, or would be.
  type: bool
  returned: success
kubelet_log:
  description: The end of the kubelet's journal.
  type: list
  elements: str
  returned: when the kubelet did not become healthy
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

FLAGS = "kubeadm-flags.env"
# Read when a node registers, never again.
REGISTRATION_FLAGS = ("node-labels", "register-with-taints")
# Put there by the kubeadm of older versions, which our document cannot say; the kubelet's own upgrade removes them.
LEGACY_FLAGS = ("pod-infra-container-image", "container-runtime", "container-runtime-endpoint")


def flag_name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0]


def desired_flags(observed: str, made: str) -> str:
    """kubeadm's flags for this node, plus what an older kubeadm left; the same text when nothing differs."""
    before, after = k.kubelet_flags(observed), k.kubelet_flags(made)
    names = {flag_name(flag) for flag in after}
    after += [flag for flag in before if flag_name(flag) in LEGACY_FLAGS and flag_name(flag) not in names]
    if sorted(before) == sorted(after) and observed:
        return observed
    return f'KUBELET_KUBEADM_ARGS="{" ".join(after)}"\n'


def with_registration_of(observed: str, desired: str) -> str:
    """The flags there are, with the registration flags of others; the same text when these do not differ."""

    def registration(flags: str) -> list[str]:
        return [flag for flag in k.kubelet_flags(flags) if flag_name(flag) in REGISTRATION_FLAGS]

    running = [flag for flag in k.kubelet_flags(observed) if flag_name(flag) not in REGISTRATION_FLAGS]
    if sorted(registration(observed)) == sorted(registration(desired)):
        return observed
    return f'KUBELET_KUBEADM_ARGS="{" ".join(running + registration(desired))}"\n'


def needs_restart(observed: Mapping[str, str], desired: Mapping[str, str]) -> bool:
    """Whether a change is one that a running kubelet would have to read."""

    def effective(flags: str) -> list[str]:
        return sorted(flag for flag in k.kubelet_flags(flags) if flag_name(flag) not in REGISTRATION_FLAGS)

    if effective(observed[FLAGS]) != effective(desired[FLAGS]):
        return True
    return any(observed[name] != desired[name] for name in desired if name != FLAGS)


def is_registered(node_name: str | None) -> bool | None:
    """Whether there is a Node object; None when that cannot be told now, which is for others to complain about."""
    try:
        return k.node_seen_by_kubelet(node_name) if node_name else None
    except ApiError:
        return None


def reconcile(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    patches = module.params["patches"]
    if not k.present(k.KUBELET_CONF):
        if module.check_mode:
            return {"changed": False, "changed_files": [], "registered": None, "restarted": False}
        raise k.KubeadmError("this node is not a member of a cluster: run the `join` step of role kubeadm first")
    only_registration = module.params["registration_only"]
    made = kubeadm.kubelet_files(module.params["config"], patches)
    observed = {name: k.read(f"{k.KUBELET}/{name}") for name in made}
    if only_registration:
        desired = {**observed, FLAGS: with_registration_of(observed[FLAGS], made[FLAGS])}
    else:
        desired = {**made, FLAGS: desired_flags(observed[FLAGS], made[FLAGS])}
    differing = sorted(name for name in desired if desired[name] != observed[name])
    registered = is_registered(module.params["node_name"])
    running = only_registration or k.unit_is_active(module, "kubelet")
    restart = needs_restart(observed, desired) or not running or registered is False
    diff = [k.text_diff(observed[name], desired[name], f"{k.KUBELET}/{name}") for name in differing]
    diff += [] if only_registration else k.place_patches(patches, module.check_mode)
    if not module.check_mode:
        _write(kubeadm, {name: desired[name] for name in differing}, observed, restart)
        if registered is False:
            k.wait_until_registered(module, module.params["node_name"], module.params["timeout"])
    return {
        "changed": bool(diff or restart),
        "changed_files": [entry["after_header"] for entry in diff],
        "registered": registered,
        "restarted": restart,
        "diff": diff,
    }


def _write(kubeadm: k.Kubeadm, changes: Mapping[str, str], observed: Mapping[str, str], restart: bool) -> None:
    for name, content in changes.items():
        k.write(f"{k.KUBELET}/{name}", content, 0o644)
    if not restart:
        return
    timeout = kubeadm.module.params["timeout"]
    try:
        k.restart_kubelet(kubeadm)
        healthy = k.wait_until(k.kubelet_is_healthy, timeout)
    except k.KubeadmError:
        healthy = False
    if healthy:
        return
    evidence = k.evidence(kubeadm.module)
    for name in changes:
        k.write(f"{k.KUBELET}/{name}", observed[name], 0o644)
    k.restart_kubelet(kubeadm)
    raise k.KubeadmError(
        f"the kubelet was not healthy within {timeout} s of {', '.join(changes) or 'a restart'}; "
        "the former files are back. Look at kubeadm_kubelet_configuration, kubeadm_kubelet_extra_args "
        "and kubeadm_reserved.",
        **evidence,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "str", "required": True},
            "patches": {"type": "dict", "default": {}},
            "node_name": {"type": "str"},
            "registration_only": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "kubelet settings", reconcile)


if __name__ == "__main__":
    main()
