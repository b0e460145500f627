# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Azure Key Vault's driver and classes on a real API server, of its own chart where that was fetched, and of a
stand-in for it. What pods and kubelets do is done by hand."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.secret_provider_check import DRIVER
from ansible_collections.groundwork.kube.plugins.modules import secret_provider_check
from ansible_collections.groundwork.kube.plugins.modules.secret_provider_check import CLASSES
from ansible_collections.groundwork.kube.plugins.modules.volume_check import STORAGE
from tests import ansible_playbook
from tests.ansible_playbook import REPOSITORY
from tests.api.charts import chart_fixture
from tests.api.conftest import Api, Play, ended, wait_until
from tests.api.controllers import Controllers
from tests.arm.conftest import environment
from tests.arm.fake import CLIENT, SUBSCRIPTION, TENANT, VAULTS, FakeArm, fake_arm
from tests.auto_builder import MAPPING
from tests.secret_provider_class import CRD, CRD_NAME, rows

NODES = ("aks-system-0", "aks-general-0")
WORKLOADS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
ON_NODES, PROVIDER = f"{WORKLOADS}/secrets-store-csi-driver", f"{WORKLOADS}/csi-secrets-store-provider-azure"
ADD_ON = "aks-secrets-store-csi-driver"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PRD = "/api/v1/namespaces/prd"
CLASS = f"{CLASSES}/namespaces/prd/secretproviderclasses/azure-kv-secrets"
PLATFORM = REPOSITORY / "gitops/platforms/auto_builder"
MAPPED = yaml.safe_load((PLATFORM / "secrets/mapping.yaml").read_text())

TEMPLATE = """\
{{- range $name, $container := dict "secrets-store-csi-driver" "secrets-store" .Chart.Name "provider" }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: {{ $name }}, namespace: {{ $.Release.Namespace }}}
spec:
  selector: {matchLabels: {app: {{ $name }}}}
  template:
    metadata: {labels: {app: {{ $name }}}}
    spec:
      containers:
        - name: {{ $container }}
          image: {{ $container }}
          args: ["--enable-secret-rotation={{ (index $.Values "secrets-store-csi-driver").enableSecretRotation }}"]
{{- end }}
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: secrets-store.csi.k8s.io}
spec: {attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: [Ephemeral]}
"""

Run = Callable[..., str]
chart = chart_fixture(
    "csi-secrets-store-provider-azure",
    "keyvault_csi_chart",
    {"templates/all.yaml": TEMPLATE, "crds/class.yaml": yaml.safe_dump(CRD)},
)


