# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's own manifests on a real API server, patched as the role's variables say."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import API_VERSION, APPLICATION
from ansible_collections.groundwork.kube.plugins.modules.argocd_secrets import matches
from lab.artifacts import cache_directory
from tests.ansible_playbook import REPOSITORY
from tests.api.charts import lay_out
from tests.api.conftest import Api, Play, argocd_crd_directory, ended
from tests.gitops.rendering import chart_at_hand

NAMESPACE = "argocd"
PARAMETERS = "groundwork.kube/parameters"
CANARY = "canary-of-the-administrator"
TOLERATIONS = [{"key": "domain", "operator": "Exists", "effect": "NoSchedule"}]
GROUNDWORK = {"cluster": {"name": "test", "endpoint": "api.test.internal:6443"}}

PINS = yaml.safe_load((REPOSITORY / "versions.yml").read_text())
# What an upgrade leads to from the lab's release: the one that the role installs by default.
NEWER = PINS["argocd"]
MODULE = "github.com/argoproj/argo-cd/v3"
NEWER_SUM = "h1:OmhqeKiR3C//awbFrhQqFdtRI+Qiv17j8vqm3UkMj/g="
# Argo CD's chart, if it was fetched.
CHART = chart_at_hand("argo-cd", PINS["argocd_chart"])
in_both_ways = pytest.mark.parametrize(
    "way",
    [
        pytest.param({}, id="manifests"),
        pytest.param(
            {"argocd_method": "chart", "argocd_chart": str(CHART)},
            id="chart",
            marks=pytest.mark.skipif(CHART is None, reason="make charts fetches argo-helm's chart"),
        ),
    ],
)

Run = Callable[..., str]

# What says which objects there are.
SHAPES = ("argocd_chart", "argocd_method", "argocd_mode", "argocd_namespace")


def read(api: Api, path: str) -> dict[str, Any]:
    found = api.client.get(path)
    assert found, path
    return found


def namespaced(api: Api, resource: str, name: str, group: str = "/api/v1") -> dict[str, Any]:
    return read(api, f"{group}/namespaces/{NAMESPACE}/{resource}/{name}")


def workloads(api: Api) -> dict[str, dict[str, Any]]:
    """The templates of all that would have a pod."""
    found = [
        item
        for resource in ("deployments", "statefulsets")
        for item in api.client.list(f"/apis/apps/v1/namespaces/{NAMESPACE}/{resource}")
        if item["spec"]["replicas"]
    ]
    return {item["metadata"]["name"]: item["spec"]["template"] for item in found}


def secret(api: Api, name: str) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in namespaced(api, "secrets", name)["data"].items()}


