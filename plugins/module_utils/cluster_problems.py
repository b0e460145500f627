# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that keeps it from becoming a cluster, found before a machine is reached."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kube.plugins.module_utils import (
    aws_problems,
    cloud_problems,
    control_plane_problems,
    gitops_problems,
    topology,
)
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import (
    API_PORT,
    ENCAPSULATIONS,
    PER_NODE,
    SHARED,
    Inventory,
)
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest
from ansible_collections.groundwork.kube.plugins.module_utils.topology import (
    API_LB,
    CONTROL_PLANE,
    ETCD,
    WORKER,
    Problem,
    is_dns_name,
)

# kubeadm's own limits (cmd/kubeadm/app/constants and .../apis/kubeadm/validation).
_SERVICE_SUBNET_BITS = 20
_SERVICE_SUBNET_LEAST_ADDRESSES = 10
_POD_SUBNET_NODE_MASK_DIFFERENCE = 16
_NODE_MASK = 24

_EXTRA_ARGS = (
    "kubeadm_apiserver_extra_args",
    "kubeadm_controller_manager_extra_args",
    "kubeadm_scheduler_extra_args",
    "kubeadm_kubelet_extra_args",
)

# Flags of the kubelet that say what the inventory says elsewhere: of two, the kubelet would hear the last.
_OWNED_FLAGS = {
    "node-labels": "set node_labels instead",
    "register-with-taints": "set node_taints instead",
    "node-ip": "set kubeadm_node_address instead",
    "provider-id": "set kubeadm_provider_id instead",
    "cloud-provider": "set groundwork_cloud instead",
    "hostname-override": "call the host in the inventory what the node shall be called",
}

# Fields of kubeadm's ClusterConfiguration that have a variable of their own.
_OWNED_FIELDS = {
    "apiVersion": None,
    "kind": None,
    "kubernetesVersion": "kubeadm_version",
    "clusterName": "groundwork_cluster_name",
    "controlPlaneEndpoint": "kubeadm_control_plane_endpoint",
    "imageRepository": "kubeadm_image_repository",
    "networking.podSubnet": "kubeadm_pod_subnet",
    "networking.serviceSubnet": "kubeadm_service_subnet",
    "networking.dnsDomain": "kubeadm_dns_domain",
    "etcd.external": "kubeadm_external_etcd",
    "apiServer.certSANs": "kubeadm_apiserver_cert_sans",
    "apiServer.extraArgs": "kubeadm_apiserver_extra_args",
    "controllerManager.extraArgs": "kubeadm_controller_manager_extra_args",
    "scheduler.extraArgs": "kubeadm_scheduler_extra_args",
}


def problems(inventory: Inventory) -> list[Problem]:
    """Everything that is wrong, at once."""
    if not inventory.control_planes:
        return [_no_control_plane(inventory)]
    found = topology.problems(inventory.groups, inventory.variables)
    for check in _CHECKS:
        found.extend(check(inventory))
    return found


# --- Groups and hosts


def _no_control_plane(inventory: Inventory) -> Problem:
    if not inventory.groups.get("all"):
        return Problem(
            "localhost",
            "inventory",
            "has no host: none was given (-i), or what it is read from failed, as told above",
            "give one, or let its source be reached; ansible-inventory --graph shows what is found",
        )
    meant = nearest(CONTROL_PLANE, _others(inventory))
    remedy = (
        f"rename the group {meant} to {CONTROL_PLANE}" if meant else f"put one host, or three, into {CONTROL_PLANE}"
    )
    return Problem("localhost", CONTROL_PLANE, "there is no control plane: the group is missing or empty", remedy)


def _others(inventory: Inventory) -> list[str]:
    return [name for name in inventory.groups if name not in (CONTROL_PLANE, WORKER, ETCD, API_LB, "all", "ungrouped")]


