# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Nodes and workloads are, in the few words a person needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

HEALTH_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "nodes": {"type": "list", "elements": "str", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "workloads": {"type": "list", "elements": "str", "default": []},
    "pod_network": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 600},
    "interval": {"type": "int", "default": 3},
}

# The kubelet puts the runtime's own reason into the message of its Ready condition.
_INNER_REASON = re.compile(r"\breason:(\w+)")
_SHOWN = 5
_LONGEST_REASON = 80


@dataclass(frozen=True)
class State:
    """A Node or a workload: whether it is as it should be, and if not, why."""

    name: str
    ready: bool
    reason: str = ""

    @property
    def lacks_only_the_network(self) -> bool:
        return self.reason == "NetworkPluginNotReady"

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name

    def result(self) -> dict[str, Any]:
        return {"ready": self.ready, "reason": self.reason}


def node_state(name: str, node: Mapping[str, Any] | None) -> State:
    if node is None:
        return State(name, False, "no Node object")
    conditions = (node.get("status") or {}).get("conditions") or []
    ready: Mapping[str, str] = next((condition for condition in conditions if condition["type"] == "Ready"), {})
    if ready.get("status") == "True":
        return State(name, True)
    message, reason = ready.get("message") or "", ready.get("reason") or "no status yet"
    inner = _INNER_REASON.search(message)
    if inner:
        return State(name, False, inner.group(1))
    # KubeletNotReady says no more than that the Node is not Ready.
    return State(name, False, message[:_LONGEST_REASON] if message and reason == "KubeletNotReady" else reason)


def workload_state(name: str, workload: Mapping[str, Any] | None, unreachable: int = 0) -> State:
    """As `kubectl rollout status` judges it; a DaemonSet is not waited for on ``unreachable`` Nodes."""
    if workload is None:
        return State(name, False, "does not exist")
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if (status.get("observedGeneration") or 0) < workload["metadata"].get("generation", 1):
        return State(name, False, "not seen by its controller yet")
    if "desiredNumberScheduled" in status:
        wanted = max(status["desiredNumberScheduled"] - unreachable, 0)
        updated, available = status.get("updatedNumberScheduled") or 0, status.get("numberAvailable") or 0
    else:
        wanted = spec.get("replicas", 1)
        updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    done = min(updated, available)
    return State(name, done >= wanted, "" if done >= wanted else f"{done}/{wanted}")


def summary(nodes: Collection[State], workloads: Collection[State] = ()) -> str:
    """Such as "9/14 Ready, waiting: k8s-redis (NetworkPluginNotReady)"; without Nodes it counts workloads."""
    counted, word = (nodes, "Ready") if nodes else (workloads, "rolled out")
    done = sum(state.ready for state in counted)
    waiting = [str(state) for state in [*nodes, *workloads] if not state.ready]
    shown = waiting[:_SHOWN] + ([f"{len(waiting) - _SHOWN} more"] if len(waiting) > _SHOWN else [])
    return f"{done}/{len(counted)} {word}" + (f", waiting: {', '.join(shown)}" if shown else "")
