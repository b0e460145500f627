# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would stop a cluster on these machines: the plan and a reading of each machine in, every problem out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import address_pools
from ansible_collections.groundwork.kube.plugins.module_utils.host_network import POD_NETWORK_INTERFACE
from ansible_collections.groundwork.kube.plugins.module_utils.port_checks import group_members
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem

TESTED = {("debian", "12"), ("debian", "13")}
UNTESTED = {("ubuntu", "22.04"), ("ubuntu", "24.04"), ("ubuntu", "26.04")}
ARCHITECTURES = ("x86_64", "aarch64")

# kubeadm's own minimum, which it asks of control planes only.
CONTROL_PLANE_CPUS = 2
CONTROL_PLANE_MEMORY_MIB = 1700
# The kubelet evicts pods when less than this is available, so it is not for pods to request.
EVICTION_MIB = 100
# What a machine has after installation; below, containerd starts without its CRI plugin and kubelets die.
INOTIFY = (("max_user_instances", 128, 8192), ("max_user_watches", 8192, 524288))
# The major version of containerd in each distribution's own packages.
DISTRIBUTION_CONTAINERD = {
    ("debian", "12"): "1.6",
    ("debian", "13"): "1.7",
    ("ubuntu", "22.04"): "1.7",
    ("ubuntu", "24.04"): "1.7",
}

KERNEL_MODULES = ("overlay", "br_netfilter")
ENCAPSULATION_MODULES = {"IPIP": "ipip", "IPIPCrossSubnet": "ipip"}

# Variables of single hosts that decide something here, with their defaults.
HOST_VARIABLES: dict[str, Any] = {
    "containerd_cgroup_driver": "systemd",
    "containerd_package_source": "vendor",
    "kubeadm_kubelet_configuration": {},
    "kubeadm_node_address": "",
    "kubeadm_swap": "absent",
}

_UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|Ki|Mi|Gi)?")

State = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """How strict to be, and what the inventory says of single hosts."""

    allow_unsupported_os: bool = False
    time_skew_seconds: float = 2.0
    daemonsets: tuple[Mapping[str, Any], ...] = ()
    reserved: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, host: str, variable: str) -> Any:
        return self.hosts.get(host, {}).get(variable, HOST_VARIABLES[variable])


@dataclass(frozen=True)
class Machine:
    """One machine: what the plan wants of it and what it is."""

    name: str
    node: Mapping[str, Any]
    state: State
    plan: Mapping[str, Any]
    settings: Settings

    @property
    def kubelet(self) -> Mapping[str, Any]:
        return self.settings.of(self.name, "kubeadm_kubelet_configuration") or {}

    @property
    def is_member(self) -> bool:
        return bool(self.state["kubeadm"]["kubelet_conf"])

    def problem(self, subject: str, problem: str, remedy: str) -> Problem:
        return Problem(self.name, subject, problem, remedy)


def problems(plan: Mapping[str, Any], states: Mapping[str, State], settings: Settings) -> list[Problem]:
    """Everything at once, by host in the plan's order. A host without a reading did not answer, and is not judged."""
    machines = [
        Machine(name, node, states[name], plan, settings) for name, node in plan["nodes"].items() if name in states
    ]
    found = [problem for machine in machines for check in _HOST_CHECKS for problem in check(machine)]
    for compare in _CLUSTER_CHECKS:
        found.extend(compare(machines))
    return found


# Memory


def amount(quantity: Any) -> float:
    """A quantity as Kubernetes writes them, such as 100Mi or 250m."""
    match = _QUANTITY.fullmatch(str(quantity))
    if not match:
        raise ValueError(f"{quantity!r} is no quantity, such as 100Mi or 250m")
    return float(match.group(1)) * (0.001 if match.group(2) == "m" else _UNITS[match.group(2) or ""])


def _total(requests: list[Mapping[str, Any]], resource: str) -> float:
    return sum(amount(one.get(resource, 0)) for one in requests)


