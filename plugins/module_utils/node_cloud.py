# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cloud's name of a machine is on its Node, and what is to be done if not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"


@dataclass(frozen=True)
class Finding:
    """What a Node is to be given, or what is the matter with it."""

    provider_id: str = ""
    missing: bool = False
    """Whether the Node has none, and may be given this one."""
    problem: str = ""
    remedy: str = ""
    waiting: bool = False
    """Whether somebody else may be about to mend it."""


def judge(name: str, node: Mapping[str, Any] | None, wanted: str) -> Finding:
    """``wanted`` is empty where somebody else says what it is."""
    if node is None:
        return Finding(problem="the cluster has no such Node", remedy="join it: run site.yml")
    spec = node.get("spec") or {}
    found = str(spec.get("providerID") or "")
    if found and wanted and found != wanted:
        return Finding(
            found,
            problem=f"is {found}, and the machine is {wanted}; Kubernetes lets nobody change it",
            remedy=f"kubectl drain {name}, kubectl delete node {name}, and run site.yml: its kubelet registers it anew",
        )
    if any(taint["key"] == UNINITIALIZED for taint in spec.get("taints") or ()):
        return Finding(
            found,
            problem=f"its taint {UNINITIALIZED} waits for a cloud controller that finds its machine",
            remedy="read the log of kube-system/DaemonSet/aws-cloud-controller-manager: its machines need the policy "
            "cloud-controller in their instance profile and a way to AWS' API, the Node the right kubeadm_provider_id",
            waiting=True,
        )
    if found:
        return Finding(found)
    if wanted:
        return Finding(wanted, missing=True)
    return Finding(
        problem="is not set, and its kubelet did not ask a cloud controller to set it",
        remedy="set groundwork_cloud: provider_id (or aws_ccm) and run site.yml",
    )
