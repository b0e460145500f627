# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils import azure_network as network

PARTS: dict[str, Callable[[Mapping[str, Any]], list[dict[str, Any]]]] = {
    "all": network.resources,
    "own": network.own_resources,
    "name_servers": network.name_servers,
}


def azure_network(plan: Mapping[str, Any], part: str = "all") -> list[dict[str, Any]]:
    try:
        return PARTS[part](plan)
    except (KeyError, network.NetworkPlanError) as error:
        raise AnsibleTemplatePluginError(f"azure_network: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"azure_network": azure_network}
