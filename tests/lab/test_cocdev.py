# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cocdev grown, deployed and released by its own inventory, with the playbooks in the order that its main.yml says.

The scenario molecule/cocdev builds the cluster and runs this in order.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import UNRELEASED, Pin
from lab.state import CHECKOUT, Lab
from tests.ansible_playbook import PROGRAM
from tests.lab.conftest import Run, WorkingTree
from tests.lab.test_ha import CONTROL_PLANES
from tests.lab.test_ha import Cluster as ControlPlanes
from tests.lab.test_openbao import PRODUCTION, STAGING, Cluster, own_volumes, server, until

LAB = Lab(os.environ.get("GROUNDWORK_LAB") or "cocdev")
INVENTORY = CHECKOUT / "molecule/cocdev/hosts.yml"
WORKERS = ["worker-1", "worker-2", "worker-3"]
TREE = WorkingTree(LAB.git / "prj-devops")
PLATFORM = TREE.path / "environments/argocd/cocdev"
CHARTS = PLATFORM / "charts"
APPLICATIONS = ["plate-api", "plate-cache", "plate-llm", "plate-web"]
# Grafana's and Harbor's place in the order: a wave after the one that takes their secrets.
LATER = {
    "name": "later",
    "wave": 28,
    "path": "later",
    "overlays": False,
    "namespace": "grafana",
    "enabled": '{{ eq .Values.environment "platform" }}',
}
# Of the platform's children, those that have images here.
CHILDREN = {
    *("local-path-provisioner", "external-secrets", "cert-manager", "metallb", "addresses"),
    *("harbor-secrets", "grafana-secrets", "later"),
}
ECHO = "groundwork/echo"
CONFIRMED = {"groundwork_confirm": "cocdev"}
# Of all that site.yml has to wait for at a first installation.
PATIENCE = 1800

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not TREE.path.exists(), reason="molecule/cocdev builds its cluster"),
]


class Operator(Cluster):
    """Who runs cocdev: by playbooks, by commits, and by what is put into OpenBao."""

    machines: ControlPlanes

    def play(self, name: str, *arguments: str, **variables: Any) -> Run:
        return super().play(name, *arguments, **{"argocd_sync_timeout": PATIENCE, **variables})

    def application(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.api.get(f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}")
        return found

    def revision(self, name: str) -> str:
        """The commit that an application is at."""
        application = self.application(name)
        assert application
        return str(application["status"]["sync"]["revision"])

    def pin(self, tag: str) -> Pin:
        """Which image a tag of the stand-in is, as the registry says."""
        manifest = f"{self.machines.mirror}/v2/{ECHO}/manifests/{tag}"
        request = urllib.request.Request(
            manifest, method="HEAD", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}
        )
        with urllib.request.urlopen(request) as answer:
            return Pin(tag, answer.headers["Docker-Content-Digest"])

    def put_environments_secrets(self, namespace: str) -> None:
        self.put(f"{namespace}/registry", **{".dockerconfigjson": '{"auths": {}}'})
        for name in APPLICATIONS:
            self.put(f"{namespace}/{name}", SERVICE=f"{name} of {namespace}")

    def fetch(self, path: str) -> None:
        """Have External Secrets ask at once: after many refusals it does so only every some minutes."""
        namespace, _, name = path.partition("/")
        self.machines.kubectl(
            *(
                f"--namespace={namespace}",
                "annotate",
                "--overwrite",
                "externalsecret",
                name,
                f"force-sync={time.time()}",
            )
        )

    def images(self, namespace: str) -> dict[str, set[str]]:
        """Which image each application's pods run."""
        found: dict[str, set[str]] = {name: set() for name in APPLICATIONS}
        for pod in self.api.list(f"/api/v1/namespaces/{namespace}/pods"):
            if "deletionTimestamp" not in pod["metadata"]:
                name = pod["metadata"]["labels"]["app.kubernetes.io/name"]
                found[name] |= {container["image"] for container in pod["spec"]["containers"]}
        return found

    def pods(self, namespace: str) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self.api.list(f"/api/v1/namespaces/{namespace}/pods")}

    def record(self) -> dict[str, Any]:
        """What was written down of the last release."""
        file = max((LAB.state / "releases").glob("*-cocdev-production.json"))
        assert file.stat().st_mode & 0o777 == 0o600
        record: dict[str, Any] = json.loads(file.read_text())
        return record


def at_home(playbook: str, **variables: str) -> None:
    """Run a playbook that changes the working tree, and needs no inventory for that."""
    command = [str(PROGRAM), f"--extra-vars={json.dumps(variables)}", str(CHECKOUT / "playbooks" / f"{playbook}.yml")]
    subprocess.run(command, cwd=CHECKOUT, check=True)


def promote(name: str, environment: str, **choice: str) -> None:
    file = CHARTS / name / f"values-{environment}.yaml"
    at_home("promote_image", groundwork_image="image", groundwork_image_file=str(file), **choice)


