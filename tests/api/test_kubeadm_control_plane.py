# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane is compared with what kubeadm would make of the inventory, on the objects kubeadm itself uploaded."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from lab.api import ApiServer, binary

DOCUMENT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {{name: k8s-master, criSocket: "unix:///run/containerd/containerd.sock"}}
localAPIEndpoint: {{advertiseAddress: 192.0.2.1}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.4
certificatesDir: {pki}
controlPlaneEndpoint: api.kubernetes.internal:6443
networking: {{podSubnet: {pod_subnet}}}
apiServer: {{certSANs: {sans}, extraArgs: {apiserver_args}}}
encryptionAlgorithm: ECDSA-P256
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: {max_pods}
"""

RunModule = Callable[..., dict[str, Any]]


class ControlPlane:
    """A directory with what kubeadm init leaves, and an API with what it uploads."""

    def __init__(self, root: Path, kubeconfig: Path) -> None:
        self.root = root
        self.pki = root / "etc/kubernetes/pki"
        file = root / "document.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(self.document())
        manifests = root / "etc/kubernetes/manifests"
        manifests.mkdir(parents=True)
        credentials = ("--kubeconfig", str(kubeconfig))
        self._kubeadm("certs", "all", "--config", str(file))
        self._kubeadm("control-plane", "all", "--config", str(file), "--dry-run", output=manifests)
        self._kubeadm("upload-config", "all", "--config", str(file), *credentials)

    def document(
        self,
        sans: str = "[]",
        apiserver_args: str = "[]",
        max_pods: int = 110,
        pod_subnet: str = "192.168.0.0/16",
    ) -> str:
        values = {"sans": sans, "apiserver_args": apiserver_args, "max_pods": max_pods, "pod_subnet": pod_subnet}
        return DOCUMENT.format(pki=self.pki, **values)

    def _kubeadm(self, *phase: str, output: Path | None = None) -> None:
        environment = {"KUBEADM_INIT_DRYRUN_DIR": str(output)} if output else {}
        command = [str(binary("kubeadm")), "init", "phase", *phase]
        subprocess.run(command, check=True, capture_output=True, env=environment)


@pytest.fixture
def control_plane(api: Any, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    root = tmp_path / "node"
    for name, value in vars(k).copy().items():
        if name.isupper() and isinstance(value, str) and value.startswith(("/etc/", "/var/")):
            monkeypatch.setattr(k, name, f"{root}{value}")
    monkeypatch.setattr(k, "ADMIN_CONF", str(api.kubeconfig))
    monkeypatch.setattr(k, "local_server", lambda init: api_server.url)
    monkeypatch.setenv("PATH", f"{binary('kubeadm').parent}:/usr/bin:/bin")
    api.plant("k8s-master", labels={k.CONTROL_PLANE_LABEL: ""})
    return ControlPlane(root, api.kubeconfig)


def test_what_kubeadm_made_is_adopted_without_a_change(run_module: RunModule, control_plane: ControlPlane) -> None:
    result = run_module("kubeadm_control_plane", {"config": control_plane.document()})
    assert (result["changed"], result["changes"]) == (False, []), result


def test_what_differs_is_named_and_shown(run_module: RunModule, control_plane: ControlPlane) -> None:
    wanted = control_plane.document(sans="[kube.example.org]", apiserver_args='[{name: v, value: "2"}]', max_pods=50)
    result = run_module("kubeadm_control_plane", {"config": wanted}, check=True, diff=True)
    assert result["changes"] == [
        "ConfigMap kubeadm-config",
        "ConfigMap kubelet-config",
        "certificate apiserver",
        "static pod kube-apiserver",
    ], result
    assert "kube.example.org" in result["diff"][2]["after"]
    assert "- --v=2" in result["diff"][3]["after"]
    assert result["commands"] == []


def test_a_kubelet_setting_reaches_the_clusters_config_map(
    run_module: RunModule, control_plane: ControlPlane, api: Any
) -> None:
    wanted = control_plane.document(max_pods=50)
    result = run_module("kubeadm_control_plane", {"config": wanted})
    assert result["changes"] == ["ConfigMap kubelet-config"], result
    assert "maxPods: 50" in k.config_map(api.client, "kubelet-config", "kubelet")
    assert not run_module("kubeadm_control_plane", {"config": wanted})["changed"]


def test_a_pod_subnet_cannot_change_and_the_message_says_both_values(
    run_module: RunModule, control_plane: ControlPlane
) -> None:
    result = run_module("kubeadm_control_plane", {"config": control_plane.document(pod_subnet="10.244.0.0/16")})
    assert result["failed"]
    for word in ("kubeadm_pod_subnet", "192.168.0.0/16", "10.244.0.0/16", "set it back"):
        assert word in result["msg"]


def test_a_control_plane_that_lost_its_label_is_to_get_it_back(
    run_module: RunModule, control_plane: ControlPlane, api: Any
) -> None:
    api.patch("k8s-master", {"metadata": {"labels": {k.CONTROL_PLANE_LABEL: None}}})
    result = run_module("kubeadm_control_plane", {"config": control_plane.document()}, check=True)
    assert result["changes"] == ["label of Node k8s-master"], result
