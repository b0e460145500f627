"""The AG-UI server's tree against the contract of the system it was drawn from: identity, telemetry, registry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import DIGEST, moves
from tests.gitops.projects import projects, refusals
from tests.gitops.rendering import Object, Rendered, RenderError, render, site

SERVICES = site("agui")["aiServices"]
CONNECTED = {"aiServices": {**SERVICES, "serviceConnector": "sc-myappaifconnection-secret"}}
KEYS = {
    "AZURE_AISERVICES_CLIENTID",
    "AZURE_AISERVICES_COGNITIVESERVICES_ENDPOINT",
    "AZURE_AISERVICES_OPENAI_BASE",
    "AZURE_AISERVICES_SPEECH_ENDPOINT",
}
TAINTS = {("workload", "general", "NoSchedule"), ("CriticalAddonsOnly", "true", "NoSchedule")}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render("agui", "prd")


def the(rendered: Rendered, kind: str, name: str) -> Object:
    (found,) = (item for _, item in rendered.objects if item["kind"] == kind and item["metadata"]["name"] == name)
    return found


def server(rendered: Rendered) -> dict[str, Any]:
    found: dict[str, Any] = the(rendered, "Deployment", "agui-server")["spec"]["template"]
    return found


def values(rendered: Rendered, name: str) -> dict[str, Any]:
    found: dict[str, Any] = rendered.applications[name]["spec"]["source"]["helm"]["valuesObject"]
    return found


def tolerated(tolerations: list[dict[str, str]]) -> set[tuple[str, str, str]]:
    return {(item["key"], item["value"], item["effect"]) for item in tolerations if item["operator"] == "Equal"}


def test_the_server_is_who_workload_identity_makes_it(rendered: Rendered) -> None:
    template = server(rendered)
    account = the(rendered, "ServiceAccount", template["spec"]["serviceAccountName"])

    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert account["metadata"]["annotations"] == {"azure.workload.identity/client-id": SERVICES["clientId"]}
    assert account["metadata"]["namespace"] == "myapp"


def test_without_service_connector_its_four_keys_are_made_here(rendered: Rendered) -> None:
    (container,) = server(rendered)["spec"]["containers"]
    data = the(rendered, "ConfigMap", "agui-aiservices")["data"]

    assert container["envFrom"] == [{"configMapRef": {"name": "agui-aiservices"}}]
    assert data.keys() == KEYS
    assert data["AZURE_AISERVICES_CLIENTID"] == SERVICES["clientId"]
    assert data["AZURE_AISERVICES_OPENAI_BASE"] == "https://aif-example.openai.azure.com/"
    assert "connection" in rendered.applications


def test_with_service_connector_its_account_and_secret_are_used() -> None:
    rendered = render("agui", "prd", CONNECTED)
    spec = server(rendered)["spec"]

    assert spec["serviceAccountName"] == f"sc-account-{SERVICES['clientId']}"
    assert spec["containers"][0]["envFrom"] == [{"secretRef": {"name": "sc-myappaifconnection-secret"}}]
    assert "connection" not in rendered.applications


@pytest.mark.parametrize(
    ("services", "lacking"), [({}, "account"), ({}, "clientId"), (CONNECTED["aiServices"], "clientId")]
)
def test_a_connection_that_is_not_whole_is_refused_by_name(services: dict[str, str], lacking: str) -> None:
    given = {**SERVICES, **services}
    del given[lacking]

    with pytest.raises(RenderError, match=rf"aiServices\.{lacking}"):
        render("agui", "prd", {"aiServices": given})


def test_the_service_turns_80_into_8080(rendered: Rendered) -> None:
    service = the(rendered, "Service", "agui-server")["spec"]
    (container,) = server(rendered)["spec"]["containers"]

    assert service["type"] == "ClusterIP"
    assert [(port["port"], port["targetPort"]) for port in service["ports"]] == [(80, 8080)]
    assert [port["containerPort"] for port in container["ports"]] == [8080]
    assert service["selector"].items() <= server(rendered)["metadata"]["labels"].items()


def test_python_is_instrumented_when_the_pod_is_made(rendered: Rendered) -> None:
    instrumentation = the(rendered, "Instrumentation", "python")
    waves = {
        name: int(app["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for name, app in rendered.applications.items()
    }

    assert instrumentation["apiVersion"] == "opentelemetry.io/v1alpha1"
    assert server(rendered)["metadata"]["annotations"] == {"instrumentation.opentelemetry.io/inject-python": "true"}
    # By "true" the operator takes the one of the pod's own namespace, and it injects into new pods only.
    assert instrumentation["metadata"]["namespace"] == rendered.applications["agui"]["spec"]["destination"]["namespace"]
    assert waves["cert-manager"] < waves["opentelemetry-operator"] < waves["telemetry"] < waves["agui"]


def test_metrics_go_from_the_server_to_the_collector_to_managed_prometheus(rendered: Rendered) -> None:
    collector = the(rendered, "OpenTelemetryCollector", "agui")
    monitor = the(rendered, "PodMonitor", "agui")
    config, place = collector["spec"]["config"], collector["metadata"]["namespace"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    assert collector["apiVersion"] == "opentelemetry.io/v1beta1"
    assert the(rendered, "Instrumentation", "python")["spec"]["exporter"]["endpoint"] == (
        f"http://{collector['metadata']['name']}-collector.{place}.svc:4318"
    )
    assert config["receivers"]["otlp"]["protocols"] == {"http": {"endpoint": "0.0.0.0:4318"}}
    assert config["service"]["pipelines"] == {
        "metrics": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["prometheus"]}
    }
    assert config["exporters"]["prometheus"]["endpoint"] == "0.0.0.0:8889"
    assert {port["name"]: port["port"] for port in collector["spec"]["ports"]}[endpoint["port"]] == 8889
    assert monitor["apiVersion"] == "azmonitoring.coreos.com/v1"
    assert monitor["metadata"]["namespace"] == place
    assert endpoint["interval"] == "30s"
    # The operator labels the collector's pods like this.
    assert monitor["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/component": "opentelemetry-collector",
        "app.kubernetes.io/instance": f"{place}.{collector['metadata']['name']}",
    }


def test_what_the_collector_does_not_take_is_not_sent(rendered: Rendered) -> None:
    """A pipeline of metrics alone answers 404 to the rest, once for each batch."""
    python = the(rendered, "Instrumentation", "python")["spec"]["python"]

    assert {item["name"]: item["value"] for item in python["env"]} == {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }


def test_the_collectors_image_has_the_prometheus_exporter(rendered: Rendered) -> None:
    """The distribution for Kubernetes, which the operator's chart would take, has OTLP exporters only."""
    image = the(rendered, "OpenTelemetryCollector", "agui")["spec"]["image"]
    default = values(rendered, "opentelemetry-operator")["manager"]["collectorImage"]["repository"]

    assert image.split(":")[0] == default == "acrexample.azurecr.io/otel/opentelemetry-collector"


