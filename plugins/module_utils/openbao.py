# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenBao's HTTP API, reached through the Kubernetes API server's proxy.

So it needs no way into the cluster's network, no program in a pod and no library, and each replica can be spoken to by
itself, which unsealing takes. Keys and tokens travel in bodies and headers, which neither URLs nor audit logs hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError, path_segment

SHAMIR = "shamir"

OPENBAO_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "namespace": {"type": "str", "default": "openbao"},
    "label_selector": {"type": "str", "default": "app.kubernetes.io/name=openbao,component=server"},
    "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
    "port": {"type": "int", "default": 8200},
}

OPENBAO_INIT_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "keys_file": {"type": "path"},
    "shares": {"type": "int", "default": 5},
    "threshold": {"type": "int", "default": 3},
    "pgp_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "root_token_pgp_key": {"type": "str", "default": "", "no_log": False},
    "veil": {"type": "str", "default": "", "no_log": True},
}


class OpenBaoError(Exception):
    """What OpenBao's state does not allow, and what to do."""


@dataclass(frozen=True)
class Replica:
    """A pod of OpenBao's, and how it sees itself."""

    pod: str
    initialized: bool
    sealed: bool
    seal: str
    threshold: int
    progress: int

    @property
    def unseals_itself(self) -> bool:
        return self.seal != SHAMIR

    def told(self) -> dict[str, Any]:
        return {
            "pod": self.pod,
            "initialized": self.initialized,
            "sealed": self.sealed,
            "seal": self.seal,
            "threshold": self.threshold,
            "progress": self.progress,
        }


class OpenBao:
    """The replicas of one OpenBao."""

    def __init__(self, api: ApiClient, options: Mapping[str, Any], token: str = "") -> None:
        self._api = api
        self._namespace = options["namespace"]
        self._selector = options["label_selector"]
        self._scheme = options["scheme"]
        self._port = options["port"]
        self._headers = {"X-Vault-Token": token} if token else {}

    def replicas(self) -> list[Replica]:
        """Those that run, in the order of their names."""
        path = f"/api/v1/namespaces/{path_segment(self._namespace)}/pods"
        pods = self._api.list(path, {"labelSelector": self._selector})
        running = sorted(
            pod["metadata"]["name"]
            for pod in pods
            if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
        )
        if not running:
            raise OpenBaoError(
                f"no pod with the labels {self._selector} runs in namespace {self._namespace}: wait until Argo CD has "
                "synced OpenBao, or say where it is (namespace, label_selector)"
            )
        return [self.replica(pod) for pod in running]

    def replica(self, pod: str) -> Replica:
        status = self.request(pod, "GET", "sys/seal-status")
        return Replica(
            pod, status["initialized"], status["sealed"], status["type"], status["t"] or 0, status["progress"] or 0
        )

    def is_active(self, pod: str) -> bool:
        """Whether it is the one that serves, for itself and for those that stand by."""
        health = self.request(pod, "GET", "sys/health?standbyok=true&sealedcode=200&uninitcode=200")
        return not health["sealed"] and not health["standby"]

    def get(self, pod: str, path: str) -> dict[str, Any] | None:
        """The data at a path, None where there is none."""
        try:
            data: dict[str, Any] = self.request(pod, "GET", path).get("data") or {}
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return data

    def request(self, pod: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        target = path_segment(f"{self._scheme}:{pod}:{self._port}")
        proxy = f"/api/v1/namespaces/{path_segment(self._namespace)}/pods/{target}/proxy/v1/{path}"
        return self._api.request(method, proxy, body, headers=self._headers)


def is_encrypted(options: Mapping[str, Any]) -> bool:
    """Whether no key is made that somebody else than its holder could read."""
    return bool(options["pgp_keys"] and options["root_token_pgp_key"])


def init_problem(options: Mapping[str, Any]) -> str:
    if not 1 <= options["threshold"] <= options["shares"]:
        return f"threshold {options['threshold']}: has to be between 1 and shares, which is {options['shares']}"
    if options["pgp_keys"] and len(options["pgp_keys"]) != options["shares"]:
        return f"pgp_keys: {len(options['pgp_keys'])} for {options['shares']} shares; give one for each"
    if not options["keys_file"] and not is_encrypted(options):
        return (
            "nobody would ever have the keys: set keys_file, a new file on the controller, or pgp_keys and "
            "root_token_pgp_key, their holders' public keys"
        )
    return ""
