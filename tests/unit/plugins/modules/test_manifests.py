"""The manifests module where no cluster is needed: bad input, and what counts as a change."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules import manifests


def config_map(data: dict[str, str], **metadata: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "web", **metadata}, "data": data}


def test_what_the_server_keeps_by_itself_is_no_change() -> None:
    before = config_map({"a": "1"}, resourceVersion="7", managedFields=[{}], uid="x")
    assert manifests.compare([before], [config_map({"a": "1"}, resourceVersion="9")]) == []


def test_an_absent_object_is_a_change_from_nothing() -> None:
    ((name, before, after),) = manifests.compare([], [config_map({"a": "1"})])
    assert (name, before, after["data"]) == ("ConfigMap web/settings", {}, {"a": "1"})


def test_a_changed_object_shows_both_sides() -> None:
    ((_name, before, after),) = manifests.compare([config_map({"a": "1"})], [config_map({"a": "2"})])
    assert (before["data"], after["data"]) == ({"a": "1"}, {"a": "2"})


def test_a_secrets_values_are_told_apart_and_not_told() -> None:
    former, other = secrets.token_hex(8), secrets.token_hex(8)
    copy = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"key": former}})}
    before = {**config_map({"key": former, "same": former}, annotations=copy), "kind": "Secret"}
    after = {**config_map({"key": other, "same": former, "new": other}, annotations=copy), "kind": "Secret"}

    told = manifests.shown(before, {}), manifests.shown(after, before)
    assert json.loads(told[1])["data"] == {"key": "(another value)", "same": "(a value)", "new": "(a value)"}
    assert not any(secret in side for secret in (former, other) for side in told)
    assert manifests.shown({}, before) == ""


def test_a_patch_without_a_target_names_its_object_itself() -> None:
    written = json.loads(manifests.kustomization([{"patch": {"kind": "Pod"}, "target": None}], []))
    assert written["patches"] == [{"patch": '{"kind": "Pod"}'}]


def test_an_object_that_goes_is_a_change_to_nothing() -> None:
    ((name, before, after),) = manifests.compare([config_map({"a": "1"})], [])
    assert (name, before["data"], after) == ("ConfigMap web/settings", {"a": "1"}, {})


@pytest.mark.parametrize("printed", ['{"kind": "List", "items": [{"a": 1}, {"b": 2}]}', '{"a": 1}\n{"b": 2}\n'])
def test_objects_are_a_list_or_one_after_the_other(printed: str) -> None:
    assert manifests.objects_of(printed) == [{"a": 1}, {"b": 2}]


def test_a_namespace_is_everyones() -> None:
    assert json.loads(manifests.kustomization([], [], "web"))["namespace"] == "web"


def test_a_file_with_another_checksum_is_refused(run_module: Any, tmp_path: Path) -> None:
    source = tmp_path / "upstream.yaml"
    source.write_text("kind: List\n")
    result = run_module(manifests, {"source": str(source), "checksum": "sha256:00"})
    assert result["failed"]
    assert "has the checksum sha256:" in result["msg"]
    assert "Nothing was applied" in result["msg"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_text_without_anything_in_it_is_refused(run_module: Any, state: str) -> None:
    assert "nothing is in it" in run_module(manifests, {"content": "\n", "state": state})["msg"]


def test_a_missing_file_is_named(run_module: Any, tmp_path: Path) -> None:
    result = run_module(manifests, {"source": str(tmp_path / "absent.yaml")})
    assert result["failed"]
    assert "absent.yaml" in result["msg"]


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers itself, and what it was asked for."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"kind: List\n")

        def log_message(self, *_arguments: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_an_address_is_read_through_the_proxy(run_module: Any, proxy: tuple[str, list[str]]) -> None:
    source, (address, asked) = "http://charts.invalid/calico.yaml", proxy
    result = run_module(manifests, {"source": source, "proxy": address, "checksum": "sha256:00"})
    assert "has the checksum sha256:" in result["msg"]
    assert asked == [source]
    assert "http_proxy" not in os.environ


def test_an_exception_is_read_without_the_proxy(run_module: Any, proxy: tuple[str, list[str]]) -> None:
    arguments = {"source": "http://charts.invalid/calico.yaml", "proxy": proxy[0], "no_proxy": [".invalid"]}
    result = run_module(manifests, arguments)
    assert "cannot read the manifests at http://charts.invalid" in result["msg"]
    assert proxy[1] == []


def test_before_there_is_a_cluster_check_mode_says_what_would_be_applied(run_module: Any, tmp_path: Path) -> None:
    result = run_module(
        manifests,
        {"source": "calico.yaml", "kubeconfig": str(tmp_path / "admin.conf"), "assume": ["api"]},
        check=True,
    )
    assert result["changed"]
    assert "would apply every object of calico.yaml" in result["msg"]