@pytest.fixture
def cluster(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Two nodes of which the driver's pods have said who they are, and the system's namespace."""
    monkeypatch.setattr(secret_provider_check, "INTERVAL", 0.1)
    for node in NODES:
        api.plant(node)
        drivers = [{"name": DRIVER, "nodeID": node, "topologyKeys": None}]
        api.client.create(f"{STORAGE}/csinodes", {"metadata": {"name": node}, "spec": {"drivers": drivers}})
    if api.client.get(PRD) is None:
        api.client.create("/api/v1/namespaces", {"metadata": {"name": "prd"}})
    yield api
    for path in (f"{STORAGE}/csinodes", f"{STORAGE}/csidrivers", WORKLOADS):
        api.client.delete(path)
    for kind in ("pods", "secrets", "events"):
        api.client.delete(f"{PRD}/{kind}", {"gracePeriodSeconds": 0})
    for crd in api.client.list(CRDS):
        if crd["spec"]["group"] == "secrets-store.csi.x-k8s.io":
            api.client.delete(f"{CRDS}/{crd['metadata']['name']}")
    wait_until(lambda: api.client.get(CLASS) is None and api.client.get(f"{CRDS}/{CRD_NAME}") is None)


@pytest.fixture
def role(cluster: Api, play: Play) -> Run:
    def role(*arguments: str, part: str = "main", succeeds: bool = True, **variables: Any) -> str:
        given = {
            "keyvault_csi_vault": "kv-cloudtr-prd",
            "keyvault_csi_tenant_id": TENANT,
            "keyvault_csi_client_id": CLIENT,
            "keyvault_csi_classes": [{"name": "azure-kv-secrets", "namespace": "prd", "mapping": MAPPED}],
            "keyvault_csi_timeout": 60,
        }
        task = {"import_role": {"name": "groundwork.kube.keyvault_csi", "tasks_from": part}}
        return ended(play([task], *arguments, **{**given, **variables}), succeeds=succeeds)

    return role


@pytest.fixture
def run(cluster: Api, role: Run, chart: Path, cluster_programs: None) -> Iterator[Run]:
    """The role, where the chart brings the driver."""
    controllers = Controllers(cluster, ON_NODES, PROVIDER)
    controllers.start()
    yield partial(role, keyvault_csi_driver="chart", keyvault_csi_chart=str(chart))
    controllers.stop()


def test_the_class_of_the_nine_rows_is_the_systems_table_and_the_chart_brings_its_driver(
    run: Run, cluster: Api
) -> None:
    run("--check")
    assert cluster.client.get(ON_NODES) is None

    run()
    provided = cluster.client.get(CLASS)
    assert provided
    assert rows(provided) == MAPPING
    parameters = {key: value for key, value in provided["spec"]["parameters"].items() if key != "objects"}
    assert provided["spec"]["provider"] == "azure"
    assert parameters == {
        "keyvaultName": "kv-cloudtr-prd",
        "tenantId": TENANT,
        "usePodIdentity": "false",
        "useVMManagedIdentity": "true",
        "userAssignedIdentityID": CLIENT,
    }
    assert {secret["type"] for secret in provided["spec"]["secretObjects"]} == {"Opaque"}
    containers = (cluster.client.get(ON_NODES) or {})["spec"]["template"]["spec"]["containers"]
    driver = next(container for container in containers if container["name"] == "secrets-store")
    assert "--enable-secret-rotation=true" in driver["args"]

    assert "changed=0" in run()


def test_the_chart_makes_room_for_the_add_on_once_nobody_uses_it(run: Run, cluster: Api) -> None:
    run()
    plant_pod(cluster)
    assert "volumes of prd/cms-web-api can be" in " ".join(run(part="remove", succeeds=False).split())
    assert cluster.client.get(ON_NODES)

    cluster.client.delete(f"{PRD}/pods", {"gracePeriodSeconds": 0})
    run(part="remove")
    assert (cluster.client.get(ON_NODES), cluster.client.list(f"{STORAGE}/csidrivers")) == (None, [])
    assert cluster.client.get(CLASS)
    assert "changed=0" in run(part="remove")


def test_outside_of_azure_a_service_principal_reads(run: Run, cluster: Api) -> None:
    secret = secrets.token_urlsafe()
    output = run("-vvvv", "--diff", keyvault_csi_identity="service_principal", keyvault_csi_client_secret=secret)
    assert secret not in output
    assert base64.b64encode(secret.encode()).decode() not in output
    held = cluster.client.get(f"{PRD}/secrets/keyvault-credentials")
    assert held
    assert held["metadata"]["labels"] == {"secrets-store.csi.k8s.io/used": "true"}
    assert {key: base64.b64decode(value).decode() for key, value in held["data"].items()} == {
        "clientid": CLIENT,
        "clientsecret": secret,
    }
    parameters = (cluster.client.get(CLASS) or {})["spec"]["parameters"]
    assert (parameters["useVMManagedIdentity"], parameters.get("clientID")) == ("false", None)


def plant_driver(cluster: Api, name: str = ADD_ON) -> None:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "secrets-store", "image": "driver"}]},
    }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    cluster.client.create(WORKLOADS, {"metadata": {"name": name}, "spec": spec})


def plant_pod(cluster: Api, name: str = "cms-web-api", phase: str = "Pending") -> None:
    volume = {"driver": DRIVER, "readOnly": True, "volumeAttributes": {"secretProviderClass": "azure-kv-secrets"}}
    spec = {
        "containers": [{"name": "cms", "image": "cms"}],
        "volumes": [{"name": "secrets-store", "csi": volume}],
        "automountServiceAccountToken": False,
    }
    cluster.client.create(f"{PRD}/pods", {"metadata": {"name": name}, "spec": spec})
    cluster.client.patch(f"{PRD}/pods/{name}/status", {"status": {"phase": phase}})


def sync(cluster: Api, *rows: tuple[str, str, str]) -> None:
    """What the driver copies once a pod mounts the class."""
    for secret in {secret for _, secret, _ in rows}:
        data = {key: base64.b64encode(b"value").decode() for _, its, key in rows if its == secret}
        cluster.client.create(f"{PRD}/secrets", {"metadata": {"name": secret}, "data": data})


@pytest.fixture
def git(cluster: Api) -> None:
    """The add-on, and the class as Argo CD brings it."""
    plant_driver(cluster)
    cluster.client.create(CRDS, CRD)
    home = CLASS.rpartition("/")[0]
    wait_until(lambda: cluster.client.get(home) is not None)
    cluster.client.create(home, yaml.safe_load((PLATFORM / "secrets/secret-provider-class.yaml").read_text()))


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeArm]:
    """The system's cluster and vault, whose nine secrets the add-on's identity may read."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-cloudtr-prd"
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kv-cloudtr-prd"
    may_read = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/user"
    add_on = {"azureKeyvaultSecretsProvider": {"enabled": True, "identity": {"clientId": CLIENT, "objectId": "add-on"}}}
    with fake_arm(tmp_path) as azure:
        for path, properties in {
            group: {},
            f"{group}/providers/Microsoft.ContainerService/managedClusters/aks-cloudtr-prd": {"addonProfiles": add_on},
            vault: {"enableRbacAuthorization": True},
            may_read: {"permissions": [{"dataActions": ["Microsoft.KeyVault/vaults/secrets/getSecret/action"]}]},
            f"{vault}/providers/Microsoft.Authorization/roleAssignments/add-on": {
                "principalId": "add-on",
                "roleDefinitionId": may_read,
            },
            **{f"{vault}/secrets/{name}": {"value": secrets.token_urlsafe()} for name, _, _ in MAPPING},
        }.items():
            azure.plant(path, properties=properties)
        for name, value in environment(azure).items():
            monkeypatch.setenv(name, value)
        yield azure


def test_a_platform_in_git_is_verified_with_its_vault(cluster: Api, git: None, azure: FakeArm, tmp_path: Path) -> None:
    """By the system's inventory, and as the add-on's identity, whose role is looked up."""
    plant_pod(cluster, phase="Running")
    sync(cluster, *MAPPING)
    inventory = REPOSITORY / "inventories/auto_builder"
    kept = yaml.safe_load((inventory / "group_vars/all/vault.yml.example").read_text())
    vault = tmp_path / "vault.json"
    vault.write_text(json.dumps(dict.fromkeys(kept, secrets.token_urlsafe())))
    given: list[str | Path] = ["-i", inventory, "-e", f"@{vault}", "-e", "keyvault_csi_timeout=5"]

    done = subprocess.run(
        [ansible_playbook.PROGRAM, *given, REPOSITORY / "playbooks/aks_secrets.yml"],
        env=ansible_playbook.environment(tmp_path, K8S_AUTH_KUBECONFIG=str(cluster.kubeconfig)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout
    listed = [request.path for request in azure.log if request.path.startswith(VAULTS)]
    assert set(listed) == {f"{VAULTS}kv-cloudtr-prd/secrets"}


class TestCheck:
    """Module secret_provider_check, where the add-on is."""

    @pytest.fixture
    def check(self, git: None, call: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        given: dict[str, Any] = {"driver": "addon", "classes": ["prd/azure-kv-secrets"], "timeout": 0}
        return lambda **options: call("secret_provider_check", **{**given, **options})

    def test_a_chart_beside_the_add_on_is_refused_by_name(self, cluster: Api, check: Any) -> None:
        for before in (False, True):
            refused = check(driver="chart", installed=before, check=True)
            assert refused["failed"]
            assert f"there is one already, kube-system/{ADD_ON}, of AKS' add-on" in refused["msg"]
        plant_driver(cluster, "secrets-store-csi-driver")
        refused = check()
        assert "kube-system/secrets-store-csi-driver, of a chart" in refused["msg"]
        assert set(refused["drivers"]) == {"addon", "chart"}

    def test_a_driver_that_is_nowhere_or_not_everywhere_is_told(self, cluster: Api, check: Any) -> None:
        cluster.client.delete(f"{STORAGE}/csinodes/{NODES[1]}")
        assert f"{DRIVER} is not registered on {NODES[1]}" in check()["msg"]
        assert not check(nodes=[NODES[0]], classes=[])["failed"]
        cluster.client.delete(WORKLOADS)
        assert "it was never installed" in check()["msg"]
        assert not check(check=True)["failed"]

    def test_that_no_pod_mounts_a_class_is_said_and_no_failure(self, cluster: Api, check: Any) -> None:
        result = check()
        assert not result["failed"]
        assert result["unmounted"] == ["prd/azure-kv-secrets"]
        assert "No pod mounts prd/azure-kv-secrets" in str(result["warnings"])

    def test_secrets_that_have_appeared_are_well(self, cluster: Api, check: Any) -> None:
        plant_pod(cluster, phase="Running")
        sync(cluster, *MAPPING)
        result = check()
        assert (result["failed"], result["problems"], result["unmounted"]) == (False, [], [])

    def test_a_key_that_did_not_arrive_is_named(self, cluster: Api, check: Any) -> None:
        plant_pod(cluster, phase="Running")
        sync(cluster, *MAPPING[:-2], MAPPING[-1])
        result = check()
        assert len(result["problems"]) == 1
        assert "Secret prd/app-secrets: has no CLAUDE_KEY: cms-web-api runs with its volume" in result["msg"]

    @pytest.mark.parametrize(
        ("message", "remedy"),
        [
            (
                'MountVolume.SetUp failed for volume "secrets-store" : kubernetes.io/csi: mounter.SetUpAt failed to '
                "get CSI client: driver name secrets-store.csi.k8s.io not found in the list of registered CSI drivers",
                "the driver's pod on that node",
            ),
            (
                "failed to mount secrets store objects for pod prd/cms-web-api, err: rpc error: code = Unknown desc = "
                "failed to mount objects, error: failed to get objectType:secret, objectName:database-url, "
                "objectVersion:: RESPONSE 403: 403 Forbidden ERROR CODE: "
                'Forbidden { "code": "Forbidden", "innererror": { "code": "ForbiddenByRbac" } }',
                "the role Key Vault Secrets User",
            ),
            (
                "failed to get objectType:secret, objectName:database-url, objectVersion:: RESPONSE 404: 404 Not Found "
                "ERROR CODE: SecretNotFound",
                "put the object into the Key Vault",
            ),
            (
                "failed to acquire token: WorkloadIdentityCredential authentication failed. AADSTS700213: No matching "
                "federated identity record found for presented assertion subject",
                "with the cluster's issuer as it is",
            ),
        ],
    )
    def test_what_a_pod_waits_for_is_told_by_its_cause(
        self, cluster: Api, check: Any, message: str, remedy: str
    ) -> None:
        plant_pod(cluster)
        for name, text in {"cms-web-api": message, "another": "has nothing to do with it: provider not found"}.items():
            about = {"kind": "Pod", "namespace": "prd", "name": name}
            event = {"metadata": {"name": name}, "involvedObject": about, "message": text, "type": "Warning"}
            cluster.client.create(f"{PRD}/events", event)
        result = check()
        assert result["failed"]
        assert len(result["problems"]) == 3
        assert remedy in result["msg"]
        assert message.split()[0] in result["msg"]

    def test_a_class_that_is_not_there_is_told(self, check: Any) -> None:
        assert "prd/other: there is no such class" in check(classes=["prd/other"])["msg"]
        assert "write namespace/name" in check(classes=["other"])["msg"]