def _groups(inventory: Inventory) -> Iterator[Problem]:
    # The words "control_plane" or "worker" alone are nobody's typing mistake.
    for group in _others(inventory):
        meant = nearest(group.replace("-", "_"), (CONTROL_PLANE, WORKER, ETCD, API_LB), cutoff=0.85)
        outside = [host for host in inventory.groups[group] if meant and host not in inventory.groups.get(meant, ())]
        if meant and outside:
            yield Problem(
                outside[0], group, f"is no group of a cluster, but looks like {meant}", f"rename the group to {meant}"
            )


def _hosts_left_out(inventory: Inventory) -> Iterator[Problem]:
    for host in inventory.groups.get("ungrouped", ()):
        mine = [name for name in topology.NODE_VARIABLES if name in inventory.written.get(host, {})]
        if mine:
            yield Problem(
                host,
                mine[0],
                "is set, but the host is in no group and becomes no node",
                f"put it into {WORKER} or {CONTROL_PLANE}",
            )


def _etcd(inventory: Inventory) -> Iterator[Problem]:
    stacked = set(inventory.control_planes)
    etcd = set(inventory.groups.get(ETCD, ())) or stacked
    for host in sorted(etcd - stacked):
        yield Problem(
            host,
            ETCD,
            "is an etcd member but no control plane; etcd on machines of its own is not built yet",
            f"remove it from {ETCD} or add it to {CONTROL_PLANE}",
        )
    for host in sorted(stacked - etcd):
        yield Problem(
            host,
            ETCD,
            "is a control plane outside the group etcd, and kubeadm runs etcd on each",
            f"add it to {ETCD}, or drop that group",
        )


def _shared_values(inventory: Inventory) -> Iterator[Problem]:
    for name in SHARED:
        of_cluster = inventory.variables[inventory.spokesman].get(name)
        for host in inventory.nodes:
            of_host = inventory.variables[host].get(name)
            if of_host != of_cluster:
                yield Problem(
                    host,
                    name,
                    f"is {_told(of_host)} here and {_told(of_cluster)} on {inventory.spokesman}; a cluster has one",
                    "set it once, in group_vars/all.yml",
                )


def _api_host(inventory: Inventory) -> Iterator[Problem]:
    host = inventory.shared("groundwork_api_host")
    if host is not None and host not in inventory.control_planes:
        meant = nearest(host, inventory.control_planes) or inventory.control_planes[0]
        yield inventory.says(
            "groundwork_api_host", f"{host!r} is not in {CONTROL_PLANE}", f"name a control plane, like {meant}"
        )


# --- Versions


def _kubernetes_version(inventory: Inventory) -> Iterator[Problem]:
    version, supported = inventory.version, inventory.versions["kubernetes"]["supported"]
    example = inventory.versions["kubernetes"]["default"]
    if not isinstance(version, str):
        yield inventory.says(
            "kubeadm_version",
            f"is the number {version}: YAML reads 1.30 as 1.3",
            f'quote the full version: "{example}"',
        )
    elif not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield inventory.says("kubeadm_version", f"{version!r} is no full version", f'write it like "{example}"')
    elif inventory.minor not in supported:
        yield inventory.says(
            "kubeadm_version", f"Kubernetes {inventory.minor} is not supported", f"choose one of {', '.join(supported)}"
        )


def _package_repository(inventory: Inventory) -> Iterator[Problem]:
    for host in inventory.nodes:
        url = str(inventory.own(host, "kubeadm_apt_repository") or "")
        of_minor = re.search(r"/v(\d+\.\d+)(/|$)", url)
        if of_minor and of_minor[1] != inventory.minor:
            yield Problem(
                host,
                "kubeadm_apt_repository",
                f"{url} holds Kubernetes {of_minor[1]}, and kubeadm_version is {inventory.version}",
                f"point it at v{inventory.minor}, or leave it out",
            )