def budget(plan: Mapping[str, Any], states: Mapping[str, State], settings: Settings) -> list[dict[str, Any]]:
    """What each machine has left for pods after the reservations, the eviction threshold and every DaemonSet."""
    rows = []
    for name in plan["nodes"]:
        if name not in states:
            continue
        memory, cpus = states[name]["memory_mib"], states[name]["cpus"]
        sizes = settings.reserved.get(name, [])
        reservation = next((size for size in sizes if size["below_mib"] > memory), {})
        reserved = [reservation.get("kube", {}), reservation.get("system", {})]
        daemonsets = list(settings.daemonsets)
        row = {
            "host": name,
            "memory_mib": memory,
            "reserved_mib": round(_total(reserved, "memory") / 2**20) + EVICTION_MIB,
            "daemonsets_mib": round(_total(daemonsets, "memory") / 2**20),
            "cpu_millicores": cpus * 1000,
            "reserved_millicores": round(_total(reserved, "cpu") * 1000),
            "daemonsets_millicores": round(_total(daemonsets, "cpu") * 1000),
        }
        row["left_mib"] = row["memory_mib"] - row["reserved_mib"] - row["daemonsets_mib"]
        row["left_millicores"] = row["cpu_millicores"] - row["reserved_millicores"] - row["daemonsets_millicores"]
        rows.append(row)
    return rows


def _left(machine: Machine) -> Iterator[Problem]:
    row = budget(machine.plan, {machine.name: machine.state}, machine.settings)[0]
    for left, has, takes, unit in (
        ("left_mib", "memory_mib", ("reserved_mib", "daemonsets_mib"), "MiB"),
        ("left_millicores", "cpu_millicores", ("reserved_millicores", "daemonsets_millicores"), "millicores"),
    ):
        if row[left] < 0:
            reserved, daemonsets = (row[name] for name in takes)
            yield machine.problem(
                "kubeadm_reserved",
                f"of {row[has]} {unit}, {reserved} are reserved and the DaemonSets request {daemonsets}: "
                f"{-row[left]} too few",
                "take a larger machine, or reserve and request less (kubeadm_reserved, preflight_daemonsets)",
            )


# Checks of one machine


def _operating_system(machine: Machine) -> Iterator[Problem]:
    system = machine.state["os"]
    known = (system["id"], system["version"]) in TESTED | UNTESTED
    if not known and not machine.settings.allow_unsupported_os:
        yield machine.problem(
            "operating system",
            f"{system['pretty'] or 'what has no /etc/os-release'} is not supported",
            "use Debian 12 or 13 (tested) or Ubuntu 22.04, 24.04 or 26.04, "
            "or insist with preflight_allow_unsupported_os: true",
        )
    if machine.state["architecture"] not in ARCHITECTURES:
        yield machine.problem(
            "architecture",
            f"{machine.state['architecture']} is not supported",
            f"use a machine of {' or '.join(ARCHITECTURES)}",
        )


def _size(machine: Machine) -> Iterator[Problem]:
    if not machine.node["control_plane"]:
        return
    if machine.state["cpus"] < CONTROL_PLANE_CPUS:
        yield machine.problem(
            "CPUs",
            f"a control plane needs {CONTROL_PLANE_CPUS}, and this has {machine.state['cpus']}",
            "take a larger machine for this control plane",
        )
    if machine.state["memory_mib"] < CONTROL_PLANE_MEMORY_MIB:
        yield machine.problem(
            "memory",
            f"a control plane needs {CONTROL_PLANE_MEMORY_MIB} MiB, and this has {machine.state['memory_mib']}",
            "take a larger machine for this control plane",
        )


def _swap(machine: Machine) -> Iterator[Problem]:
    stays = machine.settings.of(machine.name, "kubeadm_swap") == "ignore"
    if machine.state["swap"] and stays and machine.kubelet.get("failSwapOn", True):
        yield machine.problem(
            "kubeadm_swap",
            f"{', '.join(machine.state['swap'])} is in use, with which the kubelet does not start",
            "set kubeadm_swap: absent, or failSwapOn: false in kubeadm_kubelet_configuration",
        )


def _kernel(machine: Machine) -> Iterator[Problem]:
    modules = machine.state["modules"]
    missing = [name for name in KERNEL_MODULES if modules.get(name) == "missing"]
    if missing:
        yield machine.problem(
            "kernel modules",
            f"kernel {machine.state['kernel']} has no {', '.join(missing)}",
            "install the modules of this kernel (linux-image-*, linux-modules-extra-*), "
            "or reboot into the kernel whose modules are installed",
        )
    encapsulation = machine.plan["cluster"]["encapsulation"]
    tunnel = ENCAPSULATION_MODULES.get(encapsulation, "")
    if modules.get(tunnel) == "missing":
        yield machine.problem(
            "calico_encapsulation",
            f"{encapsulation} needs the kernel module {tunnel}, which kernel {machine.state['kernel']} has not",
            "set calico_encapsulation: VXLAN, or install the modules of this kernel",
        )


