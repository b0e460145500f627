# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Ansible's groups and host variables to the nodes of a cluster: what each is, where it is and what it carries."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.metadata import (
    MetadataError,
    check_annotation_value,
    check_label_key,
    check_label_value,
    kubelet_may_set,
    parse_taints,
    writer,
)

CONTROL_PLANE = "kube_control_plane"
WORKER = "kube_node"
ETCD = "etcd"
API_LB = "api_lb"

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"

# What an inventory says about one machine as a node.
NODE_VARIABLES = ("node_labels", "node_taints", "node_annotations")
# What a node's address is taken from.
ADDRESS_VARIABLES = ("kubeadm_node_address", "ansible_host")
# What the nodes map is made from.
READS = (*NODE_VARIABLES, *ADDRESS_VARIABLES, "instance_type")

_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_INTERFACE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,14}")

Groups = Mapping[str, Sequence[str]]
Variables = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """One thing that keeps an inventory from becoming a cluster."""

    host: str
    variable: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.host}: {self.variable}: {self.problem}. Remedy: {self.remedy}."


def summary(problems: Iterable[Problem]) -> list[str]:
    """One line a problem; hosts that share one (a group's variable, mostly) share its line."""
    hosts: dict[tuple[str, str, str], list[str]] = {}
    for found in problems:
        hosts.setdefault((found.variable, found.problem, found.remedy), []).append(found.host)
    return [str(Problem(_several(names), *what)) for what, names in hosts.items()]


def nodes(groups: Groups, hostvars: Mapping[str, Variables]) -> dict[str, dict[str, Any]]:
    """Every node, control planes first, as the inventory describes it; a sound inventory is taken for granted."""
    return {name: _node(name, groups, hostvars[name]) for name in members(groups)}


def members(groups: Groups) -> list[str]:
    """The machines that become nodes: control planes first, each once."""
    return list(dict.fromkeys([*groups.get(CONTROL_PLANE, ()), *groups.get(WORKER, ())]))


def address(host: str, variables: Variables) -> str | None:
    """The node's IP address, or None where only the machine itself can tell (an interface or a CIDR was given)."""
    wanted = variables.get("kubeadm_node_address") or variables.get("ansible_host") or host
    return str(wanted) if _is_ip(wanted) else None


def problems(groups: Groups, hostvars: Mapping[str, Variables]) -> list[Problem]:
    """What is wrong with the nodes, each looked at by itself and then beside the others."""
    names = members(groups)
    found = [problem for name in names for problem in _node_problems(name, hostvars[name])]
    return found + list(_shared_addresses(names, hostvars))


def is_dns_name(name: Any) -> bool:
    return isinstance(name, str) and bool(_NODE_NAME.fullmatch(name)) and len(name) <= 253 and not _is_ip(name)


def _node(name: str, groups: Groups, variables: Variables) -> dict[str, Any]:
    control_planes = groups.get(CONTROL_PLANE, ())
    labels = dict(variables.get("node_labels") or {})
    taints = [str(taint) for taint in parse_taints(variables.get("node_taints") or ())]
    # A control plane that is also listed as a worker runs everyone's pods.
    kubeadm_taints = [CONTROL_PLANE_TAINT] if name in control_planes and name not in groups.get(WORKER, ()) else []
    return {
        "address": address(name, variables),
        "control_plane": name in control_planes,
        "etcd": name in (groups.get(ETCD) or control_planes),
        "first": name == control_planes[0] if control_planes else False,
        "labels": labels,
        "taints": taints,
        "annotations": dict(variables.get("node_annotations") or {}),
        "registration": {
            "labels": {key: value for key, value in labels.items() if kubelet_may_set(key)},
            "taints": list(dict.fromkeys(kubeadm_taints + taints)),
        },
        "instance_type": variables.get("instance_type"),
    }


def _node_problems(name: str, variables: Variables) -> Iterator[Problem]:
    yield from _name_problems(name)
    yield from _address_problems(name, variables)
    yield from _map_problems(name, "node_labels", variables, check_label_value)
    yield from _map_problems(name, "node_annotations", variables, check_annotation_value)
    yield from _taint_problems(name, variables)