def _containerd_version(inventory: Inventory) -> Iterator[Problem]:
    bundle = inventory.versions["kubernetes"]["bundles"].get(inventory.minor, {})
    for host in inventory.nodes:
        version = inventory.own(host, "containerd_version")
        if version and bundle and _number(version) < _number(bundle["containerd"]):
            yield Problem(
                host,
                "containerd_version",
                f"{version} is older than Kubernetes {inventory.minor} wants",
                f"take {bundle['containerd']} or newer",
            )


# --- The API's endpoint


def _endpoint(inventory: Inventory) -> Iterator[Problem]:
    variable = "kubeadm_control_plane_endpoint"
    example = inventory.usual_endpoint
    host, _colon, port = str(inventory.endpoint).rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        yield inventory.says(variable, f"{inventory.endpoint!r} lacks a port", f"write NAME:PORT, like {example}")
    elif topology.address(host, {}):
        yield inventory.says(
            variable,
            f"{host} is an IP address, and every certificate and kubeconfig would hold it for good",
            f"write a name like {example}, and the address into {variable}_address",
        )
    elif not is_dns_name(host):
        yield inventory.says(variable, f"{host!r} is no DNS name", f"write NAME:PORT in lower case, like {example}")
    elif len(inventory.control_planes) == 1 and int(port) != API_PORT and not _balanced(inventory):
        yield inventory.says(
            variable,
            f"nothing listens on port {port} of the only control plane",
            f"use port {API_PORT}, or set {variable}_address to the load balancer that does",
        )


def _balanced(inventory: Inventory) -> bool:
    return bool(inventory.address_keepers) or inventory.shared("kubeadm_control_plane_endpoint_address") is not None


def _endpoint_address(inventory: Inventory) -> Iterator[Problem]:
    variable, address = "kubeadm_control_plane_endpoint_address", inventory.endpoint_address
    if address is None and len(inventory.control_planes) > 1:
        yield inventory.says(
            variable,
            f"is not set, and {len(inventory.control_planes)} control planes share {inventory.endpoint}",
            'set it to the IP address of their load balancer, or to "" where DNS knows the name',
        )
    elif address is None:
        yield inventory.says(
            variable,
            "is not set, and the control plane's address is known to itself only",
            'set it to the address nodes find the API at, or to "" where DNS knows the name',
        )
    elif address:
        yield from _address(inventory, variable, address)


def _address(inventory: Inventory, variable: str, address: Any) -> Iterator[Problem]:
    try:
        version = ipaddress.ip_address(str(address)).version
    except ValueError:
        yield inventory.says(variable, f"{address!r} is no IP address", "write the IPv4 address alone, without a port")
        return
    if version == 6:
        yield inventory.says(variable, f"{address} is an IPv6 address, which is not built yet", "give the IPv4 address")


def _certificate_names(inventory: Inventory) -> Iterator[Problem]:
    variable = "kubeadm_apiserver_cert_sans"
    names = inventory.shared(variable)
    if not isinstance(names, list):
        yield inventory.says(variable, f"is {names!r}, not a list", f"write {variable}: [{names}]")
        return
    for name in names:
        plain = name[2:] if isinstance(name, str) and name.startswith("*.") else name
        if not is_dns_name(plain) and not topology.address(str(name), {}):
            yield inventory.says(
                variable,
                f"{name!r} is neither a DNS name nor an IP address",
                "write it without scheme, port and path, in lower case",
            )


def _names(inventory: Inventory) -> Iterator[Problem]:
    for variable, example in (("groundwork_cluster_name", "production"), ("kubeadm_dns_domain", "cluster.local")):
        name = inventory.shared(variable)
        if not is_dns_name(name):
            yield inventory.says(
                variable,
                f"{name!r} cannot be part of a DNS name",
                f"write lower-case letters, digits and '-', like {example}",
            )


# --- Networks


