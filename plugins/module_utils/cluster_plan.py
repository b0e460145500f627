# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: all that the inventory alone decides about a cluster, and the ports it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import topology
from ansible_collections.groundwork.kube.plugins.module_utils.ports import API_LOAD_BALANCER, LOAD_BALANCER, PORTS, Port
from ansible_collections.groundwork.kube.plugins.module_utils.topology import (
    API_LB,
    CONTROL_PLANE,
    WORKER,
    Groups,
    Problem,
    Variables,
)

# What the whole cluster shares, with the value it has when the inventory is silent; None is worked out from the rest.
# A test holds the roles' defaults equal.
SHARED: dict[str, Any] = {
    "groundwork_cluster_name": "kubernetes",
    "groundwork_cni": "calico",
    "groundwork_cloud": "none",
    "groundwork_storage": "none",
    "groundwork_api_host": None,
    "groundwork_aws_region": None,
    "kubeadm_version": None,
    "kubeadm_control_plane_endpoint": None,
    "kubeadm_control_plane_endpoint_address": None,
    "kubeadm_pod_subnet": "192.168.0.0/16",
    "kubeadm_service_subnet": "10.96.0.0/12",
    "kubeadm_dns_domain": "cluster.local",
    "kubeadm_external_etcd": {},
    "kubeadm_apiserver_cert_sans": [],
    "kubeadm_apiserver_extra_args": [],
    "kubeadm_controller_manager_extra_args": [],
    "kubeadm_scheduler_extra_args": [],
    "kubeadm_cluster_configuration": {},
    "kubeadm_kube_proxy_configuration": {},
    "api_lb_provider": "external",
    "aws_network_cidr": "10.0.0.0/16",
    "aws_network_zones": None,
    "api_lb_virtual_router_id": 51,
    "calico_version": None,
    "calico_encapsulation": "VXLAN",
    "calico_typha": "auto",
    "calico_pod_cidr": None,
    "groundwork_gitops": "argocd",
    "argocd_version": None,
    "argocd_mode": "standard",
    "argocd_method": "manifests",
    "argocd_server_service_type": "ClusterIP",
    "argocd_server_node_port": 0,
    "argocd_ingress": {},
    "argocd_root_application": {},
    "argocd_root_values": {},
}

# What each node may have of its own, and the plan looks at.
PER_NODE: dict[str, Any] = {
    "kubeadm_kubelet_configuration": {},
    "kubeadm_kubelet_extra_args": [],
    "kubeadm_provider_id": None,
    "kubeadm_apt_repository": None,
    "kubeadm_cgroup_driver": None,
    "containerd_cgroup_driver": "systemd",
    "containerd_version": None,
    "containerd_registry_mirrors": {},
    "containerd_http_proxy": None,
    "containerd_https_proxy": None,
    "groundwork_http_proxy": None,
    "groundwork_https_proxy": None,
    "groundwork_no_proxy": [],
    "aws_nodes_type": None,
}

# Playbook-wide variables; every other prefix is a role's, whose argument_specs.yml knows its variables.
GROUNDWORK_VARIABLES = {
    "groundwork_cluster_name": "The cluster's name: part of the API's name, and what a destructive playbook asks for.",
    "groundwork_cni": "C(calico), or C(none) to bring a network of your own.",
    "groundwork_cloud": (
        "Who says which machine of the cloud a Node is. C(none): nobody. C(provider_id): its kubelet as it registers; "
        "that takes no rights in the cloud and leaves the Node of a terminated machine to you. C(aws_ccm): AWS' cloud "
        "controller manager, too; that takes those rights, removes such Nodes, and keeps pods off a new one until its "
        "machine is found."
    ),
    "groundwork_storage": "C(ebs_csi), or C(none) where volumes are somebody else's, a platform's in Git mostly.",
    "groundwork_gitops": "C(argocd), or C(none) for a cluster on which nothing is to grow from Git.",
    "groundwork_aws_region": "The region of AWS that the machines are in, or are to be made in.",
    "groundwork_api_host": "The control plane on which modules talk to the API; the first of them otherwise.",
    "groundwork_domain": "The zone, its name servers and the certificate that the role aws_dns_cdn has made.",
    "groundwork_http_proxy": "The proxy through which machines fetch packages, images and manifests from http URLs.",
    "groundwork_https_proxy": "The same for https URLs.",
    "groundwork_no_proxy": "Hosts, domains and networks to reach without the proxy, besides the cluster's own.",
    "groundwork_keys": "The package sources' keys by URL, fetched once for all hosts of a run.",
    "groundwork_admin_kubeconfig": "Where on the controller to keep a copy of the admin kubeconfig; empty: nowhere.",
    "groundwork_artifacts": "Where on the controller a run leaves what it was asked to leave, mode 0600.",
    "groundwork_upgrade_serial": "How many workers playbooks/upgrade.yml upgrades at a time: a number or a share; 1.",
    "groundwork_replace": "The control plane that playbooks/replace_control_plane.yml replaces, by its Node's name.",
    "groundwork_openbao_namespaces": "The namespaces that read secrets in OpenBao, each its own.",
    "groundwork_openbao_keys_file": "The file on the controller that OpenBao's keys go into, and come from again.",
    "groundwork_openbao_keys": "Shares of OpenBao's key, where they are not in that file.",
    "groundwork_openbao_token": "A token of OpenBao's that may keep policies and roles, where it is not in that file.",
    "groundwork_openbao_shares": "How many shares OpenBao's key is split into; 5.",
    "groundwork_openbao_threshold": "How many of them unseal; 3.",
    "groundwork_openbao_pgp_keys": "Public PGP keys of the shares' holders, in Base64.",
    "groundwork_openbao_root_token_pgp_key": "The public PGP key for OpenBao's first token, in Base64.",
    "groundwork_confirm": "The cluster's name again, to let a destructive playbook act.",
    "groundwork_assume": "What earlier phases of this check-mode run would have made.",
}

