#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: openbao_access
short_description: Let each namespace read its own secrets in OpenBao, and no other's
version_added: 0.1.0
description:
  - Keeps a secrets engine (key-value, version 2), authentication by Kubernetes, and for each namespace a policy and a
    role of its name. The role is for one service account of the namespace, and reads what is below the namespace's
    name.
  - A policy begins with a comment by which this module knows it. One whose namespace is not listed any more is deleted,
    together with the role; those of others stay.
  - The secrets themselves are nobody's business here.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.openbao
options:
  token:
    description: An OpenBao token that may do this, such as the first one. It is never shown.
    type: str
    required: true
  namespaces:
    description: All namespaces that read secrets.
    type: list
    elements: str
    required: true
  service_account:
    description: The service account in each of them that may.
    type: str
    default: secrets-reader
  engine:
    description: Where the secrets engine is mounted.
    type: str
    default: secret
  auth:
    description: Where authentication by Kubernetes is mounted.
    type: str
    default: kubernetes
  kubernetes_host:
    description: Where OpenBao asks who a service account's token belongs to.
    type: str
    default: https://kubernetes.default.svc
  kubernetes_ca_cert:
    description: The certificate authority of O(kubernetes_host), as PEM. Empty is that of OpenBao's own pod.
    type: str
    default: ""
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
seealso:
  - module: groundwork.kube.openbao_unseal
"""

EXAMPLES = r"""
- name: Staging and production read their own
  groundwork.kube.openbao_access:
    token: "{{ vault_openbao_token }}"
    namespaces: [plate-stg, plate-prod]
"""

RETURN = r"""
changes:
  description: What was changed.
  returned: success
  type: list
  elements: str
  sample: ["sys/policies/acl/plate-stg: created"]
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import (
    OPENBAO_ARGUMENT_SPEC,
    OpenBao,
    OpenBaoError,
    Replica,
)

MARKER = "# Kept by groundwork.kube.openbao_access."
POLICIES = "sys/policies/acl"

Content = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """Something at a path that is not as it is to be; ``after`` is None where it is to go."""

    path: str
    before: Content | None
    after: Content | None

    def __str__(self) -> str:
        return f"{self.path}: {'deleted' if self.after is None else 'changed' if self.before else 'created'}"

    def diff(self) -> dict[str, Any]:
        def shown(content: Content | None) -> str:
            return json.dumps(content, indent=2, sort_keys=True) + "\n" if content else ""

        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": shown(self.before),
            "after": shown(self.after),
        }


def policy(engine: str, namespace: str) -> str:
    return "\n".join(
        [
            MARKER,
            f'path "{engine}/data/{namespace}/*" {{ capabilities = ["read"] }}',
            f'path "{engine}/metadata/{namespace}/*" {{ capabilities = ["read", "list"] }}',
            "",
        ]
    )


def desired(options: Mapping[str, Any]) -> dict[str, Content]:
    """What is to be at which path, in the order in which it can be made."""
    auth = f"auth/{options['auth']}"
    found: dict[str, Content] = {
        f"sys/mounts/{options['engine']}": {"type": "kv", "options": {"version": "2"}},
        f"sys/{auth}": {"type": "kubernetes"},
        f"{auth}/config": {
            "kubernetes_host": options["kubernetes_host"],
            **({"kubernetes_ca_cert": options["kubernetes_ca_cert"]} if options["kubernetes_ca_cert"] else {}),
        },
    }
    for namespace in options["namespaces"]:
        found[f"{POLICIES}/{namespace}"] = {"policy": policy(options["engine"], namespace)}
        found[f"{auth}/role/{namespace}"] = {
            "bound_service_account_names": [options["service_account"]],
            "bound_service_account_namespaces": [namespace],
            "token_policies": [namespace],
            "token_ttl": 3600,
        }
    return found


