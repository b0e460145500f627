# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API is found and as whom; what is said over the wire is for tests/api."""

from __future__ import annotations

import base64
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils import api
from ansible_collections.groundwork.kube.plugins.module_utils.api import Access, ApiUnreachableError, resolve_access


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(api, "ADMIN_KUBECONFIG", str(tmp_path / "no-admin.conf"))
    monkeypatch.setattr(api, "USER_KUBECONFIG", str(tmp_path / "no-config"))


def kubeconfig(directory: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> str:
    path = directory / "kubeconfig"
    config = {
        "current-context": "admin@lab",
        "contexts": [{"name": "admin@lab", "context": {"cluster": "lab", "user": "admin"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "https://api.lab:6443", **(cluster or {})}}],
        "users": [{"name": "admin", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_certificates_are_read_from_the_kubeconfig_or_from_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    path = kubeconfig(
        tmp_path,
        {"client-certificate-data": base64.b64encode(b"CERTIFICATE").decode(), "client-key": "client.key"},
        {"certificate-authority": "ca.crt", "tls-server-name": "api", "proxy-url": "http://proxy:3128"},
    )
    (tmp_path / "client.key").write_text("KEY")
    assert resolve_access({"kubeconfig": path}) == Access(
        host="https://api.lab:6443",
        ca="CA",
        certificate="CERTIFICATE",
        key="KEY",
        server_name="api",
        proxy="http://proxy:3128",
    )


def test_an_option_goes_before_what_the_kubeconfig_says(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "from-the-file"}, {"insecure-skip-tls-verify": True})
    access = resolve_access({"kubeconfig": path, "api_key": "given", "validate_certs": True})
    assert access.token == "given"
    assert access.verify


def test_a_host_needs_no_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    assert resolve_access({"host": "https://aks.example:443", "api_key": "token"}).host == "https://aks.example:443"


def test_a_control_plane_needs_no_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(api, "ADMIN_KUBECONFIG", kubeconfig(tmp_path, {"token": "admin"}))
    assert resolve_access({}).token == "admin"


def test_a_host_with_nothing_to_go_by_is_told_what_to_set() -> None:
    with pytest.raises(ApiUnreachableError, match="run on an initialised control plane, or set one of them"):
        resolve_access({})


def test_a_context_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "t"})
    with pytest.raises(ApiUnreachableError, match="no context 'prod'; it has: admin@lab"):
        resolve_access({"kubeconfig": path, "context": "prod"})


def test_a_kubeconfig_that_is_not_yaml_is_refused_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("token: {secret-half")
    with pytest.raises(ApiUnreachableError) as refusal:
        resolve_access({"kubeconfig": str(path)})
    assert "is not YAML" in str(refusal.value)
    assert "secret-half" not in str(refusal.value)


@pytest.fixture
def without_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)


@pytest.mark.usefixtures("without_pyyaml")
def test_a_host_without_pyyaml_reads_what_kubeadm_wrote(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "t"}, {"insecure-skip-tls-verify": True})
    assert resolve_access({"kubeconfig": path}) == Access(host="https://api.lab:6443", token="t", verify=False)


def test_any_other_yaml_is_read_with_pyyaml(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(yaml.safe_load(Path(kubeconfig(tmp_path, {"token": "t"})).read_text()), indent=1))
    assert resolve_access({"kubeconfig": str(path)}).token == "t"


@pytest.mark.usefixtures("without_pyyaml")
def test_any_other_yaml_without_pyyaml_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{current-context: c}")
    with pytest.raises(ApiUnreachableError, match="install python3-yaml"):
        resolve_access({"kubeconfig": str(path)})


def test_a_kubeconfig_that_runs_a_program_gets_its_token_from_it(tmp_path: Path) -> None:
    pytest.importorskip("kubernetes")
    program = tmp_path / "login"
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "fresh"}}'
    )
    program.write_text(f"#!/bin/sh\necho '{credential}'\n")
    program.chmod(stat.S_IRWXU)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "interactiveMode": "Never",
        }
    }
    access = resolve_access({"kubeconfig": kubeconfig(tmp_path, user)})
    assert access.token == "fresh"
    assert access.host == "https://api.lab:6443"


def test_what_must_not_be_printed_is_known_by_value() -> None:
    assert Access(host="h", token="t", key="k", password="p", ca="c").secrets() == {"t", "k", "p"}


def test_a_call_may_act_as_somebody_else() -> None:
    headers = resolve_access(
        {"host": "h", "username": "me", "password": "x", "impersonate_user": "you", "impersonate_groups": ["a", "b"]}
    ).headers()
    assert headers[0] == ("Authorization", "Basic bWU6eA==")
    assert headers[1:] == [("Impersonate-User", "you"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")]
