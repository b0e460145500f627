# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils import value_stores as stores


def value_stores(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return stores.value_stores(values)
    except ValueError as error:
        raise AnsibleTemplatePluginError(f"value_stores: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"value_stores": value_stores}
