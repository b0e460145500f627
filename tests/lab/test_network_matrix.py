# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of the table of who may speak to whom in Eco², tried on the lab of `make demo`, the refused ones too.

Each party is stood in for by two pods with its labels, one on each worker: from the one, every port of every party is
called on the other. The calls are made from the pods' network namespaces, so no image needs a shell.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from lab import access
from lab.artifacts import Artifacts, load_versions
from lab.state import CHECKOUT, DEFAULT_NAME, Lab

pytestmark = pytest.mark.lab

TABLE = yaml.safe_load((CHECKOUT / "gitops/platforms/eco2/network-policies/values.yaml").read_text())
SPEAKERS, LISTENERS = "k8s-worker-storage", "k8s-worker-ai"
STRANGER = "stranger"
MARK = "groundwork.kube/stand-in"
VERSIONS = load_versions()
AGNHOST = f"registry.k8s.io/e2e-test-images/agnhost:{VERSIONS.agnhost}"
PAUSE = f"registry.k8s.io/pause:{VERSIONS.pause}"
# Policies reach a node's rules some seconds after the pods.
PATIENCE = 120

# Runs on a node: enters the network namespace of each pod and calls every target at once.
CALLS = """
import json, os, select, socket, sys
speakers, targets = json.loads(sys.argv[1])
CLONE_NEWNET = 0x40000000

def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]

def reached():
    waiting, open_ports = {}, []
    poll = select.poll()
    for name, (address, port) in targets.items():
        call = socket.socket()
        call.setblocking(False)
        call.connect_ex((address, port))
        waiting[call.fileno()] = name, call
        poll.register(call, select.POLLOUT)
    while waiting:
        ready = poll.poll(6000)
        if not ready:
            break
        for number, _ in ready:
            name, call = waiting.pop(number)
            poll.unregister(number)
            if call.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                open_ports.append(name)
    return open_ports

children = []
for name in os.listdir("/var/run/netns"):
    if os.fork():
        continue
    handle = os.open("/var/run/netns/" + name, os.O_RDONLY)
    os.setns(handle, CLONE_NEWNET)
    try:
        address = own_address()
    except OSError:
        os._exit(0)
    if address in speakers:
        os.write(1, (json.dumps([speakers[address], reached()]) + "\\n").encode())
    os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


class Cluster:
    """The demo's cluster, from this machine."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._kubectl = [str(Artifacts(VERSIONS).binary("kubectl")), f"--kubeconfig={lab.state / 'admin.conf'}"]

    def kubectl(self, *arguments: str, given: Any = None) -> str:
        content = None if given is None else json.dumps(given)
        done = subprocess.run([*self._kubectl, *arguments], input=content, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pods(self, *selection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", *selection, "--output=json"))["items"]
        return found

    def calls(self, speakers: Mapping[str, str], targets: Mapping[str, tuple[str, int]]) -> dict[str, set[str]]:
        """What each speaker, by its address, reaches."""
        script = shlex.join(["python3", "-c", CALLS, json.dumps([speakers, targets])])
        done = subprocess.run(
            [*access.ssh_command(self.lab, SPEAKERS), "sudo -S -p '' sh -s"],
            input=f"{access.sudo_password(self.lab)}\n{script}\n",
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {name: set(reached) for name, reached in map(json.loads, done.stdout.splitlines())}


def stand_in(
    party: str, role: str, namespace: str, labels: Mapping[str, str], container: dict[str, Any]
) -> dict[str, Any]:
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"stand-in-{role}-{party}",
            "namespace": namespace,
            "labels": {**labels, MARK: role},
            "annotations": {MARK: party},
        },
        "spec": {
            "nodeName": SPEAKERS if role == "speaker" else LISTENERS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{"name": role, "securityContext": restricted, **container}],
        },
    }


def held(party: Mapping[str, Any]) -> bool:
    """Whether the table holds this party's namespace back."""
    return party["namespace"] in TABLE["namespaces"]


