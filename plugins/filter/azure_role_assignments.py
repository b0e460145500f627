# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils import azure_identity


def azure_role_assignments(
    plan: Mapping[str, Any], identities: Mapping[str, Any], assume: bool = False
) -> list[dict[str, Any]]:
    try:
        return azure_identity.assignments(plan, identities, assume)
    except azure_identity.IdentityPlanError as error:
        raise AnsibleTemplatePluginError(f"azure_role_assignments: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"azure_role_assignments": azure_role_assignments}
