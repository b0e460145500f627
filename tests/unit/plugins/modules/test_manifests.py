"""The manifests module where no cluster is needed: bad input, and what counts as a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def test_a_patch_without_a_target_names_its_object_itself() -> None:
    written = json.loads(manifests.kustomization([{"patch": {"kind": "Pod"}, "target": None}], []))
    assert written["patches"] == [{"patch": '{"kind": "Pod"}'}]


def test_a_file_with_another_checksum_is_refused(run_module: Any, tmp_path: Path) -> None:
    source = tmp_path / "upstream.yaml"
    source.write_text("kind: List\n")
    result = run_module(manifests, {"source": str(source), "checksum": "sha256:00"})
    assert result["failed"]
    assert "has the checksum sha256:" in result["msg"]
    assert "Nothing was applied" in result["msg"]


def test_a_missing_file_is_named(run_module: Any, tmp_path: Path) -> None:
    result = run_module(manifests, {"source": str(tmp_path / "absent.yaml")})
    assert result["failed"]
    assert "absent.yaml" in result["msg"]


def test_before_there_is_a_cluster_check_mode_says_what_would_be_applied(run_module: Any, tmp_path: Path) -> None:
    result = run_module(
        manifests,
        {"source": "calico.yaml", "kubeconfig": str(tmp_path / "admin.conf"), "assume": ["api"]},
        check=True,
    )
    assert result["changed"]
    assert "would apply every object of calico.yaml" in result["msg"]
