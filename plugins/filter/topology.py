# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils.topology import nodes, problems, summary


def topology(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found = problems(groups, hostvars)
    if found:
        raise AnsibleTemplatePluginError("\n".join(summary(found)))
    return nodes(groups, hostvars)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"topology": topology}