def observe(bao: OpenBao, pod: str, options: Mapping[str, Any]) -> dict[str, Content]:
    """What is there of what is desired, and of what this module once made."""
    auth = f"auth/{options['auth']}"
    mounts = bao.get(pod, "sys/mounts") or {}
    auths = bao.get(pod, "sys/auth") or {}
    found: dict[str, Content] = {}
    if f"{options['engine']}/" in mounts:
        found[f"sys/mounts/{options['engine']}"] = mounts[f"{options['engine']}/"]
    paths = [f"{POLICIES}/{name}" for name in (bao.get(pod, f"{POLICIES}?list=true") or {}).get("keys") or []]
    if f"{options['auth']}/" in auths:
        found[f"sys/{auth}"] = auths[f"{options['auth']}/"]
        roles = (bao.get(pod, f"{auth}/role?list=true") or {}).get("keys") or []
        paths += [f"{auth}/config", *(f"{auth}/role/{name}" for name in roles)]
    for path in paths:
        content = bao.get(pod, path)
        if content is not None:
            found[path] = content
    return found


def differs(wanted: Content, there: Content) -> bool:
    """Whether a key that is wanted is not so; what else there is has its own defaults."""
    return any(there.get(key) != value for key, value in wanted.items())


def plan(wanted: Mapping[str, Content], there: Mapping[str, Content], options: Mapping[str, Any]) -> list[Change]:
    for path in (f"sys/mounts/{options['engine']}", f"sys/auth/{options['auth']}"):
        if path in there and differs({"type": wanted[path]["type"]}, there[path]):
            raise OpenBaoError(
                f"{path} is of the type {there[path]['type']}, not {wanted[path]['type']}: name another path, or move "
                "what is there"
            )
    changes = []
    for path, content in wanted.items():
        present = there.get(path)
        if present is None or differs(content, present):
            before = None if present is None else {key: present.get(key) for key in content}
            changes.append(Change(path, before, content))
    ours = [
        path.rpartition("/")[2]
        for path, content in there.items()
        if path.startswith(POLICIES) and content["policy"].startswith(MARKER)
    ]
    for name in ours:
        both = (f"auth/{options['auth']}/role/{name}", f"{POLICIES}/{name}")
        changes += [Change(path, there[path], None) for path in both if path in there and path not in wanted]
    return changes


def carry_out(bao: OpenBao, pod: str, changes: list[Change]) -> None:
    for change in changes:
        if change.after is None:
            bao.request(pod, "DELETE", change.path)
        # A mount is made once; its options are tuned.
        elif change.path.startswith("sys/mounts/") and change.before:
            bao.request(pod, "POST", f"{change.path}/tune", {"options": change.after["options"]})
        else:
            bao.request(pod, "POST", change.path, change.after)


def unsealed(replicas: list[Replica]) -> Replica:
    """Any that is: it passes on what only the active one may do."""
    for replica in replicas:
        if not replica.sealed:
            return replica
    raise OpenBaoError("every replica of OpenBao is sealed; run playbooks/openbao_unseal.yml first")


def main() -> None:
    module = ApiModule(
        {
            **OPENBAO_ARGUMENT_SPEC,
            "token": {"type": "str", "required": True, "no_log": True},
            "namespaces": {"type": "list", "elements": "str", "required": True},
            "service_account": {"type": "str", "default": "secrets-reader"},
            "engine": {"type": "str", "default": "secret"},
            "auth": {"type": "str", "default": "kubernetes"},
            "kubernetes_host": {"type": "str", "default": "https://kubernetes.default.svc"},
            "kubernetes_ca_cert": {"type": "str", "default": ""},
        }
    )
    try:
        bao = OpenBao(module.connect(), module.params, module.params["token"])
        pod = unsealed(bao.replicas()).pod
        changes = plan(desired(module.params), observe(bao, pod, module.params), module.params)
        if not module.check_mode:
            carry_out(bao, pod, changes)
    except ApiError as error:
        module.fail_with(error)
    except OpenBaoError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changes),
        changes=[str(change) for change in changes],
        diff=[change.diff() for change in changes],
    )


if __name__ == "__main__":
    main()
