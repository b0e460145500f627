# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running cluster goes to the next minor version, and a Service on it does not miss a request.

The first time it builds that version, which takes some ten minutes (`python -m lab build next`).
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab import access
from lab.artifacts import Artifacts, load_versions
from lab.build import build
from tests.lab.interruption import Catch, PlaybookRun, killed

pytestmark = pytest.mark.lab

VERSIONS = load_versions()
FORMER, WANTED = VERSIONS.kubernetes, VERSIONS.kubernetes_next
CONTROL_PLANE, FIRST_WORKER = "k8s-master", "k8s-api-auth"
# Lines that kubeadm upgrade prints: only the API server is new yet; all but kube-proxy is, and the record says so.
MIDDLE_OF_UPGRADING = (
    '[upgrade/staticpods] Preparing for "kube-controller-manager" upgrade',
    "[addons] Applied essential addon: CoreDNS",
)
INSTALLING = "TASK [groundwork.kube.kubeadm : Install the new kubelet and kubectl]"
WEB = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 30
      tolerations: [{{operator: Exists, effect: NoSchedule, key: domain}}]
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 1
              podAffinityTerm: {{topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: web}}}}}}
      containers:
        - name: web
          image: registry.k8s.io/e2e-test-images/agnhost:{VERSIONS.agnhost}
          # As a server should: it answers until every node has heard that it goes.
          args: [netexec, --http-port=8080, --delay-shutdown=10]
          readinessProbe: {{httpGet: {{path: /healthz, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web}}
spec:
  minAvailable: 1
  selector: {{matchLabels: {{app: web}}}}
"""
# Ten requests a second, each on a connection of its own; what fails is told with its time.
ASK = """\
import select, sys, time, urllib.request
asked = failed = 0
while not select.select([sys.stdin], [], [], 0.1)[0]:
    asked += 1
    try:
        with urllib.request.urlopen("http://{address}/hostname", timeout=3) as answer:
            answer.read()
    except OSError as error:
        failed += 1
        print(time.strftime("%H:%M:%S"), error, file=sys.stderr, flush=True)
print(asked, failed, flush=True)
"""


@dataclasses.dataclass
class Requests:
    asked: int = 0
    failed: int = 0
    errors: str = ""


@dataclasses.dataclass
class Service:
    """Two replicas on two nodes behind one address, and a budget for them."""

    cluster: Any
    address: str

    def wants(self, replicas: int) -> None:
        budget = json.dumps({"spec": {"minAvailable": replicas}})
        self.cluster.kubectl("patch", "poddisruptionbudget", "web", "--patch", budget)


@contextmanager
def requests(cluster: Any, service: Service) -> Iterator[Requests]:
    """Asks the Service from the control plane's node, through kube-proxy's rules, for as long as the block runs."""
    seen = Requests()
    program = ASK.format(address=service.address)
    with subprocess.Popen(
        [*access.ssh_command(cluster.lab, CONTROL_PLANE), f"python3 -c '{program}'"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        try:
            yield seen
        finally:
            printed, seen.errors = asking.communicate("stop\n", timeout=30)
    seen.asked, seen.failed = map(int, printed.split())


def wanted(cluster: Any) -> dict[str, str]:
    """What an operator edits in the inventory; the lab's repositories are named by their minor version."""
    repository = cluster.mirror.rpartition(":")[0] + f"/apt/kubernetes/v{WANTED.rpartition('.')[0]}/"
    return {
        "kubeadm_version": WANTED,
        "kubeadm_apt_repository": repository,
        "kubeadm_apt_key_url": f"{repository}Release.key",
    }


def versions(cluster: Any) -> dict[str, str]:
    nodes = cluster.read("nodes")["items"]
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def everywhere(cluster: Any, version: str) -> dict[str, str]:
    return dict.fromkeys(cluster.names, f"v{version}")


@pytest.fixture(scope="session")
def next_release() -> None:
    """In the mirror of every lab that comes up from now on."""
    build(Artifacts(VERSIONS), only=["next"], report=print, keep_go_cache=True)


@pytest.fixture(scope="module")
def cluster(next_release: None, ledger: Any) -> Any:
    """A cluster of its own: there is no way back from where it goes."""
    machines = ledger.bare()
    assert machines.playbook("site").rc == 0
    return machines


@pytest.fixture(scope="module")
def service(cluster: Any) -> Service:
    cluster.node(CONTROL_PLANE, f"kubectl --kubeconfig=/etc/kubernetes/admin.conf apply -f - <<'END'\n{WEB}END")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    return Service(cluster, cluster.read("service", "web")["spec"]["clusterIP"])


def test_site_leaves_another_version_to_the_upgrade(cluster: Any) -> None:
    run = cluster.playbook("site", extra_vars=wanted(cluster))
    assert (run.rc != 0, run.changed) == (True, {})
    assert "playbooks/upgrade.yml" in run.stdout


def test_a_version_that_is_not_supported_is_refused_before_anything_is_touched(cluster: Any) -> None:
    repository = cluster.mirror.rpartition(":")[0] + "/apt/kubernetes/v1.38/"
    skipping = {"kubeadm_version": "1.38.0", "kubeadm_apt_repository": repository}
    run = cluster.playbook("upgrade", extra_vars=skipping)
    assert (run.rc != 0, run.changed) == (True, {})
    assert "kubeadm_version: Kubernetes 1.38 is not supported" in run.stdout


@pytest.fixture
def cluster_of_1_35(cluster: Any) -> Iterator[Any]:
    """As far as its own record of itself says."""

    def say(version: str) -> None:
        kubectl = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --namespace=kube-system"
        said = f"{kubectl} get configmap kubeadm-config --output=yaml"
        edited = f"sed 's/kubernetesVersion: .*/kubernetesVersion: v{version}/'"
        cluster.node(CONTROL_PLANE, f"{said} | {edited} | {kubectl} replace -f -")

    say("1.35.4")
    yield cluster
    say(FORMER)


def test_a_step_over_a_minor_version_is_refused_before_anything_is_touched(cluster_of_1_35: Any) -> None:
    run = cluster_of_1_35.playbook("upgrade", extra_vars=wanted(cluster_of_1_35))
    assert (run.rc != 0, run.changed) == (True, {})
    assert "set kubeadm_version to a version of 1.36 first" in run.stdout


def test_check_mode_says_what_would_change_and_changes_nothing(cluster: Any, service: Service) -> None:
    pods = cluster.pods()
    run = cluster.playbook("upgrade", "--check", "--diff", extra_vars=wanted(cluster))
    assert run.rc == 0
    assert set(run.changed) == set(cluster.names)
    for words in (f"kube-apiserver:v{WANTED}", f"kubelet={WANTED}-*", "default/web-"):
        assert words in run.stdout
    assert versions(cluster) == everywhere(cluster, FORMER)
    assert cluster.pods() == pods


def test_killed_in_the_middle_of_the_control_plane_it_is_resumed(cluster: Any, service: Service) -> None:
    catch = Catch(cluster, CONTROL_PLANE)
    catch.place()
    with requests(cluster, service) as seen:
        for line in MIDDLE_OF_UPGRADING:
            catch.at(line)
            run = PlaybookRun(cluster, playbook="upgrade", extra_vars=wanted(cluster))
            run.wait_until(catch.has_caught)
            killed(run, catch)
    print(seen)
    assert versions(cluster) == everywhere(cluster, FORMER)
    assert (seen.failed, seen.errors) == (0, "")


def test_a_budget_without_room_stops_the_upgrade_and_is_named(cluster: Any, service: Service) -> None:
    """The control plane is upgraded by then; the workers are as they were, but for the one that is closed."""
    service.wants(2)
    with requests(cluster, service) as seen:
        run = cluster.playbook("upgrade", extra_vars={**wanted(cluster), "kubeadm_drain_timeout": 30})
    service.wants(1)
    print(seen)
    assert run.rc != 0
    assert "The disruption budget web needs 2 healthy pods and has 2 currently" in run.stdout
    assert versions(cluster) == {**everywhere(cluster, FORMER), CONTROL_PLANE: f"v{WANTED}"}
    assert (seen.failed, seen.errors) == (0, "")


def test_killed_while_a_worker_gets_its_kubelet(cluster: Any, service: Service) -> None:
    with requests(cluster, service) as seen:
        run = PlaybookRun(cluster, playbook="upgrade", extra_vars=wanted(cluster))
        run.wait_until(lambda: INSTALLING in run.output.partition("PLAY [Workers]")[2])
        killed(run)
    print(seen)
    assert cluster.read("node", FIRST_WORKER)["spec"]["unschedulable"]
    assert (seen.failed, seen.errors) == (0, "")


def test_run_again_it_goes_on_where_it_was_and_no_request_is_missed(cluster: Any, service: Service) -> None:
    with requests(cluster, service) as seen:
        run = cluster.playbook("upgrade", extra_vars=wanted(cluster))
    print(seen)
    assert run.rc == 0
    assert CONTROL_PLANE not in run.changed
    assert versions(cluster) == everywhere(cluster, WANTED)
    assert cluster.ready() == sorted(cluster.names)
    assert not any(node["spec"].get("unschedulable") for node in cluster.read("nodes")["items"])
    for name in cluster.names:
        assert cluster.node(name, "apt-mark showhold").split() == ["kubeadm", "kubectl", "kubelet"]
    assert seen.asked > 0
    assert (seen.failed, seen.errors) == (0, "")


@pytest.mark.parametrize("playbook", ["upgrade", "site"])
def test_then_nothing_is_left_to_do(cluster: Any, playbook: str) -> None:
    run = cluster.playbook(playbook, extra_vars=wanted(cluster))
    assert (run.rc, run.changed) == (0, {})


@pytest.mark.parametrize("playbook", ["upgrade", "site"])
def test_the_way_back_is_refused(cluster: Any, playbook: str) -> None:
    run = cluster.playbook(playbook)
    assert (run.rc != 0, run.changed) == (True, {})
    assert "never goes back" in run.stdout
