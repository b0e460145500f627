# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods leave a node that is drained, which stay, and which nobody would bring back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
# On a Node that we closed to new pods; one that somebody else closed stays closed.
CORDONED_ANNOTATION = "groundwork.kube/cordoned"

Pod = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    evict: list[str] = field(default_factory=list)
    """Names as namespace/name, of pods that are still to be asked to go."""
    leaving: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Sentences: pods that would be lost, or lose data, and the option that consents."""

    @property
    def done(self) -> bool:
        return not self.evict and not self.leaving


def name_of(pod: Pod) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _controller(pod: Pod) -> Mapping[str, Any]:
    owners = pod["metadata"].get("ownerReferences") or []
    found: Mapping[str, Any] = next((owner for owner in owners if owner.get("controller")), {})
    return found


def stays(pod: Pod) -> bool:
    """A static pod is its kubelet's, and a DaemonSet would put its pod back at once."""
    annotations = pod["metadata"].get("annotations") or {}
    return MIRROR_ANNOTATION in annotations or _controller(pod).get("kind") == "DaemonSet"


def plan(pods: Iterable[Pod], force: bool, delete_emptydir_data: bool) -> Plan:
    """What `kubectl drain` would do, all refusals at once."""
    found = Plan()
    for pod in pods:
        if stays(pod):
            continue
        if pod["metadata"].get("deletionTimestamp"):
            found.leaving.append(name_of(pod))
            continue
        found.evict.append(name_of(pod))
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        if not _controller(pod) and not force:
            found.refused.append(f"{name_of(pod)} has no controller that would make it anew (force)")
        if not delete_emptydir_data and any("emptyDir" in volume for volume in pod["spec"].get("volumes") or []):
            found.refused.append(f"{name_of(pod)} would lose the data of its emptyDir (delete_emptydir_data)")
    return found


def cordon_patch(node: Mapping[str, Any]) -> dict[str, Any] | None:
    """Close the Node to new pods, and note that it was us; nothing for one that is closed."""
    if (node.get("spec") or {}).get("unschedulable"):
        return None
    return {"metadata": {"annotations": {CORDONED_ANNOTATION: "true"}}, "spec": {"unschedulable": True}}


def uncordon_patch(node: Mapping[str, Any]) -> dict[str, Any] | None:
    """Open the Node again if it was us who closed it."""
    if CORDONED_ANNOTATION not in (node["metadata"].get("annotations") or {}):
        return None
    return {"metadata": {"annotations": {CORDONED_ANNOTATION: None}}, "spec": {"unschedulable": None}}
