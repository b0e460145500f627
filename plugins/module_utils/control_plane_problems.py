# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that keeps several control planes from being one, found before a machine is reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kube.plugins.module_utils import topology
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import (
    API_PORT,
    BALANCED_PORT,
    Inventory,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest
from ansible_collections.groundwork.kube.plugins.module_utils.topology import (
    API_LB,
    CONTROL_PLANE,
    ETCD,
    Problem,
)

PROVIDERS = ("keepalived", "kube_vip", "aws_nlb", "external")
ENDPOINT = "kubeadm_control_plane_endpoint"
ADDRESS = "kubeadm_control_plane_endpoint_address"
EXTERNAL_ETCD = "kubeadm_external_etcd"
EXTERNAL_ETCD_KEYS = ("endpoints", "ca", "certificate", "key")
VIRTUAL_ROUTER_IDS = range(1, 256)


def problems(inventory: Inventory) -> Iterator[Problem]:
    yield from _members(inventory)
    yield from _external_etcd(inventory)
    yield from _provider(inventory)
    if inventory.address_keepers:
        yield from _shared_address(inventory)
        yield from _port(inventory)
        yield from _virtual_router(inventory)


def unresolved(inventory: Inventory, resolves: Callable[[str], bool]) -> Iterator[Problem]:
    """An endpoint whose address is left to DNS, of which DNS knows nothing."""
    name = str(inventory.endpoint).rpartition(":")[0]
    if inventory.endpoint_address == "" and not inventory.has_network_load_balancer and not resolves(name):
        yield inventory.says(
            ENDPOINT,
            f"{name} resolves nowhere: {ADDRESS} leaves its address to DNS, which does not know it",
            f"enter {name} into DNS, or set {ADDRESS} to its IP address",
        )


def _members(inventory: Inventory) -> Iterator[Problem]:
    count = len(inventory.control_planes)
    if count % 2 == 0 and not inventory.has_external_etcd:
        yield inventory.says(
            CONTROL_PLANE,
            f"{count} control planes hold {count} etcd members, which bear the loss of no more than {count - 1} do",
            f"take {count - 1} or {count + 1}",
        )


def _external_etcd(inventory: Inventory) -> Iterator[Problem]:
    etcd = inventory.shared(EXTERNAL_ETCD)
    if not isinstance(etcd, Mapping):
        yield inventory.says(EXTERNAL_ETCD, "is not a map", f"write {', '.join(EXTERNAL_ETCD_KEYS)} of your etcd")
        return
    if not etcd:
        return
    missing = [key for key in EXTERNAL_ETCD_KEYS if not etcd.get(key)]
    unknown = [str(key) for key in etcd if key not in EXTERNAL_ETCD_KEYS]
    if missing or unknown:
        said = [f"lacks {', '.join(missing)}"] if missing else []
        said += [f"has {', '.join(unknown)}, which nobody knows"] if unknown else []
        yield inventory.says(EXTERNAL_ETCD, " and ".join(said), f"write exactly {', '.join(EXTERNAL_ETCD_KEYS)}")
        return
    endpoints = etcd["endpoints"]
    for endpoint in endpoints if isinstance(endpoints, list) else [endpoints]:
        if not re.fullmatch(r"https://[^/\s]+:\d+", str(endpoint)) or not urlsplit(str(endpoint)).hostname:
            yield inventory.says(
                EXTERNAL_ETCD, f"{endpoint!r} is no endpoint of an etcd", "write https://NAME:2379, each in a list"
            )
    if inventory.groups.get(ETCD):
        yield inventory.says(ETCD, f"is a group, and {EXTERNAL_ETCD} is set", "drop one of them")


def _provider(inventory: Inventory) -> Iterator[Problem]:
    provider = inventory.shared("api_lb_provider")
    if provider not in PROVIDERS:
        meant = nearest(provider, PROVIDERS)
        remedy = f"write {meant}" if meant else f"choose one of {', '.join(PROVIDERS)}"
        yield inventory.says("api_lb_provider", f"{provider!r} is not known", remedy)
    elif inventory.groups.get(API_LB) and provider != "keepalived":
        yield Problem(
            inventory.groups[API_LB][0],
            API_LB,
            f"is in a group that has nothing to do: api_lb_provider is {provider}",
            "set api_lb_provider: keepalived, or drop the group",
        )


def _shared_address(inventory: Inventory) -> Iterator[Problem]:
    shared = inventory.shared(ADDRESS)
    # Of several control planes without any, every cluster is told.
    if not shared and (shared is not None or len(inventory.control_planes) == 1):
        yield inventory.says(
            ADDRESS,
            f"is not set, and {', '.join(inventory.address_keepers)} are to keep it among them",
            "set it to a free IP address of their network",
        )
    for host in dict.fromkeys([*inventory.nodes, *inventory.address_keepers]):
        own = topology.address(host, inventory.variables[host])
        if own is None and host not in inventory.nodes:
            yield Problem(
                host, "ansible_host", "is no IP address, by which its peers know it", "set it, or kubeadm_node_address"
            )
        elif own is not None and own == shared:
            yield inventory.says(
                ADDRESS, f"{own} is the address of {host} and would go with it", "choose one that no machine has"
            )


def _port(inventory: Inventory) -> Iterator[Problem]:
    name, _colon, port = str(inventory.endpoint).rpartition(":")
    if inventory.balances_itself and port == str(API_PORT):
        yield inventory.says(
            ENDPOINT,
            f"kube-apiserver has port {API_PORT} of the control planes, which are to balance it, too",
            f"write {name}:{BALANCED_PORT}, or put machines of their own into the group {API_LB}",
        )
    elif inventory.shared("api_lb_provider") == "kube_vip" and port != str(API_PORT):
        yield inventory.says(
            ENDPOINT,
            f"kube-vip gives the address to a control plane, on which nothing listens at port {port}",
            f"write {name}:{API_PORT}",
        )


def _virtual_router(inventory: Inventory) -> Iterator[Problem]:
    number: Any = inventory.shared("api_lb_virtual_router_id")
    if isinstance(number, bool) or not str(number).isdecimal() or int(number) not in VIRTUAL_ROUTER_IDS:
        yield inventory.says(
            "api_lb_virtual_router_id",
            f"{number!r} is no VRRP router's number",
            "choose one from 1 to 255 that no other pair or cluster of this network has",
        )
