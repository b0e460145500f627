# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError
from ansible_collections.groundwork.kube.plugins.module_utils.trial import NAMESPACES, create_pod, trial_namespace
from lab.api import ApiServer

POD = {"metadata": {"name": "tried"}, "spec": {"containers": [{"name": "tried", "image": "registry.test/tried"}]}}


class AccountsAsked(ApiServer):
    """An API server that admits pods as a cluster's does: only once their namespace has its account."""

    def _apiserver_argv(self, port: int, etcd_port: int) -> list[str | Path]:
        argv = super()._apiserver_argv(port, etcd_port)
        return [each for each in argv if "ServiceAccount" not in str(each)]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with AccountsAsked() as server:
        yield server


@pytest.fixture
def client(server: ApiServer) -> ApiClient:
    return connect(server)


def connect(server: ApiServer) -> ApiClient:
    return ApiClient.from_options({"kubeconfig": str(server.kubeconfig)})


def make_account(api: ApiClient, namespace: str) -> None:
    """What a cluster's controller does."""
    api.create(f"{NAMESPACES}/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})


def test_a_pod_waits_for_its_namespaces_account(server: ApiServer, client: ApiClient) -> None:
    with trial_namespace(client) as namespace:
        late = threading.Timer(2, make_account, [connect(server), namespace])
        late.start()
        made = create_pod(client, namespace, POD, time.monotonic() + 60)
        late.join()
        assert made["spec"]["serviceAccountName"] == "default"
    living = client.get(f"{NAMESPACES}/{namespace}")
    assert living is None or living["metadata"]["deletionTimestamp"]


def test_without_an_account_the_wait_ends_with_the_apis_reason(client: ApiClient) -> None:
    with trial_namespace(client) as namespace, pytest.raises(ApiError, match='serviceaccount "default" not found'):
        create_pod(client, namespace, POD, time.monotonic() + 1)


def test_another_refusal_is_not_waited_out(client: ApiClient) -> None:
    with trial_namespace(client) as namespace:
        make_account(client, namespace)
        privileged = {**POD, "spec": {**POD["spec"], "hostNetwork": True}}
        with pytest.raises(ApiError, match="violates PodSecurity"):
            create_pod(client, namespace, privileged, time.monotonic() + 600)
