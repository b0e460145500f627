# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would roll workloads out: the tests' API server has no controllers and no kubelets."""

from __future__ import annotations

import threading
from contextlib import suppress

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError
from tests.api.conftest import Api

_ONE_POD = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
_EVERYWHERE = {
    **dict.fromkeys(("currentNumberScheduled", "desiredNumberScheduled", "updatedNumberScheduled"), 2),
    "numberAvailable": 2,
    "numberReady": 2,
    "numberMisscheduled": 0,
}


class Controllers(threading.Thread):
    """Says of each of these workloads, as soon as it is there, that it runs: one pod, or one on each of two nodes."""

    def __init__(self, api: Api, *workloads: str) -> None:
        super().__init__()
        self.client = ApiClient.from_options({"kubeconfig": str(api.kubeconfig)})
        self.stopped = threading.Event()
        self.statuses = {path: _EVERYWHERE if "/daemonsets/" in path else _ONE_POD for path in workloads}

    def run(self) -> None:
        while not self.stopped.wait(0.3):
            for path, status in self.statuses.items():
                # What is deleted between two calls is nobody's loss.
                with suppress(ApiError):
                    found = self.client.get(path)
                    if found:
                        seen = {"observedGeneration": found["metadata"]["generation"]}
                        self.client.patch(f"{path}/status", {"status": {**status, **seen}})

    def stop(self) -> None:
        self.stopped.set()
        self.join()
        self.client.close()
