# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's members, asked over its own HTTPS gateway: no etcdctl is needed, and no container to run it in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.api import Access, ApiClient, ApiError

PKI = "/etc/kubernetes/pki/etcd"
LOCAL = "https://127.0.0.1:2379"
TIMEOUT = 5


class EtcdError(Exception):
    """What etcd answered, or that it did not."""


class Member(NamedTuple):
    """One member. It has no name before it has started for the first time."""

    id: str
    name: str
    peers: tuple[str, ...]
    clients: tuple[str, ...]
    learner: bool

    def is_at(self, name: str, address: str) -> bool:
        return self.name == name or (not self.name and address in {urlsplit(url).hostname for url in self.peers})

    def __str__(self) -> str:
        return f"{self.name or 'without a name'} ({int(self.id):x} at {', '.join(self.peers)})"


class Etcd:
    """etcd as its client on a control plane sees it."""

    def __init__(self, pki: str = PKI, endpoint: str = LOCAL) -> None:
        self.endpoint = endpoint
        self._access = Access(
            endpoint,
            ca=k.read(f"{pki}/ca.crt"),
            certificate=k.read(f"{pki}/healthcheck-client.crt"),
            key=k.read(f"{pki}/healthcheck-client.key"),
        )

    def members(self) -> list[Member]:
        """As this member knows them, which it does without a quorum, too."""
        answer = self._ask(self.endpoint, "/v3/cluster/member/list", {"linearizable": False})
        return [
            Member(
                str(member["ID"]),
                member.get("name", ""),
                tuple(member.get("peerURLs", ())),
                tuple(member.get("clientURLs", ())),
                bool(member.get("isLearner", False)),
            )
            for member in answer["members"]
        ]

    def healthy(self, members: Sequence[Member]) -> set[str]:
        """The ids of those that serve."""
        return {member.id for member in members if self._is_healthy(member)}

    def remove(self, member: Member) -> None:
        self._ask(self.endpoint, "/v3/cluster/member/remove", {"ID": member.id})

    def _is_healthy(self, member: Member) -> bool:
        try:
            # Serializable: that the others are lost is no fault of this one.
            answer = self._ask(member.clients[0], "/health", query={"serializable": "true"}) if member.clients else {}
        except EtcdError:
            return False
        return answer.get("health") in ("true", True)

    def _ask(self, endpoint: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> dict[str, Any]:
        client = ApiClient(replace(self._access, host=endpoint), timeout=TIMEOUT)
        try:
            return client.request("GET" if body is None else "POST", path, body, query)
        except ApiError as error:
            raise EtcdError(f"etcd at {endpoint}, {path}: {error.message}") from error
        finally:
            client.close()


def objection(members: Sequence[Member], healthy: Collection[str], leaving: Member) -> str:
    """Why a member cannot go without the loss of etcd's quorum; empty when it can."""
    voters = [member for member in members if not member.learner]
    if leaving.learner:
        return ""
    if len(voters) == 1:
        return f"{leaving.name} is etcd's only member, and all data is there"
    quorum = len(voters) // 2 + 1
    serving = [member for member in voters if member.id in healthy]
    if len(serving) < quorum:
        return f"etcd has lost its quorum: {len(serving)} of {len(voters)} members serve, removing one takes {quorum}"
    staying = [member for member in serving if member.id != leaving.id]
    quorum = (len(voters) - 1) // 2 + 1
    if len(staying) < quorum:
        lost = [member.name for member in voters if member.id not in healthy and member.id != leaving.id]
        return (
            f"without {leaving.name}, {len(staying)} of {len(voters) - 1} members would serve and {quorum} are needed: "
            f"bring back {', '.join(lost)} first, or replace it first"
        )
    return ""
