# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that keeps Nodes from being known to their cloud, found before a machine is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import Inventory
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem

CHOICES = ("none", "provider_id", "aws_ccm")
STORAGE = ("none", "ebs_csi")
PROVIDER_ID = "kubeadm_provider_id"

_ANY = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
_AWS = re.compile(r"aws:///[a-z0-9-]+/i-[0-9a-f]+")


def problems(inventory: Inventory) -> Iterator[Problem]:
    for variable, choices in (("groundwork_cloud", CHOICES), ("groundwork_storage", STORAGE)):
        found = inventory.shared(variable)
        if found not in choices:
            meant = nearest(found, choices)
            remedy = f"write {meant}" if meant else f"choose one of {', '.join(choices)}"
            yield inventory.says(variable, f"{found!r} is not known", remedy)
            return
    cloud = inventory.shared("groundwork_cloud")
    if inventory.shared("groundwork_storage") == "ebs_csi" and cloud == "none":
        yield inventory.says(
            "groundwork_storage",
            "is ebs_csi, and groundwork_cloud none, so that AWS is asked to attach volumes to Nodes it does not know",
            "set groundwork_cloud: provider_id, or aws_ccm",
        )
    owners: dict[str, str] = {}
    for host in inventory.nodes:
        kubelet = inventory.own(host, "kubeadm_kubelet_configuration")
        if isinstance(kubelet, Mapping) and "providerID" in kubelet:
            yield Problem(host, "kubeadm_kubelet_configuration", "sets providerID", f"set {PROVIDER_ID} instead")
        found = inventory.own(host, PROVIDER_ID)
        if found:
            yield from _provider_id(host, found, cloud)
            owner = owners.setdefault(str(found), host)
            if owner != host:
                yield Problem(host, PROVIDER_ID, f"{found} is {owner}'s already", "give each host its own machine's")


def _provider_id(host: str, found: Any, cloud: str) -> Iterator[Problem]:
    aws = cloud == "aws_ccm" or str(found).startswith("aws:")
    if cloud == "none":
        yield Problem(
            host,
            PROVIDER_ID,
            "is set, and groundwork_cloud is none, with which no Node has one",
            "set groundwork_cloud: provider_id, or aws_ccm",
        )
    elif not (_AWS if aws else _ANY).fullmatch(str(found)):
        example = "aws:///ap-northeast-2a/i-0123456789abcdef0"
        yield Problem(
            host, PROVIDER_ID, f"{found!r} is no machine's name in {'AWS' if aws else 'a cloud'}", f"write {example}"
        )
