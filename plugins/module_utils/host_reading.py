# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cheap reading of a machine: files below /proc, /sys, /etc and /var, and nothing that costs more."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import host_kernel
from ansible_collections.groundwork.kube.plugins.module_utils.host_root import Root

MANIFESTS = "/etc/kubernetes/manifests"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
CONTAINERD_CONFIG = "/etc/containerd/config.toml"


def operating_system(root: Root) -> dict[str, str]:
    pairs = (line.partition("=") for line in root.lines("/etc/os-release"))
    release = {name: value.strip("\"'") for name, _separator, value in pairs}
    return {
        "id": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "codename": release.get("VERSION_CODENAME", ""),
        "pretty": release.get("PRETTY_NAME", ""),
    }


def memory_mib(root: Root) -> int:
    """From /proc/meminfo rather than sysconf: a container has a meminfo of its own, and the kubelet reads it too."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", root.text("/proc/meminfo") or "", re.MULTILINE)
    return int(match.group(1)) // 1024 if match else 0


def cgroup(root: Root) -> dict[str, int]:
    return {"version": 2 if root.exists("/sys/fs/cgroup/cgroup.controllers") else 1}


def inotify(root: Root) -> dict[str, int]:
    names = ("max_user_instances", "max_user_watches")
    return {name: int(root.text(f"/proc/sys/fs/inotify/{name}") or 0) for name in names}


def resolver(root: Root) -> dict[str, Any]:
    """What the kubelet would hand on to pods."""
    words = [line.split() for line in root.lines("/etc/resolv.conf")]
    return {
        "nameservers": [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"],
        "upstream_file": root.exists("/run/systemd/resolve/resolv.conf"),
    }


def kernel_modules(root: Root, names: list[str]) -> dict[str, str]:
    return {name: host_kernel.module_state(root, name) for name in names}


def _yaml_scalar(text: str, name: str) -> str:
    """A top-level or indented scalar of a document that kubeadm wrote; there need not be a YAML parser on the node."""
    match = re.search(rf"^\s*{name}:\s*\"?([^\s\"]+)\"?\s*$", text, re.MULTILINE)
    return match.group(1) if match else ""


def _digest(text: str | None) -> str:
    return "" if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def kubeadm(root: Root) -> dict[str, Any]:
    """The traces that kubeadm leaves on a node, from which its state is told without asking an API."""
    config = root.text(KUBELET_CONFIG)
    return {
        "admin_conf": root.exists("/etc/kubernetes/admin.conf"),
        "kubelet_conf": root.exists("/etc/kubernetes/kubelet.conf"),
        "bootstrap_conf": root.exists("/etc/kubernetes/bootstrap-kubelet.conf"),
        "etcd_data": root.exists("/var/lib/etcd/member"),
        "manifests": [name[: -len(".yaml")] for name in root.names(MANIFESTS) if name.endswith(".yaml")],
        "server": _yaml_scalar(root.text("/etc/kubernetes/kubelet.conf") or "", "server"),
        "ca_digest": _digest(root.text("/etc/kubernetes/pki/ca.crt")),
        "kubelet_flags": (root.text("/var/lib/kubelet/kubeadm-flags.env") or "").strip(),
        "kubelet_config_digest": _digest(config),
        "kubelet_cgroup_driver": _yaml_scalar(config or "", "cgroupDriver"),
        "kubelet_provider_id": _yaml_scalar(config or "", "providerID"),
    }


def containerd(root: Root) -> dict[str, str]:
    """How containerd is set; its version is that of its package."""
    text = root.text(CONTAINERD_CONFIG)
    driver = re.search(r"^\s*SystemdCgroup\s*=\s*(true|false)", text or "", re.MULTILINE)
    return {
        "config_digest": _digest(text),
        # containerd's own default, for a configuration that does not say.
        "cgroup_driver": "" if text is None else "systemd" if driver and driver.group(1) == "true" else "cgroupfs",
    }


def everything(root: Root, modules: list[str]) -> dict[str, Any]:
    """All of it that files tell."""
    system = os.uname()
    return {
        "os": operating_system(root),
        "architecture": system.machine,
        "kernel": (root.text("/proc/sys/kernel/osrelease") or "").strip(),
        "hostname": (root.text("/proc/sys/kernel/hostname") or "").strip(),
        "machine_id": (root.text("/etc/machine-id") or "").strip(),
        "memory_mib": memory_mib(root),
        "swap": host_kernel.swaps(root),
        "cgroup": cgroup(root),
        "modules": kernel_modules(root, modules),
        "inotify": inotify(root),
        "resolver": resolver(root),
        "kubeadm": kubeadm(root),
        "containerd": containerd(root),
    }
