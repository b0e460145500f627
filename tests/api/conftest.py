# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kube-apiserver and etcd, one for the whole session; each test begins without Nodes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import (
    APPLICATION,
    APPLICATION_SET,
    PROJECT,
    REFRESH,
    SECRET,
    Kind,
)
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES, RECORD_NAME, RECORD_NAMESPACE
from lab.api import ApiServer, binary
from lab.artifacts import Artifacts, load_versions
from lab.components import component_named
from tests.ansible_playbook import environment, play_here

Play = Callable[..., "subprocess.Popen[str]"]


class Api:
    """The server as a test sees it: Nodes to plant by hand, and what became of them."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.client = ApiClient.from_options({"kubeconfig": str(kubeconfig)})

    def plant(self, name: str, labels: Any = None, taints: Any = None, annotations: Any = None, **spec: Any) -> None:
        """A Node as its kubelet registers it, without the not-ready taint that admission gives each new Node."""
        metadata = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
        self.client.create(NODES, {"metadata": metadata, "spec": spec})
        self.patch(name, {"spec": {"taints": taints or []}})

    def node(self, name: str) -> dict[str, Any]:
        node = self.client.get(f"{NODES}/{name}")
        assert node, f"Node {name} is gone"
        return node

    def labels(self, name: str) -> dict[str, str]:
        labels: dict[str, str] = self.node(name)["metadata"].get("labels", {})
        return labels

    def taints(self, name: str) -> list[dict[str, str]]:
        taints: list[dict[str, str]] = self.node(name)["spec"].get("taints", [])
        return taints

    def patch(self, name: str, patch: dict[str, Any], subresource: str = "") -> None:
        """What somebody does by hand."""
        self.client.patch(f"{NODES}/{name}{subresource}", patch)

    def forget(self, name: str) -> None:
        self.client.delete(f"{NODES}/{name}")

    def delete_volume(self, name: str) -> None:
        """As the controllers do it that this server lacks."""
        self.client.patch(f"/api/v1/persistentvolumes/{name}", {"metadata": {"finalizers": None}})
        self.client.delete(f"/api/v1/persistentvolumes/{name}")

    def clean(self) -> None:
        self.client.delete(NODES)
        self.client.delete(f"/api/v1/namespaces/{RECORD_NAMESPACE}/configmaps/{RECORD_NAME}")


class ArgoCd:
    """Argo CD's kinds and namespace, without Argo CD: what its controller would write, a test writes by hand."""

    namespace = "argocd"

    def __init__(self, api: Api) -> None:
        self.client = api.client
        self.clean()

    def clean(self) -> None:
        for name in self.names(APPLICATION):
            self.edit(name, {"metadata": {"finalizers": None}})
        for kind in (APPLICATION, PROJECT, SECRET):
            self.client.delete(kind.path(self.namespace))

    def names(self, kind: Kind) -> list[str]:
        return [item["metadata"]["name"] for item in self.client.list(kind.path(self.namespace))]

    def read(self, kind: Kind, name: str) -> dict[str, Any]:
        found = self.client.get(kind.path(self.namespace, name))
        assert found, f"{kind.name} {name} is gone"
        return found

    def plant(self, kind: Kind, name: str, **content: Any) -> None:
        """An object that somebody else has made."""
        metadata = {"name": name, **content.pop("metadata", {})}
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}
        self.client.create(kind.path(self.namespace), body)

    def edit(self, name: str, patch: dict[str, Any]) -> None:
        self.client.patch(APPLICATION.path(self.namespace, name), patch)

    def look(
        self,
        name: str,
        sync: str = "Synced",
        health: str = "Healthy",
        *,
        revision: str = "c0ffee",
        operation: dict[str, Any] | None = None,
        **status: Any,
    ) -> None:
        """The application controller has compared the application as it is now, and this is what it found."""
        spec = self.read(APPLICATION, name)["spec"]
        compared = {place: spec[place] for place in ("source", "sources", "destination") if place in spec}
        ran = {"operation": {}, "startedAt": "2026-11-21T13:00:00Z", "finishedAt": "2026-11-21T13:01:00Z"}
        found = {
            "sync": {"status": sync, "revision": revision, "comparedTo": compared},
            "health": {"status": health, "lastTransitionTime": "2026-11-21T13:05:00Z"},
            "conditions": [],
            "operationState": {"phase": "Succeeded", "syncResult": {"revision": revision}, **ran, **(operation or {})},
            **status,
        }
        self.edit(name, {"metadata": {"annotations": {REFRESH: None}}, "operation": None, "status": found})


def argocd_crds() -> list[dict[str, Any]]:
    """Argo CD's own, of the version that the lab serves."""
    crds = sorted(argocd_crd_directory().glob("*-crd.yaml"))
    return [yaml.load(path.read_text(), yaml.CSafeLoader) for path in crds]


def argocd_crd_directory() -> Path:
    return Artifacts(load_versions()).shared_file(component_named("argocd"), "manifests") / "crds"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it has not come to be"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def argocd_kinds(api_server: ApiServer) -> None:
    client = ApiClient.from_options({"kubeconfig": str(api_server.kubeconfig)})
    for crd in argocd_crds():
        client.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    for kind in (APPLICATION, APPLICATION_SET, PROJECT):
        wait_until(lambda kind=kind: client.get(kind.path(ArgoCd.namespace)) is not None)
    client.create("/api/v1/namespaces", {"metadata": {"name": ArgoCd.namespace}})
    client.close()


@pytest.fixture
def argocd(api: Api, argocd_kinds: None) -> Iterator[ArgoCd]:
    argocd = ArgoCd(api)
    yield argocd
    argocd.clean()


@pytest.fixture
def api(api_server: ApiServer) -> Iterator[Api]:
    api = Api(api_server.kubeconfig)
    api.clean()
    yield api
    api.client.close()


@pytest.fixture
def call(api: Api, run_module: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Call a module against the server."""

    def call(module: str, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        return run_module(module, {"kubeconfig": str(api.kubeconfig), **options}, check=check, diff=diff)

    return call


@pytest.fixture
def cluster_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm, and the kubectl of the cluster's version, as somebody has them who runs roles from his machine."""
    programs = [str(binary(name).parent) for name in ("kubectl", "helm")]
    monkeypatch.setenv("PATH", ":".join([*programs, os.environ["PATH"]]))


def ended(running: subprocess.Popen[str], *, succeeds: bool = True) -> str:
    """What a play printed, which went as it should."""
    output, _ = running.communicate()
    assert (running.returncode == 0) == succeeds, output
    return output


@pytest.fixture
def play(api: Api, tmp_path: Path) -> Play:
    """Start a play on this machine, as a user would, with the server's kubeconfig in the environment."""

    def play(tasks: list[dict[str, Any]], *arguments: str, **variables: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            play_here(tmp_path, tasks, *arguments, **variables),
            env=environment(tmp_path, K8S_AUTH_KUBECONFIG=str(api.kubeconfig)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return play
