# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Auto-Builder's worker is and does in its cluster, on a control plane and a worker of the lab.

Azure's part is played: a directory of the node is the share, and of the Secrets Store driver there is its kind alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError, resolve_access
from lab.api import binary
from tests.auto_builder import MAPPING, NO_RIGHTS, RIGHTS, VERBS, build_step
from tests.gitops.rendering import Object, Rendered, render
from tests.lab.conftest import CONTROL_PLANE, NETWORK, Machines, fresh_lab, until
from tests.secret_provider_class import CRD, rows

pytestmark = pytest.mark.lab

WORKER = "k8s-worker-ai"
NODES = f"{CONTROL_PLANE},{WORKER}"
ACCOUNT = "auto-builder-sa"
SHARE = "/var/lib/cms"
# Not the image, which is the system's own; what it builds with is a shell here.
IMAGE = "docker.io/library/busybox:1.37.0"
COMMAND = ["/bin/sh", "-c", "mkdir -p target && touch target/built && echo built in /data/cms && ls target"]
JOBS = "/apis/batch/v1/namespaces/prd/jobs"


class Cluster:
    """What whoever works in it has: kubectl, and the API as its administrator or as the worker."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.kubeconfig = machines.lab.state / "admin.conf"

    @property
    def api(self) -> ApiClient:
        return ApiClient.from_options({"kubeconfig": str(self.kubeconfig)})

    @property
    def worker(self) -> ApiClient:
        """By the token that a pod of its account would have."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        account = f"/api/v1/namespaces/prd/serviceaccounts/{ACCOUNT}/token"
        token = self.api.request("POST", account, request)["status"]["token"]
        access = resolve_access({"kubeconfig": str(self.kubeconfig)})
        return ApiClient(replace(access, certificate=None, key=None, token=token))

    def shell(self, script: str, given: str = "") -> str:
        done = subprocess.run(
            ["sh", "-ec", f'kubectl() {{ {binary("kubectl")} --kubeconfig={self.kubeconfig} "$@"; }}\n{script}'],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply(self, *objects: Object) -> None:
        self.shell("kubectl apply --server-side --filename=-", yaml.safe_dump_all(objects))


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render("auto_builder", "prd")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, rendered: Rendered) -> Iterator[Cluster]:
    """Two nodes, and in them the platform's waves as far as they need nobody but Kubernetes."""
    with fresh_lab("builder", NETWORK, pattern=NODES) as lab:
        machines = Machines(lab, tmp_path_factory.mktemp("inventory") / "edited.json")
        assert machines.playbook("site", "--limit", NODES, "--skip-tags", "verify").rc == 0
        cluster = Cluster(machines)
        cluster.apply(CRD, share())
        cluster.shell("kubectl wait --for=condition=Established --timeout=60s crd --all")
        files = [
            item for item in rendered.children["data"] if item["kind"] in ("StorageClass", "PersistentVolumeClaim")
        ]
        settings = [item for item in rendered.children["cms"] if item["kind"] == "ConfigMap"]
        for wave in (rendered.children["namespace"], rendered.children["rbac"], rendered.children["secrets"], files):
            cluster.apply(*(in_prd(item) for item in wave))
        cluster.apply(*(in_prd(item) for item in settings))
        yield cluster


def in_prd(item: Object) -> Object:
    """As the Application's destination says it."""
    if item["kind"] not in ("Namespace", "StorageClass"):
        item["metadata"]["namespace"] = "prd"
    return item


def share() -> Object:
    """What the class would have Azure Files make."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "cms"},
        "spec": {
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "azurefile-retain",
            "hostPath": {"path": SHARE, "type": "DirectoryOrCreate"},
        },
    }


def test_the_class_of_secrets_is_the_systems_table(cluster: Cluster) -> None:
    path = "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/prd/secretproviderclasses/azure-kv-secrets"
    provided = cluster.api.get(path)
    assert provided
    assert rows(provided) == MAPPING


def test_the_worker_may_do_what_the_system_says_and_nothing_else(cluster: Cluster) -> None:
    asked = [(verb, group, resource) for group, resource in [*RIGHTS, *NO_RIGHTS] for verb in VERBS]
    script = "\n".join(
        f"kubectl auth can-i {verb} {with_group(group, resource)} --namespace=prd "
        f"--as=system:serviceaccount:prd:{ACCOUNT} || true"
        for verb, group, resource in asked
    )
    answers = cluster.shell(script).split()
    may = {question for question, answer in zip(asked, answers, strict=True) if answer == "yes"}
    assert may == {(verb, *what) for what, verbs in RIGHTS.items() for verb in verbs}
    elsewhere = (
        f"kubectl auth can-i create jobs.batch --namespace=default --as=system:serviceaccount:prd:{ACCOUNT} || true"
    )
    assert cluster.shell(elsewhere).split() == ["no"]


def with_group(group: str, resource: str) -> str:
    name, _, subresource = resource.partition("/")
    what = f"{name}.{group}" if group else name
    return f"{what} --subresource={subresource}" if subresource else what


def test_a_build_step_that_the_worker_makes_runs_to_its_end_on_the_shared_files(
    cluster: Cluster, rendered: Rendered
) -> None:
    settings = cluster.worker.get("/api/v1/namespaces/prd/configmaps/tr-run")
    assert settings
    job = build_step(settings["data"]["job.yaml"], image=IMAGE, command=COMMAND)
    # The lab's worker has less memory than one of Azure's.
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["resources"]["requests"] = {"cpu": "50m", "memory": "32Mi"}

    made = cluster.worker.create(JOBS, job)["metadata"]["name"]
    assert made == "tr-run-7-build"
    until(lambda: (cluster.worker.get(f"{JOBS}/{made}") or {}).get("status", {}).get("succeeded"))

    (pod,) = cluster.worker.list("/api/v1/namespaces/prd/pods", {"labelSelector": f"job-name={made}"})
    assert pod["spec"]["serviceAccountName"] == ACCOUNT
    assert not [volume for volume in pod["spec"]["volumes"] if "projected" in volume]
    log = cluster.worker.text(f"/api/v1/namespaces/prd/pods/{pod['metadata']['name']}/log")
    assert log.split("\n") == ["built in /data/cms", "built", ""]
    node = pod["spec"]["nodeName"]
    assert cluster.machines.node(node, f"ls {SHARE}/projects/42/target") == "built"


def test_the_worker_deletes_its_job_and_is_refused_what_is_not_its_own(cluster: Cluster) -> None:
    assert cluster.worker.delete(f"{JOBS}/tr-run-7-build", query={"propagationPolicy": "Background"})
    for path in ("/apis/apps/v1/namespaces/prd/deployments", "/api/v1/namespaces/kube-system/secrets"):
        with pytest.raises(ApiError, match="403"):
            cluster.worker.list(path)