def _name_problems(name: str) -> Iterator[Problem]:
    if not _NODE_NAME.fullmatch(name):
        right = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")
        yield Problem(
            name,
            "inventory_hostname",
            "is no node name: Kubernetes takes lower-case letters, digits, '-' and '.' only",
            f"call the host {right} in the inventory",
        )
    elif len(name) > 63:
        yield Problem(
            name,
            "inventory_hostname",
            f"has {len(name)} letters and becomes the label kubernetes.io/hostname, which takes 63",
            "give the host a shorter name",
        )


def _address_problems(name: str, variables: Variables) -> Iterator[Problem]:
    wanted = variables.get("kubeadm_node_address")
    variable = "kubeadm_node_address" if wanted else "ansible_host"
    found = address(name, variables)
    if found is not None and ipaddress.ip_address(found).version == 6:
        yield Problem(name, variable, f"{found} is an IPv6 address, which is not built yet", "give the IPv4 address")
    elif found is None and not wanted:
        yield Problem(
            name,
            "kubeadm_node_address",
            f"is not set, and ansible_host, {_shown(name, variables)}, is no IP address",
            "set kubeadm_node_address to the node's IP address, its interface or its network in CIDR notation",
        )
    elif found is None and not (_is_network(wanted) or _INTERFACE.fullmatch(str(wanted))):
        yield Problem(
            name,
            variable,
            f"{wanted!r} is no IP address, interface name or CIDR",
            "write it like 10.0.0.11, eth1 or 10.0.0.0/24",
        )


def _shown(name: str, variables: Variables) -> str:
    return repr(variables["ansible_host"]) if variables.get("ansible_host") else f"by default {name!r}"


def _map_problems(
    name: str, variable: str, variables: Variables, check_value: Callable[[Any], None]
) -> Iterator[Problem]:
    entries = variables.get(variable)
    if entries is None:
        return
    if not isinstance(entries, Mapping):
        yield Problem(name, variable, f"is {entries!r}, not a map", f"write {variable}: {{key: value}}")
        return
    for key, value in entries.items():
        try:
            check_label_key(key)
        except MetadataError as error:
            yield _metadata_problem(name, variable, str(error))
            continue
        owner = writer(key)
        if owner:
            yield Problem(
                name, variable, f"{key} is written by {owner}, again and again", f"remove {key} from {variable}"
            )
        try:
            check_value(value)
        except MetadataError as error:
            yield _metadata_problem(name, variable, f"{key}: {error}")


def _taint_problems(name: str, variables: Variables) -> Iterator[Problem]:
    taints = variables.get("node_taints")
    if taints is None:
        return
    if isinstance(taints, (str, Mapping)) or not isinstance(taints, Sequence):
        yield Problem(name, "node_taints", f"is {taints!r}, not a list", 'write node_taints: ["key=value:NoSchedule"]')
        return
    sound = []
    for taint in taints:
        try:
            parsed = parse_taints([taint])[0]
        except MetadataError as error:
            yield _metadata_problem(name, "node_taints", str(error))
            continue
        sound.append(taint)
        owner = writer(parsed.key)
        if owner:
            yield Problem(
                name,
                "node_taints",
                f"{parsed} is written by {owner}",
                "remove it; a control plane without kubeadm's taint is one that is listed in kube_node, too"
                if owner == "kubeadm"
                else "remove it",
            )
    try:
        parse_taints(sound)
    except MetadataError as error:
        yield _metadata_problem(name, "node_taints", str(error))


def _metadata_problem(name: str, variable: str, message: str) -> Problem:
    problem, _semicolon, remedy = message.partition("; ")
    return Problem(
        name, variable, problem, remedy.replace("did you mean ", "write ").rstrip("?") or "rename it by that rule"
    )


def _shared_addresses(names: Sequence[str], hostvars: Mapping[str, Variables]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name in names:
        found = address(name, hostvars[name])
        if found is None:
            continue
        owner = owners.setdefault(found, name)
        if owner != name:
            variable = "kubeadm_node_address" if hostvars[name].get("kubeadm_node_address") else "ansible_host"
            yield Problem(
                name, variable, f"{found} is the address of {owner} already", "give each host its own address"
            )


def _is_ip(text: Any) -> bool:
    try:
        ipaddress.ip_address(str(text))
    except ValueError:
        return False
    return True


def _is_network(text: Any) -> bool:
    try:
        return "/" in str(text) and bool(ipaddress.IPv4Network(str(text), strict=False))
    except ValueError:
        return False


def _several(names: Sequence[str], shown: int = 3) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")
