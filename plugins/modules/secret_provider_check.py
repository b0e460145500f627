#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: secret_provider_check
short_description: Whether the one Secrets Store CSI driver runs, and the Secrets of its classes have appeared
version_added: 0.1.0
description:
  - Says whether the driver was brought by AKS' add-on or by a chart, and fails if it is not the one that is meant.
    Both at once take each other's volumes.
  - Waits until it is registered on every node, and until the Secrets that classes promise have all their keys. A Secret
    appears only once a pod mounts the class; that none does is said, and is no failure.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  driver:
    description: Who brings the driver.
    type: str
    choices: [addon, chart]
    required: true
  installed:
    description: Whether it is to be there by now. If not, only the other one is refused, and who uses it is said.
    type: bool
    default: true
  nodes:
    description: Names of the Nodes it must be on; all, if none is said.
    type: list
    elements: str
    default: []
  classes:
    description: The SecretProviderClasses whose Secrets are looked for, each as C(namespace/name).
    type: list
    elements: str
    default: []
  timeout:
    description: For how many seconds to wait. With V(0) it looks once.
    type: int
    default: 180
attributes:
  check_mode:
    description: Changes nothing.
    support: full
    details: It looks once, and what is missing is told and no failure; another driver than the one that is meant is.
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
seealso:
  - module: groundwork.kube.keyvault_check
"""

EXAMPLES = r"""
- name: Wait until the application's Secrets are there
  groundwork.kube.secret_provider_check:
    driver: addon
    classes: [prd/azure-kv-secrets]
"""

RETURN = r"""
drivers:
  description: The drivers that are there, C(addon) and C(chart), and the DaemonSet of each.
  returned: always
  type: dict
  sample: {addon: kube-system/aks-secrets-store-csi-driver}
problems:
  description: What is missing, and what helps.
  returned: always
  type: list
  elements: str
pods:
  description: The pods that mount a class, as C(namespace/name), with O(installed=false).
  returned: always
  type: list
  elements: str
unmounted:
  description: The classes that no pod mounts, so that their Secrets cannot be there yet.
  returned: always
  type: list
  elements: str
"""

import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES
from ansible_collections.groundwork.kube.plugins.module_utils.secret_provider_check import (
    DRIVER,
    diagnose,
    drivers,
    lacking,
    mounting,
    no_driver,
    other_driver,
)
from ansible_collections.groundwork.kube.plugins.module_utils.volume_check import (
    Finding,
    Observed,
    by_name,
    messages,
    unregistered,
)

INTERVAL = 2.0
CLASSES = "/apis/secrets-store.csi.x-k8s.io/v1"


class Look:
    """The cluster as it is at one moment."""

    def __init__(self, api: ApiClient, options: dict[str, Any]) -> None:
        self.api = api
        self.options = options
        self.drivers = drivers(api.list("/apis/apps/v1/daemonsets"))
        self.unmounted: list[str] = []
        self.refusal = other_driver(options["driver"], self.drivers)
        self.problems: list[str] = []
        self.pods: list[str] = []
        if not options["installed"]:
            self.pods = [
                f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                for pod in mounting(api.list("/api/v1/pods"))
            ]
        elif self.refusal is None:
            self.problems = list(self._problems())

    def _problems(self) -> Iterator[str]:
        found = no_driver(self.options["driver"], self.drivers, self._unregistered())
        if found:
            yield str(found)
            return
        for each in self.options["classes"]:
            for finding in self._of_class(*each.split("/")):
                yield str(finding)

    def _unregistered(self) -> list[str]:
        names = self.options["nodes"]
        nodes = {name: node for name, node in by_name(self.api.list(NODES)).items() if name in names or not names}
        csi_nodes = by_name(self.api.list("/apis/storage.k8s.io/v1/csinodes"))
        return unregistered(Observed(provisioner=DRIVER, nodes=nodes, csi_nodes=csi_nodes))

    def _of_class(self, namespace: str, name: str) -> Iterator[Finding]:
        home = f"namespaces/{path_segment(namespace)}"
        provided = self.api.get(f"{CLASSES}/{home}/secretproviderclasses/{path_segment(name)}")
        if provided is None:
            yield Finding(f"{namespace}/{name}", "there is no such class", "make it, or see why Argo CD did not")
            return
        secrets = by_name(self.api.list(f"/api/v1/{home}/secrets"))
        incomplete = list(lacking(provided, secrets))
        if not incomplete:
            return
        pods = mounting(self.api.list(f"/api/v1/{home}/pods"), name)
        if not pods:
            self.unmounted.append(f"{namespace}/{name}")
            return
        events = self.api.list(f"/api/v1/{home}/events")
        theirs = [event for event in events if event["involvedObject"].get("name") in by_name(pods)]
        why, remedy = diagnose(pods, messages(theirs))
        for secret, problem in incomplete:
            yield Finding(f"Secret {namespace}/{secret}", f"{problem}: {why}", remedy)


def last_look(module: ApiModule, api: ApiClient) -> Look:
    deadline = time.monotonic() + (0 if module.check_mode else module.params["timeout"])
    while True:
        look = Look(api, module.params)
        if look.refusal or not look.problems or time.monotonic() >= deadline:
            return look
        time.sleep(INTERVAL)


def main() -> None:
    module = ApiModule(
        {
            "driver": {"type": "str", "choices": ["addon", "chart"], "required": True},
            "installed": {"type": "bool", "default": True},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "classes": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 180},
        }
    )
    malformed = [each for each in module.params["classes"] if each.count("/") != 1]
    if malformed:
        module.fail_json(msg=f"classes: {', '.join(malformed)}: write namespace/name")
    try:
        look = last_look(module, module.connect())
    except ApiError as error:
        module.fail_unless_assumed(error)
        module.exit_json(changed=False, drivers={}, problems=[], pods=[], unmounted=[])
    result = {"drivers": look.drivers, "problems": look.problems, "pods": look.pods, "unmounted": look.unmounted}
    if look.refusal:
        module.fail_json(msg=str(look.refusal), **result)
    if look.problems and not module.check_mode:
        module.fail_json(msg="\n".join(look.problems), **result)
    for each in look.unmounted:
        module.warn(f"No pod mounts {each}: its Secrets appear with the first one that does, and go with the last.")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