def test_everything_tolerates_both_taints(rendered: Rendered) -> None:
    operator, certificates = values(rendered, "opentelemetry-operator"), values(rendered, "cert-manager")

    for tolerations in (
        server(rendered)["spec"]["tolerations"],
        the(rendered, "OpenTelemetryCollector", "agui")["spec"]["tolerations"],
        operator["tolerations"],
        certificates["tolerations"],
        *(certificates[part]["tolerations"] for part in ("webhook", "cainjector", "startupapicheck")),
    ):
        assert tolerated(tolerations) == TAINTS


def test_the_systems_namespaces_are_made_but_for_azures_own(rendered: Rendered) -> None:
    made = {item["metadata"]["name"] for item in rendered.children["namespaces"]}
    used = {app["spec"]["destination"]["namespace"] for app in rendered.applications.values()}

    assert made == {"myapp", "opentelemetry-operator-system", "cert-manager"} == used


def images_in(value: Any) -> Iterator[str]:
    """Each image that an object names: as such, or as an argument by which a controller is told what to start."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "image" and isinstance(each, str):
                yield each
            else:
                yield from images_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from images_in(each)
    elif isinstance(value, str) and (said := re.fullmatch(r"--[a-z0-9-]*image=(.+)", value)):
        yield said[1]


def test_every_image_comes_from_the_sites_registry_by_tag_and_digest(rendered: Rendered) -> None:
    # The operator's chart is not at hand: it puts these two together like this.
    manager = values(rendered, "opentelemetry-operator")["manager"]
    told = [f"{manager[name]['repository']}:{manager[name]['tag']}" for name in ("image", "collectorImage")]
    images = [*told, *(image for _, item in rendered.objects for image in images_in(item))]
    pins = set(site("agui")["pins"].values())

    assert {pin for pin in pins if not any(image.endswith(f":{pin}") for image in images)} == set()
    for image in images:
        name, _, digest = image.partition("@")
        assert name.split("/")[0] == "acrexample.azurecr.io", image
        assert DIGEST.fullmatch(digest), image
        assert not moves(name.rpartition(":")[2]), image
    for registry in ("ghcr.io", "quay.io", "docker.io", "registry.k8s.io", "mcr.microsoft.com"):
        assert registry not in json.dumps([rendered.root, rendered.children["agui"], rendered.children["telemetry"]])


@pytest.mark.parametrize("pin", [None, "1.2.3", "latest", "sha256:" + 64 * "a", "1.2.3@sha256:abc"])
def test_an_image_without_its_digest_is_refused_by_name(pin: str | None) -> None:
    given = {**site("agui")["pins"], "cert-manager-webhook": pin}

    with pytest.raises(RenderError, match=r"pins\.cert-manager-webhook: say which image it is"):
        render("agui", "prd", {"pins": given})


def test_git_holds_no_secret_and_the_project_would_not_take_one(rendered: Rendered) -> None:
    assert not [
        item
        for name in ("connection", "telemetry", "agui")
        for item in rendered.children[name]
        if item["kind"] == "Secret"
    ]
    assert {"group": "", "kind": "Secret"} not in projects(rendered)["agui"]["spec"]["namespaceResourceWhitelist"]


def test_each_project_permits_what_its_children_bring(rendered: Rendered) -> None:
    known = projects(rendered)
    for name, application in rendered.applications.items():
        project = known[application["spec"]["project"]]

        assert list(refusals(project, application, rendered.children.get(name, []))) == []
