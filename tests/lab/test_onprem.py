# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rack has instead of a cloud, used from outside: molecule/onprem builds it and runs this in order."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shlex
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient
from lab import access, lifecycle
from lab.network import hardware_address
from lab.state import Lab
from tests.lab.conftest import until

LAB = Lab(os.environ.get("GROUNDWORK_LAB") or "onprem")
NETWORK = os.environ.get("GROUNDWORK_LAB_NETWORK") or "10.92.0"
# The scenario's pools (molecule/onprem/group_vars/all/rack.yml), and the address whose port 80 ACME asks at.
GIVEN = [f"{NETWORK}.{last}" for last in range(200, 210)]
KEPT = f"{NETWORK}.210"
NAME = f"web.{KEPT.replace('.', '-')}.lab.test"

CORE = "/api/v1/namespaces/web"
APPS = "/apis/apps/v1/namespaces/web/deployments"
CERTIFICATES = "/apis/cert-manager.io/v1/namespaces/web/certificates"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.63.0"
BUSYBOX = "docker.io/library/busybox:1.37.0"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not (LAB.git / "platform/gitops/onprem").exists(), reason="molecule/onprem builds its cluster"),
]


@pytest.fixture(scope="module")
def api() -> Iterator[ApiClient]:
    client = ApiClient.from_options({"kubeconfig": str(LAB.state / "admin.conf")})
    yield client
    client.close()


def make(api: ApiClient, path: str, name: str, annotations: Mapping[str, str] | None = None, **rest: Any) -> None:
    """An object of the web, anew."""
    api.delete(f"{path}/{name}")
    until(lambda: api.get(f"{path}/{name}") is None)
    api.create(path, {"metadata": {"name": name, "annotations": annotations or {}}, **rest})