# The variables whose values the plan needs to know.
READS = (*topology.READS, *SHARED, *PER_NODE)

ENCAPSULATIONS = ("VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet", "None")
_BGP_ENCAPSULATIONS = ("IPIP", "IPIPCrossSubnet", "None")
# The manifest's Typha is for clusters beyond this.
TYPHA_ABOVE_NODES = 50

API_PORT = 6443
# Where the balancer listens when it shares its machine with an API server.
BALANCED_PORT = 8443


@dataclass(frozen=True)
class Inventory:
    """What the plan is made from: groups, the values of the variables in READS, all variables as written, the pins."""

    groups: Groups
    variables: Mapping[str, Variables]
    written: Mapping[str, Variables]
    versions: Mapping[str, Any]

    @property
    def control_planes(self) -> Sequence[str]:
        return self.groups.get(CONTROL_PLANE, ())

    @property
    def nodes(self) -> list[str]:
        return topology.members(self.groups)

    @property
    def spokesman(self) -> str:
        """The host whose variables speak for the cluster."""
        return next(iter(self.nodes), "localhost")

    def shared(self, name: str) -> Any:
        value = self.variables.get(self.spokesman, {}).get(name)
        return SHARED[name] if value is None else value

    def own(self, host: str, name: str) -> Any:
        value = self.variables[host].get(name)
        return PER_NODE[name] if value is None else value

    @property
    def version(self) -> Any:
        return self.shared("kubeadm_version") or self.versions["kubernetes"]["default"]

    @property
    def minor(self) -> str:
        return ".".join(str(self.version).split(".")[:2])

    @property
    def endpoint(self) -> Any:
        return self.shared("kubeadm_control_plane_endpoint") or self.usual_endpoint

    @property
    def usual_endpoint(self) -> str:
        port = BALANCED_PORT if self.balances_itself else API_PORT
        return f"api.{self.shared('groundwork_cluster_name')}.internal:{port}"

    @property
    def endpoint_address(self) -> str | None:
        """The IP address that nodes are told the endpoint has; an empty one leaves that to DNS."""
        given = self.shared("kubeadm_control_plane_endpoint_address")
        if given is None and self.has_network_load_balancer:
            return ""
        if given is not None or len(self.control_planes) != 1:
            return given
        host = self.control_planes[0]
        return topology.address(host, self.variables[host])

    @property
    def address_keepers(self) -> Sequence[str]:
        """The machines that keep the API's shared address among them; none where somebody else does."""
        keepers = {"keepalived": self.groups.get(API_LB) or self.control_planes, "kube_vip": self.control_planes}
        return keepers.get(str(self.shared("api_lb_provider")), ())

    @property
    def balances_itself(self) -> bool:
        """Whether the balancer shares a machine with an API server, which then has the usual port."""
        return self.shared("api_lb_provider") == "keepalived" and not set(self.control_planes).isdisjoint(
            self.address_keepers
        )

    @property
    def has_network_load_balancer(self) -> bool:
        """Whether AWS balances the API, under a name that the cluster's VPC alone knows."""
        return self.shared("api_lb_provider") == "aws_nlb" and len(self.control_planes) > 1

    @property
    def has_external_etcd(self) -> bool:
        return bool(self.shared("kubeadm_external_etcd"))

    @property
    def has_typha(self) -> bool:
        wish = str(self.shared("calico_typha")).lower()
        return self.has_calico and (wish == "true" or (wish == "auto" and len(self.nodes) > TYPHA_ABOVE_NODES))

    @property
    def has_calico(self) -> bool:
        return self.shared("groundwork_cni") == "calico"

    def is_scraped(self, arguments: str) -> bool:
        """Whether a component of the control plane listens beyond its own machine, where kubeadm keeps it."""
        given = self.shared(arguments)
        named = [each for each in given if isinstance(each, Mapping) and each.get("name") == "bind-address"]
        return any(str(each.get("value")) not in ("127.0.0.1", "::1") for each in named)

    @property
    def address_pools(self) -> list[dict[str, Any]]:
        """What MetalLB may give away."""
        return [dict(pool) for pool in self.shared("argocd_root_values").get("addressPools") or ()]

    def says(self, variable: str, problem: str, remedy: str) -> Problem:
        return Problem(self.spokesman, variable, problem, remedy)


