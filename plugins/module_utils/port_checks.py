# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine listens on which ports and which dials them: a closed port is found before a cluster needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

from ansible_collections.groundwork.kube.plugins.module_utils.ports import IP_IN_IP

# What a dialer says, for a listener to know it from a balancer that knocks at the port all the time.
KNOCK = b"groundwork"
# Beyond this many hosts every pair would be too many: each host then dials one of each group, and is dialled once.
ALL_PAIRS_UP_TO = 50


class Pair(NamedTuple):
    source: str
    target: str
    port: int
    protocol: str
    why: str


def group_members(group: str, nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The nodes of a group of the ports table; neither a machine's own loopback nor a load balancer is one."""
    member = {
        "kube_control_plane": lambda node: node["control_plane"],
        "kube_node": lambda node: not node["control_plane"],
        "etcd": lambda node: node["etcd"],
    }.get(group, lambda _node: False)
    return [name for name, node in nodes.items() if member(node)]


def _sample(sources: Sequence[str], targets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs in which every source and every target occurs, with as few pairs as that takes."""
    count = max(len(sources), len(targets))
    # Shifted by one: where both groups are the same, nobody shall dial itself.
    shifted = [*targets[1:], *targets[:1]]
    return zip(islice(cycle(sources), count), islice(cycle(shifted), count))


def pairs(plan: Mapping[str, Any], hosts: Collection[str], members: Collection[str]) -> list[Pair]:
    """The pairs to try among the hosts that answer: those of which at least one end is not in the cluster yet."""
    nodes = {name: node for name, node in plan["nodes"].items() if name in hosts}
    found: dict[Pair, None] = {}
    for port in plan["ports"]:
        sources, targets = group_members(port["from"], nodes), group_members(port["to"], nodes)
        if not sources or not targets or port["protocol"] == IP_IN_IP:
            continue
        if len(nodes) <= ALL_PAIRS_UP_TO:
            tried: Iterator[tuple[str, str]] = ((source, target) for source in sources for target in targets)
        else:
            tried = _sample(sources, targets)
        for source, target in tried:
            if source != target and not (source in members and target in members):
                found[Pair(source, target, port["port"], port["protocol"], port["why"])] = None
    return list(found)


def checks(plan: Mapping[str, Any], hosts: Collection[str], members: Collection[str]) -> dict[str, dict[str, Any]]:
    """For each host what to listen on, with the number of machines that will dial it, and whom to dial."""
    found: dict[str, dict[str, Any]] = {host: {"listen": [], "probe": []} for host in plan["nodes"] if host in hosts}
    dialled: dict[tuple[str, int, str], int] = {}
    for pair in pairs(plan, hosts, members):
        known = pair.target in members
        if known and pair.protocol == "udp":
            # Only our own listener answers a datagram.
            continue
        found[pair.source]["probe"].append(
            {
                "host": pair.target,
                "address": plan["nodes"][pair.target]["address"],
                "port": pair.port,
                "protocol": pair.protocol,
                "why": pair.why,
            }
        )
        if not known:
            listener = (pair.target, pair.port, pair.protocol)
            dialled[listener] = dialled.get(listener, 0) + 1
    for (target, port, protocol), dialers in dialled.items():
        found[target]["listen"].append({"port": port, "protocol": protocol, "dialers": dialers})
    return found
