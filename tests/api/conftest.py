# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kube-apiserver and etcd, one for the whole session; each test begins without Nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient
from ansible_collections.groundwork.kube.plugins.module_utils.nodes import NODES, RECORD_NAME, RECORD_NAMESPACE
from lab.api import ApiServer


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

    def clean(self) -> None:
        self.client.delete(NODES)
        self.client.delete(f"/api/v1/namespaces/{RECORD_NAMESPACE}/configmaps/{RECORD_NAME}")


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


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
