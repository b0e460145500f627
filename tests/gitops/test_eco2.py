"""What Eco² promises: waves, namespaces, doors, what is watched; and that no secret and no moving image is in Git."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from tests.gitops.conftest import Judge
from tests.gitops.rendering import GITOPS, Object, Rendered, kustomize_build, platform, render, site, wave

TREES = GITOPS / "platforms" / "eco2"
ENVIRONMENTS = platform("eco2")["environments"]
DOMAINS = ("auth", "my", "scan", "character", "location", "info", "chat")
APIS = (*DOMAINS[:6], "image", "chat")
WORKERS = ("storage", "ai")
DOMAIN_OF = {**{name: name for name in (*DOMAINS, *WORKERS)}, "image": "info"}
# As the platform's own documents number them.
WAVES = {
    "crds": 0,
    "namespaces": 2,
    "rbac-storage": 3,
    "network-policies": 6,
    "external-secrets": 10,
    "secrets": 11,
    "aws-load-balancer-controller": 15,
    "external-dns": 16,
    "kube-prometheus-stack": 20,
    "grafana": 21,
    "monitoring": 21,
    "fluent-bit": 22,
    "postgres-operator": 24,
    "redis-operator": 28,
    "data": 35,
    **{f"apis-{name}": 60 for name in (*DOMAINS, *WORKERS)},
    "ingress": 70,
}
NAMESPACES = {*DOMAINS, "postgres", "redis", "rabbitmq", "monitoring", "grafana", "platform-system"}
# Services that charts, operators and Argo CD make: labels and ports, as read where it says.
DOCUMENTED = yaml.safe_load((GITOPS.parent / "tests/gitops/eco2/services.yml").read_text())

everywhere = pytest.mark.parametrize("environment", ENVIRONMENTS)


@cache
def eco2(environment: str) -> Rendered:
    return render("eco2", environment)


def of_kind(environment: str, *kinds: str) -> list[Object]:
    return [resource for child, resource in eco2(environment).objects if child != "root" and resource["kind"] in kinds]


def of_own(environment: str, *kinds: str) -> list[Object]:
    """Those of the platform's own trees, whether or not the charts beside them are at hand."""
    apps = eco2(environment).applications
    return [
        resource
        for child, resources in eco2(environment).children.items()
        if "path" in apps[child]["spec"]["source"]
        for resource in resources
        if resource["kind"] in kinds
    ]


def key(resource: Object) -> tuple[str, str]:
    return resource["metadata"].get("namespace", ""), resource["metadata"]["name"]


def containers(resource: Object) -> Iterator[Object]:
    yield from resource["spec"]["template"]["spec"]["containers"]


@everywhere
def test_the_waves_are_those_of_the_platforms_documents(environment: str) -> None:
    assert {name: wave(app) for name, app in eco2(environment).applications.items()} == WAVES


def test_rabbitmq_and_all_that_it_needs_come_with_one_switch() -> None:
    on = render("eco2", "prod", {"rabbitmq": True}).applications
    extra = {name: wave(app) for name, app in on.items() if name not in WAVES}
    assert extra == {"cert-manager": 25, "rabbitmq-cluster-operator": 26, "rabbitmq": 35}


@everywhere
def test_there_are_thirteen_namespaces_each_with_its_pod_security(environment: str) -> None:
    made = {
        resource["metadata"]["name"]: resource["metadata"]["labels"] for resource in of_kind(environment, "Namespace")
    }
    assert set(made) == NAMESPACES
    assert len(made) == 13
    level = {name: labels["pod-security.kubernetes.io/enforce"] for name, labels in made.items()}
    assert {level[name] for name in DOMAINS} == {"restricted"}
    assert [name for name, enforced in level.items() if enforced == "privileged"] == ["monitoring"]


