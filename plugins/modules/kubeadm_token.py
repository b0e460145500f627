#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_token
short_description: Make a bootstrap token, and a certificate key when control planes join
version_added: 0.1.0
description:
  - Runs C(kubeadm token create) on a control plane. kubeadm invents the token itself, so it is in no process list.
  - One short-lived token serves all nodes that join in a run; call the module only when a node has to join.
  - What it returns is secret and never printed, as with C(no_log) on the task; why it failed is.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: Makes nothing and returns placeholders.
  diff_mode:
    support: none
    description: A diff would show the token.
options:
  ttl:
    description: How long the token is valid, as kubeadm writes durations.
    type: str
    default: 30m
  certificate_key:
    description: Whether to upload the control plane's certificates, encrypted, and return the key to them.
    type: bool
    default: false
  config:
    description:
      - The kubeadm document of the cluster as text; needed with O(certificate_key).
      - It may be that of another control plane, whose address in it is replaced by this one's.
    type: str
  veil:
    description:
      - A secret of one use, under which the token crosses the connection to the controller, as Ansible prints at
        C(-vvv) what crosses it. The task makes one by itself.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make a token for the nodes that join
  groundwork.kube.kubeadm_token:
    ttl: 30m
  register: _join
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
token:
  description: The bootstrap token.
  type: str
  returned: success
ca_cert_hashes:
  description: The hashes of the cluster's certificate authority.
  type: list
  elements: str
  returned: success
certificate_key:
  description: The key to the uploaded certificates; empty when none was asked for.
  type: str
  returned: success
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.veil import veiled

# Of the right form, so that check mode can validate a join document made from them.
PLACEHOLDER_TOKEN = "abcdef.0123456789abcdef"  # noqa: S105
PLACEHOLDER_HASH = "sha256:" + "0" * 64
PLACEHOLDER_KEY = "0" * 64


def certificate_key(output: str) -> str:
    """The key in what ``kubeadm init phase upload-certs`` prints: alone on the last line."""
    found = re.findall(r"^[0-9a-f]{64}$", output, flags=re.MULTILINE)
    if not found:
        raise k.KubeadmError(
            "kubeadm uploaded the certificates but printed no certificate key", stdout=k.redact(output)
        )
    return str(found[-1])


def for_this_machine(config: str, manifest: str) -> str:
    """The document with the address of this machine's own API server, at which kubeadm looks for it."""
    own = re.search(r"--advertise-address=(\S+)", manifest)
    return re.sub(r"(\badvertiseAddress:[ \t]*)[^\s,}]+", rf"\g<1>{own.group(1)}", config) if own else config


def make(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    authority = k.read(f"{k.PKI}/ca.crt")
    nothing_yet = kubeadm.module.check_mode and not authority
    material = {"token": PLACEHOLDER_TOKEN, "certificate_key": ""}
    if kubeadm.module.params["certificate_key"]:
        material["certificate_key"] = PLACEHOLDER_KEY if kubeadm.module.check_mode else upload(kubeadm)
    if not kubeadm.module.check_mode:
        ttl = kubeadm.module.params["ttl"]
        material["token"] = kubeadm.act("token", "create", "--ttl", ttl, "--kubeconfig", k.ADMIN_CONF).strip()
    return {
        "changed": True,
        "ca_cert_hashes": [PLACEHOLDER_HASH if nothing_yet else k.public_key_hash(authority)],
        # The action plugin, which knows the veil, takes it off.
        "join_material": veiled(material, kubeadm.module.params["veil"]),
    }


def upload(kubeadm: k.Kubeadm) -> str:
    """The key to the control plane's certificates, which kubeadm puts into the cluster."""
    # With a document, or kubeadm would look up the newest version of Kubernetes on the internet.
    config = for_this_machine(kubeadm.module.params["config"], k.read(f"{k.MANIFESTS}/kube-apiserver.yaml"))
    with kubeadm.files(config) as files:
        return certificate_key(
            kubeadm.act("init", "phase", "upload-certs", "--upload-certs", "--config", files.document)
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "ttl": {"type": "str", "default": "30m"},
            "certificate_key": {"type": "bool", "default": False, "no_log": False},
            "config": {"type": "str"},
            "veil": {"type": "str", "default": "", "no_log": True},
        },
        required_if=[("certificate_key", True, ["config"])],
        supports_check_mode=True,
    )
    if not module.params["veil"]:
        module.fail_json(msg="veil: run this as a task, which makes one")
    k.run_with_kubeadm(module, "kubeadm token create", make)


if __name__ == "__main__":
    main()
