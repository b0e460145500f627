# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets from a real OpenBao of three replicas to a pod of cocdev's staging, as an operator's playbooks make it so."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import (
    OPENBAO_ARGUMENT_SPEC,
    OpenBao,
    OpenBaoError,
)
from lab.api import binary
from lab.artifacts import load_versions
from tests.gitops.rendering import Object, chart_at_hand, helm_template, render
from tests.lab.conftest import Machines, Run

pytestmark = pytest.mark.lab

REPLICAS = ["openbao-0", "openbao-1", "openbao-2"]
STAGING, PRODUCTION = "plate-stg", "plate-prod"
WEB = f"{STAGING}/plate-web"
# What of the environment has its kinds in a cluster without gateways and certificates.
KINDS = {
    *("Namespace", "ServiceAccount", "SecretStore", "ExternalSecret", "ResourceQuota", "LimitRange", "NetworkPolicy"),
    *("Deployment", "Service"),
}
PATIENCE = 300


class Cluster:
    """What an operator's machine has: a kubeconfig, the playbooks, and soon the keys."""

    def __init__(self, machines: Machines, keys_file: Path) -> None:
        self.machines = machines
        self.keys_file = keys_file
        self._kubeconfig = machines.lab.state / "admin.conf"

    @property
    def api(self) -> ApiClient:
        """A connection of its own each time: while playbooks run, the API server closes one that is idle."""
        return ApiClient.from_options({"kubeconfig": str(self._kubeconfig)})

    def apply(self, objects: Iterable[Object]) -> bool:
        kubectl = [str(binary("kubectl")), f"--kubeconfig={self._kubeconfig}"]
        command = [*kubectl, "apply", "--server-side", "--filename=-"]
        done = subprocess.run(command, input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return True

    def play(self, name: str, *arguments: str, **variables: Any) -> Run:
        given = {"groundwork_openbao_keys_file": str(self.keys_file), **variables}
        return self.machines.playbook(name, *arguments, extra_vars=given)

    @property
    def keys(self) -> dict[str, Any]:
        keys: dict[str, Any] = json.loads(self.keys_file.read_text())
        return keys

    @property
    def bao(self) -> OpenBao:
        options = {name: option.get("default") for name, option in OPENBAO_ARGUMENT_SPEC.items()}
        return OpenBao(self.api, options, self.keys["root_token"] if self.keys_file.exists() else "")

    def sealed(self) -> list[str]:
        return [replica.pod for replica in self.bao.replicas() if replica.sealed]

    def put(self, path: str, **values: str) -> None:
        self.bao.request(REPLICAS[0], "POST", f"secret/data/{path}", {"data": values})

    def pod(self) -> Object:
        (pod,) = self.api.list(
            f"/api/v1/namespaces/{STAGING}/pods", {"labelSelector": "app.kubernetes.io/name=plate-web"}
        )
        return pod

    def inside(self, command: str) -> str:
        """Look into the pod's only process, from its node: the image has nothing to look with."""
        return self.machines.node(self.pod()["spec"]["nodeName"], f"pid=$(pgrep -x echo) && {command}")


def until(true: Callable[[], Any], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            if true():
                return
        except (ApiError, OpenBaoError, AssertionError):
            pass
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(2)


def own_volumes(nodes: Iterable[str]) -> Iterable[Object]:
    for node in nodes:
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"openbao-{node}"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "openbao",
                "local": {"path": "/var/lib/openbao"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            },
        }


def external_secrets(**values: Any) -> list[Object]:
    chart = chart_at_hand("external-secrets", load_versions().external_secrets)
    assert chart
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "external-secrets"}}
    return [namespace, *helm_template("external-secrets", chart, values, namespace="external-secrets")]


def server() -> list[Object]:
    """OpenBao with the catalogue's configuration, as the platform evaluates it."""
    application = render("cocdev", "platform").applications["openbao"]
    configuration = application["spec"]["source"]["helm"]["valuesObject"]["server"]["ha"]["raft"]["config"]
    objects: list[Object] = list(yaml.safe_load_all(Path(__file__).with_name("openbao.yml").read_text()))
    (config,) = (item for item in objects if item["kind"] == "ConfigMap")
    config["data"] = {"extraconfig-from-values.hcl": configuration}
    return objects


