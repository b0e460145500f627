"""Auto-Builder's tree against the contract of the system it was drawn from: names, ports, mounts, Secrets, rights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import DIGEST, moves
from ansible_collections.groundwork.kube.plugins.module_utils.secret_provider_class import secret_provider_class
from tests.auto_builder import MAPPING, NO_RIGHTS, RIGHTS, VERBS, build_step
from tests.gitops.conftest import APPLY_PATCH, Judge
from tests.gitops.projects import projects, refusals
from tests.gitops.rendering import GITOPS, Object, Rendered, RenderError, render, site

PLATFORM = GITOPS / "platforms" / "auto_builder"
SITE = site("auto_builder")

MAIN = ["cms-config", "db-credentials", "app-secrets"]
# Deployment: image, port, what its environment comes from, who it is, whether it has the files.
DEPLOYMENTS: dict[str, tuple[str, int | None, list[str], str, bool]] = {
    "cms-web-ui": ("auto-builder-ui-main", 15001, ["cms-config", "ui-secrets"], "default", False),
    "cms-web-api": ("auto-builder-cms-main", 18001, MAIN, "default", True),
    "cms-web-mcp": ("auto-builder-cms-main", 18002, MAIN, "default", True),
    "cms-celery-worker": ("auto-builder-cms-main", None, MAIN, "auto-builder-sa", True),
}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render("auto_builder", "prd")


def the(rendered: Rendered, kind: str, name: str) -> Object:
    (found,) = (item for _, item in rendered.objects if item["kind"] == kind and item["metadata"]["name"] == name)
    return found


def pod(rendered: Rendered, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = the(rendered, kind, name)["spec"]["template"]["spec"]
    return found


def mounts(container: dict[str, Any]) -> dict[str, str]:
    return {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}


def step(rendered: Rendered, image: str = "image.java17-maven3.9.6") -> Object:
    """The Job that the worker makes of the template."""
    data = the(rendered, "ConfigMap", "tr-run")["data"]
    return build_step(data["job.yaml"], image=data[image], command=["mvn", "-B", "package"])


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_each_deployment_is_what_the_system_says(rendered: Rendered, name: str) -> None:
    image, port, environment, account, files = DEPLOYMENTS[name]
    spec = pod(rendered, "Deployment", name)
    (container,) = spec["containers"]

    assert container["image"].split(":")[0] == f"acrexample.azurecr.io/{image}"
    assert [item["containerPort"] for item in container.get("ports", [])] == ([port] if port else [])
    assert [next(iter(source.values()))["name"] for source in container["envFrom"]] == environment
    assert spec.get("serviceAccountName", "default") == account
    assert spec["automountServiceAccountToken"] == (account != "default")
    assert mounts(container)["/mnt/secrets-store"] == "secrets-store"
    assert mounts(container).get("/data/cms") == ("data" if files else None)
    assert {probe for probe in container if probe.endswith("Probe")} == (
        {"startupProbe", "readinessProbe", "livenessProbe"} if port else set()
    )
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_there_is_nothing_else_that_runs(rendered: Rendered) -> None:
    workloads = {
        (item["kind"], item["metadata"]["name"])
        for _, item in rendered.objects
        if "template" in item.get("spec", {}) and item["apiVersion"] == "apps/v1"
    }

    assert workloads == {("StatefulSet", "redis"), *(("Deployment", name) for name in DEPLOYMENTS)}


@pytest.mark.parametrize(
    ("name", "port"),
    [("redis", 6379), *((name, port) for name, (_, port, *_) in DEPLOYMENTS.items() if port)],
)
def test_each_service_reaches_its_pods_on_their_port(rendered: Rendered, name: str, port: int) -> None:
    service = the(rendered, "Service", name)
    workload = the(rendered, "StatefulSet" if name == "redis" else "Deployment", name)
    (declared,) = service["spec"]["ports"]
    containers = workload["spec"]["template"]["spec"]["containers"]

    assert service["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
    assert declared["port"] == port
    assert {item["name"]: item["containerPort"] for item in containers[0]["ports"]}[declared["targetPort"]] == port


def test_whoever_takes_a_secret_mounts_the_class_it_comes_from(rendered: Rendered) -> None:
    """A Secret that is synced is there only while a pod mounts the volume."""
    made = {
        item["secretName"] for item in the(rendered, "SecretProviderClass", "azure-kv-secrets")["spec"]["secretObjects"]
    }
    for name in DEPLOYMENTS:
        spec = pod(rendered, "Deployment", name)
        taken = {source["secretRef"]["name"] for source in spec["containers"][0]["envFrom"] if "secretRef" in source}
        classes = {
            volume["csi"]["volumeAttributes"]["secretProviderClass"] for volume in spec["volumes"] if "csi" in volume
        }

        assert taken
        assert taken <= made
        assert classes == {"azure-kv-secrets"}


def test_the_mapping_is_the_systems_nine_rows() -> None:
    rows = yaml.safe_load((PLATFORM / "secrets" / "mapping.yaml").read_text())

    assert [(row["object"], row["secret"], row["key"]) for row in rows] == MAPPING


def test_the_secret_provider_class_is_what_the_filter_makes_of_the_mapping(rendered: Rendered) -> None:
    vault = SITE["keyVault"]

    assert the(rendered, "SecretProviderClass", "azure-kv-secrets") == secret_provider_class(
        yaml.safe_load((PLATFORM / "secrets" / "mapping.yaml").read_text()),
        name="azure-kv-secrets",
        namespace="prd",
        key_vault=vault["name"],
        tenant_id=vault["tenantId"],
        client_id=vault["clientId"],
    )


@pytest.mark.parametrize("key", ["name", "tenantId", "clientId"])
def test_a_vault_that_is_not_whole_is_refused_by_name(key: str) -> None:
    vault = {name: value for name, value in SITE["keyVault"].items() if name != key}

    with pytest.raises(RenderError, match=rf"keyVault\.{key}"):
        render("auto_builder", "prd", {"keyVault": vault})


def test_redis_reads_its_password_from_the_vaults_volume_alone(rendered: Rendered) -> None:
    (container,) = pod(rendered, "StatefulSet", "redis")["containers"]

    assert container["image"].startswith("docker.io/library/redis:7.")
    assert "env" not in container
    assert "envFrom" not in container
    (mount,) = (item for item in container["volumeMounts"] if item["name"] == "secrets-store")
    assert (mount["mountPath"], mount["subPath"]) == ("/mnt/secrets-store/redis-password", "redis-password")
    assert "redis-password" in [row[0] for row in MAPPING]


def test_files_are_shared_and_have_their_four_folders(rendered: Rendered) -> None:
    claim = the(rendered, "PersistentVolumeClaim", "cms-data-pvc")

    assert claim["spec"]["storageClassName"].startswith("azurefile")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name, (*_, files) in DEPLOYMENTS.items():
        spec = pod(rendered, "Deployment", name)
        claims = {
            volume["name"]: volume["persistentVolumeClaim"]["claimName"]
            for volume in spec["volumes"]
            if "persistentVolumeClaim" in volume
        }
        assert claims == ({"data": "cms-data-pvc"} if files else {})
        for made in spec.get("initContainers", []):
            assert made["command"][2:] == [
                f"/data/cms/{folder}" for folder in ("projects", "upload", "common_lib", "logs")
            ]
            assert mounts(made) == {"/data/cms": "data"}
        assert bool(spec.get("initContainers")) == files


def test_the_role_has_these_rights_and_no_other(rendered: Rendered) -> None:
    role = the(rendered, "Role", "job-manager-role")
    binding = the(rendered, "RoleBinding", "job-manager-rolebinding")

    assert {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    } == RIGHTS
    assert binding["roleRef"]["name"] == "job-manager-role"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "auto-builder-sa", "namespace": "prd"}]
    assert the(rendered, "ServiceAccount", "auto-builder-sa")["metadata"]["namespace"] == "prd"
    assert not [item for _, item in rendered.objects if item["kind"].startswith("ClusterRole")]


def test_the_api_server_lets_the_worker_do_this_and_no_more(rendered: Rendered, judge: Judge) -> None:
    judge.admit({"prd"})
    for kind, place in [
        ("Role", "roles/job-manager-role"),
        ("RoleBinding", "rolebindings/job-manager-rolebinding"),
    ]:
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/prd/{place}"
        judge.client.patch(path, the(rendered, kind, Path(place).name), {"force": "true"}, APPLY_PATCH)

    def may(verb: str, group: str, resource: str, namespace: str = "prd") -> bool:
        resource, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "system:serviceaccount:prd:auto-builder-sa",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:prd", "system:authenticated"],
                "resourceAttributes": {**attributes, "namespace": namespace},
            },
        }
        answer = judge.client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    # The server learns of a new role a moment after it took it.
    deadline = time.monotonic() + 60
    while not may("create", "batch", "jobs"):
        assert time.monotonic() < deadline, "the role has no effect"
        time.sleep(0.1)

    asked = [*RIGHTS, *NO_RIGHTS]
    assert {(group, resource): {verb for verb in VERBS if may(verb, group, resource)} for group, resource in asked} == {
        **RIGHTS,
        **{nothing: set() for nothing in NO_RIGHTS},
    }
    assert not may("create", "batch", "jobs", "default")
    assert not may("get", "", "secrets", "kube-system")


def test_configuration_is_the_systems_and_the_sites(rendered: Rendered) -> None:
    assert the(rendered, "ConfigMap", "cms-config")["data"] == {
        "ACR_REGISTRY": "acrexample.azurecr.io",
        "K8S_NAMESPACE": "prd",
        "K8S_SERVICE_ACCOUNT": "auto-builder-sa",
        "CONTAINER_RUNTIME": "kubernetes",
        "LOG_LEVEL": "info",
    }


def test_a_step_runs_in_its_project_on_the_shared_files(rendered: Rendered) -> None:
    job = step(rendered)
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]

    assert job["metadata"] == {
        "name": "tr-run-7-build",
        "namespace": "prd",
        "labels": {"app.kubernetes.io/name": "tr-run", "app.kubernetes.io/part-of": "auto-builder"},
    }
    assert container["image"].startswith("acrexample.azurecr.io/java17-maven3.9.6:")
    assert container["workingDir"] == "/data/cms/projects/42"
    assert container["command"] == ["mvn", "-B", "package"]
    assert mounts(container) == {"/data/cms": "data"}
    assert spec["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "cms-data-pvc"}}]
    assert spec["serviceAccountName"] == the(rendered, "ConfigMap", "cms-config")["data"]["K8S_SERVICE_ACCOUNT"]
    assert (spec["restartPolicy"], job["spec"]["backoffLimit"]) == ("Never", 0)


@pytest.mark.parametrize("image", ["image.java17-maven3.9.6", "image.python3.12"])
def test_the_api_server_takes_the_step(rendered: Rendered, judge: Judge, image: str) -> None:
    judge.admit({"prd"})

    assert judge.refusal(step(rendered, image), "prd") == ""


def test_a_step_cannot_use_the_rights_of_the_worker(rendered: Rendered) -> None:
    """The worker may read every Secret of the namespace; what it builds may not."""
    assert step(rendered)["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_every_image_names_tag_and_digest(rendered: Rendered) -> None:
    data = the(rendered, "ConfigMap", "tr-run")["data"]
    images = [value for key, value in data.items() if key.startswith("image.")]
    for _, item in rendered.objects:
        spec = item.get("spec", {}).get("template", {}).get("spec", {})
        images += [container["image"] for container in spec.get("containers", []) + spec.get("initContainers", [])]

    assert len(images) == 2 + 1 + 4 + 3
    for image in images:
        name, _, digest = image.partition("@")
        assert DIGEST.fullmatch(digest), image
        assert not moves(name.rpartition(":")[2]), image


def test_the_browser_reaches_the_ui_and_nothing_else(rendered: Rendered) -> None:
    spec = the(rendered, "Ingress", "auto-builder")["spec"]

    assert spec["ingressClassName"] == "nginx"
    assert [
        (rule["host"], [path["backend"]["service"]["name"] for path in rule["http"]["paths"]]) for rule in spec["rules"]
    ] == [("builder.example.org", ["cms-web-ui"])]


def test_the_ingress_controller_has_the_fixed_address(rendered: Rendered) -> None:
    values = rendered.applications["ingress-nginx"]["spec"]["source"]["helm"]["valuesObject"]

    assert values["controller"]["service"]["annotations"] == {
        "service.beta.kubernetes.io/azure-load-balancer-ipv4": SITE["ingressAddress"]
    }


def test_what_is_retired_or_an_add_on_of_aks_waits_to_be_asked_for() -> None:
    applications = render("auto_builder", "prd", {"addons": {}}).applications

    assert list(applications) == ["namespace", "rbac", "secrets", "data", "cms", "ingress"]


def test_git_holds_no_secret_and_the_project_would_not_take_one(rendered: Rendered) -> None:
    assert not [item for _, item in rendered.objects if item["kind"] == "Secret"]
    kinds = projects(rendered)["auto-builder"]["spec"]["namespaceResourceWhitelist"]
    assert {"group": "", "kind": "Secret"} not in kinds


def test_each_project_permits_what_its_children_bring(rendered: Rendered) -> None:
    known = projects(rendered)
    for name, application in rendered.applications.items():
        project = known[application["spec"]["project"]]

        assert list(refusals(project, application, rendered.children.get(name, []))) == []