def _control_groups(machine: Machine) -> Iterator[Problem]:
    if machine.state["cgroup"]["version"] == 1 and machine.kubelet.get("failCgroupV1", True):
        yield machine.problem(
            "control groups",
            "the machine has cgroup v1, on which a kubelet from 1.35 on does not start",
            "boot with systemd.unified_cgroup_hierarchy=1, "
            "or set failCgroupV1: false in kubeadm_kubelet_configuration while that is still allowed",
        )
    runtime = machine.settings.of(machine.name, "containerd_cgroup_driver")
    kubelet = machine.kubelet.get("cgroupDriver", runtime)
    if kubelet != runtime:
        yield machine.problem(
            "containerd_cgroup_driver",
            f"containerd would use {runtime} and the kubelet {kubelet}",
            f"set containerd_cgroup_driver: {kubelet}, or take cgroupDriver out of kubeadm_kubelet_configuration",
        )


def _inotify(machine: Machine) -> Iterator[Problem]:
    for name, least, ample in INOTIFY:
        limit = machine.state["inotify"][name]
        if limit < least:
            yield machine.problem(
                f"fs.inotify.{name}",
                f"is {limit}, with which containerd or the kubelet fail sooner or later",
                f"raise it: sysctl -w fs.inotify.{name}={ample} (for a container, on its host)",
            )


def _cloud(machine: Machine) -> Iterator[Problem]:
    """Without it, no volume is attached to the machine and no load balancer sends it anything."""
    if machine.plan["cluster"]["cloud"] == "none":
        return
    known = machine.node["provider_id"] or machine.state["cloud"]["provider_id"]
    registered = machine.state["kubeadm"]["kubelet_provider_id"]
    if known and machine.is_member and registered not in ("", known):
        yield machine.problem(
            "kubeadm_provider_id",
            f"is {known}, and the machine has joined as {registered}; Kubernetes lets nobody change it",
            "leave it what it was; a machine that is another one joins anew, after playbooks/reset.yml "
            f"--limit {machine.name}",
        )
    if not known:
        yield machine.problem(
            "kubeadm_provider_id",
            f"is not set, and the machine does not learn it from its cloud ({machine.state['cloud']['error']})",
            "let the machine ask its metadata service (on AWS HttpEndpoint: enabled), set kubeadm_provider_id, "
            "or set groundwork_cloud: none",
        )


def _resolver(machine: Machine) -> Iterator[Problem]:
    resolver = machine.state["resolver"]
    loops = [server for server in resolver["nameservers"] if server.startswith("127.") or server == "::1"]
    # kubeadm itself points the kubelet to systemd-resolved's upstream servers.
    if loops and not resolver["upstream_file"] and "resolvConf" not in machine.kubelet:
        yield machine.problem(
            "/etc/resolv.conf",
            f"names the machine itself ({', '.join(loops)}): in a pod, CoreDNS would ask itself for ever",
            "write the real name servers into a file and name it as resolvConf in kubeadm_kubelet_configuration",
        )


def _address(machine: Machine) -> Iterator[Problem]:
    wanted = machine.node["address"]
    own = machine.state["addresses"]
    if wanted is None:
        described = str(machine.settings.of(machine.name, "kubeadm_node_address"))
        if not any(_described(described, address) for address in own):
            yield machine.problem(
                "kubeadm_node_address",
                f"{described or 'nothing'} matches no address of this machine ({_listed(own)})",
                "give an address, an interface or a network that this machine has",
            )
    elif wanted not in {address["address"] for address in own}:
        yield machine.problem(
            "kubeadm_node_address",
            f"{wanted} is on no interface of this machine ({_listed(own)})",
            "set kubeadm_node_address to one of its addresses, an interface or a network; "
            "ansible_host may stay what you reach it by",
        )


def _described(description: str, address: Mapping[str, Any]) -> bool:
    if description == address["interface"]:
        return True
    try:
        return ipaddress.ip_address(address["address"]) in ipaddress.ip_network(description, strict=False)
    except ValueError:
        return False


