#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: service_check
short_description: Whether services answer, asked through the Kubernetes API
version_added: 0.1.0
description:
  - Asks HTTP services through the proxy of the API server, so that they need no way in from outside and the host that
    asks needs no way to the pods.
  - Asks again until each has answered as it should, or time is up.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  services:
    description: The services, and what is expected of them.
    type: list
    elements: dict
    required: true
    suboptions:
      namespace:
        description: Namespace of the Service.
        type: str
        required: true
      service:
        description: Name of the Service.
        type: str
        required: true
      port:
        description: Port of the Service, by number or name.
        type: str
        required: true
      path:
        description: What to ask for, with its query.
        type: str
        default: /
      scheme:
        description: How the pods speak.
        type: str
        choices: [http, https]
        default: http
      contains:
        description: A text that the answer has to contain.
        type: str
  timeout:
    description: How long to ask, in seconds. With V(0) each is asked once.
    type: int
    default: 60
attributes:
  check_mode:
    description: Changes nothing.
    support: full
    details: Each is asked once, and a wrong answer is told and no failure.
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
"""

EXAMPLES = r"""
- name: Ask the shop whether it is open
  groundwork.kube.service_check:
    services:
      - {namespace: shop, service: web, port: http, path: /readyz}
"""

RETURN = r"""
answers:
  description: Each service and how it answered last.
  returned: always
  type: list
  elements: dict
  contains:
    service: {description: Namespace and name., type: str, sample: shop/web}
    right: {description: Whether it answered as it should., type: bool}
    answer: {description: Why not., type: str, sample: "503 ServiceUnavailable: no endpoints available"}
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    ApiUnreachableError,
    path_segment,
)

INTERVAL = 2

Answer = dict[str, Any]


def proxy_path(wanted: Mapping[str, Any]) -> str:
    name = path_segment(f"{wanted['scheme']}:{wanted['service']}:{wanted['port']}")
    return f"/api/v1/namespaces/{path_segment(wanted['namespace'])}/services/{name}/proxy/{wanted['path'].lstrip('/')}"


def ask(api: ApiClient, wanted: Mapping[str, Any]) -> Answer:
    def answer(text: str = "") -> Answer:
        return {"service": f"{wanted['namespace']}/{wanted['service']}", "right": not text, "answer": text}

    try:
        body = api.text(proxy_path(wanted))
    except ApiUnreachableError:
        raise
    except ApiError as error:
        return answer(error.message)
    expected = wanted["contains"]
    return answer(f"does not contain {json.dumps(expected)}" if expected and expected not in body else "")


def main() -> None:
    wanted = {
        "namespace": {"type": "str", "required": True},
        "service": {"type": "str", "required": True},
        "port": {"type": "str", "required": True},
        "path": {"type": "str", "default": "/"},
        "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
        "contains": {"type": "str"},
    }
    module = ApiModule(
        {
            "services": {"type": "list", "elements": "dict", "required": True, "options": wanted},
            "timeout": {"type": "int", "default": 60},
        }
    )
    deadline = time.monotonic() + (0 if module.check_mode else module.params["timeout"])
    try:
        api = module.connect()
        while True:
            answers = [ask(api, service) for service in module.params["services"]]
            wrong = [answer for answer in answers if not answer["right"]]
            if not wrong or time.monotonic() >= deadline:
                break
            time.sleep(INTERVAL)
    except ApiError as error:
        if not module.assumes_api:
            module.fail_with(error)
        answers = wrong = []
    if wrong and not module.check_mode:
        lines = [f"{answer['service']}: {answer['answer']}" for answer in wrong]
        module.fail_json(
            msg="\n".join([f"{len(wrong)} of {len(answers)} services do not answer:", *lines]), answers=answers
        )
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
