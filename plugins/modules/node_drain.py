#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_drain
short_description: Empty a Node of its pods for maintenance, and open it again
version_added: 0.1.0
description:
  - Closes a Node to new pods and asks each pod to go through the eviction API, which keeps to the
    PodDisruptionBudgets. A pod that a budget holds back is asked again until O(timeout), and then the budget is named.
  - Pods of DaemonSets and static pods stay.
  - A Node that it closed carries the annotation C(groundwork.kube/cordoned). Only such a Node is opened again, so that
    one that somebody else has closed stays closed.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  name:
    description: The name of the Node.
    type: str
    required: true
  state:
    description:
      - V(drained) closes the Node and waits until its pods have gone.
      - V(uncordoned) waits until the Node is Ready, and then opens it.
    type: str
    choices: [drained, uncordoned]
    default: drained
  timeout:
    description: How long to wait for the pods to go, or for the Node to be Ready, in seconds.
    type: int
    default: 600
  force:
    description: Whether pods that no controller would make anew may go, too.
    type: bool
    default: false
  delete_emptydir_data:
    description: Whether pods with data in an C(emptyDir) may go and lose it.
    type: bool
    default: false
  kubelet_version:
    description:
      - With O(state=uncordoned), the version that the kubelet has to report, such as V(1.37.1), besides being Ready.
      - Else the last word of the kubelet before its restart would count.
    type: str
attributes:
  check_mode:
    description: Says what it would do and changes nothing.
    support: full
    details:
      - Each eviction goes to the API as a dry run. A budget that holds a pod back now is warned of.
      - It does not wait, and with O(state=uncordoned) judges the Node as it is.
  diff_mode:
    description: Shows before and after.
    support: full
    details: The pods that go, and whether the Node takes pods.
seealso:
  - module: kubernetes.core.k8s_drain
"""

EXAMPLES = r"""
- name: Empty a node
  groundwork.kube.node_drain:
    name: k8s-redis
    delete_emptydir_data: true

- name: Let it take pods again
  groundwork.kube.node_drain:
    name: k8s-redis
    state: uncordoned
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
  sample: ["kubectl drain k8s-redis --ignore-daemonsets"]
pods:
  description: The pods that went, or would go, as namespace/name.
  type: list
  elements: str
  returned: always
  sample: [web/front-7d9c]
blocked:
  description: Each pod that was held back, and by what.
  type: dict
  returned: when pods were still there at the end, and in check mode
