"""cocdev's trees: what the system says of itself, and that staging and production share nothing."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import Pin, moves, read, write
from tests.gitops.projects import projects, refusals
from tests.gitops.rendering import GITOPS, Object, Rendered, RenderError, render, wave

PLATFORM = Path("platforms", "cocdev")
INVENTORY = GITOPS.parent / "inventories/cocdev/group_vars/all"
APPLICATIONS = ["plate-cache", "plate-llm", "plate-api", "plate-web"]
TOOLS = {
    "cert-manager",
    "metallb",
    "csi-driver-nfs",
    "harbor",
    "kube-prometheus-stack",
    "grafana",
    "fluentd",
    "openbao",
}
ENVIRONMENTS = {
    "stg": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "prod": "https://acme-v02.api.letsencrypt.org/directory",
}
OTHER = {"stg": "prod", "prod": "stg"}
RELEASED = Pin("3f1c2ab", "sha256:" + 64 * "a")

cocdev = cache(lambda environment: render("cocdev", environment))
environments = pytest.mark.parametrize("environment", ENVIRONMENTS)


def the(rendered: Rendered, kind: str, name: str) -> Object:
    (found,) = (item for _, item in rendered.objects if item["kind"] == kind and item["metadata"]["name"] == name)
    return found


def of_kind(rendered: Rendered, kind: str) -> list[Object]:
    return [item for _, item in rendered.objects if item["kind"] == kind]


def strings(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(strings, value.values()))
    if isinstance(value, list):
        return set().union(*map(strings, value))
    return {value} if isinstance(value, str) else set()


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(GITOPS, tmp_path / "gitops"))


def test_every_child_prunes_heals_itself_and_makes_its_namespace() -> None:
    for environment in ("platform", *ENVIRONMENTS):
        for application in cocdev(environment).applications.values():
            policy = application["spec"]["syncPolicy"]

            assert policy["automated"] == {"prune": True, "selfHeal": True}
            # kube-system is there, and keeps the labels it has.
            if application["spec"]["destination"].get("namespace", "kube-system") != "kube-system":
                assert "CreateNamespace=true" in policy["syncOptions"]


def test_the_tools_are_children_from_the_catalogue() -> None:
    applications = cocdev("platform").applications

    assert applications.keys() >= TOOLS
    assert all("chart" in applications[name]["spec"]["source"] for name in TOOLS)


@environments
def test_an_environment_has_its_four_applications_and_none_of_the_tools(environment: str) -> None:
    assert list(cocdev(environment).applications) == [
        f"environment-{environment}",
        f"gateway-{environment}",
        *(f"{name}-{environment}" for name in APPLICATIONS),
    ]


@environments
@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_is_a_chart_with_values_of_its_environment(name: str, environment: str) -> None:
    chart = GITOPS / PLATFORM / "charts" / name
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    source = cocdev(environment).applications[f"{name}-{environment}"]["spec"]["source"]

    assert (about["apiVersion"], about["name"], about["version"]) == ("v2", name, "0.1.0")
    assert source["path"].endswith(f"cocdev/charts/{name}")
    assert source["helm"]["valueFiles"] == ["values.yaml", f"values-{environment}.yaml"]
    assert all((chart / file).is_file() for file in source["helm"]["valueFiles"])


@pytest.mark.parametrize("name", APPLICATIONS)
def test_each_service_reaches_its_pods(name: str) -> None:
    rendered = cocdev("stg")
    (workload,) = (
        item
        for item in rendered.children[f"{name}-stg"]
        if item["kind"] == ("StatefulSet" if name == "plate-cache" else "Deployment")
    )
    service = the(rendered, "Service", name)["spec"]
    template = workload["spec"]["template"]

    assert service["selector"].items() <= template["metadata"]["labels"].items()
    assert {port["targetPort"] for port in service["ports"]} <= {
        port["name"] for port in template["spec"]["containers"][0]["ports"]
    }


def test_web_and_api_share_a_host_and_the_others_are_inside_only() -> None:
    routes = {route["metadata"]["name"]: route["spec"] for route in of_kind(cocdev("prod"), "HTTPRoute")}

    assert {name: route["rules"][0]["matches"][0]["path"]["value"] for name, route in routes.items()} == {
        "plate-web": "/",
        "plate-api": "/api",
    }
    assert {host for route in routes.values() for host in route["hostnames"]} == {
        the(cocdev("prod"), "Gateway", "plate")["spec"]["listeners"][1]["hostname"]
    }


@pytest.mark.parametrize(("name", "claim"), [("plate-llm", "PersistentVolumeClaim"), ("plate-cache", "StatefulSet")])
def test_what_keeps_something_has_a_volume(name: str, claim: str) -> None:
    found = the(cocdev("prod"), claim, name)["spec"]
    spec = found["volumeClaimTemplates"][0]["spec"] if claim == "StatefulSet" else found

    assert spec["resources"]["requests"]["storage"] != "0"
    assert spec["accessModes"] == (["ReadWriteOnce"] if claim == "StatefulSet" else ["ReadWriteMany"])


# --- apart ---


@environments
def test_everything_of_an_environment_is_in_its_own_namespace(environment: str) -> None:
    rendered = cocdev(environment)
    for name, application in rendered.applications.items():
        assert application["spec"]["destination"]["namespace"] == f"plate-{environment}"
        for item in rendered.children[name]:
            if item["kind"] == "Namespace":
                assert item["metadata"]["name"] == f"plate-{environment}"
            else:
                assert item["metadata"].get("namespace", f"plate-{environment}") == f"plate-{environment}"


@environments
def test_nothing_of_an_environment_names_the_other(environment: str) -> None:
    rendered = cocdev(environment)
    named = strings(rendered.children) | strings([app["spec"] for app in rendered.applications.values()])

    assert not [text for text in named if f"plate-{OTHER[environment]}" in text]
    assert ENVIRONMENTS[OTHER[environment]] not in named
    assert f"values-{OTHER[environment]}.yaml" not in named


def test_projects_and_applications_of_the_three_roots_are_different_ones() -> None:
    roots = [
        {(item["kind"], item["metadata"]["name"]) for item in cocdev(environment).root}
        for environment in ("platform", *ENVIRONMENTS)
    ]

    assert sum(map(len, roots)) == len(set().union(*roots))


@environments
def test_an_environment_has_quota_traffic_rules_and_acme_endpoint_of_its_own(environment: str) -> None:
    rendered = cocdev(environment)
    policies = {item["metadata"]["name"]: item["spec"] for item in of_kind(rendered, "NetworkPolicy")}

    assert the(rendered, "Issuer", "acme")["spec"]["acme"]["server"] == ENVIRONMENTS[environment]
    assert len(of_kind(rendered, "ResourceQuota")) == 1
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert (
        the(rendered, "Gateway", "plate")["spec"]["listeners"][1]["hostname"]
        == ({"stg": "plate-stg.cocdev.example.org", "prod": "plate.cocdev.example.org"}[environment])
    )


@environments
def test_but_for_the_web_pods_of_other_namespaces_get_in_only_as_the_gateway_and_prometheus(environment: str) -> None:
    admitted = {
        name
        for policy in of_kind(cocdev(environment), "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for peer in rule.get("from", [])
        if "namespaceSelector" in peer
        for expression in peer["namespaceSelector"]["matchExpressions"]
        for name in expression["values"]
    }

    assert admitted == {"envoy-gateway-system", "monitoring"}


@environments
def test_what_a_deployment_asks_lets_the_api_server_in(environment: str) -> None:
    root = {"stg": "staging", "prod": "production"}[environment]
    asked = yaml.safe_load((INVENTORY / "platform.yml").read_text())["cocdev_smoke_tests"][root]
    open_to_all = [
        (policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for policy in of_kind(cocdev(environment), "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if "from" not in rule
        for port in rule["ports"]
    ]

    assert open_to_all == [(each["service"], each["port"]) for each in asked]
    assert {each["namespace"] for each in asked} == {f"plate-{environment}"}


@environments
def test_secrets_come_from_what_openbao_has_for_the_environment(environment: str) -> None:
    rendered = cocdev(environment)
    role = the(rendered, "SecretStore", "openbao")["spec"]["provider"]["vault"]["auth"]["kubernetes"]["role"]
    keys = {
        item["metadata"]["name"]: item["spec"]["dataFrom"][0]["extract"]["key"]
        for item in of_kind(rendered, "ExternalSecret")
    }

    assert role == f"plate-{environment}"
    assert keys == {name: f"plate-{environment}/{name}" for name in ("registry", *APPLICATIONS)}
    assert of_kind(rendered, "Secret") == []
    for item in of_kind(rendered, "Deployment") + of_kind(rendered, "StatefulSet"):
        assert item["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


@environments
def test_each_project_permits_what_its_children_bring(environment: str) -> None:
    rendered = cocdev(environment)
    for name, application in rendered.applications.items():
        project = projects(rendered)[application["spec"]["project"]]

        assert list(refusals(project, application, rendered.children[name])) == []


@environments
@pytest.mark.parametrize("child", ["environment", "gateway", *APPLICATIONS])
def test_an_application_of_one_is_refused_in_the_namespace_of_the_other(environment: str, child: str) -> None:
    rendered, other = cocdev(environment), f"plate-{OTHER[environment]}"
    application = rendered.applications[f"{child}-{environment}"]
    project = projects(rendered)[application["spec"]["project"]]
    destination = {**application["spec"]["destination"], "namespace": other}
    moved = {**application, "spec": {**application["spec"], "destination": destination}}
    strayed = [
        {**item, "metadata": {**item["metadata"], "namespace": other}}
        for item in rendered.children[f"{child}-{environment}"]
    ]

    assert list(refusals(project, moved, [])) == [f"destination {destination}"]
    for item in strayed:
        if item["kind"] != "Namespace":
            assert list(refusals(project, application, [item])) == [
                f"{item['kind']} {item['metadata']['name']} in {other}"
            ]


@environments
def test_an_application_from_another_repository_is_refused(environment: str) -> None:
    rendered = cocdev(environment)
    application = rendered.applications[f"plate-web-{environment}"]
    source = {**application["spec"]["source"], "repoURL": "https://git.example.org/else.git"}
    project = projects(rendered)[application["spec"]["project"]]

    assert list(refusals(project, {**application, "spec": {**application["spec"], "source": source}}, [])) == [
        "source https://git.example.org/else.git"
    ]


@environments
@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("v1", "Secret"),
        ("v1", "ResourceQuota"),
        ("v1", "ServiceAccount"),
        ("v1", "Namespace"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("external-secrets.io/v1", "SecretStore"),
    ],
)
def test_an_application_brings_nothing_that_would_widen_its_bounds(environment: str, version: str, kind: str) -> None:
    rendered = cocdev(environment)
    application = rendered.applications[f"plate-web-{environment}"]
    name = f"plate-{environment}"

    assert list(
        refusals(
            projects(rendered)[application["spec"]["project"]],
            application,
            [{"apiVersion": version, "kind": kind, "metadata": {"name": name}}],
        )
    ) == [f"{kind} {name}"]


def test_production_is_byte_for_byte_the_same_after_a_change_of_staging(catalogue: Path) -> None:
    before = {environment: json.dumps(vars(cocdev(environment))) for environment in ENVIRONMENTS}

    for name in APPLICATIONS:
        values = catalogue / PLATFORM / "charts" / name / "values-stg.yaml"
        values.write_text(write(values.read_text(), "image", RELEASED) + "replicas: 3\n")
    overlay = catalogue / PLATFORM / "environment/overlays/stg/kustomization.yaml"
    overlay.write_text(overlay.read_text() + "commonAnnotations: {changed: 'yes'}\n")
    after = {
        environment: json.dumps(vars(render("cocdev", environment, catalogue=catalogue)))
        for environment in ENVIRONMENTS
    }

    assert after["prod"] == before["prod"]
    assert after["stg"] != before["stg"]


# --- images ---


@pytest.mark.parametrize("name", APPLICATIONS)
def test_what_is_promoted_runs_by_tag_and_digest(catalogue: Path, name: str) -> None:
    values = catalogue / PLATFORM / "charts" / name / "values-prod.yaml"
    values.write_text(write(values.read_text(), "image", RELEASED))
    kind = "StatefulSet" if name == "plate-cache" else "Deployment"
    (container,) = the(render("cocdev", "prod", catalogue=catalogue), kind, name)["spec"]["template"]["spec"][
        "containers"
    ]

    assert read(values.read_text(), "image") == RELEASED
    assert container["image"] == f"harbor.cocdev.example.org/plate/{name}:{RELEASED.tag}@{RELEASED.digest}"


@pytest.mark.parametrize("tag", ["latest", "main", "1.0-SNAPSHOT"])
def test_a_moving_tag_is_refused(catalogue: Path, tag: str) -> None:
    values = catalogue / PLATFORM / "charts/plate-web/values-stg.yaml"
    values.write_text(values.read_text().replace("0.0.0", tag))

    assert moves(tag)
    with pytest.raises(RenderError, match=rf'image\.tag: "{tag}" moves'):
        render("cocdev", "stg", catalogue=catalogue)


def test_a_tag_alone_is_refused(catalogue: Path) -> None:
    values = catalogue / PLATFORM / "charts/plate-web/values-stg.yaml"
    values.write_text("image: {tag: 1.2.3}\n")

    with pytest.raises(RenderError, match=r"image\.digest: .* a tag alone can be moved"):
        render("cocdev", "stg", catalogue=catalogue)


# --- the tools ---


def test_addresses_and_volumes_are_the_inventorys() -> None:
    rendered = cocdev("platform")
    (storage,) = rendered.applications["csi-driver-nfs"]["spec"]["source"]["helm"]["valuesObject"]["storageClasses"]

    assert the(rendered, "IPAddressPool", "cocdev")["spec"]["addresses"] == ["203.0.113.64-203.0.113.79"]
    assert the(rendered, "L2Advertisement", "cocdev")["spec"]["ipAddressPools"] == ["cocdev"]
    assert storage["parameters"] == {"server": "nfs.cocdev.example.org", "share": "/export/cocdev"}
    assert storage["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}


@pytest.mark.parametrize(("environment", "issuer"), [("platform", "tools"), ("stg", "acme"), ("prod", "acme")])
def test_acme_asks_the_gateway_or_dns_as_the_inventory_chooses(environment: str, issuer: str) -> None:
    provider = {"cloudflare": {"apiTokenSecretRef": {"name": "dns", "key": "token"}}}
    (by_http,) = the(cocdev(environment), "Issuer", issuer)["spec"]["acme"]["solvers"]
    (by_dns,) = the(render("cocdev", environment, {"dns01": provider}), "Issuer", issuer)["spec"]["acme"]["solvers"]

    assert "gatewayHTTPRoute" in by_http["http01"]
    assert by_dns == {"dns01": provider}


@pytest.mark.parametrize("environment", ["platform", *ENVIRONMENTS])
def test_without_gateways_nothing_is_of_their_kinds(environment: str) -> None:
    rendered = render("cocdev", environment, {"gateways": False})
    gone = {
        "platform": {"gateway-api", "gateway-class", "envoy-gateway", "exposure"},
        "stg": {"gateway-stg"},
        "prod": {"gateway-prod"},
    }[environment]

    assert cocdev(environment).applications.keys() - rendered.applications.keys() == gone
    assert [item for _, item in rendered.objects if "gateway.networking.k8s.io" in item["apiVersion"]] == []
    if environment == "platform":
        values = rendered.applications["cert-manager"]["spec"]["source"]["helm"]["valuesObject"]
        assert values["config"] == {}


@pytest.mark.parametrize("tool", ["harbor", "grafana"])
def test_a_tool_finds_each_secret_it_needs_made_before_it(tool: str) -> None:
    rendered = cocdev("platform")
    needed = {
        secret["name"] for secret in yaml.safe_load((GITOPS / "addons" / tool / "addon.yaml").read_text())["secrets"]
    }
    made = {
        item["metadata"]["name"]: item["spec"]["dataFrom"][0]["extract"]["key"]
        for item in rendered.children[f"{tool}-secrets"]
        if item["kind"] == "ExternalSecret"
    }

    assert made == {name: f"{tool}/{name}" for name in needed}
    assert wave(rendered.applications["openbao"]) < wave(rendered.applications[f"{tool}-secrets"])
    assert wave(rendered.applications[f"{tool}-secrets"]) < wave(rendered.applications[tool])


def test_what_brings_kinds_comes_before_what_is_of_them() -> None:
    waves = {name: wave(application) for name, application in cocdev("platform").applications.items()}

    assert waves["gateway-api"] < waves["cert-manager"] < waves["exposure"]
    assert waves["metallb"] < waves["addresses"] <= waves["gateway-class"] < waves["envoy-gateway"] < waves["exposure"]
    assert waves["external-secrets"] < waves["harbor-secrets"]
    # Each of them may bring ServiceMonitors.
    assert waves["kube-prometheus-stack"] < min(
        waves[name] for name in TOOLS - {"csi-driver-nfs", "kube-prometheus-stack"}
    )
