# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's own manifests on a real API server, patched as the role's variables say."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules.argocd_secrets import matches
from lab.api import binary
from lab.artifacts import Artifacts, load_versions
from tests.api.conftest import Api, Play

NAMESPACE = "argocd"
PARAMETERS = "groundwork.kube/parameters"
CANARY = "canary-of-the-administrator"
TOLERATIONS = [{"key": "domain", "operator": "Exists", "effect": "NoSchedule"}]
GROUNDWORK = {"cluster": {"name": "test", "endpoint": "api.test.internal:6443"}}

Run = Callable[..., str]


def read(api: Api, path: str) -> dict[str, Any]:
    found = api.client.get(path)
    assert found, path
    return found


def namespaced(api: Api, resource: str, name: str, group: str = "/api/v1") -> dict[str, Any]:
    return read(api, f"{group}/namespaces/{NAMESPACE}/{resource}/{name}")


def workloads(api: Api) -> dict[str, dict[str, Any]]:
    found = [
        item
        for resource in ("deployments", "statefulsets")
        for item in api.client.list(f"/apis/apps/v1/namespaces/{NAMESPACE}/{resource}")
    ]
    return {item["metadata"]["name"]: item["spec"]["template"] for item in found}


def secret(api: Api, name: str) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in namespaced(api, "secrets", name)["data"].items()}


@pytest.fixture
def run(api: Api, play: Play, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a part of the role; what it made goes afterwards, as far as a server without controllers lets it."""
    versions = load_versions()
    monkeypatch.setenv("PATH", f"{binary('kubectl').parent}:{os.environ['PATH']}")
    given = {
        "argocd_source": str(Artifacts(versions).mirror / f"manifests/argocd/v{versions.argocd}"),
        "groundwork": GROUNDWORK,
        "groundwork_assume": [],
    }

    made: list[dict[str, Any]] = []

    def run(part: str, *arguments: str, succeeds: bool = True, **variables: Any) -> str:
        made.append({name: value for name, value in variables.items() if name in ("argocd_mode", "argocd_namespace")})
        role = {"import_role": {"name": "groundwork.kube.argocd", "tasks_from": part}}
        running = play([role], *arguments, **{**given, **variables})
        output, _ = running.communicate()
        assert (running.returncode == 0) == succeeds, output
        return output

    yield run
    for variables in [each for number, each in enumerate(made) if each not in made[:number]]:
        run("remove", groundwork_confirm="test", **variables)
    for name in ("argocd-secret", "argocd-redis"):
        api.client.delete(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")


def test_a_second_run_changes_nothing(run: Run) -> None:
    assert "changed=0" not in run("install")
    assert "changed=0" in run("install")
    assert "changed=0" in run("install", "--check")


def test_check_mode_tells_what_an_empty_cluster_would_get(run: Run, api: Api) -> None:
    told = run("install", "--check", "--diff")
    assert "Deployment argocd/argocd-repo-server" in told
    assert api.client.list("/apis/apps/v1/deployments") == []


@pytest.mark.parametrize(("mode", "count"), [("core", 4), ("ha", 8)])
def test_a_mode_is_one_of_upstreams_manifests(run: Run, api: Api, mode: str, count: int) -> None:
    run("install", argocd_mode=mode)
    assert len(workloads(api)) == count


def test_settings_reach_their_places(run: Run, api: Api) -> None:
    run("install")
    before = workloads(api)
    run(
        "install",
        argocd_tolerations=TOLERATIONS,
        argocd_node_selector={"tier": "infra"},
        argocd_server_insecure=True,
        argocd_server_service_type="NodePort",
        argocd_server_node_port=30080,
        argocd_ingress={"host": "argocd.example.org", "class": "alb"},
        argocd_resources={"argocd-redis": {"limits": {"memory": "64Mi"}}},
        argocd_configuration={"timeout.reconciliation": "30s", "resource.exclusions": [{"kinds": ["Event"]}]},
        argocd_parameters={"controller.status.processors": 5},
        argocd_ignore_differences={"apps/Deployment": {"jqPathExpressions": [".spec.replicas"]}},
    )
    parameters = namespaced(api, "configmaps", "argocd-cmd-params-cm")["data"]
    assert parameters == {
        "applicationsetcontroller.enable.progressive.syncs": "true",
        "controller.status.processors": "5",
        "server.insecure": "true",
    }
    settings = namespaced(api, "configmaps", "argocd-cm")["data"]
    assert settings["timeout.reconciliation"] == "30s"
    assert settings["resource.exclusions"] == '[{"kinds": ["Event"]}]'
    assert settings["url"] == "https://argocd.example.org"
    ignored = settings["resource.customizations.ignoreDifferences.apps_Deployment"]
    assert ignored == '{"jqPathExpressions": [".spec.replicas"]}'
    ports = namespaced(api, "services", "argocd-server")["spec"]["ports"]
    assert {port["name"]: port["nodePort"] for port in ports}["http"] == 30080
    after = workloads(api)
    assert len(after) == 7
    for name, template in after.items():
        assert template["spec"]["tolerations"] == TOLERATIONS
        assert template["spec"]["nodeSelector"]["tier"] == "infra"
        # Parameters are read at start only, so whoever reads them starts again.
        assert template["metadata"]["annotations"][PARAMETERS] != before[name]["metadata"]["annotations"][PARAMETERS]
    assert after["argocd-redis"]["spec"]["containers"][0]["resources"] == {"limits": {"memory": "64Mi"}}
    rule = namespaced(api, "ingresses", "argocd-server", "/apis/networking.k8s.io/v1")["spec"]["rules"][0]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "argocd-server", "port": {"name": "http"}}


def test_another_namespace_is_named_by_the_role_bindings_too(run: Run, api: Api) -> None:
    run("install", argocd_namespace="cd")
    binding = read(api, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/argocd-server")
    assert binding["subjects"][0]["namespace"] == "cd"


def test_the_administrators_password_is_set_once_and_never_printed(run: Run, api: Api) -> None:
    told = run("install", "-vvv", "--diff", argocd_admin_password=CANARY)
    hashed = secret(api, "argocd-secret")["admin.password"]
    assert matches(CANARY, hashed)
    assert "changed=0" in run("install", argocd_admin_password=CANARY)
    told += run("install", "-vvv", "--diff", argocd_admin_password="another")
    assert matches("another", secret(api, "argocd-secret")["admin.password"])
    redis = secret(api, "argocd-redis")["auth"]
    assert not [word for word in (CANARY, hashed, redis) if word in told]


def test_removal_wants_the_clusters_name_and_leaves_what_was_grown(run: Run, api: Api) -> None:
    run("install")
    refused = run("remove", succeeds=False)
    assert "add -e groundwork_confirm=test" in refused
    assert len(workloads(api)) == 7
    told = run("remove", groundwork_confirm="test")
    assert "All that it has grown stays" in told
    assert workloads(api) == {}
    read(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/applications.argoproj.io")
    assert "changed=0" in run("remove", groundwork_confirm="test")