def stand_ins() -> Iterator[dict[str, Any]]:
    """Those whom the table does not hold back, such as CoreDNS, are there themselves."""
    for name, party in TABLE["parties"].items():
        if not held(party):
            continue
        place = party["namespace"], party["labels"]
        yield stand_in(name, "speaker", *place, {"image": PAUSE})
        serves = [{"name": f"SERVE_PORT_{port}", "value": name} for port in party["ports"].values()]
        yield stand_in(name, "listener", *place, {"image": AGNHOST, "args": ["porter"], "env": serves})
    yield stand_in(STRANGER, "speaker", "default", {}, {"image": PAUSE})


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    lab = Lab(os.environ.get("GROUNDWORK_LAB") or DEFAULT_NAME)
    lab.require_record()
    cluster = Cluster(lab)
    away = ("delete", "pods", "--all-namespaces", f"--selector={MARK}", "--ignore-not-found", "--wait=true")
    cluster.kubectl(*away)
    cluster.kubectl("create", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": list(stand_ins())})
    yield cluster
    cluster.kubectl(*away)


@pytest.fixture(scope="module")
def addresses(cluster: Cluster) -> dict[tuple[str, str], str]:
    """Of each party and role, once all of them are up."""
    deadline = time.monotonic() + 600
    while waited := [
        pod["metadata"]["name"]
        for pod in cluster.pods("--all-namespaces", f"--selector={MARK}")
        if not any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
    ]:
        assert time.monotonic() < deadline, f"not ready: {', '.join(waited)}"
        time.sleep(3)
    return {
        (pod["metadata"]["annotations"][MARK], pod["metadata"]["labels"][MARK]): pod["status"]["podIP"]
        for pod in cluster.pods("--all-namespaces", f"--selector={MARK}")
    }


@pytest.fixture(scope="module")
def targets(cluster: Cluster, addresses: dict[tuple[str, str], str]) -> dict[str, tuple[str, int]]:
    """Each cell's address and port."""
    found: dict[str, tuple[str, int]] = {}
    for name, party in TABLE["parties"].items():
        if held(party):
            address = addresses[name, "listener"]
        else:
            labels = ",".join(f"{key}={value}" for key, value in party["labels"].items())
            address = cluster.pods(f"--namespace={party['namespace']}", f"--selector={labels}")[0]["status"]["podIP"]
        found.update({f"{name}.{port}": (address, number) for port, number in party["ports"].items()})
    control_plane = cluster.lab.require_record().node("k8s-master").address
    dns = cluster.pods("--namespace=kube-system", "--selector=k8s-app=kube-dns")[0]["status"]["podIP"]
    return {**found, "apiserver": (control_plane, 6443), "nodes": (control_plane, 10250), "dns": (dns, 53)}


def allowed(speaker: str, target: str) -> bool:
    if target == "dns":
        return True
    party = TABLE["parties"].get(target.split(".")[0])
    if speaker == STRANGER:
        return party is None or not held(party) or target in TABLE["open"]
    return target in TABLE["rows"].get(speaker, [])


def test_the_table_holds_in_both_directions(
    cluster: Cluster, addresses: dict[tuple[str, str], str], targets: dict[str, tuple[str, int]]
) -> None:
    speakers = {address: party for (party, role), address in addresses.items() if role == "speaker"}
    expected = {name: {target for target in targets if allowed(name, target)} for name in speakers.values()}
    deadline = time.monotonic() + PATIENCE
    while (found := cluster.calls(speakers, targets)) != expected and time.monotonic() < deadline:
        time.sleep(5)
    refused = sorted(f"{name} -> {target}" for name in expected for target in expected[name] - found.get(name, set()))
    let_through = sorted(
        f"{name} -> {target}" for name in expected for target in found.get(name, set()) - expected[name]
    )
    cells = sum(len(targets) for _ in speakers)
    print(f"{cells} cells tried, {sum(map(len, expected.values()))} of them open")
    assert (refused, let_through) == ([], [])


def test_an_address_of_the_load_balancer_leads_to_a_service(cluster: Cluster) -> None:
    service = json.loads(cluster.kubectl("get", "service", "entrance", "--namespace=auth", "--output=json"))
    address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    answer = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "10", f"http://{address}/"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["service"] == "auth"