"""

import time
import typing as t

from ansible_collections.groundwork.kube.plugins.module_utils import drain
from ansible_collections.groundwork.kube.plugins.module_utils import kubernetes_version as versions
from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    RESTART_PATIENCE,
    ApiClient,
    ApiError,
    ApiModule,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.health import node_state
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES

if t.TYPE_CHECKING:
    from collections.abc import Mapping

PAUSE = 1


class Drain:
    def __init__(self, module: ApiModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.path = f"{NODES}/{path_segment(self.name)}"
        self.api: ApiClient = module.connect(patience=0 if module.check_mode else RESTART_PATIENCE)
        self.deadline = time.monotonic() + module.params["timeout"]
        self.commands: list[str] = []
        self.went: list[str] = []
        self.blocked: dict[str, str] = {}

    def node(self) -> Mapping[str, t.Any]:
        found = self.api.get(self.path)
        if found is None:
            self.fail(f"There is no Node {self.name}")
        return found or {}

    def plan(self) -> drain.Plan:
        pods = self.api.list("/api/v1/pods", {"fieldSelector": f"spec.nodeName={self.name}"})
        return drain.plan(pods, self.module.params["force"], self.module.params["delete_emptydir_data"])

    def empty(self) -> None:
        cordon, plan = drain.cordon_patch(self.node()), self.plan()
        if plan.refused:
            self.fail(f"{self.name} is not drained: " + "; ".join(plan.refused))
        if cordon or not plan.done:
            options = {"force": "--force", "delete_emptydir_data": "--delete-emptydir-data"}
            flags = ["--ignore-daemonsets", *(flag for name, flag in options.items() if self.module.params[name])]
            self.commands.append(f"kubectl drain {self.name} {' '.join(flags)}")
        if cordon and not self.module.check_mode:
            self.api.patch(self.path, cordon)
        self.went = sorted(plan.evict)
        while not plan.done:
            self.blocked = {name: reason for name, reason in ((pod, self.evict(pod)) for pod in plan.evict) if reason}
            if self.module.check_mode:
                break
            if time.monotonic() > self.deadline:
                self.give_up(plan)
            time.sleep(PAUSE)
            plan = self.plan()
        for pod, reason in self.blocked.items() if self.module.check_mode else ():
            self.module.warn(f"{pod} could not be evicted now: {reason}")
        self.exit(bool(cordon or self.went), "takes pods" if cordon else "takes no pods", "takes no pods")

    def evict(self, pod: str) -> str:
        """Ask a pod to go; what holds it back, or nothing."""
        namespace, _slash, name = pod.partition("/")
        path = f"/api/v1/namespaces/{path_segment(namespace)}/pods/{path_segment(name)}/eviction"
        eviction: dict[str, t.Any] = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": namespace, "name": name},
        }
        if self.module.check_mode:
            eviction["deleteOptions"] = {"dryRun": ["All"]}
        try:
            self.api.request("POST", path, eviction, attempts=1)
        except ApiError as error:
            # 404: it went by itself. 429: a budget has nothing left to give. 5xx: two budgets hold it. 0: no answer.
            if error.status == 404:
                return ""
            if error.status not in (0, 429) and error.status < 500:
                raise
            return error.message
        return ""

    def give_up(self, plan: drain.Plan) -> None:
        reasons = [f"{pod}: {self.blocked.get(pod, 'is still ending')}" for pod in sorted(plan.evict + plan.leaving)]
        self.fail(
            f"{self.name} still has pods after {self.module.params['timeout']} s. "
            + "; ".join(reasons)
            + f". Let the workload have a replica more than its budget wants, or wait longer, and run again. Until "
            f"then {self.name} takes no new pods; `kubectl uncordon {self.name}` opens it."
        )

    def uncordon(self) -> None:
        node = self.node()
        wanted = self.module.params["kubelet_version"]
        while not self.module.check_mode:
            waiting_for = _lacks(node, wanted)
            if not waiting_for:
                break
            if time.monotonic() > self.deadline:
                self.fail(f"{self.name} is not ready after {self.module.params['timeout']} s: {waiting_for}")
            time.sleep(PAUSE)
            node = self.node()
        patch = drain.uncordon_patch(node)
        if patch:
            self.commands.append(f"kubectl uncordon {self.name}")
            if not self.module.check_mode:
                self.api.patch(self.path, patch)
        self.exit(bool(patch), "takes no pods" if patch else "as it is", "takes pods" if patch else "as it is")

    def exit(self, changed: bool, before: str, after: str) -> None:
        header = f"Node {self.name}"
        pods = "".join(f"{pod}\n" for pod in self.went)
        result: dict[str, t.Any] = {"changed": changed, "commands": self.commands, "pods": self.went}
        if changed:
            result["diff"] = {
                "before_header": header,
                "after_header": header,
                "before": f"{before}\n{pods}",
                "after": f"{after}\n",
            }
        self.module.exit_json(blocked=self.blocked if self.module.check_mode else {}, **result)

    def fail(self, message: str) -> None:
        self.module.fail_json(msg=message, commands=self.commands, pods=self.went, blocked=self.blocked)


def _lacks(node: Mapping[str, t.Any], kubelet_version: str | None) -> str:
    """What is waited for, in words; nothing when the Node is as it should be."""
    reported = node["status"]["nodeInfo"]["kubeletVersion"]
    if kubelet_version and versions.parse(reported) != versions.parse(kubelet_version):
        return f"its kubelet reports {reported}, not v{kubelet_version}"
    state = node_state(node["metadata"]["name"], node)
    return "" if state.ready else state.reason


def main() -> None:
    module = ApiModule(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "uncordoned"], "default": "drained"},
            "timeout": {"type": "int", "default": 600},
            "force": {"type": "bool", "default": False},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "kubelet_version": {"type": "str"},
        }
    )
    try:
        work = Drain(module)
        if module.params["state"] == "drained":
            work.empty()
        else:
            work.uncordon()
    except ApiError as error:
        module.fail_with(error)


if __name__ == "__main__":
    main()
