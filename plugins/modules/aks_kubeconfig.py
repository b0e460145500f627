#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: aks_kubeconfig
short_description: Log in to an AKS cluster, for the modules that talk to its API
version_added: 0.1.0
description:
  - Writes the kubeconfig that Azure gives to users of an AKS cluster, for its owner's eyes only.
  - Where the cluster asks Entra who comes, which C(kubelogin) would do for kubectl, the login to Azure gets the token,
    which holds for an hour or so. Nothing else is needed on the machine that uses the file.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.azure
options:
  resource_group:
    description: The cluster's resource group.
    type: str
    required: true
  name:
    description: The cluster's name.
    type: str
    required: true
  path:
    description: Where the kubeconfig is written. One that is there is replaced.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: It would show what nobody is to see.
notes:
  - Of the login, Azure wants the role Azure Kubernetes Service Cluster User, and the cluster what is to be done there.
  - A file that leads to the same cluster counts as unchanged, though its token is a new one.
seealso:
  - module: groundwork.kube.arm_resource_info
"""

EXAMPLES = r"""
- name: Log in to the cluster
  groundwork.kube.aks_kubeconfig:
    resource_group: rg-cloudtr-prd
    name: aks-cloudtr-prd
    path: ~/.kube/aks-cloudtr-prd

- name: See its nodes
  groundwork.kube.node_info:
    kubeconfig: ~/.kube/aks-cloudtr-prd
"""

RETURN = r"""
host:
  description: The name of the API server.
  returned: success
  type: str
  sample: aks-cloudtr-prd-0a1b2c3d.hcp.koreacentral.azmk8s.io
port:
  description: Its port.
  returned: success
  type: int
  sample: 443
"""

import base64
import traceback
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.groundwork.kube.plugins.module_utils.aks import API, CLUSTER
from ansible_collections.groundwork.kube.plugins.module_utils.arm import ArmClient, ArmError, ArmModule
from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import resource_id
from ansible_collections.groundwork.kube.plugins.module_utils.kubeadm import write

try:
    import yaml
except ImportError:
    _MISSING = traceback.format_exc()
else:
    _MISSING = ""

Kubeconfig = dict[str, Any]


def given(azure: ArmClient, deed: str, cluster: str) -> Kubeconfig:
    """What Azure gives to users of the cluster."""
    answer = azure.write(deed, "POST", f"{cluster}/listClusterUserCredential", API)
    config: Kubeconfig = yaml.safe_load(base64.b64decode(answer["kubeconfigs"][0]["value"]))
    return config


def entra_application(user: dict[str, Any]) -> str:
    """Whom a user of a kubeconfig is to show a token of Entra; nobody where the kubeconfig is a login by itself."""
    arguments = (user.get("exec") or {}).get("args") or []
    if "--server-id" in arguments:
        return str(arguments[arguments.index("--server-id") + 1])
    return str(((user.get("auth-provider") or {}).get("config") or {}).get("apiserver-id") or "")


def secrets_of(user: dict[str, Any]) -> list[str]:
    return [user[name] for name in ("client-key-data", "password", "token") if user.get(name)]


def clusters_in(path: str) -> Any:
    """Where a kubeconfig leads, if there is one."""
    try:
        with open(path, encoding="utf-8") as file:
            return (yaml.safe_load(file) or {}).get("clusters")
    except (OSError, yaml.YAMLError, AttributeError):
        return None


def main() -> None:
    module = ArmModule(
        {
            "resource_group": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
        }
    )
    if _MISSING:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=_MISSING)
    cluster = {"type": CLUSTER, "scope": None, **module.params}
    deed = f"log in to {module.params['name']}"
    try:
        azure = module.connect()
        config = given(azure, deed, resource_id(cluster, azure.subscription))
        for entry in config["users"]:
            application = entra_application(entry["user"])
            if application:
                entry["user"] = {"token": azure.token(deed, f"{application}/.default")}
            module.keep_secret(secrets_of(entry["user"]))
    except ArmError as error:
        module.fail_with(error)
    changed = clusters_in(module.params["path"]) != config["clusters"]
    if not module.check_mode:
        write(module.params["path"], yaml.safe_dump(config))
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    module.exit_json(changed=changed, host=server.hostname, port=server.port or 443)


if __name__ == "__main__":
    main()