def promote_to_staging(name: str, pin: Pin) -> None:
    promote(name, "stg", groundwork_image_tag=pin.tag, groundwork_image_digest=pin.digest)


def promote_to_production(name: str) -> None:
    """What staging runs."""
    promote(name, "prod", groundwork_image_source=str(CHARTS / name / "values-stg.yaml"))


def image(pin: Pin) -> str:
    return f"harbor.cocdev.example.org/{ECHO}:{pin.tag}@{pin.digest}"


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    edited = tmp_path_factory.mktemp("inventory") / "edited.json"
    return Operator(ControlPlanes(LAB, edited, INVENTORY, "cp-1"), LAB.state / "openbao-keys.json")


@pytest.fixture(scope="module", autouse=True)
def repository() -> None:
    """The platform as its owner changes it: images that can be had, no volume for many, a wave after the secrets."""
    at_home("new_platform", groundwork_platform="cocdev", groundwork_platform_directory=str(PLATFORM.parent))
    for name in APPLICATIONS:
        file = CHARTS / name / "values.yaml"
        values = re.sub(r"(?m)^  name: plate/.*", f"  name: {ECHO}", file.read_text())
        values = re.sub(r"(?m)^port: .*", "port: 8080", values)
        file.write_text(values.replace("ReadWriteMany", "ReadWriteOnce"))
    later = PLATFORM / "later"
    later.mkdir(exist_ok=True)
    (later / "kustomization.yaml").write_text(yaml.safe_dump({"configMapGenerator": [{"name": "later"}]}))
    root = PLATFORM / "root/platform.yaml"
    definition = yaml.safe_load(root.read_text())
    if LATER not in definition["children"]:
        definition["children"].append(LATER)
        root.write_text(yaml.safe_dump(definition))
    TREE.push("The platform of the lab's cocdev")


def secrets_of_tools() -> Iterator[tuple[str, list[str]]]:
    """Where the platform's README says they are to be put, and the keys that the catalogue lists."""
    for tool in ("harbor", "grafana"):
        addon = yaml.safe_load((CHECKOUT / f"gitops/addons/{tool}/addon.yaml").read_text())
        yield from ((f"{tool}/{secret['name']}", secret["keys"]) for secret in addon["secrets"])


# --- a first installation ---


def test_its_machines_are_one_cluster_behind_one_address(operator: Operator) -> None:
    machines = operator.machines
    assert machines.ready() == [*CONTROL_PLANES, *WORKERS]
    assert machines.members() == CONTROL_PLANES
    assert len(machines.holders()) == 1
    assert {name: machines.labels(name)["tier"] for name in WORKERS} == dict.fromkeys(WORKERS, "worker")
    settings = machines.read("--namespace=kube-system", "configmap", "kubeadm-config")["data"]["ClusterConfiguration"]
    assert yaml.safe_load(settings)["controlPlaneEndpoint"] == "api.cocdev.internal:8443"


def test_site_waits_at_the_wave_that_takes_secrets_and_ends_when_openbao_has_them(operator: Operator) -> None:
    for node in operator.machines.names:
        operator.machines.node(node, "install --directory --owner=100 --group=1000 --mode=0700 /var/lib/openbao")
    operator.apply([*server(), *own_volumes(operator.machines.names)])
    with ThreadPoolExecutor(1) as pool:
        site = pool.submit(operator.play, "site")
        until(lambda: site.done() or operator.application("harbor-secrets"), PATIENCE)
        assert not site.done()
        for playbook in ("openbao_initialize", "openbao_unseal", "openbao_access"):
            assert operator.play(playbook).rc == 0
        assert operator.application("later") is None
        for path, keys in secrets_of_tools():
            operator.put(path, **{key: secrets.token_urlsafe() for key in keys})
            operator.fetch(path)
    assert site.result().rc == 0


def test_the_libraries_are_deployed(operator: Operator) -> None:
    run = operator.play("deploy_libraries")
    assert (run.rc, run.changed) == (0, {})
    root = operator.application("cocdev-platform-apps")
    assert root
    assert {each["name"] for each in root["status"]["resources"] if each["kind"] == "Application"} == CHILDREN


def test_the_tools_secrets_are_openbaos(operator: Operator) -> None:
    for path, keys in secrets_of_tools():
        namespace, _, name = path.partition("/")
        found = operator.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        assert found
        assert set(found["data"]) == set(keys)


def test_a_service_gets_an_address_of_the_inventorys_pool(operator: Operator) -> None:
    operator.machines.kubectl("create", "service", "loadbalancer", "shown", "--tcp=80:8080")
    try:
        shown = "/api/v1/namespaces/default/services/shown"
        until(lambda: (operator.api.get(shown) or {})["status"]["loadBalancer"])
        (given,) = operator.api.request("GET", shown)["status"]["loadBalancer"]["ingress"]
    finally:
        operator.machines.kubectl("delete", "service", "shown")
    network, _, last = str(given["ip"]).rpartition(".")
    assert network == operator.machines.record.network
    assert 64 <= int(last) <= 79


