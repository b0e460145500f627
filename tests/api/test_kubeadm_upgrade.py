# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node of a 1.35 cluster on its way to 1.36: what is found done and what is not, on what kubeadm itself made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from lab.api import binary
from lab.artifacts import load_versions

RunModule = Callable[..., dict[str, Any]]

FORMER = "1.35.4"
WANTED = load_versions().kubernetes
SYSTEM = "/api/v1/namespaces/kube-system"
DOCUMENT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {{name: k8s-master, criSocket: "unix:///run/containerd/containerd.sock"}}
localAPIEndpoint: {{advertiseAddress: 192.0.2.1}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{version}
certificatesDir: {pki}
controlPlaneEndpoint: api.kubernetes.internal:6443
encryptionAlgorithm: ECDSA-P256
"""
# What `kubeadm upgrade` does needs a machine of its own; all that it is asked is answered by the real one.
WRAPPER = """\
#!/bin/sh
if [ "$1" = upgrade ]; then
  echo "$@" >> {calls}
  cp {document} {calls}.document
  [ ! -f {failure} ] || {{ cat {failure} >&2; exit 1; }}
  exit 0
fi
exec {kubeadm} "$@"
"""


class Cluster:
    """A control plane and a worker as kubeadm of one version has left them."""

    def __init__(self, root: Path, api: Any) -> None:
        self.root, self.api = root, api
        self.failure, self._calls = root / "failure", root / "calls"
        self.document = Path(k.UPGRADE_DOCUMENT)
        self._kubeadm = binary("kubeadm")
        for directory in (Path(k.MANIFESTS), root / "bin", Path(k.KUBELET_CONF).parent):
            directory.mkdir(parents=True, exist_ok=True)
        program = root / "bin/kubeadm"
        program.write_text(
            WRAPPER.format(calls=self._calls, failure=self.failure, kubeadm=self._kubeadm, document=k.UPGRADE_DOCUMENT)
        )
        program.chmod(0o755)
        self._phase("certs", "all")
        self.has(FORMER)
        for name in ("k8s-master", "k8s-worker"):
            api.plant(name)
            self.kubelet_has(name, FORMER)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def _phase(self, *phase: str, version: str = FORMER, output: str = "") -> None:
        file = self.root / "document.yaml"
        file.write_text(DOCUMENT.format(version=version, pki=self.root / "pki"))
        environment = {**os.environ, **({"KUBEADM_INIT_DRYRUN_DIR": output} if output else {})}
        command = [self._kubeadm, "init", "phase", *phase, "--config", file, *(["--dry-run"] if output else [])]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    def has(self, version: str) -> None:
        """As after `kubeadm upgrade apply` but for the add-ons."""
        self.cluster_has(version)
        for pods in (("control-plane", "all"), ("etcd", "local")):
            self._phase(*pods, version=version, output=k.MANIFESTS)

    def cluster_has(self, version: str) -> None:
        self._phase("upload-config", "kubeadm", "--kubeconfig", str(self.api.kubeconfig), version=version)

    def kube_proxy_has(self, version: str) -> None:
        labels = {"k8s-app": "kube-proxy"}
        container = {"name": "kube-proxy", "image": f"registry.k8s.io/kube-proxy:v{version}"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        self.api.client.create(
            "/apis/apps/v1/namespaces/kube-system/daemonsets",
            {
                "metadata": {"name": "kube-proxy"},
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            },
        )

    def kubelet_has(self, name: str, version: str) -> None:
        self.api.patch(name, {"status": {"nodeInfo": {"kubeletVersion": f"v{version}"}}}, "/status")

    def other_api_server(self, node: str, version: str) -> None:
        container = {"name": "kube-apiserver", "image": f"registry.k8s.io/kube-apiserver:v{version}"}
        self.api.client.create(
            f"{SYSTEM}/pods",
            {
                "metadata": {"name": f"kube-apiserver-{node}", "labels": {"component": "kube-apiserver"}},
                "spec": {"nodeName": node, "containers": [container], "automountServiceAccountToken": False},
            },
        )


@pytest.fixture
def cluster(api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    root = tmp_path / "node"
    for name, value in vars(k).copy().items():
        if name.isupper() and isinstance(value, str) and value.startswith(("/etc/", "/var/")):
            monkeypatch.setattr(k, name, f"{root}{value}")
    monkeypatch.setattr(k, "evidence", lambda module: {})
    monkeypatch.setattr(k, "ADMIN_CONF", str(api.kubeconfig))
    found = Cluster(root, api)
    shutil.copy(api.kubeconfig, k.KUBELET_CONF)
    monkeypatch.setenv("PATH", f"{root}/bin:/usr/bin:/bin")
    yield found
    for path in ("configmaps/kubeadm-config", "pods/kube-apiserver-cp-2"):
        api.client.delete(f"{SYSTEM}/{path}", {"gracePeriodSeconds": 0})
    api.client.delete("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy")


def control_plane(**more: Any) -> dict[str, Any]:
    return {"version": WANTED, "node_name": "k8s-master", "control_plane": True, **more}


def worker(**more: Any) -> dict[str, Any]:
    return {"version": WANTED, "node_name": "k8s-worker", **more}


APPLY = f"upgrade apply v{WANTED} --yes --config"
NODE = "upgrade node --config"


def test_the_first_control_plane_takes_the_cluster_along(run_module: RunModule, cluster: Cluster) -> None:
    result = run_module("kubeadm_upgrade", control_plane(ignore_preflight_errors=["Swap"]), diff=True)
    assert result["changed"], result
    assert cluster.calls == [f"{APPLY} {cluster.document}"]
    assert result["commands"] == [f"kubeadm {cluster.calls[0]}"]
    assert 'ignorePreflightErrors: ["Swap"]' in (cluster.root / "calls.document").read_text()
    assert f"kube-scheduler: registry.k8s.io/kube-scheduler:v{FORMER}" in result["diff"][0]["before"]
    assert f"kube-scheduler: registry.k8s.io/kube-scheduler:v{WANTED}" in result["diff"][0]["after"]


def test_what_is_done_is_not_done_again(run_module: RunModule, cluster: Cluster) -> None:
    cluster.has(WANTED)
    cluster.kube_proxy_has(WANTED)
    result = run_module("kubeadm_upgrade", control_plane())
    assert (result["changed"], result["reasons"], result["kubelet_outdated"]) == (False, [], True), result
    cluster.kubelet_has("k8s-master", WANTED)
    assert not run_module("kubeadm_upgrade", control_plane())["kubelet_outdated"]
    assert cluster.calls == []


def test_check_mode_says_what_would_be_done_and_does_it_not(run_module: RunModule, cluster: Cluster) -> None:
    result = run_module("kubeadm_upgrade", control_plane(), check=True, diff=True)
    assert result["changed"]
    assert f"the cluster has {FORMER}" in result["reasons"]
    assert f"cluster: v{WANTED}\n" in result["diff"][0]["after"]
    assert (cluster.calls, cluster.document.exists()) == ([], False)


def test_check_mode_looks_ahead_to_a_kubeadm_that_is_not_installed_yet(run_module: RunModule, cluster: Cluster) -> None:
    newer = "1.36.99"
    refused = run_module("kubeadm_upgrade", control_plane(version=newer), check=True)
    assert refused["failed"]
    assert f"install kubeadm {newer} first" in refused["msg"]
    result = run_module(
        "kubeadm_upgrade", control_plane(version=newer, assume=["packages", "api"]), check=True, diff=True
    )
    assert f"kube-apiserver: registry.k8s.io/kube-apiserver:v{newer}" in result["diff"][0]["after"], result
    follows = run_module("kubeadm_upgrade", worker(version=newer, assume=["packages", "api"]), check=True)
    assert follows["changed"], follows


def test_an_upgrade_that_was_killed_is_done_again_from_its_beginning(run_module: RunModule, cluster: Cluster) -> None:
    cluster.failure.write_text("timed out waiting for the condition\n")
    result = run_module("kubeadm_upgrade", control_plane())
    assert result["failed"]
    assert "timed out waiting for the condition" in result["msg"]
    # By all other signs it was finished.
    cluster.has(WANTED)
    cluster.kube_proxy_has(WANTED)
    cluster.failure.unlink()
    result = run_module("kubeadm_upgrade", control_plane())
    assert result["reasons"] == ["an upgrade that began here did not end"], result
    assert cluster.calls == [f"{APPLY} {cluster.document}"] * 2
    assert not run_module("kubeadm_upgrade", control_plane())["changed"]


def test_a_further_control_plane_follows_the_cluster(run_module: RunModule, cluster: Cluster) -> None:
    cluster.cluster_has(WANTED)
    result = run_module("kubeadm_upgrade", control_plane())
    assert f"kube-apiserver has {FORMER}" in result["reasons"], result
    assert cluster.calls == [f"{NODE} {cluster.document}"]


def test_add_ons_come_with_the_last_control_plane(run_module: RunModule, cluster: Cluster) -> None:
    cluster.has(WANTED)
    cluster.kube_proxy_has(FORMER)
    cluster.other_api_server("cp-2", FORMER)
    assert not run_module("kubeadm_upgrade", control_plane())["changed"]
    cluster.api.client.delete(f"{SYSTEM}/pods/kube-apiserver-cp-2", {"gracePeriodSeconds": 0})
    assert run_module("kubeadm_upgrade", control_plane(), check=True)["reasons"] == [f"kube-proxy has {FORMER}"]


def test_a_worker_follows_its_control_plane_until_its_kubelet_is_new(run_module: RunModule, cluster: Cluster) -> None:
    early = run_module("kubeadm_upgrade", worker())
    assert early["failed"]
    assert "upgrade the control planes" in early["msg"]
    cluster.has(WANTED)
    assert run_module("kubeadm_upgrade", worker())["kubelet_outdated"]
    assert cluster.calls == [f"{NODE} {cluster.document}"]
    cluster.kubelet_has("k8s-worker", WANTED)
    result = run_module("kubeadm_upgrade", worker())
    assert (result["changed"], result["kubelet_outdated"]) == (False, False), result


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.35.3", "never goes back"),
        ("1.37.0", "one minor version at a time"),
        ("1.36.99", "install kubeadm 1.36.99 first"),
        ("1.36", "is not a version such as"),
    ],
)
def test_a_version_that_kubeadm_cannot_reach_is_refused(
    run_module: RunModule, cluster: Cluster, version: str, words: str
) -> None:
    result = run_module("kubeadm_upgrade", control_plane(version=version))
    assert result["failed"]
    assert words in result["msg"]
    assert "kubeadm_version" in result["msg"]
    assert cluster.calls == []


def test_a_kubelet_too_old_for_the_new_api_servers_is_named(run_module: RunModule, cluster: Cluster) -> None:
    cluster.kubelet_has("k8s-worker", "1.32.9")
    result = run_module("kubeadm_upgrade", control_plane())
    assert result["failed"]
    assert "k8s-worker has 1.32.9" in result["msg"]
    assert cluster.calls == []


def test_a_machine_that_is_no_member_is_sent_to_site(run_module: RunModule, cluster: Cluster) -> None:
    os.unlink(k.KUBELET_CONF)
    assert "run playbooks/site.yml first" in run_module("kubeadm_upgrade", worker())["msg"]
