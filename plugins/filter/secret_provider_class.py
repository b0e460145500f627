# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils import secret_provider_class as table


def secret_provider_class(mapping: Sequence[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
    try:
        return table.secret_provider_class(mapping, **options)
    except (TypeError, ValueError) as error:
        raise AnsibleTemplatePluginError(f"secret_provider_class: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"secret_provider_class": secret_provider_class}
