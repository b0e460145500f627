# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def node_address(addresses: Iterable[Mapping[str, Any]], wanted: str) -> str:
    """The one address among a machine's that an IP address, an interface name or a network in CIDR notation means."""
    own = [(str(entry["interface"]), ipaddress.ip_address(entry["address"])) for entry in addresses]
    ipv4 = [(interface, address) for interface, address in own if address.version == 4]
    try:
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        found = [str(address) for interface, address in ipv4 if interface == wanted]
    else:
        found = [str(address) for _interface, address in ipv4 if address in network]
    if found:
        return found[0]
    raise AnsibleFilterError(
        f"kubeadm_node_address is {wanted}, and this machine has no such address: "
        + (", ".join(f"{address} on {interface}" for interface, address in ipv4) or "it has none at all")
    )


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"node_address": node_address}
