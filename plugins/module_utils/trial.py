# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace in which something is tried, and of which nothing stays."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError

NAMESPACES = "/api/v1/namespaces"
INTERVAL = 0.5


@contextmanager
def trial_namespace(api: ApiClient) -> Iterator[str]:
    """The name of a namespace that is there as long as the block runs."""
    name = f"groundwork-verify-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    api.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
    try:
        yield name
    finally:
        api.delete(f"{NAMESPACES}/{name}")


def create_pod(api: ApiClient, namespace: str, pod: Mapping[str, Any], deadline: float) -> dict[str, Any]:
    """Create a pod in a namespace that may be too young for pods, until ``deadline`` on the monotonic clock.

    The namespace's account is made by a controller after the namespace, on a busy cluster seconds after it, and
    until then no pod is admitted (kubernetes, plugin/pkg/admission/serviceaccount).
    """
    while True:
        try:
            return api.create(f"{NAMESPACES}/{namespace}/pods", pod)
        except ApiError as error:
            awaits_account = error.status == 403 and "error looking up service account" in error.message
            if not awaits_account or time.monotonic() >= deadline:
                raise
        time.sleep(INTERVAL)
