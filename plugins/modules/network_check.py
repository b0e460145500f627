#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: network_check
short_description: Prove that a cluster's network keeps its promises
version_added: 0.1.0
description:
  - Runs servers on one node and clients on another, in a namespace of its own that is deleted afterwards.
  - A pod must reach a pod on another node by its address, a Service by its address and by its name in the cluster's
    DNS, and a NetworkPolicy must let in whom it names and keep out everyone else.
  - It leaves nothing behind, so it never reports a change.
author: Groundwork founders (@groundwork)
extends_documentation_fragment: [groundwork.kube.api]
options:
  nodes:
    description:
      - Names of the nodes that may be used, at least two.
      - Servers run on the first and clients on the last, or on the last that has no CoreDNS of its own.
    type: list
    elements: str
    required: true
  image:
    description: An agnhost image that every node can pull.
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.63.0
  dns_domain:
    description: The cluster's DNS domain.
    type: str
    default: cluster.local
  timeout:
    description: Seconds after which what has not been shown has failed. Pulling the image counts.
    type: int
    default: 180
attributes:
  check_mode:
    description: Changes nothing.
    support: partial
    details: The check is made by traffic between pods, which check mode may not create. It is skipped then.
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It leaves nothing changed.
"""

EXAMPLES = r"""
- name: Traffic between two nodes, names and policies
  groundwork.kube.network_check:
    nodes: [k8s-worker-storage, k8s-worker-ai]
"""

RETURN = r"""
checks:
  description: Each promise, whether it was kept, and what was seen.
  returned: always
  type: list
  elements: dict
  sample:
    - name: service
      promise: a pod reaches a Service whose pod is on another node
      ok: true
      message: got through
server:
  description: The node the servers ran on.
  returned: always
  type: str
client:
  description: The node the clients ran on.
  returned: always
  type: str
"""

import time
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import network_check as plan
from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.trial import create_pod, trial_namespace

_PATHS = {
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Service": "/api/v1/namespaces/{}/services",
}
_INTERVAL = 1.0


class NetworkCheckError(Exception):
    """The check could not be made at all, and why."""


class NetworkCheck:
    """One run of the check in a namespace of its own."""

    def __init__(self, client: ApiClient, params: dict[str, Any], namespace: str) -> None:
        self.client = client
        self.params = params
        self.namespace = namespace
        self.deadline = time.monotonic() + params["timeout"]

    def create(self, item: plan.Object) -> plan.Object:
        if item["kind"] == "Pod":
            return create_pod(self.client, self.namespace, item, self.deadline)
        return self.client.create(_PATHS[item["kind"]].format(self.namespace), item)

    def pods(self) -> dict[str, plan.Object]:
        found = self.client.list(f"/api/v1/namespaces/{self.namespace}/pods")
        return {pod["metadata"]["name"]: pod for pod in found}

    def wait_for_servers(self) -> tuple[str, str]:
        """Addresses of the open and the guarded server, once both serve."""
        while True:
            pods = self.pods()
            waiting = [name for name, pod in pods.items() if not _ready(pod)]
            if not waiting:
                return pods["open"]["status"]["podIP"], pods["guarded"]["status"]["podIP"]
            if time.monotonic() > self.deadline:
                states = "; ".join(f"{name}: {_state(pods[name])}" for name in waiting)
                raise NetworkCheckError(
                    f"the servers of the check did not start within {self.params['timeout']} s ({states}). "
                    f"Can the node pull {self.params['image']}?"
                )
            time.sleep(_INTERVAL)

    def run(self, server: str, client: str) -> list[dict[str, Any]]:
        service = [self.create(item) for item in plan.servers(server, self.params["image"])][1]
        open_ip, guarded_ip = self.wait_for_servers()
        name = f"open.{self.namespace}.svc.{self.params['dns_domain']}"
        pending = plan.checks(open_ip, guarded_ip, service["spec"]["clusterIP"], name)
        for check in pending:
            self.create(plan.client(check, client, self.params["image"]))
        while True:
            pods = self.pods()
            verdicts = [plan.verdict(check, pods[f"client-{check.name}"]) for check in pending]
            if all(verdict.ok is not None for verdict in verdicts) or time.monotonic() > self.deadline:
                break
            time.sleep(_INTERVAL)
        return [
            {"name": check.name, "promise": check.promise, "ok": bool(verdict.ok), "message": verdict.message}
            for check, verdict in zip(pending, verdicts)
        ]


def _resolvers(client: ApiClient) -> list[str]:
    """Nodes that run CoreDNS."""
    pods = client.list("/api/v1/namespaces/kube-system/pods", {"labelSelector": "k8s-app=kube-dns"})
    return [pod["spec"].get("nodeName", "") for pod in pods]


def _ready(pod: plan.Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _state(pod: plan.Object) -> str:
    for status in pod.get("status", {}).get("containerStatuses", []):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting:
            return f"{waiting.get('reason', 'waiting')} {waiting.get('message', '')}".strip()
    return str(pod.get("status", {}).get("phase", "Pending"))


def main() -> None:
    module = ApiModule(
        {
            "nodes": {"type": "list", "elements": "str", "required": True},
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"},
            "dns_domain": {"type": "str", "default": "cluster.local"},
            "timeout": {"type": "int", "default": 180},
        }
    )
    if len(module.params["nodes"]) < 2:
        module.fail_json(msg="nodes: traffic between nodes needs two of them; name at least two that are Ready.")
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, checks=[], msg="traffic is not tried in check mode")
    client = module.connect()
    try:
        server_node, client_node = plan.pair(module.params["nodes"], _resolvers(client))
        with trial_namespace(client) as namespace:
            results = NetworkCheck(client, module.params, namespace).run(server_node, client_node)
    except ApiError as error:
        module.fail_with(error)
    except NetworkCheckError as error:
        module.fail_json(msg=str(error))
    broken = [f"{result['promise']}: {result['message']}" for result in results if not result["ok"]]
    outcome = {"changed": False, "checks": results, "server": server_node, "client": client_node}
    if broken:
        module.fail_json(msg=f"from {client_node} to {server_node}: not so: " + "; ".join(broken), **outcome)
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
