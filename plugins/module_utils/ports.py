# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a cluster: one table, of which the preflight, the security groups and the documents are made."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.groundwork.kube.plugins.module_utils.topology import CONTROL_PLANE, WORKER

# Who dials without being a node: the machine itself, the way in, and load balancers; the API's is dialled, too.
ITSELF = "localhost"
BASTION = "bastion"
LOAD_BALANCER = "load_balancer"
API_LOAD_BALANCER = "api_load_balancer"

# IP in IP, which is no port of anything.
IP_IN_IP = "ipip"


class Port(NamedTuple):
    """What machines of one group dial on another's."""

    port: int
    protocol: str
    source: str
    target: str
    needs: str
    why: str
    """What it is for, in letters that a security group takes: no apostrophes."""
    last: int = 0
    """Where a range ends."""


# What a row needs, as the documents say it.
NEEDS = {
    "": "always",
    "balancer": "`api_lb_provider: keepalived` on the control planes",
    "aws_nlb": "`api_lb_provider: aws_nlb`, with more than one control plane",
    "etcd": "unless `kubeadm_external_etcd`",
    "controller_manager": "a `bind-address` in `kubeadm_controller_manager_extra_args`",
    "scheduler": "a `bind-address` in `kubeadm_scheduler_extra_args`",
    "vxlan": "`calico_encapsulation: VXLAN` or `VXLANCrossSubnet`",
    "bgp": "`calico_encapsulation: IPIP`, `IPIPCrossSubnet` or `None`",
    "ipip": "`calico_encapsulation: IPIP` or `IPIPCrossSubnet`",
    "typha": "`calico_typha`, by itself beyond 50 nodes",
    "pools": "MetalLB, with `addressPools`",
}

_CONTROLLER_MANAGER = "kube-controller-manager health and metrics"
_SCHEDULER = "kube-scheduler health and metrics"
_KUBE_PROXY = "kube-proxy health"
_NODE_PORTS = "NodePorts"

PORTS = (
    Port(22, "tcp", BASTION, CONTROL_PLANE, "", "ssh"),
    Port(22, "tcp", BASTION, WORKER, "", "ssh"),
    Port(6443, "tcp", CONTROL_PLANE, CONTROL_PLANE, "", "Kubernetes API"),
    Port(6443, "tcp", WORKER, CONTROL_PLANE, "", "Kubernetes API"),
    Port(6443, "tcp", CONTROL_PLANE, API_LOAD_BALANCER, "aws_nlb", "Kubernetes API"),
    Port(6443, "tcp", WORKER, API_LOAD_BALANCER, "aws_nlb", "Kubernetes API"),
    Port(6443, "tcp", API_LOAD_BALANCER, CONTROL_PLANE, "aws_nlb", "Kubernetes API, and whether it is ready"),
    Port(2379, "tcp", CONTROL_PLANE, CONTROL_PLANE, "etcd", "etcd clients"),
    Port(2380, "tcp", CONTROL_PLANE, CONTROL_PLANE, "etcd", "etcd peers"),
    Port(10250, "tcp", CONTROL_PLANE, CONTROL_PLANE, "", "kubelet: logs, exec and metrics"),
    Port(10250, "tcp", CONTROL_PLANE, WORKER, "", "kubelet: logs, exec and metrics"),
    Port(10250, "tcp", WORKER, CONTROL_PLANE, "", "kubelet metrics, which pods read"),
    Port(10250, "tcp", WORKER, WORKER, "", "kubelet metrics, which pods read"),
    Port(10257, "tcp", ITSELF, CONTROL_PLANE, "", _CONTROLLER_MANAGER),
    Port(10257, "tcp", WORKER, CONTROL_PLANE, "controller_manager", _CONTROLLER_MANAGER),
    Port(10259, "tcp", ITSELF, CONTROL_PLANE, "", _SCHEDULER),
    Port(10259, "tcp", WORKER, CONTROL_PLANE, "scheduler", _SCHEDULER),
    Port(10256, "tcp", ITSELF, CONTROL_PLANE, "", _KUBE_PROXY),
    Port(10256, "tcp", ITSELF, WORKER, "", _KUBE_PROXY),
    Port(10256, "tcp", LOAD_BALANCER, CONTROL_PLANE, "", _KUBE_PROXY),
    Port(10256, "tcp", LOAD_BALANCER, WORKER, "", _KUBE_PROXY),
    Port(30000, "tcp", LOAD_BALANCER, CONTROL_PLANE, "", _NODE_PORTS, 32767),
    Port(30000, "tcp", LOAD_BALANCER, WORKER, "", _NODE_PORTS, 32767),
    *(
        Port(number, protocol, source, target, needs, why)
        for number, protocol, needs, why in (
            (4789, "udp", "vxlan", "Calico VXLAN"),
            (179, "tcp", "bgp", "Calico BGP"),
            (0, IP_IN_IP, "ipip", "Calico IP in IP"),
            (5473, "tcp", "typha", "Calico Typha, which may run on any node"),
            (7946, "tcp", "pools", "MetalLB speakers, which learn so that one is gone"),
            (7946, "udp", "pools", "MetalLB speakers, which learn so that one is gone"),
        )
        for source in (CONTROL_PLANE, WORKER)
        for target in (CONTROL_PLANE, WORKER)
    ),
)
