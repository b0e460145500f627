"""Each way to log in, as far as loopback goes: what the authority is asked, and that ARM then sees its token."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import arm
from tests.arm.fake import CLIENT, TENANT, FakeArm, assertion_of, new_certificate, new_key

Read = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.made_up


@pytest.fixture
def read(azure: FakeArm, run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read something without a login in the environment."""
    monkeypatch.delenv("AZURE_SECRET")

    def read(**login: Any) -> dict[str, Any]:
        query = {"type": "Microsoft.Resources/resourceGroups", "api_version": "2022-09-01"}
        return run_module("arm_resource_info", {**query, **login})

    return read


def test_a_service_principal_with_a_secret(azure: FakeArm, read: Read) -> None:
    assert not read(secret=azure.trusted_secret)["failed"]
    assert azure.grants[0]["client_id"] == CLIENT
    assert azure.grants[0]["scope"].startswith(f"{azure.url}/.default")
    assert any(request.path == f"/{TENANT}/oauth2/v2.0/token" for request in azure.log)


def test_options_are_stronger_than_the_environment(azure: FakeArm, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SECRET", "another")
    assert not read(secret=azure.trusted_secret, client_id="another-client", tenant="another-tenant")["failed"]
    assert azure.grants[0]["client_id"] == "another-client"
    assert any(request.path == "/another-tenant/oauth2/v2.0/token" for request in azure.log)


def test_a_service_principal_with_a_certificate(azure: FakeArm, read: Read, tmp_path: Path) -> None:
    key = new_key()
    pem = tmp_path / "principal.pem"
    pem.write_bytes(key + new_certificate(key))
    assert not read(x509_certificate_path=str(pem))["failed"]
    claims = assertion_of(azure.grants[0])
    assert (claims["iss"], claims["sub"]) == (CLIENT, CLIENT)


def test_a_certificate_that_is_none_is_said(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "principal.pem"
    assert f"log in to Azure: x509_certificate_path {path}: " in read(x509_certificate_path=str(path))["msg"]


def test_a_federated_token_in_a_file_as_the_webhook_of_workload_identity_says_it(
    azure: FakeArm, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("from the cluster")
    monkeypatch.delenv("AZURE_TENANT")
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
    assert not read()["failed"]
    assert azure.grants[0]["client_assertion"] == "from the cluster"


def test_a_federated_token_at_hand(azure: FakeArm, read: Read) -> None:
    assert not read(oidc_token="from the pipeline")["failed"]
    assert azure.grants[0]["client_assertion"] == "from the pipeline"


def test_the_machines_own_identity(azure: FakeArm, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.metadata_service)
    assert not read(auth_source="msi")["failed"]
    assert azure.grants[0]["resource"] == azure.url
    assert azure.grants[0]["client_id"] == CLIENT


@pytest.mark.parametrize("options", [{"auth_source": "cli"}, {}], ids=["said", "nothing else given"])
def test_the_azure_cli(
    azure: FakeArm, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    asked = tmp_path / "asked"
    az = tmp_path / "az"
    az.write_text(
        f'#!/bin/sh\necho "$@" >{asked}\n'
        'echo \'{"accessToken": "of the cli", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}\'\n'
    )
    az.chmod(0o755)
    azure.tokens.add("of the cli")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = read(**options)
    assert not result["failed"], result
    assert "account get-access-token" in asked.read_text()
    assert azure.url in asked.read_text()
    assert azure.grants == []


def test_a_refused_login_says_so_and_not_the_secret(azure: FakeArm, read: Read) -> None:
    wrong = azure.trusted_secret[::-1]
    result = read(secret=wrong)
    assert result["failed"]
    assert "read Microsoft.Resources/resourceGroups: log in to Azure: " in result["msg"]
    assert "AADSTS7000215" in result["msg"]
    assert wrong not in str(result)


def test_a_login_that_lacks_something_names_the_option(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_TENANT")
    assert "tenant missing" in read(oidc_token="x")["msg"]
    assert "one of secret, x509_certificate_path and oidc_token_file_path missing" in read(auth_source="env")["msg"]


@pytest.mark.parametrize("cloud", ["AzureGermany", "http://localhost/"])
def test_a_cloud_that_is_none_is_said(read: Read, cloud: str) -> None:
    result = read(cloud_environment=cloud, oidc_token="x")
    assert "write one of AzureCloud, AzureChinaCloud, AzureUSGovernment" in result["msg"]


def test_a_cloud_whose_certificate_nobody_vouches_for_is_not_spoken_to(
    azure: FakeArm, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setattr(arm, "RetryPolicy", lambda **_patience: _NoRetries())
    assert "Azure does not answer: " in read(secret=azure.trusted_secret)["msg"]
    assert azure.log == []
    assert not read(secret=azure.trusted_secret, cert_validation_mode="ignore")["failed"]


def _NoRetries() -> Any:  # noqa: N802
    from azure.core.pipeline.policies import RetryPolicy

    return RetryPolicy.no_retries()


def test_what_is_missing_on_the_machine_is_said(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "_MISSING", "ImportError: azure.identity")
    assert "azure-identity and azure-mgmt-core" in read(oidc_token="x")["msg"]