@everywhere
def test_every_pod_is_admitted_at_the_level_of_its_namespace(environment: str, judge: Judge) -> None:
    levels = {
        resource["metadata"]["name"]: resource["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for resource in of_kind(environment, "Namespace")
    }
    refused = {}
    for child, resource in eco2(environment).objects:
        app = eco2(environment).applications.get(child, resource)
        namespace = resource["metadata"].get("namespace") or app["spec"].get("destination", {}).get("namespace")
        if resource["kind"] in ("Deployment", "DaemonSet", "StatefulSet") and namespace in levels:
            refused[child] = judge.pod_refusal(resource["spec"]["template"]["spec"], levels[namespace])
    assert refused
    assert {child: reason for child, reason in refused.items() if reason} == {}


@everywhere
def test_a_namespace_admits_what_the_catalogue_says_an_entry_needs(environment: str) -> None:
    strict = ("privileged", "baseline", "restricted")
    levels = {
        resource["metadata"]["name"]: resource["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for resource in of_kind(environment, "Namespace")
    }
    for name, app in eco2(environment).applications.items():
        file = GITOPS / "addons" / app["spec"]["source"].get("chart", "") / "addon.yaml"
        namespace = app["spec"]["destination"].get("namespace")
        if file.is_file() and namespace in levels:
            needs = yaml.safe_load(file.read_text())["podSecurity"]
            assert strict.index(levels[namespace]) <= strict.index(needs), name


@everywhere
def test_every_service_has_its_own_node_and_no_more_than_its_taint(environment: str) -> None:
    found = {}
    for resource in of_kind(environment, "Deployment"):
        name, spec = resource["metadata"]["name"], resource["spec"]["template"]["spec"]
        if name in DOMAIN_OF:
            found[name] = (spec["nodeSelector"], spec["tolerations"])
    assert found == {
        name: ({"domain": domain}, [{"key": "domain", "operator": "Equal", "value": domain, "effect": "NoSchedule"}])
        for name, domain in DOMAIN_OF.items()
    }


@everywhere
def test_eight_node_ports_from_30000_to_30007(environment: str) -> None:
    ports = {
        resource["metadata"]["name"]: port["nodePort"]
        for resource in of_kind(environment, "Service")
        for port in resource["spec"]["ports"]
        if "nodePort" in port
    }
    assert ports == {name: 30000 + number for number, name in enumerate(APIS)}


@everywhere
def test_services_are_probed_bounded_and_confined(environment: str) -> None:
    for resource in of_kind(environment, "Deployment"):
        if resource["metadata"]["name"] not in DOMAIN_OF:
            continue
        for container in containers(resource):
            assert {"livenessProbe", "readinessProbe"} <= set(container)
            assert container["resources"]["limits"]["memory"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert resource["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


# --- images


@pytest.mark.parametrize("environment", [*ENVIRONMENTS, "lab"])
@pytest.mark.parametrize("domain", [*DOMAINS, *WORKERS])
def test_an_overlay_names_the_release_of_every_service_by_tag_and_digest(domain: str, environment: str) -> None:
    """A digest of zeros is no image at all: until somebody promotes one, nothing could run that nobody meant."""
    overlay = TREES / "domains" / domain / "overlays" / environment
    images = yaml.safe_load((overlay / "kustomization.yaml").read_text())["images"]
    wanted = [name for name, of in DOMAIN_OF.items() if of == domain]
    assert [image["name"] for image in images] == wanted
    for image in images:
        assert set(image) == {"name", "newName", "newTag", "digest"}
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", image["digest"])
        name = "docker.io/groundwork/echo" if environment == "lab" else "docker.io/mng990/eco2"
        assert image["newName"] == name
        if environment == "lab":
            assert image["newTag"] == "1.0.0"
        else:
            assert re.fullmatch(rf"{image['name']}-(unreleased|[0-9a-f]{{7,40}})", image["newTag"])
            assert (image["newTag"].endswith("unreleased")) == (set(image["digest"][7:]) == {"0"})


@pytest.mark.parametrize("domain", [*DOMAINS, *WORKERS])
def test_what_the_lab_runs_asks_nothing_of_aws(domain: str) -> None:
    """The same services on the same nodes, without the settings and data stores that only the whole platform has."""
    for resource in kustomize_build(TREES / "domains" / domain / "overlays" / "lab", {}):
        assert resource["kind"] in ("Deployment", "Service")
        for container in containers(resource) if resource["kind"] == "Deployment" else ():
            assert "envFrom" not in container
            assert not [item for item in container["env"] if "secretKeyRef" in item.get("valueFrom", {})]


# --- secrets


def secrets_brought(environment: str) -> set[tuple[str, str]]:
    """By ExternalSecrets, and by the Postgres operator for a user that is named after a namespace."""
    domains = {
        resource["metadata"]["name"]
        for resource in of_kind(environment, "Namespace")
        if resource["metadata"]["labels"]["tier"] == "domain"
    }
    brought = {key(resource) for resource in of_kind(environment, "ExternalSecret")}
    for resource in of_kind(environment, "ClusterExternalSecret"):
        assert resource["spec"]["namespaceSelectors"] == [{"matchLabels": {"tier": "domain"}}]
        brought |= {(name, resource["spec"]["externalSecretName"]) for name in domains}
    for resource in of_kind(environment, "postgresql"):
        cluster = resource["metadata"]["name"]
        brought |= {
            (user.split(".")[0], f"{user}.{cluster}.credentials.postgresql.acid.zalan.do")
            for user in resource["spec"]["users"]
        }
    return brought


def secrets_wanted(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("secretKeyRef", "secretRef", "redisSecret"):
                yield item["name"]
            elif name == "imagePullSecrets":
                yield from (entry["name"] for entry in item)
            else:
                yield from secrets_wanted(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_wanted(item)


@everywhere
def test_every_secret_a_pod_wants_is_brought_to_its_namespace(environment: str) -> None:
    wanted = {
        (resource["metadata"]["namespace"], name)
        for resource in of_own(
            environment, "Deployment", "StatefulSet", "postgresql", "RedisReplication", "RedisSentinel"
        )
        for name in secrets_wanted(resource["spec"])
    }
    for app in eco2(environment).applications.values():
        addon = GITOPS / "addons" / app["spec"]["source"].get("chart", "") / "addon.yaml"
        if addon.is_file():
            brings = yaml.safe_load(addon.read_text()).get("secrets", [])
            wanted |= {(app["spec"]["destination"]["namespace"], secret["name"]) for secret in brings}
    assert wanted
    assert wanted - secrets_brought(environment) == set()


@everywhere
def test_git_holds_where_a_secret_is_and_never_what_it_is(environment: str) -> None:
    own = {name for name, app in eco2(environment).applications.items() if "path" in app["spec"]["source"]}
    for child, resource in eco2(environment).objects:
        if child not in own:
            continue
        assert resource["kind"] != "Secret"
        for container in containers(resource) if resource["kind"] == "Deployment" else ():
            for item in container["env"]:
                if re.search("PASS|TOKEN|SECRET|KEY", item["name"]):
                    assert "value" not in item
    for resource in of_kind(environment, "ExternalSecret", "ClusterExternalSecret"):
        spec = resource["spec"].get("externalSecretSpec", resource["spec"])
        assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "parameter-store"}
        (extract,) = (item["extract"]["key"] for item in spec["dataFrom"])
        assert extract.startswith(f"/eco2/{environment}/")


# --- doors


@everywhere
def test_one_load_balancer_has_all_hosts_on_one_domain(environment: str) -> None:
    ingresses = of_kind(environment, "Ingress")
    hosts = {rule["host"] for resource in ingresses for rule in resource["spec"]["rules"]}
    assert hosts == {f"{name}.{site('eco2')['domain']}" for name in ("api", "argocd", "grafana", "atlantis")}
    assert {resource["spec"]["ingressClassName"] for resource in ingresses} == {"eco2"}
    (parameters,) = of_kind(environment, "IngressClassParams")
    spec = parameters["spec"]
    assert spec["group"] == {"name": "eco2"}
    assert spec["certificateArn"] == [site("eco2")["certificateArn"]]
    assert spec["sslRedirectPort"] == "443"
    assert spec["targetType"] == "instance"
    attributes = {item["key"]: item["value"] for item in spec["loadBalancerAttributes"]}
    assert int(attributes["idle_timeout.timeout_seconds"]) >= 3600
    for resource in ingresses:
        annotations = resource["metadata"]["annotations"]
        assert annotations["alb.ingress.kubernetes.io/listen-ports"] == '[{"HTTP": 80}, {"HTTPS": 443}]'
        assert annotations["alb.ingress.kubernetes.io/backend-protocol"] == "HTTP"


@everywhere
def test_every_rule_leads_to_a_node_port_in_the_same_namespace(environment: str) -> None:
    services = {key(resource): resource["spec"] for resource in of_kind(environment, "Service")}
    assert eco2(environment).applications["grafana"]["spec"]["source"]["helm"]["valuesObject"]["service"] == {
        "type": "NodePort"
    }
    paths = []
    for resource in of_kind(environment, "Ingress"):
        for path in resource["spec"]["rules"][0]["http"]["paths"]:
            backend, namespace = path["backend"]["service"], resource["metadata"]["namespace"]
            paths.append((resource["spec"]["rules"][0]["host"], path["path"]))
            if (namespace, backend["name"]) in services:
                service = services[namespace, backend["name"]]
                assert service["type"] == "NodePort"
                assert backend["port"]["name"] in {port["name"] for port in service["ports"]}
            else:
                found = next(
                    item for item in DOCUMENTED if (item["namespace"], item["name"]) == (namespace, backend["name"])
                )
                assert backend["port"]["name"] in found["ports"]
    assert len(set(paths)) == len(paths) == len(APIS) + 3


@everywhere
def test_a_target_group_holds_the_one_node_that_has_the_pod(environment: str) -> None:
    for resource in of_kind(environment, "Service"):
        if (name := resource["metadata"]["name"]) in APIS:
            label = resource["metadata"]["annotations"]["alb.ingress.kubernetes.io/target-node-labels"]
            assert label == f"domain={DOMAIN_OF[name]}"


def test_external_dns_owns_its_records_and_no_others() -> None:
    values = eco2("prod").applications["external-dns"]["spec"]["source"]["helm"]["valuesObject"]
    assert values["policy"] == "sync"
    assert values["registry"] == "txt"
    assert values["txtOwnerId"] == site("eco2")["cluster"]["name"]
    assert values["domainFilters"] == [site("eco2")["domain"]]


# --- what is watched


def services_there(environment: str) -> list[tuple[str, dict[str, str], set[str]]]:
    own = [
        (
            resource["metadata"]["namespace"],
            resource["metadata"].get("labels", {}),
            {port.get("name", "") for port in resource["spec"]["ports"]},
        )
        for resource in of_own(environment, "Service")
    ]
    return own + [(item["namespace"], item["labels"], set(item["ports"])) for item in DOCUMENTED]


@everywhere
def test_eighteen_monitors_each_select_one_service_and_a_port_it_has(environment: str) -> None:
    monitors = of_own(environment, "ServiceMonitor")
    assert len({key(monitor) for monitor in monitors}) == len(monitors) == 18
    services = services_there(environment)
    for monitor in monitors:
        spec = monitor["spec"]
        wanted = spec["selector"]["matchLabels"].items()
        (namespace,) = spec["namespaceSelector"]["matchNames"]
        found = [ports for where, labels, ports in services if where == namespace and wanted <= labels.items()]
        assert len(found) == 1, f"{monitor['metadata']['name']} selects {len(found)} Services"
        assert {endpoint["port"] for endpoint in spec["endpoints"]} <= found[0]


def test_prometheus_takes_every_monitor_and_rule() -> None:
    values = eco2("prod").applications["kube-prometheus-stack"]["spec"]["source"]["helm"]["valuesObject"]
    prometheus = values["prometheus"]["prometheusSpec"]
    assert prometheus["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert prometheus["ruleSelectorNilUsesHelmValues"] is False


# --- who owns what


def test_wave_00_has_the_kinds_of_every_chart_that_leaves_them_to_it() -> None:
    # Two charts are numbered apart from what they install; their Chart.yaml says what that is.
    released = {"kube-prometheus-stack 88.5.3": "0.93.1", "redis-operator 0.26.1": "0.26.0"}
    text = (TREES / "crds/kustomization.yaml").read_text()
    bundles = {
        section.split("\n", 1)[0].strip(): set(re.findall(r"/v(\d+\.\d+\.\d+)/", section))
        for section in text.split("resources:\n")[1].split("  # ")[1:]
    }
    owners = [child["addon"] for child in platform("eco2")["children"] if child.get("crds") == "wave00"]
    assert set(bundles) == set(owners)
    for addon in owners:
        chart = yaml.safe_load((GITOPS / "addons" / addon / "addon.yaml").read_text())["chart"]
        version = str(chart["version"])
        assert bundles[addon] == {released.get(f"{chart['name']} {version}", version)}, addon


@everywhere
def test_every_service_account_that_a_chart_is_told_to_use_is_there(environment: str) -> None:
    made = {key(resource) for resource in of_kind(environment, "ServiceAccount")}
    for name, app in eco2(environment).applications.items():
        account = app["spec"]["source"].get("helm", {}).get("valuesObject", {}).get("serviceAccount", {})
        if account.get("create") is False:
            assert (app["spec"]["destination"]["namespace"], account["name"]) in made, name


@everywhere
def test_volumes_are_asked_of_a_class_that_wave_03_makes(environment: str) -> None:
    (storage_class,) = of_kind(environment, "StorageClass")
    assert storage_class["metadata"]["name"] == "gp3"
    assert storage_class["provisioner"] == "ebs.csi.aws.com"
    (postgresql,) = of_kind(environment, "postgresql")
    (redis,) = of_kind(environment, "RedisReplication")
    assert postgresql["spec"]["volume"]["storageClass"] == "gp3"
    assert redis["spec"]["storage"]["volumeClaimTemplate"]["spec"]["storageClassName"] == "gp3"


def test_a_database_belongs_to_the_user_of_its_domains_namespace() -> None:
    (postgresql,) = of_kind("prod", "postgresql")
    assert postgresql["apiVersion"] == "acid.zalan.do/v1"
    assert postgresql["spec"]["databases"] == {name: f"{name}.{name}" for name in DOMAINS}
    assert set(postgresql["spec"]["users"]) == set(postgresql["spec"]["databases"].values())
    values = eco2("prod").applications["postgres-operator"]["spec"]["source"]["helm"]["valuesObject"]
    assert values["configKubernetes"]["enable_cross_namespace_secret"] is True


def test_the_readme_lists_the_waves_as_they_are() -> None:
    listed = re.findall(r"^\| (\d\d) \| `([\w-]+)`", (TREES / "README.md").read_text(), re.MULTILINE)
    children = [child.get("name") or child["addon"] for child in platform("eco2")["children"]]
    waves = {**WAVES, "cert-manager": 25, "rabbitmq-cluster-operator": 26, "rabbitmq": 35, "apis": 60}
    assert [(int(number), name) for number, name in listed] == [(waves[name], name) for name in children]