def _networks(inventory: Inventory) -> Iterator[Problem]:
    networks = {}
    for variable in ("kubeadm_pod_subnet", "kubeadm_service_subnet"):
        network = _network(inventory.shared(variable))
        if isinstance(network, str):
            yield inventory.says(variable, *network.split("; "))
        else:
            networks[variable] = network
    if len(networks) == 2 and networks["kubeadm_pod_subnet"].overlaps(networks["kubeadm_service_subnet"]):
        pods, services = networks["kubeadm_pod_subnet"], networks["kubeadm_service_subnet"]
        yield inventory.says(
            "kubeadm_service_subnet", f"{services} overlaps kubeadm_pod_subnet {pods}", "move one of them"
        )
    for variable, network in networks.items():
        yield from _hosts_inside(inventory, variable, network)
    if "kubeadm_service_subnet" in networks:
        yield from _service_subnet(inventory, networks["kubeadm_service_subnet"])
    if "kubeadm_pod_subnet" in networks:
        yield from _pod_subnet(inventory, networks["kubeadm_pod_subnet"])


def _network(text: Any) -> ipaddress.IPv4Network | str:
    """The network, or what is wrong with it and how to mend it."""
    if isinstance(text, list) or "," in str(text) or ":" in str(text):
        return f"{text} is IPv6 or dual-stack, which is not built yet; give one IPv4 network"
    try:
        return ipaddress.IPv4Network(str(text))
    except ValueError:
        pass
    try:
        network = ipaddress.IPv4Network(str(text), strict=False)
    except ValueError:
        return f"{text!r} is no network; write it like 10.96.0.0/12"
    return f"{text} has bits set beyond its mask; write {network}"


def _hosts_inside(inventory: Inventory, variable: str, network: ipaddress.IPv4Network) -> Iterator[Problem]:
    for host in inventory.nodes:
        address = topology.address(host, inventory.variables[host])
        if address and ipaddress.ip_address(address) in network:
            yield Problem(
                host,
                variable,
                f"{network} overlaps the machines' network: the host's address lies inside",
                "choose a range that no machine uses",
            )


def _service_subnet(inventory: Inventory, network: ipaddress.IPv4Network) -> Iterator[Problem]:
    variable = "kubeadm_service_subnet"
    if network.max_prefixlen - network.prefixlen > _SERVICE_SUBNET_BITS:
        yield inventory.says(variable, f"{network} is larger than Kubernetes takes", "use a mask of /12 to /28")
    elif network.num_addresses < _SERVICE_SUBNET_LEAST_ADDRESSES:
        yield inventory.says(
            variable,
            f"{network} has {network.num_addresses} addresses, and kubeadm wants ten",
            "use a mask of /12 to /28",
        )


def _pod_subnet(inventory: Inventory, network: ipaddress.IPv4Network) -> Iterator[Problem]:
    variable, mask = "kubeadm_pod_subnet", _node_mask(inventory)
    room = 2 ** max(mask - network.prefixlen, 0)
    if network.prefixlen > mask:
        yield inventory.says(
            variable,
            f"{network} is smaller than the /{mask} that each node gets of it",
            f"use a mask well below /{mask}",
        )
    elif mask - network.prefixlen > _POD_SUBNET_NODE_MASK_DIFFERENCE:
        yield inventory.says(
            variable,
            f"{network} is larger than kubeadm can hand out in /{mask} pieces",
            f"use /{mask - _POD_SUBNET_NODE_MASK_DIFFERENCE} or smaller",
        )
    elif room < len(inventory.nodes):
        yield inventory.says(
            variable,
            f"{network} has room for {room} nodes with a /{mask} each, and there are {len(inventory.nodes)}",
            f"use /{mask - (len(inventory.nodes) - 1).bit_length()} or larger",
        )
    pool = inventory.shared("calico_pod_cidr")
    if inventory.has_calico and pool is not None:
        inside = _network(pool)
        if isinstance(inside, str):
            yield inventory.says("calico_pod_cidr", *inside.split("; "))
        elif not inside.subnet_of(network):
            yield inventory.says(
                "calico_pod_cidr",
                f"{pool} is not inside {variable} {network}",
                f"leave it out, or choose a part of {network}",
            )


