# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def subnet_of(address: str, subnets: Iterable[Mapping[str, Any]], key: str = "cidr_block") -> Mapping[str, Any]:
    """The subnet that has the address; an empty map where none has."""
    wanted = ipaddress.ip_address(address)
    return next((subnet for subnet in subnets if wanted in ipaddress.ip_network(subnet[key])), {})


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subnet_of": subnet_of}
