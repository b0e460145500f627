# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must get through a cluster's network and what must not, as objects to create and verdicts to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PORT = 8080
Object = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """One client that dials a server from another node."""

    name: str
    promise: str
    host: str
    port: int
    labels: tuple[tuple[str, str], ...] = ()
    blocked: bool = False


@dataclass(frozen=True)
class Verdict:
    """How a check stands: ``ok`` is None while it is still under way."""

    ok: bool | None
    message: str


def _pod(name: str, node: str, image: str, args: list[str], labels: dict[str, str], restart: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name, **labels}},
        "spec": {
            # Named, not scheduled: the check is about this very node, however it is tainted.
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": restart,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "agnhost",
                    "image": image,
                    "args": args,
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                }
            ],
        },
    }


def servers(node: str, image: str) -> list[Object]:
    """An open server behind a Service, and one that a NetworkPolicy guards, both on ``node``."""
    serve = ["netexec", f"--http-port={PORT}"]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "guarded"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "guarded"}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"access": "allowed"}}}]}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "open"},
            "spec": {"selector": {"app": "open"}, "ports": [{"port": 80, "targetPort": PORT}]},
        },
        _pod("open", node, image, serve, {}, "Always"),
        _pod("guarded", node, image, serve, {}, "Always"),
    ]


def checks(open_ip: str, guarded_ip: str, service_ip: str, service_name: str) -> list[Check]:
    """Every promise of the network, each kept by a client of its own."""
    return [
        Check("pod", "a pod reaches a pod on another node", open_ip, PORT),
        Check("service", "a pod reaches a Service whose pod is on another node", service_ip, 80),
        Check("name", "a pod finds a Service by its name in the cluster's DNS", service_name, 80),
        Check("allowed", "a pod that a NetworkPolicy admits gets through", guarded_ip, PORT, (("access", "allowed"),)),
        Check("denied", "a pod that a NetworkPolicy does not admit is kept out", guarded_ip, PORT, blocked=True),
    ]


def client(check: Check, node: str, image: str) -> Object:
    """The pod that dials for ``check``: it tries again until it gets through, or dials once where it must not."""
    return _pod(
        f"client-{check.name}",
        node,
        image,
        ["connect", f"--timeout={3 if check.blocked else 5}s", f"{check.host}:{check.port}"],
        dict(check.labels),
        "Never" if check.blocked else "OnFailure",
    )


def verdict(check: Check, pod: Object) -> Verdict:
    """Read a client pod's status."""
    phase = pod.get("status", {}).get("phase", "Pending")
    message = _last_message(pod)
    if phase == "Succeeded":
        return Verdict(not check.blocked, "got through")
    if phase == "Failed":
        # Anything but a timeout (a crash, a missing binary) proves nothing about the policy.
        return Verdict(check.blocked and "TIMEOUT" in message, message or "failed without a word")
    return Verdict(None, message or f"pod is {phase}")


def _last_message(pod: Object) -> str:
    for status in pod.get("status", {}).get("containerStatuses", []):
        for state in (status.get("state", {}), status.get("lastState", {})):
            for kind in ("terminated", "waiting"):
                if kind in state:
                    text = state[kind].get("message") or state[kind].get("reason") or ""
                    return str(text).strip().splitlines()[-1] if text else ""
    return ""


def pair(nodes: list[str], resolvers: list[str]) -> tuple[str, str]:
    """``(server, client)``: two different nodes, the client's without a CoreDNS of its own where that is possible."""
    clients = [node for node in reversed(nodes) if node not in resolvers] or list(reversed(nodes))
    server = next(node for node in nodes if node != clients[0])
    return server, clients[0]
