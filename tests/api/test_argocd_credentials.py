# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories and clusters: their Secrets are as declared, and nothing that is printed or logged holds a value."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import SECRET
from tests.api.conftest import ArgoCd

Call = Callable[..., dict[str, Any]]

URL = "https://git.example.com/platforms.git"
FIRST, SECOND = "canary-of-the-first-day", "canary-of-the-second-day"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-line-one\ncanary-line-two\n-----END OPENSSH PRIVATE KEY-----"
CANARIES = (FIRST, SECOND, "canary-line", *(base64.b64encode(text.encode()).decode() for text in (FIRST, SECOND, KEY)))
SERVER = "https://api.production.example.com:6443"


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What modules write to the system's log; afterwards no secret is found in it."""
    lines: list[str] = []
    monkeypatch.setattr(
        AnsibleModule, "log", lambda self, message, log_args=None: lines.append(message + str(log_args))
    )
    yield lines
    assert lines
    assert_silent(lines)


def assert_silent(told: Any) -> None:
    text = json.dumps(told)
    assert [canary for canary in CANARIES if canary in text] == []


@pytest.fixture
def register(call: Call) -> Callable[..., dict[str, Any]]:
    """Register one repository or cluster; whatever becomes of it, the result holds no secret."""

    def register(check: bool = False, state: str = "present", **options: Any) -> dict[str, Any]:
        kind = "cluster" if "server" in options else "repository"
        plural = {"cluster": "clusters", "repository": "repositories"}[kind]
        result = call(f"argocd_{kind}", check=check, diff=True, state=state, **{plural: [options]})
        assert "invocation" in result
        assert_silent(result)
        return result

    return register


def secret(argocd: ArgoCd) -> dict[str, Any]:
    (found,) = argocd.client.list(SECRET.path("argocd"))
    return found


def data(argocd: ArgoCd) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret(argocd)["data"].items()}


def test_a_repository_is_registered_once(argocd: ArgoCd, register: Call) -> None:
    first = register(url=URL, username="argocd", password=FIRST, project="eco2")
    again = register(url=URL, username="argocd", password=FIRST, project="eco2")
    assert (first["created"], again["changed"]) == ([URL], False)
    assert secret(argocd)["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
    assert data(argocd) == {"url": URL, "type": "git", "project": "eco2", "username": "argocd", "password": FIRST}


def test_a_rotated_password_is_found_and_not_shown(argocd: ArgoCd, register: Call) -> None:
    register(url=URL, username="argocd", password=FIRST)
    rotation = {"url": URL, "username": "argocd", "password": SECOND}
    would, rotated = register(check=True, **rotation), register(**rotation)
    for result in (would, rotated):
        assert result["updated"] == [URL]
        shown = [json.loads(result["diff"][0][side])["data"] for side in ("before", "after")]
        assert [side["password"] for side in shown] == ["(a value)", "(another value)"]
        assert [side["username"] for side in shown] == ["argocd", "argocd"]
    assert data(argocd)["password"] == SECOND


def test_what_somebody_else_has_registered_is_taken_over(argocd: ArgoCd, register: Call) -> None:
    labels = {"argocd.argoproj.io/secret-type": "repository"}
    said = {"url": "git@git.example.com:platforms.git", "username": "x", "password": FIRST, "deployToken": SECOND}
    argocd.plant(SECRET, "repo-1234567", metadata={"labels": labels}, stringData=said)
    taken = register(url="git@git.example.com:platforms.git", ssh_private_key=KEY)
    assert taken["updated"] == ["git@git.example.com:platforms.git"]
    assert secret(argocd)["metadata"]["name"] == "repo-1234567"
    assert set(data(argocd)) == {"url", "type", "sshPrivateKey"}
    assert data(argocd)["sshPrivateKey"] == KEY + "\n"
    assert not register(url="git@git.example.com:platforms.git", ssh_private_key=KEY)["changed"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"github_app": {"id": 1, "installation_id": 2, "private_key": KEY}, "template": True},
            {"githubAppID": "1", "githubAppInstallationID": "2", "githubAppPrivateKey": KEY, "type": "git"},
        ),
        (
            {"type": "helm", "name": "charts", "enable_oci": True, "insecure_oci_force_http": True},
            {"type": "helm", "name": "charts", "enableOCI": "true", "insecureOciForceHttp": "true"},
        ),
        (
            {
                "template": True,
                "azure_service_principal": {"client_id": "c", "client_secret": FIRST, "tenant_id": "t"},
            },
            {
                "azureServicePrincipalClientID": "c",
                "azureServicePrincipalClientSecret": FIRST,
                "azureServicePrincipalTenantID": "t",
                "type": "git",
            },
        ),
        ({"bearer_token": FIRST, "proxy": SECOND, "depth": 1}, {"bearerToken": FIRST, "proxy": SECOND, "depth": "1"}),
    ],
)
def test_the_secret_has_the_keys_that_argo_cd_reads(
    argocd: ArgoCd, register: Call, options: dict[str, Any], expected: dict[str, str]
) -> None:
    register(url=URL, **options)
    assert data(argocd) == {"url": URL, "type": "git", **expected}
    kind = "repo-creds" if options.get("template") else "repository"
    assert secret(argocd)["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == kind
    assert not register(url=URL, **options)["changed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": URL, "ssh_private_key": KEY}, "ssh_private_key is for ssh URLs"),
        ({"url": "git@git.example.com:a.git", "username": "x", "password": FIRST}, "password is for https URLs"),
        ({"url": URL, "password": FIRST}, "password needs a username"),
        ({"url": f"https://argocd:{FIRST}@git.example.com/a.git"}, "a URL holds a password"),
        ({"url": URL, "template": True, "project": "eco2"}, "a template has no name and no project"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    argocd: ArgoCd, register: Call, options: dict[str, Any], message: str
) -> None:
    refused = register(**options)
    assert refused["failed"]
    assert message in refused["msg"]
    assert argocd.names(SECRET) == []


