"""A node in a temporary directory, with the real kubeadm."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from lab.api import binary

DOCUMENT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - token: abcdef.0123456789abcdef
nodeRegistration:
  name: {name}
  criSocket: unix:///run/containerd/containerd.sock
  taints: []
  kubeletExtraArgs: {flags}
localAPIEndpoint: {{advertiseAddress: 10.77.0.11}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{version}
certificatesDir: {pki}
controlPlaneEndpoint: api.kubernetes.internal:6443
networking: {{podSubnet: {pod_subnet}, serviceSubnet: 10.96.0.0/12}}
apiServer: {{certSANs: {sans}, extraArgs: {apiserver_args}}}
encryptionAlgorithm: ECDSA-P256
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: {max_pods}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: {proxy_mode}
"""

# What needs a machine of its own (containerd, a kubelet) is only noted down; all else the real kubeadm does.
WRAPPER = """\
#!/bin/sh
case "$1 $2" in
  "init --config"|"join "*|"reset "*|"token create"|"upgrade "*)
    echo "$@" >> {calls}
    [ "$1" = join ] && cp "$3" {calls}.document
    [ -f {failure} ] && {{ cat {failure} >&2; exit 1; }}
    [ "$1" = token ] && echo abcdef.0123456789abcdef
    exit 0;;
esac
exec {kubeadm} "$@"
"""

SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> {calls}
[ "$1" = is-active ] && exec test -f {active}
touch {active}
"""


class Node:
    """The files of a machine that kubeadm and this collection's modules work on."""

    def __init__(self, root: Path, kubeadm: Path) -> None:
        self.root = root
        self.kubeadm = kubeadm
        self.kubernetes = root / "etc/kubernetes"
        self.kubelet = root / "var/lib/kubelet"
        self.failure = root / "failure"
        self.active = root / "active"
        for directory in (self.kubernetes / "manifests", self.kubelet, root / "bin"):
            directory.mkdir(parents=True)
        self.program("kubeadm", WRAPPER.format(calls=root / "calls", failure=self.failure, kubeadm=kubeadm))
        self.program("systemctl", SYSTEMCTL.format(calls=root / "systemctl", active=self.active))

    def document(
        self,
        name: str = "k8s-master",
        sans: str = "[]",
        flags: str = "[]",
        max_pods: int = 110,
        pod_subnet: str = "192.168.0.0/16",
        apiserver_args: str = "[]",
        proxy_mode: str = "iptables",
        version: str = "1.36.4",
    ) -> str:
        values = dict(locals())
        del values["self"]
        return DOCUMENT.format(pki=self.kubernetes / "pki", **values)

    def calls(self, program: str = "calls") -> list[str]:
        path = self.root / program
        return path.read_text().splitlines() if path.exists() else []

    def write(self, path: str, text: str = "something\n") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def phase(self, *phase: str, document: str | None = None) -> None:
        """Let the real kubeadm do a phase here, as an earlier run would have."""
        import subprocess

        file = self.write("document.yaml", document or self.document())
        subprocess.run([self.kubeadm, "init", "phase", *phase, "--config", file], check=True, capture_output=True)

    def program(self, name: str, text: str) -> None:
        program = self.root / "bin" / name
        program.write_text(text)
        program.chmod(0o755)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    root = tmp_path / "node"
    for name, value in vars(k).copy().items():
        if name.isupper() and isinstance(value, str) and value.startswith(("/etc/", "/var/")):
            monkeypatch.setattr(k, name, f"{root}{value}")
    found = Node(root, binary("kubeadm"))
    monkeypatch.setenv("PATH", f"{root}/bin:{os.environ['PATH']}")
    assert shutil.which("kubeadm") == str(root / "bin/kubeadm")
    return found
