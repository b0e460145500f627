"""The filters behind role containerd, judged by Python's own TOML parser and, where there is one, a real containerd."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.filter.certificate_files import certificate_files
from ansible_collections.groundwork.kube.plugins.filter.missing_packages import missing_packages
from ansible_collections.groundwork.kube.plugins.filter.registry_hosts import registry_hosts
from ansible_collections.groundwork.kube.plugins.filter.to_toml import to_toml
from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import MARKER

ROLE = Path(__file__).resolve().parents[3] / "roles" / "containerd"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"version": 3, "imports": [], "debug": {}},
        {"plugins": {"io.containerd.cri.v1.images": {"registry": {"config_path": "/etc/containerd/certs.d"}}}},
        {"a": {"b": {"c": {"deep": True}}, "value": 1}, "z": "top"},
        {"text": 'quotes " and \\ and \n and \x7f and \x01 and ü', "empty": ""},
        {"numbers": [1, -2, 3.5, 1e9], "mixed": ["a", {"in": {"line": [True]}}], "nested": [[1], []]},
        {"when": datetime.date(2026, 11, 21), "": "empty key", "dotted.key": {"with space": 1}},
        {"host": {"http://192.0.2.1:5000": {"capabilities": ["pull"]}, "https://b": {}}},
    ],
)
def test_toml_is_read_back_as_it_was(document: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(document)) == document


def test_null_takes_a_setting_away() -> None:
    assert to_toml({"a": {"keep": 1, "gone": None}, "b": None}) == "[a]\nkeep = 1\n"


def test_tables_keep_their_order() -> None:
    document = to_toml({"host": {"https://b": {"n": 1}, "https://a": {"n": 2}}})

    assert document.index("https://b") < document.index("https://a")


@pytest.mark.parametrize("wrong", [["a list"], {"a": {"b": object()}}, {"a": [None]}])
def test_what_toml_cannot_say_is_refused(wrong: Any) -> None:
    with pytest.raises(AnsibleTemplatePluginError, match="to_toml"):
        to_toml(wrong)


def test_mirrors_become_hosts_files_that_groundwork_knows_again() -> None:
    files = registry_hosts({"docker.io": ["https://mirror.example", "http://b.example/v2/hub"], "quay.io": []})

    assert [file["path"] for file in files] == ["/etc/containerd/certs.d/docker.io/hosts.toml"]
    assert files[0]["content"].startswith(MARKER + "\n")
    hosts = tomllib.loads(files[0]["content"])["host"]
    assert list(hosts) == ["https://mirror.example", "http://b.example/v2/hub"]
    assert hosts["https://mirror.example"] == {"capabilities": ["pull", "resolve"]}
    assert hosts["http://b.example/v2/hub"]["override_path"]


def test_what_is_sent_to_a_registry_is_for_root_alone() -> None:
    robot = {"Authorization": "Basic cm9ib3Q6cGFzcw=="}
    mirrors = {
        "docker.io": ["https://harbor.example/v2/hub", "https://open.example"],
        "quay.io": ["https://open.example"],
    }
    files = {file["path"].split("/")[-2]: file for file in registry_hosts(mirrors, headers={"harbor.example": robot})}

    itself, hub = (tomllib.loads(files[registry]["content"]) for registry in ("harbor.example", "docker.io"))
    assert itself == {"server": "https://harbor.example", "header": {"Authorization": [robot["Authorization"]]}}
    assert hub["host"]["https://harbor.example/v2/hub"]["header"] == itself["header"]
    assert "header" not in hub["host"]["https://open.example"]
    secret = {registry: (file.get("mode"), file.get("sensitive")) for registry, file in files.items()}
    assert secret == {"harbor.example": ("0600", True), "docker.io": ("0600", True), "quay.io": (None, None)}


@pytest.mark.parametrize("wrong", [{"docker.io": "https://mirror"}, {"docker.io": ["mirror.example:5000"]}])
def test_a_malformed_mirror_is_refused_by_registry(wrong: dict[str, Any]) -> None:
    with pytest.raises(AnsibleTemplatePluginError, match=r"containerd_registry_mirrors: .*docker.io"):
        registry_hosts(wrong)


def test_certificates_become_files_of_the_machines_trust() -> None:
    assert certificate_files({"office": CA + "\n\n"}) == [
        {"path": "/usr/local/share/ca-certificates/groundwork-office.crt", "content": f"{MARKER}\n{CA}\n"}
    ]
    with pytest.raises(AnsibleTemplatePluginError, match="office is no PEM certificate"):
        certificate_files({"office": "/etc/ssl/office.pem"})


def test_only_packages_that_are_not_there_as_wanted_are_missing() -> None:
    installed = {"containerd": "2.3.7-1", "runc": "1.3.6-1"}

    assert missing_packages(["containerd", "runc=1.3.*"], installed) == []
    assert missing_packages(["containerd=2.4*", "kubelet", "runc"], installed) == ["containerd=2.4*", "kubelet"]