@pytest.fixture(scope="module")
def openbao(cluster: Machines, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """External Secrets and OpenBao, just installed."""
    operator = Cluster(cluster, tmp_path_factory.mktemp("operator") / "openbao-keys.json")
    for node in cluster.names:
        cluster.node(node, "install --directory --owner=100 --group=1000 --mode=0700 /var/lib/openbao")
    operator.apply(external_secrets())
    operator.apply([*server(), *own_volumes(cluster.names)])
    until(lambda: [replica.pod for replica in operator.bao.replicas()] == REPLICAS)
    return operator


def test_it_is_initialised_and_the_operator_alone_has_the_keys(openbao: Cluster) -> None:
    run = openbao.play("openbao_initialize", "-vvvv", "--diff")
    assert run.rc == 0
    assert len(openbao.keys["unseal_keys_b64"]) == 5
    assert openbao.keys_file.stat().st_mode & 0o777 == 0o600
    assert [secret for secret in secrets(openbao) if secret in run.stdout] == []


def test_every_replica_is_unsealed_and_a_second_run_has_nothing_to_do(openbao: Cluster) -> None:
    assert openbao.sealed() == REPLICAS
    run = openbao.play("openbao_unseal", "-vvvv", "--diff")
    assert (run.rc, openbao.sealed()) == (0, [])
    assert [secret for secret in secrets(openbao) if secret in run.stdout] == []
    for playbook in ("openbao_initialize", "openbao_unseal"):
        again = openbao.play(playbook)
        assert (again.rc, again.changed) == (0, {})


def test_access_is_given_and_a_second_run_has_nothing_to_do(openbao: Cluster) -> None:
    namespaces = {"groundwork_openbao_namespaces": [STAGING, PRODUCTION]}
    run = openbao.play("openbao_access", "-vvvv", "--diff", **namespaces)
    assert run.rc == 0
    assert [secret for secret in secrets(openbao) if secret in run.stdout] == []
    again = openbao.play("openbao_access", **namespaces)
    assert (again.rc, again.changed) == (0, {})


def test_no_node_has_logged_a_key(openbao: Cluster) -> None:
    for node in openbao.machines.names:
        journal = openbao.machines.node(node, "journalctl --quiet --no-pager")
        assert "openbao" in journal or node != "k8s-master"
        assert [secret for secret in secrets(openbao) if secret in journal] == []


def test_an_application_of_staging_takes_its_secrets_from_openbao(openbao: Cluster) -> None:
    openbao.put(WEB, SERVICE="the-first-value")
    openbao.put(f"{STAGING}/registry", **{".dockerconfigjson": '{"auths": {}}'})
    until(lambda: openbao.apply(staging()))
    until(lambda: openbao.inside("cat /proc/$pid/root/run/secrets/plate/SERVICE") == "the-first-value")
    assert "SERVICE=the-first-value" in openbao.inside("tr '\\0' '\\n' < /proc/$pid/environ")


def test_staging_cannot_read_what_is_productions(openbao: Cluster) -> None:
    openbao.put(f"{PRODUCTION}/plate-web", SERVICE="not for staging")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    account = f"/api/v1/namespaces/{STAGING}/serviceaccounts/secrets-reader/token"
    jwt = openbao.api.request("POST", account, request)["status"]["token"]
    with pytest.raises(ApiError, match="not authorized"):
        openbao.bao.request(REPLICAS[0], "POST", "auth/kubernetes/login", {"jwt": jwt, "role": PRODUCTION})


def test_a_rotated_value_reaches_the_pod_that_runs(openbao: Cluster) -> None:
    before = openbao.pod()["metadata"]["uid"]
    openbao.put(WEB, SERVICE="the-second-value")
    # As the hour does that the application's chart says.
    wish = {"metadata": {"annotations": {"force-sync": str(time.time())}}}
    openbao.api.patch(f"/apis/external-secrets.io/v1/namespaces/{STAGING}/externalsecrets/plate-web", wish)
    until(lambda: openbao.inside("cat /proc/$pid/root/run/secrets/plate/SERVICE") == "the-second-value")
    assert openbao.pod()["metadata"]["uid"] == before


def test_restarted_replicas_are_sealed_and_unsealed_with_what_they_had(openbao: Cluster) -> None:
    openbao.machines.kubectl("--namespace=openbao", "delete", "pod", "--selector=component=server", "--wait")
    until(lambda: [replica.pod for replica in openbao.bao.replicas()] == REPLICAS)
    assert openbao.sealed() == REPLICAS
    with pytest.raises(ApiError, match="sealed"):
        openbao.bao.get(REPLICAS[0], f"secret/data/{WEB}")

    run = openbao.play("openbao_unseal")
    assert (run.rc, openbao.sealed()) == (0, [])
    kept = openbao.bao.get(REPLICAS[0], f"secret/data/{WEB}")
    assert kept
    assert kept["data"] == {"SERVICE": "the-second-value"}


def test_shares_count_one_after_the_other(openbao: Cluster) -> None:
    openbao.machines.kubectl("--namespace=openbao", "delete", "pod", REPLICAS[2], "--wait")
    until(lambda: [replica.pod for replica in openbao.bao.replicas()] == REPLICAS)
    shares = openbao.keys["unseal_keys_b64"]
    first = openbao.play("openbao_unseal", groundwork_openbao_keys=shares[:1])
    assert f"{REPLICAS[2]}: sealed, until 2 more shares are given" in first.stdout
    others = openbao.play("openbao_unseal", groundwork_openbao_keys=shares[3:])
    assert (others.rc, openbao.sealed()) == (0, [])


def secrets(openbao: Cluster) -> list[str]:
    return [*openbao.keys["unseal_keys_b64"], openbao.keys["root_token"]]


def staging() -> list[Object]:
    """cocdev's environment and its plate-web as they are, but for the image, which is the lab's stand-in."""
    rendered = render("cocdev", "stg")
    objects = [*rendered.children["environment-stg"], *rendered.children["plate-web-stg"]]
    chosen = [item for item in objects if item["kind"] in KINDS]
    for item in chosen:
        if item["kind"] != "Namespace":
            item["metadata"]["namespace"] = STAGING
        if item["kind"] == "Deployment":
            item["spec"]["template"]["spec"]["containers"][0]["image"] = "docker.io/groundwork/echo:1.0.1"
    return chosen