# --- staging and production ---


def test_staging_is_planted(operator: Operator) -> None:
    operator.put_environments_secrets(STAGING)
    former = operator.pin("1.0.0")
    for name in APPLICATIONS:
        promote_to_staging(name, former)
    TREE.push("What staging runs")
    assert operator.play("site", "--tags=gitops", cocdev_root="staging").rc == 0
    assert operator.images(STAGING) == {name: {image(former)} for name in APPLICATIONS}


def test_what_is_pushed_is_deployed_to_staging_and_asked(operator: Operator) -> None:
    with (CHARTS / "plate-web/values-stg.yaml").open("a") as values:
        values.write("replicas: 2\n")
    revision = TREE.push("Two of staging's web")
    run = operator.play("deploy_staging", "-v", cocdev_root="staging")
    assert run.rc == 0
    assert f"service: {STAGING}/plate-web" in run.stdout
    assert operator.revision("plate-web-stg") == revision
    web = operator.api.get(f"/apis/apps/v1/namespaces/{STAGING}/deployments/plate-web")
    assert web
    assert web["status"]["readyReplicas"] == 2


def test_production_is_planted_and_pinned_to_a_commit(operator: Operator) -> None:
    operator.put_environments_secrets(PRODUCTION)
    for name in APPLICATIONS:
        promote_to_production(name)
    revision = TREE.push("Production runs what staging ran")
    assert operator.play("site", "--tags=gitops", cocdev_root="production").rc == 0
    assert operator.play("deploy_production", **released(revision)).rc == 0
    assert operator.images(PRODUCTION) == operator.images(STAGING)
    root = operator.application("cocdev-production")
    assert root
    assert root["spec"]["source"]["targetRevision"] == revision


def released(revision: str) -> dict[str, str]:
    return {"cocdev_root": "production", "argocd_release_revision": revision, **CONFIRMED}


def test_a_change_of_staging_leaves_production_as_it_was(operator: Operator) -> None:
    def production() -> tuple[set[str], str]:
        return operator.pods(PRODUCTION), operator.revision("plate-web-prod")

    before = production()
    later = operator.pin("1.0.1")
    promote_to_staging("plate-web", later)
    revision = TREE.push("Staging tries 1.0.1")
    assert operator.play("deploy_staging", cocdev_root="staging").rc == 0
    assert (operator.images(STAGING)["plate-web"], operator.revision("plate-web-stg")) == ({image(later)}, revision)
    assert production() == before


def test_a_release_shows_what_it_changes_and_asks_for_its_confirmation(operator: Operator) -> None:
    before = operator.images(PRODUCTION)
    promote_to_production("plate-web")
    revision = TREE.push("Production runs 1.0.1, too")
    run = operator.play("deploy_production", cocdev_root="production", argocd_release_revision=revision)
    assert run.rc != 0
    assert f"+        image: {image(operator.pin('1.0.1'))}" in run.stdout
    assert "groundwork_confirm=cocdev" in run.stdout
    assert operator.images(PRODUCTION) == before


def test_a_confirmed_release_is_brought_asked_and_recorded(operator: Operator) -> None:
    before, revision = operator.revision("cocdev-production"), TREE.git("rev-parse", "HEAD")
    assert operator.play("deploy_production", **released(revision)).rc == 0
    assert operator.images(PRODUCTION)["plate-web"] == {image(operator.pin("1.0.1"))}
    record = operator.record()
    assert (record["before"], record["revision"], record["verdict"]) == (before, revision, "released")
    assert "1.0.1" in record["diff"]["plate-web-prod"]


def test_a_broken_release_goes_back(operator: Operator) -> None:
    good = operator.revision("cocdev-production")
    nobodys = UNRELEASED.replace("0" * 64, secrets.token_hex(32))
    promote("plate-web", "prod", groundwork_image_tag="1.0.2", groundwork_image_digest=nobodys)
    run = operator.play("deploy_production", **released(TREE.push("An image that nobody has")), argocd_sync_timeout=90)
    assert run.rc != 0
    assert "is as it was before" in run.stdout
    assert operator.images(PRODUCTION)["plate-web"] == {image(operator.pin("1.0.1"))}
    assert operator.revision("cocdev-production") == good
    assert operator.record()["verdict"].startswith("went back")
    TREE.git("revert", "--no-edit", "HEAD")


@pytest.mark.parametrize("root", ["platform", "staging", "production"])
def test_everything_is_deployed_in_one_go(operator: Operator, root: str) -> None:
    TREE.git("push", "--quiet", "origin", "HEAD:main")
    revision = TREE.git("rev-parse", "HEAD")
    run = operator.play("deploy_all", **{**released(revision), "cocdev_root": root})
    assert run.rc == 0
    name = {"platform": "cocdev-platform-apps"}.get(root, f"cocdev-{root}")
    assert operator.revision(name) == revision


def test_then_nothing_is_left_to_do(operator: Operator) -> None:
    run = operator.play("site")
    assert (run.rc, run.changed) == (0, {})
