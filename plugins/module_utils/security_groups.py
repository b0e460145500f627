# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the plan's ports to the rules of a cloud's security groups, one group for each kind of machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.ports import (
    API_LOAD_BALANCER,
    BASTION,
    IP_IN_IP,
    LOAD_BALANCER,
)
from ansible_collections.groundwork.kube.plugins.module_utils.topology import CONTROL_PLANE, WORKER

# IANA's number of IP in IP.
_IP_IN_IP_NUMBER = "4"

# What load balancers dial has a group of its own, on every node, in which their controllers add rules of their own.
NODE_PORTS = "node-ports"

_GROUPS = {
    CONTROL_PLANE: "control-plane",
    WORKER: "node",
    BASTION: "bastion",
    LOAD_BALANCER: "load-balancer",
    API_LOAD_BALANCER: "api-load-balancer",
}


def security_groups(
    plan: Mapping[str, Any], cluster: str, extra: Iterable[Mapping[str, Any]] = ()
) -> dict[str, list[dict[str, Any]]]:
    """For each security group of a cluster what it lets in, as rules of M(amazon.aws.ec2_security_group).

    C(extra) ports are open from every node to every node. Where the API has no load balancer, there is no group for it.
    """
    found: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {
        f"{cluster}-{group}": {} for group in (*_GROUPS.values(), NODE_PORTS) if group != _GROUPS[API_LOAD_BALANCER]
    }
    among_nodes = [
        {"protocol": "tcp", **port, "last": port["port"], "from": source, "to": target}
        for port in extra
        for source in (CONTROL_PLANE, WORKER)
        for target in (CONTROL_PLANE, WORKER)
    ]
    for port in (*plan["ports"], *among_nodes):
        if port["from"] not in _GROUPS:
            continue
        target = NODE_PORTS if port["from"] == LOAD_BALANCER else _GROUPS[port["to"]]
        rule = _rule(port, f"{cluster}-{_GROUPS[port['from']]}")
        rules = found.setdefault(f"{cluster}-{target}", {})
        rules[(rule["proto"], rule["from_port"], rule["group_name"])] = rule
    return {name: list(rules.values()) for name, rules in found.items()}


def _rule(port: Mapping[str, Any], source: str) -> dict[str, Any]:
    whole = port["protocol"] == IP_IN_IP
    return {
        "proto": _IP_IN_IP_NUMBER if whole else port["protocol"],
        "from_port": -1 if whole else port["port"],
        "to_port": -1 if whole else port["last"],
        "group_name": source,
        "group_desc": source,
        "rule_desc": port["why"],
    }
