# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.security_groups import security_groups


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"security_groups": security_groups}