def server(api: ApiClient, name: str, *arguments: str, **pod: Any) -> None:
    """One pod, on the machine that no test stops."""
    container = {"name": "web", "image": AGNHOST, "args": ["netexec", *arguments], **pod.pop("container", {})}
    spec = {
        "nodeSelector": {CONTROL_PLANE: ""},
        "tolerations": [{"key": CONTROL_PLANE, "operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        **pod,
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    make(api, APPS, name, spec={"selector": {"matchLabels": {"app": name}}, "template": template})
    until(lambda: (api.get(f"{APPS}/{name}") or {}).get("status", {}).get("readyReplicas"))


def balancer(api: ApiClient, name: str, port: int, target: int, **annotations: str) -> str:
    """The address that leads to the server of this name from outside."""
    ports = [{"port": port, "targetPort": target}]
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": ports}
    make(api, f"{CORE}/services", name, annotations, spec=spec)
    return until(lambda: address_of(api, name))


def address_of(api: ApiClient, name: str) -> str:
    given = (api.get(f"{CORE}/services/{name}") or {}).get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return str(given[0]["ip"]) if given else ""


def answer(address: str, path: str = "/hostname") -> str:
    """What this machine, which is none of the cluster's, is told; nothing if nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=1) as response:
            return str(response.read().decode())
    except (OSError, http.client.HTTPException):
        return ""


def test_a_service_answers_on_an_address_of_the_pool(api: ApiClient) -> None:
    server(api, "web", "--http-port=8080")
    address = balancer(api, "web", 80, 8080)
    assert address in GIVEN, "the other pool's are given to whom asks for one"
    assert until(lambda: answer(address)).startswith("web-")


def ready(api: ApiClient, name: str) -> bool:
    conditions = (api.get(f"{CERTIFICATES}/{name}") or {}).get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def certificate(api: ApiClient, name: str, kind: str, issuer: str) -> dict[str, bytes]:
    """A certificate for NAME, as its Secret holds it."""
    reference = {"kind": kind, "name": issuer}
    api.delete(f"{CORE}/secrets/{name}")
    kind_of_it = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate"}
    make(api, CERTIFICATES, name, **kind_of_it, spec={"secretName": name, "dnsNames": [NAME], "issuerRef": reference})
    until(lambda: ready(api, name))
    secret = api.get(f"{CORE}/secrets/{name}") or {}
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


def test_the_clusters_own_authority_signs(api: ApiClient, tmp_path: Any) -> None:
    signed = certificate(api, "internal", "ClusterIssuer", "internal")
    for key in ("ca.crt", "tls.crt"):
        (tmp_path / key).write_bytes(signed[key])
    command = ["openssl", "verify", "-verify_hostname", NAME, "-CAfile", tmp_path / "ca.crt", tmp_path / "tls.crt"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout.endswith("OK\n")


def test_an_acme_server_signs_when_it_was_answered_and_browsers_believe_it(api: ApiClient) -> None:
    certificate(api, "public", "Issuer", "public")
    mount = {"name": "tls", "mountPath": "/tls", "readOnly": True}
    files = [f"--tls-{what}-file=/tls/tls.{end}" for what, end in (("cert", "crt"), ("private-key", "key"))]
    volumes = [{"name": "tls", "secret": {"secretName": "public"}}]
    server(api, "secure", "--http-port=8443", *files, volumes=volumes, container={"volumeMounts": [mount]})
    shared = {"metallb.io/loadBalancerIPs": KEPT, "metallb.io/allow-shared-ip": KEPT}
    assert balancer(api, "secure", 443, 8443, **shared) == KEPT
    assert until(lambda: secure_answer(NAME)).startswith("secure-")


def secure_answer(name: str) -> str:
    """What a client is told that knows the name and the ACME server's root, and trusts no other."""
    trusting = ssl.create_default_context(cadata=root_of_the_acme_server())
    try:
        with (
            socket.create_connection((KEPT, 443), timeout=2) as plain,
            trusting.wrap_socket(plain, server_hostname=name) as tls,
        ):
            tls.sendall(f"GET /hostname HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
            response = http.client.HTTPResponse(tls)
            response.begin()
            return response.read().decode()
    except (ConnectionError, TimeoutError):
        return ""


def root_of_the_acme_server() -> str:
    trusting = ssl.create_default_context(cafile=LAB.state / "acme/certificate.pem")
    with urllib.request.urlopen(f"https://{NETWORK}.1:15000/roots/0", timeout=5, context=trusting) as response:
        return str(response.read().decode())


def pod(api: ApiClient, name: str, command: str) -> str:
    """What a pod says that has the claim at /data and has run to its end."""
    container = {"name": "shell", "image": BUSYBOX, "command": ["sh", "-c", command]}
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}]
    make(api, f"{CORE}/pods", name, spec={"restartPolicy": "Never", "containers": [container], "volumes": volumes})
    until(lambda: (api.get(f"{CORE}/pods/{name}") or {}).get("status", {}).get("phase") == "Succeeded")
    told = api.text(f"{CORE}/pods/{name}/log")
    api.delete(f"{CORE}/pods/{name}")
    return told


def test_a_volume_is_bound_written_and_survives_its_pod(api: ApiClient) -> None:
    claims = f"{CORE}/persistentvolumeclaims"
    # No class is named: it is the default that binds it.
    make(api, claims, "kept", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}})
    pod(api, "writer", "echo this stays > /data/note && sync")
    assert pod(api, "reader", "cat /data/note") == "this stays\n"
    claim = api.get(f"{claims}/kept") or {}
    assert claim["spec"]["storageClassName"] == "local-path"
    volume = api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}") or {}
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    node, path = term["matchExpressions"][0]["values"][0], volume["spec"]["hostPath"]["path"]
    assert on(node, f"cat {path}/note") == "this stays"
    api.delete(f"{claims}/kept")
    until(lambda: api.get(f"/api/v1/persistentvolumes/{volume['metadata']['name']}") is None)
    assert on(node, f"ls {path} 2>/dev/null || echo gone") == "gone"


def on(node: str, command: str) -> str:
    password = access.sudo_password(LAB)
    done = subprocess.run(
        [*access.ssh_command(LAB, node), f"sudo -S -p '' sh -c {shlex.quote(command)}"],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def announcing(address: str) -> str:
    """The node whose card this machine was told to send the address' packets to."""
    told = subprocess.run(["ip", "-json", "neigh", "show", address], capture_output=True, text=True, check=True).stdout
    card = next((entry.get("lladdr") for entry in json.loads(told)), None)
    nodes = LAB.require_record().nodes.values()
    return next((node.name for node in nodes if hardware_address(node.address) == card), "")


def test_an_address_moves_when_its_node_is_stopped_and_nothing_is_lost_when_it_returns(
    api: ApiClient, record_property: Callable[[str, object], None]
) -> None:
    address = until(lambda: address_of(api, "web"))
    assert until(lambda: answer(address))
    lost = announcing(address)
    assert lost in ("k8s-rack-1", "k8s-rack-2"), "control planes are kept from load balancers"
    lifecycle.stop(LAB, [lost])
    stopped = time.monotonic()
    until(lambda: answer(address), timeout=60)
    record_property("without an address when its node stops, s", round(time.monotonic() - stopped, 1))
    assert announcing(address) not in ("", lost)
    lifecycle.start(LAB, [lost], print)
    until(lambda: node_is_ready(api, lost))
    assert until(lambda: answer(address))


def node_is_ready(api: ApiClient, name: str) -> bool:
    conditions = (api.get(f"/api/v1/nodes/{name}") or {})["status"]["conditions"]
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