def _node_mask(inventory: Inventory) -> int:
    arguments = inventory.shared("kubeadm_controller_manager_extra_args")
    for argument in arguments if isinstance(arguments, list) else ():
        if isinstance(argument, Mapping) and str(argument.get("name")).startswith("node-cidr-mask-size"):
            value = str(argument.get("value"))
            return int(value) if value.isdecimal() and int(value) <= 32 else _NODE_MASK
    return _NODE_MASK


def _calico(inventory: Inventory) -> Iterator[Problem]:
    cni, encapsulation = inventory.shared("groundwork_cni"), inventory.shared("calico_encapsulation")
    if cni not in ("calico", "none"):
        yield inventory.says(
            "groundwork_cni", f"{cni!r} is not known", "write calico, or none to bring a network of your own"
        )
    if encapsulation not in ENCAPSULATIONS:
        meant = nearest(encapsulation, ENCAPSULATIONS)
        yield inventory.says(
            "calico_encapsulation",
            f"{encapsulation!r} is no encapsulation of Calico's",
            f"write {meant}" if meant else f"choose one of {', '.join(ENCAPSULATIONS)}",
        )
    typha = inventory.shared("calico_typha")
    if str(typha).lower() not in ("auto", "true", "false"):
        yield inventory.says("calico_typha", f"{typha!r} is not known", "write auto, true or false")
    proxy = inventory.shared("kubeadm_kube_proxy_configuration")
    mode, version = proxy.get("mode") if isinstance(proxy, Mapping) else None, inventory.shared("calico_version")
    if inventory.has_calico and mode == "nftables" and version and _number(version) < (3, 29):
        yield inventory.says(
            "kubeadm_kube_proxy_configuration",
            f"kube-proxy's mode nftables is more than Calico {version} can follow",
            "write mode: iptables, or take Calico 3.29 or newer",
        )


# --- What kubeadm and containerd are told


def _extra_args(inventory: Inventory) -> Iterator[Problem]:
    for variable in _EXTRA_ARGS:
        for host in inventory.nodes if variable in PER_NODE else inventory.nodes[:1]:
            yield from _arguments(host, variable, inventory.variables[host].get(variable))


def _arguments(host: str, variable: str, arguments: Any) -> Iterator[Problem]:
    if arguments is None:
        return
    if isinstance(arguments, Mapping):
        name, value = next(iter(arguments.items()), ("v", "2"))
        yield Problem(
            host,
            variable,
            "is a map; since kubeadm's v1beta4 it is a list",
            f'write {variable}: [{{name: {name}, value: "{value}"}}]',
        )
        return
    for argument in arguments if isinstance(arguments, list) else [arguments]:
        if not isinstance(argument, Mapping) or set(argument) != {"name", "value"}:
            yield Problem(host, variable, f"{argument!r} is no argument", 'write each as {name: v, value: "2"}')
        elif not isinstance(argument["value"], str):
            yield Problem(
                host,
                variable,
                f"the value of {argument['name']} is {argument['value']!r}, not a string",
                "quote the value",
            )
        elif str(argument["name"]).startswith("-"):
            yield Problem(
                host, variable, f"{argument['name']} begins with a dash", f"write {argument['name'].lstrip('-')}"
            )
        elif variable == "kubeadm_kubelet_extra_args" and argument["name"] in _OWNED_FLAGS:
            yield Problem(host, variable, f"sets {argument['name']}", _OWNED_FLAGS[argument["name"]])


def _cluster_configuration(inventory: Inventory) -> Iterator[Problem]:
    variable = "kubeadm_cluster_configuration"
    document = inventory.shared(variable)
    if not isinstance(document, Mapping):
        yield inventory.says(
            variable, f"is {document!r}, not a map", "write the fields of kubeadm's ClusterConfiguration"
        )
        return
    for path, owner in _OWNED_FIELDS.items():
        if _has(document, path):
            remedy = f"set {owner} instead" if owner else "leave it out"
            yield inventory.says(variable, f"sets {path}, which the role kubeadm writes", remedy)


