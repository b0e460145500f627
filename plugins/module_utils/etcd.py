# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's members, asked over its own HTTPS gateway: no etcdctl is needed, and no container to run it in."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

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
        self._tls = ssl.create_default_context(cafile=os.path.join(pki, "ca.crt"))
        certificate = os.path.join(pki, "healthcheck-client")
        self._tls.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")

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
            # Not linearizable: that the others are lost is no fault of this one.
            return bool(member.clients) and self._ask(member.clients[0], "/health?serializable=true").get("health") in (
                "true",
                True,
            )
        except EtcdError:
            return False

    def _ask(self, endpoint: str, path: str, body: Any = None) -> dict[str, Any]:
        url = urlsplit(endpoint)
        connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise EtcdError(f"etcd at {endpoint} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise EtcdError(f"etcd at {endpoint} refused {path}: {text.strip()}")
        answer: dict[str, Any] = json.loads(text)
        return answer


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
