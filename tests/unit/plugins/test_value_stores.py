"""Values by what their leak would cost: each in its store, and no credential where anyone can read it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.filter.secret_provider_class import secret_provider_class
from ansible_collections.groundwork.kube.plugins.filter.value_stores import value_stores

CANARY = "canary"


def config(value: Any, **more: str) -> dict[str, Any]:
    return {"value": value, "leak": "config", "into": "cms-config", **more}


def refusal(values: dict[str, dict[str, Any]]) -> str:
    with pytest.raises(AnsibleTemplatePluginError) as refused:
        value_stores(values)
    return str(refused.value)


def test_each_value_goes_where_its_leak_sends_it() -> None:
    assert value_stores(
        {
            "DATABASE_URL": {"value": CANARY, "leak": "key_vault", "into": "db-credentials"},
            "OPENAI_KEY_1": {"value": CANARY, "leak": "key_vault", "into": "app-secrets", "object": "OPENAI-KEY-1"},
            "ROOT_PASSWORD": {"value": CANARY, "leak": "key_vault"},
            "SERVICE_TOKEN": {"value": CANARY, "leak": "secret", "into": "internal", "key": "token"},
            "ACR_REGISTRY": config("registry.example"),
            "WORKERS": config(4),
            "DEBUG": config(False),
        }
    ) == {
        "key_vault": {"database-url": CANARY, "OPENAI-KEY-1": CANARY, "root-password": CANARY},
        "mapping": [
            {"object": "database-url", "secret": "db-credentials", "key": "DATABASE_URL"},
            {"object": "OPENAI-KEY-1", "secret": "app-secrets", "key": "OPENAI_KEY_1"},
            {"object": "root-password"},
        ],
        "secrets": {"internal": {"token": CANARY}},
        "config_maps": {"cms-config": {"ACR_REGISTRY": "registry.example", "WORKERS": "4", "DEBUG": "false"}},
    }


def test_what_is_in_the_key_vault_is_a_table_for_the_secret_provider_class() -> None:
    stores = value_stores({"DATABASE_URL": {"value": CANARY, "leak": "key_vault", "into": "db-credentials"}})
    made = secret_provider_class(stores["mapping"], name="n", namespace="prd", key_vault="kv", tenant_id="t")

    assert made["spec"]["secretObjects"][0]["data"] == [{"key": "DATABASE_URL", "objectName": "database-url"}]
    assert CANARY not in str(made)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("REDIS_PASSWORD", CANARY, "its name"),
        ("jwt-secret", CANARY, "its name"),
        ("OPENAI_KEY_1", CANARY, "its name"),
        ("BROKER", f"redis://:{CANARY}@redis:6379/0", "a URL with a password"),
        ("DATABASE", f"postgresql+psycopg://app:{CANARY}@db.example/app", "a URL with a password"),
        ("STORAGE", f"DefaultEndpointsProtocol=https;AccountKey={CANARY}", "a connection string"),
        ("DSN", f"host=db user=app password={CANARY}", "a connection string"),
        ("PEM", f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{CANARY}", "a private key"),
        ("HEADER", f"Bearer eyJ{CANARY}00.eyJ{CANARY}00.{CANARY}", "a JSON web token"),
        ("MODEL", f"sk-{CANARY}-{CANARY}-{CANARY}", "a provider's token"),
        ("SOMETHING", f"{CANARY}9fQ2mXz7Lk4Wd8Rt1Ya6Ub3", "a generated key"),
    ],
)
def test_a_credential_that_is_said_to_cost_nothing_is_refused_without_showing_it(
    name: str, value: str, why: str
) -> None:
    refused = refusal({name: config(value)})

    assert f"{name}: " in refused
    assert why in refused
    assert "Say leak: key_vault or secret" in refused
    assert CANARY not in refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_URL", "https://api.example.org:8443/v1?limit=10"),
        ("CALLBACK", "http://cms-web-api:18001"),
        ("TENANT", "00000000-0000-4000-8000-00000000000a"),
        ("IMAGE", "registry.example/team/app:3f1c2ab@sha256:" + 32 * "0f"),
        ("DATA_DIRECTORY", "/mnt/secrets-store/projects/common_lib"),
        ("PASSWORD_FILE", "/mnt/secrets-store/redis-password"),
        ("TOKEN_LIFETIME", "3600"),
        ("SECRET_NAME", "app-secrets"),
        ("CLASS", "org.example.platform.ConfigurationFactoryBean2"),
        ("JAVA_OPTIONS", "-XX:+UseContainerSupport -XX:MaxRAMPercentage=75.0"),
        ("EMPTY_TOKEN", ""),
    ],
)
def test_what_only_sounds_like_one_passes(name: str, value: str) -> None:
    assert value_stores({name: config(value)})["config_maps"] == {"cms-config": {name: value}}


def test_whoever_says_why_it_is_harmless_is_believed() -> None:
    values = {"SORT_KEY": config("created_at", harmless="a column")}

    assert value_stores(values)["config_maps"] == {"cms-config": {"SORT_KEY": "created_at"}}
    assert "SORT_KEY: its name" in refusal({"SORT_KEY": config("created_at")})


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"value": CANARY}, "say what its leak would cost, as leak: key_vault, secret or config"),
        ({"value": CANARY, "leak": "none"}, "say what its leak would cost"),
        ({"leak": "key_vault"}, "it has no value"),
        ({"value": CANARY, "leak": "secret"}, "into: the Secret"),
        ({"value": CANARY, "leak": "config"}, "into: the ConfigMap"),
        ({"value": CANARY, "leak": "key_vault", "object": "a_b"}, "Key Vault names are"),
        ({"value": CANARY, "leak": "secret", "into": "a", "secret": "a"}, "unknown secret; a value has"),
    ],
)
def test_a_value_that_is_not_placed_is_refused_by_name(entry: dict[str, Any], told: str) -> None:
    refused = refusal({"NAME": entry})

    assert "NAME: " in refused
    assert told in refused
    assert CANARY not in refused


def test_two_values_in_one_place_are_refused() -> None:
    vault = {"value": CANARY, "leak": "key_vault", "object": "shared"}
    refused = refusal(
        {"A": vault, "B": {**vault, "object": "SHARED"}, "C": config("1", key="x"), "D": config("2", key="x")}
    )

    assert "B: Key Vault shared is already A's." in refused
    assert "D: ConfigMap cms-config x is already C's." in refused
