#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: node_provider_ids
short_description: The cloud's name of each machine on its Node
version_added: 0.1.0
description:
  - Sees to it that every Node says which machine of the cloud it is, in C(spec.providerID). Volumes are attached and
    load balancers find machines by it.
  - A Node that has none is given the one of O(nodes). A Node that has another is refused, because Kubernetes lets
    nobody change it.
  - Waits for a cloud controller that has still to find a Node's machine, which is when the taint
    C(node.cloudprovider.kubernetes.io/uninitialized) goes.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  nodes:
    description:
      - What the cloud calls each machine, by Node. An empty text asks only that the Node has a providerID.
    type: dict
    required: true
  timeout:
    description: Seconds to wait for a cloud controller.
    type: int
    default: 0
attributes:
  check_mode:
    description: Says what it would do and changes nothing.
    support: full
    details: Each change goes to the API as a dry run. A cloud controller is not waited for.
  diff_mode:
    description: Shows before and after.
    support: full
seealso:
  - module: groundwork.kube.node_info
"""

EXAMPLES = r"""
- name: Say which machines the Nodes are
  groundwork.kube.node_provider_ids:
    nodes:
      k8s-redis: aws:///ap-northeast-2a/i-0123456789abcdef0

- name: Wait until the cloud controller has found every machine
  groundwork.kube.node_provider_ids:
    nodes: "{{ dict(groups['kube_node'] | product([''])) }}"
    timeout: 300
"""

RETURN = r"""
provider_ids:
  description: What is in C(spec.providerID), by Node.
  returned: always
  type: dict
  sample: {k8s-redis: "aws:///ap-northeast-2a/i-0123456789abcdef0"}
given:
  description: The Nodes that had none and were given one.
  returned: always
  type: list
  elements: str
problems:
  description: What is wrong, each with its remedy.
  returned: always
  type: list
  elements: str
"""

import time
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.node_cloud import Finding, judge
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem, summary

INTERVAL = 2


def observe(module: ApiModule, api: ApiClient) -> dict[str, Finding]:
    live = {node["metadata"]["name"]: node for node in api.list(NODES)}
    return {name: judge(name, live.get(name), wanted or "") for name, wanted in module.params["nodes"].items()}


def wait(module: ApiModule, api: ApiClient) -> dict[str, Finding]:
    """Until nothing is left that somebody else may be about to mend."""
    deadline = time.monotonic() + (0 if module.check_mode else module.params["timeout"])
    while True:
        found = observe(module, api)
        if not any(finding.waiting for finding in found.values()) or time.monotonic() >= deadline:
            return found
        time.sleep(INTERVAL)


def give(module: ApiModule, api: ApiClient, name: str, provider_id: str) -> dict[str, str]:
    query = {"dryRun": "All"} if module.check_mode else {}
    api.patch(f"{NODES}/{path_segment(name)}", {"spec": {"providerID": provider_id}}, query)
    header = f"Node {name}"
    return {
        "before_header": header,
        "after_header": header,
        "before": "",
        "after": f"providerID: {provider_id}\n",
    }


def run(module: ApiModule) -> dict[str, Any]:
    api = module.connect()
    found = wait(module, api)
    given = [name for name, finding in found.items() if finding.missing]
    return {
        "changed": bool(given),
        "diff": [give(module, api, name, found[name].provider_id) for name in given],
        "given": given,
        "provider_ids": {name: finding.provider_id for name, finding in found.items()},
        "problems": summary(
            Problem(name, "providerID", finding.problem, finding.remedy)
            for name, finding in found.items()
            if finding.problem
        ),
    }


def main() -> None:
    module = ApiModule(
        {
            "nodes": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 0},
        }
    )
    try:
        result = run(module)
    except ApiError as error:
        module.fail_unless_assumed(error)
        result = {"changed": False, "given": [], "provider_ids": {}, "problems": []}
    if result["problems"] and not module.assumes_api:
        module.fail_json(msg="\n".join(result["problems"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
