#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: openbao_init
short_description: Initialise OpenBao, and give its keys to whom they are for
version_added: 0.1.0
description:
  - Initialises an OpenBao in the cluster that is not, and does nothing to one that is.
  - The keys are made once and cannot be had again. They go into O(keys_file) on the controller, or are encrypted for
    their holders by OpenBao itself (O(pgp_keys), O(root_token_pgp_key)), or both. One of the two has to be said. A key
    that is not encrypted is part of nothing that the task returns, prints or logs, at any verbosity.
  - Where OpenBao unseals itself, the shares are recovery keys.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.openbao
options:
  keys_file:
    description:
      - A file on the controller that is not there yet. It is made with mode 0600 before anything else, and holds what
        C(bao operator init -format=json) prints.
    type: path
  shares:
    description: How many shares the key is split into.
    type: int
    default: 5
  threshold:
    description: How many of them unseal.
    type: int
    default: 3
  pgp_keys:
    description: The public PGP keys of the shares' holders, one for each share, as Base64 of their binary form.
    type: list
    elements: str
    default: []
  root_token_pgp_key:
    description: The public PGP key for the first token, which may do everything.
    type: str
    default: ""
  veil:
    description:
      - A secret of one use, under which the keys cross the connection to the controller, as Ansible prints at C(-vvv)
        what crosses it. The task makes one by itself.
    type: str
    default: ""
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
seealso:
  - module: groundwork.kube.openbao_unseal
"""

EXAMPLES = r"""
- name: Keep the keys in a file on this machine, to be carried to their holders
  groundwork.kube.openbao_init:
    keys_file: ~/openbao-keys.json

- name: Have each share encrypted for its holder
  groundwork.kube.openbao_init:
    shares: 3
    threshold: 2
    pgp_keys: "{{ ['kim', 'lee', 'park'] | map('regex_replace', '$', '.pgp.b64') | map('file') }}"
    root_token_pgp_key: "{{ lookup('ansible.builtin.file', 'kim.pgp.b64') }}"
"""

RETURN = r"""
key_material:
  description: The shares, each encrypted for its holder, and the first token, under the names of C(bao operator init).
  returned: changed, and every one of them is encrypted
  type: dict
keys_file:
  description: Where the keys are.
  returned: changed, with O(keys_file)
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import (
    OPENBAO_ARGUMENT_SPEC,
    OPENBAO_INIT_ARGUMENT_SPEC,
    OpenBao,
    OpenBaoError,
    Replica,
    init_problem,
)
from ansible_collections.groundwork.kube.plugins.module_utils.veil import veiled


def request(options: Mapping[str, Any], replica: Replica) -> dict[str, Any]:
    kind = "recovery" if replica.unseals_itself else "secret"
    body = {f"{kind}_shares": options["shares"], f"{kind}_threshold": options["threshold"]}
    if options["pgp_keys"]:
        body["recovery_pgp_keys" if replica.unseals_itself else "pgp_keys"] = options["pgp_keys"]
    if options["root_token_pgp_key"]:
        body["root_token_pgp_key"] = options["root_token_pgp_key"]
    return body


def document(options: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """As OpenBao's own program prints it, so that what reads the one reads the other."""
    recovery = answer.get("recovery_keys_base64") or []
    return {
        "unseal_keys_b64": answer.get("keys_base64") or [],
        "unseal_shares": 0 if recovery else options["shares"],
        "unseal_threshold": 0 if recovery else options["threshold"],
        "recovery_keys_b64": recovery,
        "recovery_keys_shares": options["shares"] if recovery else 0,
        "recovery_keys_threshold": options["threshold"] if recovery else 0,
        "root_token": answer["root_token"],
    }


def main() -> None:
    module = ApiModule({**OPENBAO_ARGUMENT_SPEC, **OPENBAO_INIT_ARGUMENT_SPEC})
    problem, veil = init_problem(module.params), module.params["veil"]
    if problem or not veil:
        module.fail_json(msg=problem or "veil: run this as a task, which makes one")
    try:
        bao = OpenBao(module.connect(), module.params)
        replicas = bao.replicas()
        if any(replica.initialized for replica in replicas):
            module.exit_json(changed=False)
        if module.check_mode:
            module.exit_json(changed=True)
        answer = bao.request(replicas[0].pod, "POST", "sys/init", request(module.params, replicas[0]))
    except ApiError as error:
        module.fail_with(error)
    except OpenBaoError as error:
        module.fail_json(msg=str(error))
    # The action plugin, which knows the veil, takes it off.
    module.exit_json(changed=True, key_material=veiled(document(module.params, answer), veil))


if __name__ == "__main__":
    main()