@pytest.fixture
def run(api: Api, play: Play, cluster_programs: None) -> Iterator[Run]:
    """Run a part of the role; what it made goes afterwards, as far as a server without controllers lets it."""
    given = {
        "argocd_source": str(argocd_crd_directory().parent),
        "groundwork": GROUNDWORK,
        "groundwork_assume": [],
    }

    made: list[dict[str, Any]] = []

    def run(part: str, *arguments: str, succeeds: bool = True, **variables: Any) -> str:
        made.append({name: value for name, value in variables.items() if name in SHAPES})
        role = {"import_role": {"name": "groundwork.kube.argocd", "tasks_from": part}}
        return ended(play([role], *arguments, **{**given, **variables}), succeeds=succeeds)

    yield run
    for variables in [each for number, each in enumerate(made) if each not in made[:number]]:
        run("remove", groundwork_confirm="test", **variables)
    for name in ("argocd-secret", "argocd-redis"):
        api.client.delete(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifests that the role takes by default, of a newer release than the lab builds, out of its Go module."""
    kept = cache_directory() / "argocd-manifests" / NEWER_SUM.replace("/", "_")
    if not kept.is_dir():
        modules = tmp_path_factory.mktemp("modules")
        told = subprocess.run(
            [Path(sys.executable).with_name("go"), "mod", "download", "-json", f"{MODULE}@v{NEWER}"],
            cwd=modules,
            env={**os.environ, "GOFLAGS": "-modcacherw", "GOMODCACHE": str(modules), "GOTOOLCHAIN": "local"},
            capture_output=True,
            check=True,
        )
        module = json.loads(told.stdout)
        assert module["Sum"] == NEWER_SUM
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=kept.parent))
        shutil.copytree(Path(module["Dir"]) / "manifests", partial, dirs_exist_ok=True)
        partial.replace(kept)
    return kept


def test_a_second_run_changes_nothing(run: Run) -> None:
    assert "changed=0" not in run("install")
    assert "changed=0" in run("install")
    assert "changed=0" in run("install", "--check")


def test_check_mode_tells_what_an_empty_cluster_would_get(run: Run, api: Api) -> None:
    told = run("install", "--check", "--diff", argocd_namespace="nowhere")
    assert "Deployment nowhere/argocd-repo-server" in told
    assert api.client.list("/apis/apps/v1/deployments") == []


@pytest.mark.parametrize(("mode", "count"), [("core", 4), ("ha", 8)])
@in_both_ways
def test_a_mode_has_its_workloads(run: Run, api: Api, way: dict[str, str], mode: str, count: int) -> None:
    run("install", argocd_mode=mode, **way)
    assert len(workloads(api)) == count


def test_a_chart_is_rendered_here_and_applied_like_manifests(run: Run, api: Api, tmp_path: Path) -> None:
    """A chart of our own, of what upstream's manifests hold: this needs nothing that has to be fetched.

    What a chart renders says its namespace, here where the role's patches look for it.
    """
    upstream = argocd_crd_directory().parent / "install.yaml"
    settings = re.compile(r"^  name: argocd-cm(d-params-cm)?$", re.MULTILINE)
    labelled = '{{ .Files.Get "install.yaml" | replace "part-of: argocd" (print "part-of: " .Values.label) }}'
    files = {
        "install.yaml": settings.sub(rf"\g<0>\n  namespace: {NAMESPACE}", upstream.read_text()),
        "templates/all.yaml": labelled,
    }
    chart = lay_out(tmp_path / "argo-cd", files)
    way = {"argocd_method": "chart", "argocd_chart": str(chart), "argocd_chart_values": {"label": "ours"}}
    assert "Deployment argocd/argocd-repo-server" in run("install", "--check", "--diff", **way)
    assert workloads(api) == {}
    run("install", argocd_node_selector={"tier": "infra"}, **way)
    deployment = namespaced(api, "deployments", "argocd-repo-server", "/apis/apps/v1")
    assert deployment["metadata"]["labels"]["app.kubernetes.io/part-of"] == "ours"
    assert deployment["spec"]["template"]["spec"]["nodeSelector"]["tier"] == "infra"
    assert "changed=0" in run("install", argocd_node_selector={"tier": "infra"}, **way)
    run("remove", groundwork_confirm="test", **way)
    assert workloads(api) == {}
    read(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/applications.argoproj.io")


@in_both_ways
def test_settings_reach_their_places(run: Run, api: Api, way: dict[str, str]) -> None:
    run("install", **way)
    before = workloads(api)
    run(
        "install",
        argocd_tolerations=TOLERATIONS,
        argocd_node_selector={"tier": "infra"},
        argocd_server_insecure=True,
        argocd_server_service_type="NodePort",
        argocd_server_node_port=30080,
        argocd_ingress={"host": "argocd.example.org", "class": "alb"},
        argocd_resources={name: {"limits": {"memory": "64Mi"}} for name in before},
        argocd_configuration={"timeout.reconciliation": "30s", "resource.exclusions": [{"kinds": ["Event"]}]},
        argocd_parameters={"controller.status.processors": 5},
        argocd_ignore_differences={"apps/Deployment": {"jqPathExpressions": [".spec.replicas"]}},
        **way,
    )
    parameters = namespaced(api, "configmaps", "argocd-cmd-params-cm")["data"]
    asked = {
        "applicationsetcontroller.enable.progressive.syncs": "true",
        "controller.status.processors": "5",
        "server.insecure": "true",
    }
    assert {**parameters, **asked} == parameters
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
        (container,) = template["spec"]["containers"]
        assert container["resources"]["limits"]["memory"] == "64Mi"
    rule = namespaced(api, "ingresses", "argocd-server", "/apis/networking.k8s.io/v1")["spec"]["rules"][0]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "argocd-server", "port": {"name": "http"}}


def test_a_newer_release_brings_what_is_new_and_keeps_what_was_grown(run: Run, api: Api, newer: Path) -> None:
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/applications.argoproj.io"
    run("install")
    before, kinds = workloads(api), read(api, definition)
    source = {"repoURL": "https://git.example.org/shop.git", "path": "web", "targetRevision": "main"}
    spec = {"project": "default", "source": source, "destination": {"server": "https://kubernetes.default.svc"}}
    api.client.create(
        APPLICATION.path(NAMESPACE),
        {"apiVersion": API_VERSION, "kind": "Application", "metadata": {"name": "web"}, "spec": spec},
    )
    told = run("install", "--check", "--diff", argocd_source=str(newer))
    assert "Service argocd/argocd-application-controller" in told
    assert workloads(api) == before
    run("install", argocd_source=str(newer))
    namespaced(api, "services", "argocd-application-controller")
    images = {
        container["image"] for template in workloads(api).values() for container in template["spec"]["containers"]
    }
    assert {image for image in images if "argoproj/argocd" in image} == {f"quay.io/argoproj/argocd:v{NEWER}"}
    grown = read(api, definition)
    assert grown["metadata"]["uid"] == kinds["metadata"]["uid"]
    assert grown["spec"] != kinds["spec"]
    assert read(api, APPLICATION.path(NAMESPACE, "web"))["spec"] == spec
    assert "changed=0" in run("install", argocd_source=str(newer))
    api.client.delete(APPLICATION.path(NAMESPACE, "web"))
    run("remove", argocd_source=str(newer), groundwork_confirm="test")


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
