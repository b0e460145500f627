"""The lab's bridge, and each node's network namespace and link on it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.state import Lab, NodeSpec

NAMESPACES = Path("/run/netns")
LINKS = Path("/sys/class/net")


def hardware_address(address: str) -> str:
    """A locally administered MAC made of the IPv4 address: a rebooted node is the same to its neighbours."""
    return ":".join(["02", "47", *(f"{int(part):02x}" for part in address.split("."))])


def bridge_commands(lab: Lab, host_address: str) -> list[str]:
    return [
        f"link add {lab.bridge} address {hardware_address(host_address)} type bridge",
        f"addr add {host_address}/24 dev {lab.bridge}",
        f"link set {lab.bridge} up",
    ]


def link_commands(lab: Lab, node: NodeSpec) -> list[str]:
    namespace, link = lab.network_namespace(node.name), lab.link(node.name)
    return [
        f"netns add {namespace}",
        f"link add {link} type veth peer name eth0 address {hardware_address(node.address)} netns {namespace}",
        f"link set {link} master {lab.bridge} up",
    ]


def inside_commands(node: NodeSpec, host_address: str) -> list[str]:
    return [
        "link set lo up",
        f"addr add {node.address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {host_address}",
    ]


def create_bridge(lab: Lab, host_address: str) -> None:
    if not (LINKS / lab.bridge).exists():
        _ip(bridge_commands(lab, host_address))


def create_link(lab: Lab, node: NodeSpec, host_address: str) -> None:
    if not (NAMESPACES / lab.network_namespace(node.name)).exists():
        _ip(link_commands(lab, node))
        _ip(inside_commands(node, host_address), "-netns", lab.network_namespace(node.name))


def remove_link(lab: Lab, node: str) -> None:
    if (LINKS / lab.link(node)).exists():
        _ip([f"link delete {lab.link(node)}"])
    if (NAMESPACES / lab.network_namespace(node)).exists():
        _ip([f"netns delete {lab.network_namespace(node)}"])


def remove_bridge(lab: Lab) -> None:
    if (LINKS / lab.bridge).exists():
        _ip([f"link delete {lab.bridge}"])


def leftovers(lab: Lab, nodes: list[str]) -> list[str]:
    links = [lab.bridge, *(lab.link(node) for node in nodes)]
    namespaces = [lab.network_namespace(node) for node in nodes]
    return [
        *(f"interface {link}" for link in links if (LINKS / link).exists()),
        *(f"network namespace {name}" for name in namespaces if (NAMESPACES / name).exists()),
    ]


def refuse_taken_address(lab: Lab, host_address: str) -> None:
    """Before anything is made: another lab, or this machine's own network, may have the address."""
    answer = subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, text=True, check=True).stdout
    for interface in json.loads(answer):
        for address in interface.get("addr_info", []):
            if address["local"] == host_address and interface["ifname"] != lab.bridge:
                raise LabError(
                    f"{host_address} is already this machine's address on {interface['ifname']}; "
                    "choose another network: --network 10.78.0"
                )


def _ip(commands: list[str], *options: str) -> None:
    done = subprocess.run(
        ["ip", *options, "-batch", "-"], input="\n".join(commands) + "\n", capture_output=True, text=True
    )
    if done.returncode:
        raise LabError(f"ip: {done.stderr.strip()} (of: {'; '.join(commands)})")
