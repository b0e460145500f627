# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both halves of a system on AKS by one playbook: the stand-in for Azure hands out a login to a real API server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, REFRESH
from tests.api.conftest import Api, ArgoCd, argocd_crd_directory
from tests.api.controllers import Controllers
from tests.arm.conftest import Run, environment
from tests.arm.fake import SUBSCRIPTION, TENANT, FakeArm, fake_arm
from tests.arm.services import PUBLIC_ADDRESS, credential, principal
from tests.arm.system import System, said
from tests.arm.variables import digests
from tests.gitops.rendering import render

APPS = f"/apis/apps/v1/namespaces/{ArgoCd.namespace}"
WORKLOADS = [
    f"{APPS}/statefulsets/argocd-application-controller",
    *(
        f"{APPS}/deployments/argocd-{name}"
        for name in (
            "applicationset-controller",
            "dex-server",
            "notifications-controller",
            "redis",
            "repo-server",
            "server",
        )
    ),
]


class ApplicationController(threading.Thread):
    """Finds applications as Git has them, as soon as they are there and whenever it is asked to look again."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        # Its own connection: no two threads may use one.
        self.argocd = ArgoCd(Api(api.kubeconfig))
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.3):
            with suppress(ApiError):
                for found in self.argocd.client.list(APPLICATION.path(self.argocd.namespace)):
                    if "status" not in found or REFRESH in found["metadata"].get("annotations", {}):
                        self.argocd.look(found["metadata"]["name"])

    def stop(self) -> None:
        self.stopped.set()
        self.join()
        self.argocd.client.close()


@pytest.fixture
def azure(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeArm]:
    """The cluster that it makes is the real one."""
    with fake_arm(tmp_path) as azure:
        for name, value in environment(azure).items():
            monkeypatch.setenv(name, value)
        azure.actions["listClusterUserCredential"] = lambda cluster, body: credential(api.kubeconfig.read_text())
        yield azure


@pytest.fixture
def running(api: Api, argocd: ArgoCd, cluster_programs: None) -> Iterator[None]:
    """Whatever is installed in the cluster, runs."""
    threads = [Controllers(api, *WORKLOADS), ApplicationController(api)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.stop()
    for path in (f"{APPS}/deployments", f"{APPS}/statefulsets"):
        api.client.delete(path)


def whole(system: System, playbook: str) -> Callable[..., Run]:
    """Runs of a playbook that go on into the cluster."""
    return partial(
        system.play,
        playbook,
        groundwork_gitops="argocd",
        argocd_source=str(argocd_crd_directory().parent),
        aks_kubeconfig=str(system.directory / "kube/cluster"),
    )


def platform_of(argocd: ArgoCd, name: str) -> dict[str, Any]:
    """What the root chart is told, for a tree that is laid out at a repository's top."""
    source = argocd.read(APPLICATION, name)["spec"]["source"]
    return {**source["helm"]["valuesObject"], "prefix": ""}


def test_auto_builder_is_told_made_and_left_alone_down_to_its_root_application(
    azure: FakeArm, running: None, argocd: ArgoCd, api: Api, tmp_path: Path
) -> None:
    builder = System("auto_builder", azure, tmp_path)
    play = whole(builder, "aks")

    refused = play(fails=True, aks_access="run_command")
    assert "run_command carries one command" in said(refused)
    assert azure.log == []

    told = play("--check", "--diff")
    assert azure.written == []
    assert "every object of" in told.printed
    assert "+++ after: auto-builder" in told.printed
    assert argocd.names(APPLICATION) == []

    play()
    cluster = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-cloudtr-prd"
        "/providers/Microsoft.ContainerService/managedClusters/aks-cloudtr-prd"
    )
    values = platform_of(argocd, "auto-builder")
    assert values["ingressAddress"] == PUBLIC_ADDRESS
    assert values["keyVault"] == {
        "name": "kv-cloudtr-prd",
        "tenantId": TENANT,
        "clientId": principal(f"{cluster}-azureKeyvaultSecretsProvider"),
    }
    assert values["cluster"]["name"] == "aks-cloudtr-prd"
    rendered = render("auto_builder", "prd", values)
    service = rendered.applications["ingress-nginx"]["spec"]["source"]["helm"]["valuesObject"]["controller"]["service"]
    assert service["annotations"] == {
        "service.beta.kubernetes.io/azure-load-balancer-ipv4": PUBLIC_ADDRESS,
        "service.beta.kubernetes.io/azure-load-balancer-resource-group": "rg-cloudtr-prd",
    }

    written = len(azure.written)
    assert play().count("changed") == 0
    assert set(azure.written[written:]) == {f"POST {cluster}/listClusterUserCredential"}


def test_agui_is_begun_with_nothing_that_its_own_registry_has_not_by_digest(
    azure: FakeArm, running: None, argocd: ArgoCd, api: Api, tmp_path: Path
) -> None:
    agui = System("agui", azure, tmp_path)
    known = digests(agui.inventory)["agui_digests"]
    unknown = {name: digest for name, digest in known.items() if name != "cert-manager-webhook"}
    refused = agui.play("aks_private", fails=True, agui_digests=unknown)
    assert "quay.io/jetstack/cert-manager-webhook:v1.21.2@: write it as registry/repository:tag@sha256:" in said(
        refused
    )
    assert azure.log == []

    # The rest of Azure's half is told elsewhere.
    azure.plant(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-contoso-krc-01")
    play = whole(agui, "aks_private")
    play("--tags=azure_identity,aks,gitops")
    templates = [
        item["spec"]["template"]["spec"]
        for kind in ("deployments", "statefulsets")
        for item in api.client.list(f"{APPS}/{kind}")
    ]
    images = {each["image"] for spec in templates for each in [*spec["containers"], *spec.get("initContainers", [])]}
    assert {image for image in images if not image.startswith("acrcontosokrc01.azurecr.io/")} == set()
    assert {image.partition("@")[2] for image in images} == {known[name] for name in ("argocd", "dex", "redis")}

    rendered = render("agui", "prd", platform_of(argocd, "agui"))
    (accounts,) = (item for _, item in rendered.objects if item["metadata"]["name"] == "agui-aiservices")
    identity = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-contoso-krc-01"
        "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uami-aif-contoso-krc-01"
    )
    assert accounts["data"]["AZURE_AISERVICES_CLIENTID"] == principal(identity)
    assert play("--tags=gitops").count("changed") == 0