def test_a_repository_is_forgotten(argocd: ArgoCd, register: Call) -> None:
    register(url=URL, username="argocd", password=FIRST)
    assert register(check=True, state="absent", url=URL)["deleted"] == [URL]
    assert register(state="absent", url=URL)["deleted"] == [URL]
    assert argocd.names(SECRET) == []
    assert not register(state="absent", url=URL)["changed"]


def test_a_secret_that_is_no_credential_of_argo_cd_is_left_alone(argocd: ArgoCd, register: Call) -> None:
    argocd.plant(SECRET, "argocd-secret", stringData={"url": URL, "admin.password": FIRST})
    assert not register(state="absent", url=URL)["changed"]


def test_a_cluster_is_registered_once_and_a_rotated_token_is_found(argocd: ArgoCd, register: Call) -> None:
    def cluster(token: str) -> dict[str, Any]:
        tls = {"ca_data": "-----BEGIN CERTIFICATE-----", "key_data": KEY}
        config = {"bearer_token": token, "tls_client_config": tls}
        return {"server": SERVER, "name": "production", "labels": {"environment": "production"}, "config": config}

    assert register(**cluster(FIRST))["created"] == ["production"]
    assert not register(**cluster(FIRST))["changed"]
    rotated = register(**cluster(SECOND))
    before, after = (json.loads(rotated["diff"][0][side])["data"]["config"] for side in ("before", "after"))
    assert (before["bearerToken"], after["bearerToken"]) == ("(a value)", "(another value)")
    assert (before["tlsClientConfig"]["keyData"], after["tlsClientConfig"]["keyData"]) == ("(a value)", "(a value)")
    config = json.loads(data(argocd)["config"])
    assert config["bearerToken"] == SECOND
    assert base64.b64decode(config["tlsClientConfig"]["keyData"]).decode() == KEY
    labels = {"argocd.argoproj.io/secret-type": "cluster", "environment": "production"}
    assert secret(argocd)["metadata"]["labels"] == labels


def test_another_layout_of_the_same_configuration_is_no_change(argocd: ArgoCd, register: Call) -> None:
    config = '{ "tlsClientConfig": {"insecure": false},\n "awsAuthConfig": {"clusterName": "production"} }'
    said = {"server": SERVER, "name": "production", "config": config}
    labels = {"argocd.argoproj.io/secret-type": "cluster"}
    argocd.plant(SECRET, "cluster-x", metadata={"labels": labels}, stringData=said)
    same = {"aws_auth_config": {"cluster_name": "production"}}
    assert not register(server=SERVER + "/", name="production", config=same)["changed"]


def test_the_environment_of_a_program_is_secret(argocd: ArgoCd, register: Call) -> None:
    program = {"command": "login", "api_version": "client.authentication.k8s.io/v1", "env": {"TOKEN": FIRST}}
    register(server=SERVER, config={"exec_provider_config": program})
    assert json.loads(data(argocd)["config"])["execProviderConfig"]["env"] == {"TOKEN": FIRST}
    register(state="absent", server=SERVER)


def test_a_certificate_is_checked_or_not(argocd: ArgoCd, register: Call) -> None:
    tls = {"insecure": True, "ca_data": "-----BEGIN CERTIFICATE-----"}
    assert "not both" in register(server=SERVER, config={"tls_client_config": tls})["msg"]


def test_what_is_registered_is_told_without_its_secrets(argocd: ArgoCd, call: Call, register: Call) -> None:
    register(url=URL, username="argocd", password=FIRST)
    register(url="https://git.example.com", template=True, username="argocd", password=SECOND)
    register(server=SERVER, name="production", namespaces=["a", "b"], config={"bearer_token": FIRST})
    told = call("argocd_info", gather=["repositories", "clusters"])
    assert_silent(told)
    assert [(item["url"], item["template"], item["credentials"]) for item in told["repositories"]] == [
        ("https://git.example.com", True, ["password"]),
        (URL, False, ["password"]),
    ]
    assert [(item["name"], item["namespaces"]) for item in told["clusters"]] == [("production", ["a", "b"])]
