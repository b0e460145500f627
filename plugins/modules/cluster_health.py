#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_health
short_description: Wait until Nodes are Ready and workloads are rolled out, and say what is waited for
version_added: 0.1.0
description:
  - Looks at the cluster again and again until every Node is Ready and every workload is rolled out.
  - >-
    While it waits it prints a line whenever something has changed, such as
    "9/14 Ready, waiting: k8s-redis (NetworkPluginNotReady)".
  - An API that is restarting is waited for too.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  nodes:
    description: Names of the Nodes that must be Ready.
    type: list
    elements: str
    required: true
  absent:
    description:
      - Names of Nodes not to wait for, such as hosts that could not be reached. Their share of a DaemonSet is not
        waited for either.
    type: list
    elements: str
    default: []
  workloads:
    description:
      - Workloads that must be rolled out, each as C(namespace/Kind/name). The kinds are V(Deployment), V(DaemonSet) and
        V(StatefulSet).
    type: list
    elements: str
    default: []
  pod_network:
    description: Whether there is a pod network. Without one, a Node that lacks nothing else is as ready as it can be.
    type: bool
    default: true
  timeout:
    description: How long to wait, in seconds. With V(0) it looks once, and fails if something is not as it should be.
    type: int
    default: 600
  interval:
    description: How long to wait between two looks, in seconds.
    type: int
    default: 3
attributes:
  check_mode:
    description: Changes nothing.
    support: full
    details: It looks once, does not wait and does not fail over what it sees.
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
"""

EXAMPLES = r"""
- name: Wait for the cluster
  groundwork.kube.cluster_health:
    nodes: "{{ groups['kube_control_plane'] | union(groups['kube_node']) }}"
    workloads:
      - kube-system/DaemonSet/calico-node
      - kube-system/Deployment/coredns
    timeout: 900
"""

RETURN = r"""
healthy:
  description: Whether everything is as it should be.
  returned: success
  type: bool
summary:
  description: Everything in one line.
  returned: always
  type: str
  sample: "9/14 Ready, waiting: k8s-redis (NetworkPluginNotReady)"
nodes:
  description: Each Node, whether it is Ready, and if not, why.
  returned: always
  type: dict
  sample: {k8s-redis: {ready: false, reason: NetworkPluginNotReady}}
workloads:
  description: Each workload, whether it is rolled out, and if not, how far it is.
  returned: always
  type: dict
  sample: {kube-system/DaemonSet/calico-node: {ready: false, reason: 9/14}}
"""

from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    ApiUnreachableError,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.health import (
    HEALTH_ARGUMENT_SPEC,
    State,
    node_state,
    summary,
    workload_state,
)
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES

RESOURCES = {"Deployment": "deployments", "DaemonSet": "daemonsets", "StatefulSet": "statefulsets"}


def workload_path(name: str) -> str:
    parts = name.split("/")
    if len(parts) != 3 or not all(parts) or parts[1] not in RESOURCES:
        raise ValueError(f"workload {name!r} is not namespace/Kind/name with Kind one of {', '.join(RESOURCES)}")
    namespace, kind, workload = parts
    return f"/apis/apps/v1/namespaces/{path_segment(namespace)}/{RESOURCES[kind]}/{path_segment(workload)}"


def observe(api: ApiClient, params: dict[str, Any]) -> tuple[list[State], list[State]]:
    live = {node["metadata"]["name"]: node for node in api.list(NODES)}
    unreachable = len(live.keys() & set(params["absent"]))
    nodes = [node_state(name, live.get(name)) for name in params["nodes"] if name not in params["absent"]]
    workloads = [workload_state(name, api.get(workload_path(name)), unreachable) for name in params["workloads"]]
    return nodes, workloads


def look(module: ApiModule) -> tuple[list[State], list[State], str]:
    api = module.connect()
    try:
        nodes, workloads = observe(api, module.params)
    except ApiError as error:
        # An API that is being restarted refuses connections or answers 5xx; it is what the wait is for.
        if not isinstance(error, ApiUnreachableError) and error.status < 500:
            raise
        return unknown(module.params["nodes"]), [], str(error)
    return nodes, workloads, summary(nodes, workloads)


def unknown(names: list[str]) -> list[State]:
    return [State(name, False, "not known") for name in names]


def main() -> None:
    """Look once; waiting is the business of the action plugin of the same name, which can print meanwhile."""
    module = ApiModule(HEALTH_ARGUMENT_SPEC)
    try:
        for name in module.params["workloads"]:
            workload_path(name)
    except ValueError as error:
        module.fail_json(msg=str(error))
    try:
        nodes, workloads, line = look(module)
    except ApiError as error:
        if not module.assumes_api:
            module.fail_with(error)
        nodes, workloads = unknown(module.params["nodes"]), []
        line = f"{len(nodes)} Nodes would be waited for"
    module.exit_json(
        changed=False,
        healthy=all(
            state.ready or (state.lacks_only_the_network and not module.params["pod_network"])
            for state in [*nodes, *workloads]
        ),
        summary=line,
        nodes={state.name: state.result() for state in nodes},
        workloads={state.name: state.result() for state in workloads},
    )


if __name__ == "__main__":
    main()
