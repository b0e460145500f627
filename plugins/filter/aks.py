# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils import aks as kubernetes_service


def aks(
    plan: Mapping[str, Any], deed: str = "make", node_images: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    try:
        if deed == "make":
            return kubernetes_service.resources(plan)
        if deed == "remove":
            return [kubernetes_service.cluster(plan, state="absent")]
        if deed == "renew":
            return kubernetes_service.node_images(plan, node_images or {})
        return kubernetes_service.power(plan, deed)
    except (KeyError, kubernetes_service.AksPlanError) as error:
        raise AnsibleTemplatePluginError(f"aks: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"aks": aks}