def plan(inventory: Inventory, phases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The cluster that a sound inventory describes: the fact C(groundwork) that every later task reads."""
    endpoint_host, _colon, endpoint_port = inventory.endpoint.rpartition(":")
    return {
        "cluster": {
            "name": inventory.shared("groundwork_cluster_name"),
            "cni": inventory.shared("groundwork_cni"),
            "cloud": inventory.shared("groundwork_cloud"),
            "storage": inventory.shared("groundwork_storage"),
            "gitops": inventory.shared("groundwork_gitops"),
            "encapsulation": inventory.shared("calico_encapsulation") if inventory.has_calico else "",
            "endpoint": inventory.endpoint,
            "endpoint_host": endpoint_host,
            "endpoint_port": int(endpoint_port),
            "endpoint_address": inventory.endpoint_address,
            "pod_subnet": inventory.shared("kubeadm_pod_subnet"),
            "service_subnet": inventory.shared("kubeadm_service_subnet"),
            "dns_domain": inventory.shared("kubeadm_dns_domain"),
            "version": inventory.version,
            "minor": inventory.minor,
        },
        "nodes": nodes(inventory),
        "api_lb": {
            "provider": inventory.shared("api_lb_provider"),
            "hosts": {host: topology.address(host, inventory.variables[host]) for host in inventory.address_keepers},
        },
        "ports": ports(inventory),
        "api_host": inventory.shared("groundwork_api_host") or inventory.control_planes[0],
        "phases": [dict(phase) for phase in phases],
        "address_pools": inventory.address_pools,
    }


def nodes(inventory: Inventory) -> dict[str, dict[str, Any]]:
    every = topology.nodes(inventory.groups, inventory.variables)
    return {
        name: {
            **node,
            "etcd": node["etcd"] and not inventory.has_external_etcd,
            "provider_id": inventory.own(name, "kubeadm_provider_id") or "",
        }
        for name, node in every.items()
    }


def ports(inventory: Inventory) -> list[dict[str, Any]]:
    """The ports this very cluster needs from machine to machine."""
    encapsulation = inventory.shared("calico_encapsulation")
    balanced = int(str(inventory.endpoint).rpartition(":")[2])
    table = (
        *PORTS,
        Port(balanced, "tcp", CONTROL_PLANE, CONTROL_PLANE, "balancer", "Kubernetes API at its shared address"),
        Port(balanced, "tcp", WORKER, CONTROL_PLANE, "balancer", "Kubernetes API at its shared address"),
    )
    has = {
        "": True,
        "etcd": not inventory.has_external_etcd,
        "balancer": inventory.balances_itself,
        "aws_nlb": inventory.has_network_load_balancer,
        "vxlan": inventory.has_calico and encapsulation.startswith("VXLAN"),
        "bgp": inventory.has_calico and encapsulation in _BGP_ENCAPSULATIONS,
        "ipip": inventory.has_calico and encapsulation.startswith("IPIP"),
        "typha": inventory.has_typha,
        "pools": bool(inventory.address_pools),
        "controller_manager": inventory.is_scraped("kubeadm_controller_manager_extra_args"),
        "scheduler": inventory.is_scraped("kubeadm_scheduler_extra_args"),
    }
    return [
        {
            "port": port.port,
            "last": port.last or port.port,
            "protocol": port.protocol,
            "from": port.source,
            "to": port.target,
            "why": port.why,
        }
        for port in table
        if has[port.needs] and _is_dialled(inventory, port)
    ]


def _is_dialled(inventory: Inventory, port: Port) -> bool:
    """Whether another machine dials it: one of the inventory's, or a load balancer that a cloud may make."""
    sources, targets = (inventory.groups.get(group, ()) for group in (port.source, port.target))
    if port.source in (LOAD_BALANCER, API_LOAD_BALANCER):
        return bool(targets)
    if port.target == API_LOAD_BALANCER:
        return bool(sources)
    return bool(sources) and bool(targets) and len({*sources, *targets}) > 1
