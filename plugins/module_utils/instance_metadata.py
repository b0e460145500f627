# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS' instance metadata service says of the machine that asks it, by the second version of its protocol."""

from __future__ import annotations

import json
import os

from ansible.module_utils.urls import open_url

# The variable is that of AWS' own programs.
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
ENDPOINT = "http://169.254.169.254"
# It answers at once, or never.
TIMEOUT = 3


def provider_id() -> dict[str, str]:
    """The machine's ``provider_id`` as Kubernetes writes it, or the ``error`` for which it is empty."""
    endpoint = os.environ.get(ENDPOINT_VARIABLE, ENDPOINT).rstrip("/")
    try:
        token = _ask(f"{endpoint}/latest/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        document = _ask(
            f"{endpoint}/latest/dynamic/instance-identity/document", "GET", {"X-aws-ec2-metadata-token": token}
        )
        identity = json.loads(document)
        return {"provider_id": f"aws:///{identity['availabilityZone']}/{identity['instanceId']}", "error": ""}
    # http.client's own errors are no OSError, and a captive portal answers with anything.
    except Exception as error:
        return {"provider_id": "", "error": f"{endpoint}: {error}"}


def _ask(url: str, method: str, headers: dict[str, str]) -> str:
    # The service is the machine's own: no proxy leads to it.
    with open_url(url, method=method, headers=headers, timeout=TIMEOUT, use_proxy=False) as answer:
        return str(answer.read().decode())
