# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's network as the kernel tells it, over netlink: no program is needed, and a minimal system has none."""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from typing import Any

# What a cluster's own network makes on a node, and leaves behind.
POD_NETWORK_INTERFACE = re.compile(r"cali|vxlan\.calico|vxlan-v6\.calico|tunl0|cni0|flannel|kube-ipvs0|nodelocaldns")

_RTM_GETADDR = 22
_RTM_GETROUTE = 26
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_DONE = 3
_NLMSG_ERROR = 2
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTN_UNICAST = 1
_ADDRESS_HEADER = struct.Struct("=BBBBI")
_ROUTE_HEADER = struct.Struct("=BBBBBBBBI")


def _dump(kind: int) -> Iterator[bytes]:
    """The payloads of the kernel's answer to one request for everything of a kind."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(struct.pack("=IHHII", 32, kind, _NLM_F_REQUEST_DUMP, 1, 0) + bytes(16))
        while True:
            data = netlink.recv(65536)
            while data:
                length, answer = struct.unpack_from("=IH", data)
                if answer in (_NLMSG_DONE, _NLMSG_ERROR):
                    return
                yield data[16:length]
                data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def addresses() -> list[dict[str, Any]]:
    """The machine's own addresses, with interface and prefix length."""
    found = []
    for payload in _dump(_RTM_GETADDR):
        _family, prefix, _flags, _scope, index = _ADDRESS_HEADER.unpack_from(payload)
        attributes = _attributes(payload[_ADDRESS_HEADER.size :])
        # On a point-to-point link ADDRESS is the other end's.
        own = attributes.get(_IFA_LOCAL) or attributes[_IFA_ADDRESS]
        found.append({"interface": _interface(index), "address": str(ipaddress.ip_address(own)), "prefix": prefix})
    return found


def routes() -> list[dict[str, Any]]:
    """The machine's routes to other machines; destination 0.0.0.0/0 is the default route."""
    found = []
    for payload in _dump(_RTM_GETROUTE):
        family, prefix, _source, _tos, _table, _protocol, _scope, kind, _flags = _ROUTE_HEADER.unpack_from(payload)
        if kind != _RTN_UNICAST or family not in (socket.AF_INET, socket.AF_INET6):
            continue
        attributes = _attributes(payload[_ROUTE_HEADER.size :])
        anywhere = bytes(4 if family == socket.AF_INET else 16)
        destination = ipaddress.ip_address(attributes.get(_RTA_DST, anywhere))
        gateway = attributes.get(_RTA_GATEWAY)
        found.append(
            {
                "destination": f"{destination}/{prefix}",
                "gateway": str(ipaddress.ip_address(gateway)) if gateway else "",
                "interface": _interface(struct.unpack("=I", attributes.get(_RTA_OIF, bytes(4)))[0]),
            }
        )
    return found