def _listed(addresses: list[Mapping[str, Any]]) -> str:
    parsed = [(one, ipaddress.ip_address(one["address"])) for one in addresses]
    usable = [one for one, address in parsed if not address.is_loopback and not address.is_link_local]
    return _some([f"{one['address']} on {one['interface']}" for one in usable]) or "it has none"


def _networks(machine: Machine) -> Iterator[Problem]:
    if machine.is_member:
        # Its routes into these networks are the cluster's own.
        return
    cluster = machine.plan["cluster"]
    for variable, text in (
        ("kubeadm_pod_subnet", cluster["pod_subnet"]),
        ("kubeadm_service_subnet", cluster["service_subnet"]),
    ):
        subnet = ipaddress.ip_network(text, strict=False)
        for what in _own_networks(machine.state, subnet):
            yield machine.problem(
                variable,
                f"{text} overlaps {what} of this machine",
                f"give {variable} a network that no machine uses or routes to",
            )


def _own_networks(state: State, subnet: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Iterator[str]:
    """Without what a cluster's network left on the machine: the next one takes that over."""
    seen = set()
    for address in state["addresses"]:
        if POD_NETWORK_INTERFACE.match(address["interface"]):
            continue
        own = ipaddress.ip_interface(f"{address['address']}/{address['prefix']}")
        if own.version == subnet.version and own.network.overlaps(subnet):
            seen.add(str(own.network))
            yield f"address {own} on {address['interface']}"
    for route in state["routes"]:
        if POD_NETWORK_INTERFACE.match(route["interface"]):
            continue
        destination = ipaddress.ip_network(route["destination"], strict=False)
        if destination.prefixlen == 0 or str(destination) in seen or destination.version != subnet.version:
            continue
        if destination.overlaps(subnet):
            yield f"the route to {destination} by {route['interface'] or route['gateway']}"


def _versions(machine: Machine) -> Iterator[Problem]:
    wanted = machine.plan["cluster"]["version"]
    for package in ("kubelet", "kubeadm"):
        installed = machine.state["packages"].get(package)
        if not installed:
            continue
        minor, wanted_minor = _numbers(installed)[:2], _numbers(wanted)[:2]
        if minor > wanted_minor:
            yield machine.problem(
                "kubeadm_version",
                f"{package} {installed} is installed, newer than the {wanted} that is wanted, "
                "and kubeadm never goes back",
                f"set kubeadm_version to {_minor(minor)} or newer, or reset this machine",
            )
        elif machine.is_member and minor[0] == wanted_minor[0] and wanted_minor[1] - minor[1] > 1:
            yield machine.problem(
                "kubeadm_version",
                f"{package} {installed} is installed and {wanted} is wanted, but kubeadm goes one minor at a time",
                f"set kubeadm_version to a version of {minor[0]}.{minor[1] + 1} first",
            )


def _containerd(machine: Machine) -> Iterator[Problem]:
    packages = machine.state["packages"]
    remedy = "set containerd_package_source: vendor, or mirror with containerd_apt_repository"
    installed = packages.get("containerd") or packages.get("containerd.io")
    if installed and _numbers(installed) < (2,):
        yield machine.problem(
            "containerd_package_source", f"containerd {installed} is installed, and Kubernetes wants 2", remedy
        )
    system = (machine.state["os"]["id"], machine.state["os"]["version"])
    served = DISTRIBUTION_CONTAINERD.get(system)
    from_distribution = machine.settings.of(machine.name, "containerd_package_source") == "distribution"
    if from_distribution and served and not installed:
        yield machine.problem(
            "containerd_package_source",
            f"{machine.state['os']['pretty']} has containerd {served}, and Kubernetes wants 2",
            remedy,
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, without a Debian epoch and revision."""
    upstream = version.split(":", 1)[-1].split("-", 1)[0].split("~", 1)[0].split("+", 1)[0]
    return tuple(int(number) for number in re.findall(r"\d+", upstream))


def _minor(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers[:2])


# Checks of all machines against each other


def _skew(machines: list[Machine]) -> Iterator[Problem]:
    """A clock is wrong when all that its reading allows is too far from where most machines are."""
    bounds = {
        machine.name: (machine.state["clock"]["ahead_at_least"], machine.state["clock"]["ahead_at_most"])
        for machine in machines
        if "clock" in machine.state
    }
    if len(bounds) < 2:
        return
    middles = sorted((low + high) / 2 for low, high in bounds.values())
    usual = middles[len(middles) // 2]
    for machine in machines:
        low, high = bounds.get(machine.name, (usual, usual))
        off = low - usual if low > usual else high - usual if high < usual else 0.0
        if abs(off) > machine.settings.time_skew_seconds:
            yield machine.problem(
                "clock",
                f"is at least {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the other machines': "
                "certificates and etcd would fail",
                "let it have the time: kubeadm_time_synchronisation, kubeadm_time_servers, or a service of your own",
            )


def _twins(machines: list[Machine]) -> Iterator[Problem]:
    for subject, read, remedy in (
        ("host name", "hostname", "give each machine a host name of its own: hostnamectl set-hostname NAME"),
        (
            "machine-id",
            "machine_id",
            "make a new one, as for every clone: rm /etc/machine-id && systemd-machine-id-setup, then reboot",
        ),
    ):
        owners: dict[str, list[str]] = {}
        for machine in machines:
            owners.setdefault(machine.state[read], []).append(machine.name)
        for machine in machines:
            others = [name for name in owners[machine.state[read]] if name != machine.name]
            if others:
                value = machine.state[read] or "empty"
                yield machine.problem(subject, f"{value} is also that of {_some(others)}", remedy)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _subnets(machines: list[Machine]) -> Iterator[Problem]:
    """Without encapsulation, only neighbours find each other's pods: routers know nothing of them."""
    subnets = {machine.name: _subnet(machine) for machine in machines}
    known = [subnet for subnet in subnets.values() if subnet]
    usual = max(known, key=known.count, default="")
    for machine in machines:
        subnet = subnets[machine.name] or usual
        if machine.plan["cluster"]["encapsulation"] == "None" and subnet != usual:
            yield machine.problem(
                "calico_encapsulation",
                f"is None, with which pods find each other within one subnet only, and this machine is in {subnet}, "
                f"others in {usual}",
                "set calico_encapsulation: VXLANCrossSubnet",
            )


def _subnet(machine: Machine) -> str:
    """The subnet of the machine's address as a node; empty when it has no such address, which is told elsewhere."""
    wanted = machine.node["address"] or str(machine.settings.of(machine.name, "kubeadm_node_address"))
    own = next((address for address in machine.state["addresses"] if _described(wanted, address)), None)
    return str(ipaddress.ip_interface(f"{own['address']}/{own['prefix']}").network) if own else ""


def _address_pools(machines: list[Machine]) -> Iterator[Problem]:
    """What the inventory cannot know: more addresses of the machines, their gateways, how large their networks are."""
    for pool in machines[0].plan["address_pools"] if machines else ():
        interfaces = pool.get("interfaces") or ()
        for addresses in address_pools.ranges(pool):
            for machine in machines:
                for what in _held(machine.state, addresses):
                    yield machine.problem(
                        address_pools.VARIABLE, f"{addresses.text} holds {what}", "leave what is in use out of the pool"
                    )
            networks = sorted({str(network) for machine in machines for network in _reached(machine.state, interfaces)})
            if not any(addresses.within(ipaddress.IPv4Network(network)) for network in networks):
                where = f" by {' or '.join(interfaces)}" if interfaces else ""
                yield machines[0].problem(
                    address_pools.VARIABLE,
                    f"{addresses.text} is in no network that the machines reach without a router{where} "
                    f"({_some(networks) or 'there is none'})",
                    "take free addresses of such a network",
                )


def _held(state: State, addresses: address_pools.Range) -> Iterator[str]:
    for own in state["addresses"]:
        if not POD_NETWORK_INTERFACE.match(own["interface"]) and ipaddress.ip_address(own["address"]) in addresses:
            yield f"the machine's own address {own['address']} on {own['interface']}"
    for gateway in sorted({route["gateway"] for route in state["routes"] if route["gateway"]}):
        if ipaddress.ip_address(gateway) in addresses:
            yield f"its gateway {gateway}"


def _reached(state: State, interfaces: Sequence[str]) -> Iterator[ipaddress.IPv4Network]:
    for own in state["addresses"]:
        wanted = own["interface"] in interfaces if interfaces else not POD_NETWORK_INTERFACE.match(own["interface"])
        interface = ipaddress.ip_interface(f"{own['address']}/{own['prefix']}")
        if wanted and isinstance(interface, ipaddress.IPv4Interface) and not interface.is_loopback:
            yield interface.network


def _leftovers(machines: list[Machine]) -> Iterator[Problem]:
    """Traces of a cluster that is not the one the control planes serve."""
    serving = [machine for machine in machines if machine.state["kubeadm"]["admin_conf"]]
    if serving:
        yield from _foreign_authorities(machines, serving[0])
        return
    answering = {machine.name for machine in machines}
    for machine in machines:
        control_planes = group_members("kube_control_plane", machine.plan["nodes"])
        # A control plane that is silent may be the one that serves this node's cluster.
        if machine.is_member and not machine.node["control_plane"] and answering.issuperset(control_planes):
            yield machine.problem(
                "/etc/kubernetes/kubelet.conf",
                f"makes it a node of {machine.state['kubeadm']['server']}, which no control plane serves",
                _reset(machine),
            )


def _foreign_authorities(machines: list[Machine], serving: Machine) -> Iterator[Problem]:
    right = serving.state["kubeadm"]["ca_digest"]
    for machine in machines:
        digest = machine.state["kubeadm"]["ca_digest"]
        if right and digest and digest != right:
            yield machine.problem(
                "/etc/kubernetes/pki/ca.crt", f"is of another cluster than that of {serving.name}", _reset(machine)
            )


def _reset(machine: Machine) -> str:
    return f"if nothing on it is needed, reset this machine: playbooks/reset.yml with --limit {machine.name}"


_HOST_CHECKS: tuple[Callable[[Machine], Iterator[Problem]], ...] = (
    _operating_system,
    _size,
    _left,
    _swap,
    _kernel,
    _control_groups,
    _inotify,
    _cloud,
    _resolver,
    _address,
    _networks,
    _versions,
    _containerd,
)
_CLUSTER_CHECKS: tuple[Callable[[list[Machine]], Iterator[Problem]], ...] = (
    _skew,
    _twins,
    _subnets,
    _address_pools,
    _leftovers,
)


# Ports and mirrors


def url_problems(answers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Problem]:
    """What each host was told by the mirrors it will need."""
    return [
        Problem(
            host,
            url,
            f"cannot be used from here: {answer['error'] or 'status ' + str(answer['status'])}",
            "correct the mirror's URL, start the mirror, or let this machine reach it "
            "(firewall, security group, route, name)",
        )
        for host, of_host in answers.items()
        for url, answer in of_host.items()
        # 401 is how a registry greets; 404 and 5xx are how a wrong path and a dead server do.
        if answer["error"] or answer["status"] == 404 or answer["status"] >= 500
    ]


def port_problems(
    plan: Mapping[str, Any],
    closed: Mapping[str, list[dict[str, Any]]],
    served: Mapping[str, list[dict[str, Any]]],
    members: frozenset[str],
) -> list[Problem]:
    """Of what each host could not reach, what is indeed shut rather than not there yet."""
    found = []
    for source, targets in closed.items():
        for target in targets:
            port, protocol, host, reason = (target[name] for name in ("port", "protocol", "host", "reason"))
            # A member refuses a port that nobody serves there: the packet arrived, so nothing is in its way.
            nobody_home = host in members and reason == "refused"
            # The owner of a UDP port need not answer what we say.
            not_ours = protocol == "udp" and {"port": port, "protocol": protocol} in served.get(host, [])
            if not nobody_home and not not_ours:
                found.append(
                    Problem(
                        source,
                        f"port {port}/{protocol}",
                        f"of {host} ({target['address']}) cannot be reached: {reason}; it is for {target['why']}",
                        f"let {port}/{protocol} in from {_group(plan, target, source, 'from')} to "
                        f"{_group(plan, target, host, 'to')}, in the machines' firewall and in the security group",
                    )
                )
    return found


def _group(plan: Mapping[str, Any], dialled: Mapping[str, Any], host: str, end: str) -> str:
    """The group of the ports table that a host is in: rules are written for groups."""
    for row in plan["ports"]:
        same = (row["port"], row["protocol"]) == (dialled["port"], dialled["protocol"])
        if same and host in group_members(row[end], plan["nodes"]):
            return f"the group {row[end]}"
    return host
