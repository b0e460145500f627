"""The table of Key Vault objects and the SecretProviderClass of it, read back as the driver reads it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.filter.secret_provider_class import secret_provider_class

DATABASE = {"object": "database-url", "secret": "db-credentials", "key": "DATABASE_URL", "purpose": "PostgreSQL"}
JWT = {"object": "jwt-secret", "secret": "app-secrets", "key": "JWT_SECRET_KEY"}
SITE = {"name": "azure-kv-secrets", "namespace": "prd", "key_vault": "kv-example", "tenant_id": "tenant"}


def made(*rows: dict[str, Any], **options: Any) -> dict[str, Any]:
    return secret_provider_class(list(rows), **{**SITE, **options})


def objects(provider_class: dict[str, Any]) -> list[dict[str, Any]]:
    """As the provider reads them: YAML in strings in YAML in a string."""
    text = provider_class["spec"]["parameters"]["objects"]
    assert isinstance(text, str)
    return [yaml.safe_load(entry) for entry in yaml.safe_load(text)["array"]]


def refusal(*rows: dict[str, Any], **options: Any) -> str:
    with pytest.raises(AnsibleTemplatePluginError) as refused:
        made(*rows, **options)
    return str(refused.value)


def test_each_row_becomes_an_object_of_the_volume_and_a_key_of_its_secret() -> None:
    provider_class = made(DATABASE, JWT, {"object": "CLAUDE-KEY", "secret": "app-secrets", "key": "CLAUDE_KEY"})

    assert provider_class["metadata"] == {"name": "azure-kv-secrets", "namespace": "prd"}
    assert objects(provider_class) == [
        {"objectName": "database-url", "objectType": "secret"},
        {"objectName": "jwt-secret", "objectType": "secret"},
        {"objectName": "CLAUDE-KEY", "objectType": "secret"},
    ]
    assert provider_class["spec"]["secretObjects"] == [
        {
            "secretName": "db-credentials",
            "type": "Opaque",
            "data": [{"key": "DATABASE_URL", "objectName": "database-url"}],
        },
        {
            "secretName": "app-secrets",
            "type": "Opaque",
            "data": [
                {"key": "JWT_SECRET_KEY", "objectName": "jwt-secret"},
                {"key": "CLAUDE_KEY", "objectName": "CLAUDE-KEY"},
            ],
        },
    ]


def test_an_alias_names_the_file_and_what_the_secret_takes() -> None:
    provider_class = made({**DATABASE, "alias": "url"})

    assert objects(provider_class) == [{"objectName": "database-url", "objectType": "secret", "objectAlias": "url"}]
    assert provider_class["spec"]["secretObjects"][0]["data"] == [{"key": "DATABASE_URL", "objectName": "url"}]


def test_an_object_that_two_secrets_take_is_mounted_once() -> None:
    provider_class = made(DATABASE, {**DATABASE, "secret": "app-secrets"})

    assert len(objects(provider_class)) == 1
    assert [secret["secretName"] for secret in provider_class["spec"]["secretObjects"]] == [
        "db-credentials",
        "app-secrets",
    ]


def test_an_object_without_a_secret_is_a_file_only() -> None:
    provider_class = made({"object": "database-url"})

    assert len(objects(provider_class)) == 1
    assert "secretObjects" not in provider_class["spec"]


def test_the_newest_of_several_versions_goes_into_the_secret() -> None:
    provider_class = made({**DATABASE, "version_history": 3})

    assert objects(provider_class)[0]["objectVersionHistory"] == 3
    assert provider_class["spec"]["secretObjects"][0]["data"][0]["objectName"] == "database-url/0"


@pytest.mark.parametrize("name", ["1234", "1e5", "true", "null", "0x10"])
def test_a_name_that_yaml_would_read_as_something_else_stays_a_name(name: str) -> None:
    row = {"object": name, "version": name, "format": "pem", "encoding": "base64", "file_permission": "0440"}

    assert objects(made(row)) == [
        {
            "objectName": name,
            "objectType": "secret",
            "objectVersion": name,
            "objectFormat": "pem",
            "objectEncoding": "base64",
            "filePermission": "0440",
        }
    ]


def test_a_certificate_becomes_a_secret_of_the_type_its_rows_say() -> None:
    certificate = {"object": "site", "secret": "site-tls", "secret_type": "kubernetes.io/tls"}
    provider_class = made(
        {**certificate, "type": "secret", "alias": "site.pem", "key": "tls.crt"},
        {**certificate, "type": "key", "alias": "site.key", "key": "tls.key"},
    )

    assert [(entry["objectName"], entry["objectType"]) for entry in objects(provider_class)] == [
        ("site", "secret"),
        ("site", "key"),
    ]
    assert provider_class["spec"]["secretObjects"] == [
        {
            "secretName": "site-tls",
            "type": "kubernetes.io/tls",
            "data": [{"key": "tls.crt", "objectName": "site.pem"}, {"key": "tls.key", "objectName": "site.key"}],
        }
    ]


@pytest.mark.parametrize(
    ("options", "login"),
    [
        ({"client_id": "id"}, {"useVMManagedIdentity": "true", "userAssignedIdentityID": "id"}),
        ({}, {"useVMManagedIdentity": "true", "userAssignedIdentityID": ""}),
        ({"identity": "workload", "client_id": "id"}, {"useVMManagedIdentity": "false", "clientID": "id"}),
        ({"identity": "service_principal"}, {"useVMManagedIdentity": "false"}),
    ],
)
def test_the_provider_logs_in_as_one_identity(options: dict[str, str], login: dict[str, str]) -> None:
    parameters = made(DATABASE, **options)["spec"]["parameters"]
    del parameters["objects"]

    assert parameters == {"keyvaultName": "kv-example", "tenantId": "tenant", "usePodIdentity": "false", **login}


def test_another_cloud_is_named() -> None:
    assert made(DATABASE, cloud="AzureChinaCloud")["spec"]["parameters"]["cloudName"] == "AzureChinaCloud"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"object": "database_url"}, "row 1 (database_url): object: Key Vault names are"),
        ({"secret": "db-credentials", "key": "URL"}, "row 1 (without object): object"),
        ({"object": "a", "secret": "app-secrets"}, "secret and key belong together"),
        ({"object": "a", "secret": "App_Secrets", "key": "A"}, "'App_Secrets' is no name of a Secret"),
        ({"object": "a", "secret": "app-secrets", "key": "A KEY"}, "'A KEY' is no key of a Secret"),
        ({"object": "a", "type": "password"}, "'password' is none of secret, key, cert"),
        ({"object": "a", "alias": "../a"}, "alias: it names a file"),
        ({"object": "a", "file_permission": 420}, "file_permission: 420 is no text"),
        ({"object": "a", "version_history": "3"}, "version_history: a number"),
        ({"object": "a", "secretName": "app-secrets"}, "unknown secretName; a row has"),
    ],
)
def test_a_wrong_row_is_refused_with_its_remedy(wrong: dict[str, Any], told: str) -> None:
    assert told in refusal(wrong)


def test_everything_wrong_is_told_at_once() -> None:
    refused = refusal({**DATABASE, "object": "a_b"}, {**JWT, "type": "file"}, identity="pod")

    assert "row 1 (a_b)" in refused
    assert "row 2 (jwt-secret)" in refused
    assert "'pod' is none of vm, workload, service_principal" in refused


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([DATABASE, {**JWT, "alias": "database-url"}], "another row has a file 'database-url'"),
        ([DATABASE, {**JWT, "secret": "db-credentials", "key": "DATABASE_URL"}], "already has a key DATABASE_URL"),
        ([JWT, {**JWT, "key": "B", "secret_type": "kubernetes.io/tls"}], "a Secret has one secret_type"),
        ([], "the table has no rows"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(rows: list[dict[str, Any]], told: str) -> None:
    assert told in refusal(*rows)


@pytest.mark.parametrize("options", [{"identity": "workload"}, {"identity": "service_principal", "client_id": "id"}])
def test_a_client_id_where_it_does_not_belong_or_lacks_is_refused(options: dict[str, str]) -> None:
    assert "client_id:" in refusal(DATABASE, **options)


def test_an_unknown_option_is_refused() -> None:
    assert "key_vaults" in refusal(DATABASE, key_vaults="kv")