def _has(document: Any, path: str) -> bool:
    for field in path.split("."):
        if not isinstance(document, Mapping) or field not in document:
            return False
        document = document[field]
    return True


def _cgroup_driver(inventory: Inventory) -> Iterator[Problem]:
    for host in inventory.nodes:
        runtime = inventory.own(host, "containerd_cgroup_driver")
        kubelet = inventory.own(host, "kubeadm_kubelet_configuration")
        if not isinstance(kubelet, Mapping):
            yield Problem(
                host,
                "kubeadm_kubelet_configuration",
                f"is {kubelet!r}, not a map",
                "write the fields of KubeletConfiguration",
            )
        elif runtime not in ("systemd", "cgroupfs"):
            meant = nearest(runtime, ("systemd", "cgroupfs")) or "systemd"
            yield Problem(host, "containerd_cgroup_driver", f"{runtime!r} is not known", f"write {meant}")
        elif (
            driver := kubelet.get("cgroupDriver") or inventory.own(host, "kubeadm_cgroup_driver") or runtime
        ) != runtime:
            yield Problem(
                host,
                "containerd_cgroup_driver",
                f"is {runtime}, and the kubelet's cgroupDriver is {driver}",
                "make both the same; systemd is right wherever systemd runs",
            )


def _mirrors(inventory: Inventory) -> Iterator[Problem]:
    variable = "containerd_registry_mirrors"
    for host in inventory.nodes:
        mirrors = inventory.own(host, variable)
        if not isinstance(mirrors, Mapping):
            yield Problem(host, variable, f"is {mirrors!r}, not a map", "write REGISTRY: [URL, ...]")
            continue
        for registry, endpoints in mirrors.items():
            if "/" in str(registry):
                right = urlsplit(str(registry)).netloc or str(registry).split("/", maxsplit=1)[0]
                yield Problem(host, variable, f"{registry} is no registry's host name", f"write {right}")
            for endpoint in [endpoints] if isinstance(endpoints, str) else endpoints or ():
                if not _is_url(endpoint):
                    yield Problem(
                        host,
                        variable,
                        f"the mirror {endpoint!r} of {registry} is no URL",
                        f"write http://{endpoint} or https://{endpoint}",
                    )


_PROXIES = ("groundwork_http_proxy", "groundwork_https_proxy", "containerd_http_proxy", "containerd_https_proxy")


def _proxies(inventory: Inventory) -> Iterator[Problem]:
    for host in inventory.nodes:
        exceptions = inventory.own(host, "groundwork_no_proxy")
        if not isinstance(exceptions, list):
            remedy = f"write groundwork_no_proxy: [{exceptions}]"
            yield Problem(host, "groundwork_no_proxy", f"is {exceptions!r}, not a list", remedy)
        for variable in _PROXIES:
            proxy = inventory.own(host, variable)
            if proxy and not _is_url(proxy):
                # A proxy's URL may hold a password, and is not repeated.
                yield Problem(host, variable, "is no URL of a proxy", "write it like http://proxy.example.com:3128")


def _is_url(text: Any) -> bool:
    try:
        url = urlsplit(str(text))
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False


def _number(version: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(version))[:3])


def _told(value: Any) -> str:
    """A short value; a long one may hold what is not meant for a screen."""
    if value is None:
        return "not set"
    return "something else" if isinstance(value, (Mapping, list)) else repr(value)


_CHECKS = (
    _groups,
    _hosts_left_out,
    _etcd,
    _shared_values,
    _api_host,
    _kubernetes_version,
    _package_repository,
    _containerd_version,
    _endpoint,
    _endpoint_address,
    _certificate_names,
    _names,
    _networks,
    _calico,
    _extra_args,
    _cluster_configuration,
    _cgroup_driver,
    _mirrors,
    _proxies,
    control_plane_problems.problems,
    cloud_problems.problems,
    aws_problems.problems,
    gitops_problems.problems,
)
