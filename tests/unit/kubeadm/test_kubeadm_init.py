"""The first control plane is made once, finished when it was not, and never made anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.modules import kubeadm_init

from .conftest import Node

RunModule = Callable[..., dict[str, Any]]
ALL = [*kubeadm_init.FILE_PHASES, "wait-control-plane", *kubeadm_init.OBJECTS]


def test_a_bare_node_is_initialised_whole_with_kubeadms_preflight(run_module: RunModule, node: Node) -> None:
    result = run_module("kubeadm_init", {"config": node.document(), "patches": {"etcd+merge.yaml": "{}\n"}})
    assert result["changed"], result
    assert result["phases"] == ALL
    assert node.calls() == [f"init --config {k.INIT_DOCUMENT} --skip-phases show-join-command"]
    assert (node.kubernetes / "groundwork/init.yaml").stat().st_mode & 0o777 == 0o600
    assert (node.kubernetes / "groundwork/patches/etcd+merge.yaml").read_text() == "{}\n"


def test_check_mode_names_the_phases_and_touches_nothing(run_module: RunModule, node: Node) -> None:
    result = run_module("kubeadm_init", {"config": node.document()}, check=True, diff=True)
    assert result["changed"]
    assert result["phases"] == ALL
    assert node.calls() == []
    assert not (node.kubernetes / "groundwork").exists()


def test_check_mode_before_kubeadm_is_there_says_what_would_be_made(
    run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node.root / "bin/kubeadm").unlink()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    args = {"config": node.document()}
    assert run_module("kubeadm_init", {**args, "assume": ["packages"]}, check=True)["phases"] == ALL
    assert "not installed" in run_module("kubeadm_init", args, check=True)["msg"]


@pytest.mark.parametrize(
    ("done", "skipped", "expected"),
    [
        ((), (), ALL),
        (ALL, (), []),
        ([phase for phase in ALL if phase != "addon/coredns"], (), ["wait-control-plane", "addon/coredns"]),
        (ALL[:-2], ("addon",), []),
        (["certs", "kubeconfig"], (), ALL[2:]),
    ],
    ids=["bare", "complete", "one missing", "skipped", "killed early"],
)
def test_exactly_the_missing_phases_run(done: list[str], skipped: tuple[str, ...], expected: list[str]) -> None:
    observed = {phase: phase in done for phase in (*kubeadm_init.FILE_PHASES, *kubeadm_init.OBJECTS)}
    assert kubeadm_init.phases_to_run(observed, skipped) == expected


@pytest.mark.parametrize("last", ["certs", "kubeconfig"])
def test_a_killed_init_goes_on_with_what_is_there(run_module: RunModule, node: Node, last: str) -> None:
    node.phase("certs", "all")
    if last == "kubeconfig":
        node.phase("kubeconfig", "all", "--kubeconfig-dir", str(node.kubernetes))
    authority = (node.kubernetes / "pki/ca.crt").read_text()
    result = run_module("kubeadm_init", {"config": node.document()})
    assert result["phases"] == ALL[ALL.index(last) + 1 :]
    assert "preflight" in node.calls()[0]
    assert (node.kubernetes / "pki/ca.crt").read_text() == authority


def test_a_half_written_pair_is_set_aside_not_deleted(run_module: RunModule, node: Node) -> None:
    node.phase("certs", "all")
    (node.kubernetes / "pki/apiserver.crt").unlink()
    key = (node.kubernetes / "pki/apiserver.key").read_text()
    result = run_module("kubeadm_init", {"config": node.document()})
    assert "certs" in result["phases"]
    backups = list((node.kubernetes / "groundwork/backup").glob("*/apiserver.key"))
    assert [backup.read_text() for backup in backups] == [key]
    assert not (node.kubernetes / "pki/apiserver.key").exists()


@pytest.mark.parametrize("content", ["", 200 * "\0", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"])
def test_a_key_that_was_cut_is_set_aside_also_where_its_certificate_was_never_begun(
    run_module: RunModule, node: Node, content: str
) -> None:
    node.phase("certs", "all")
    (node.kubernetes / "pki/etcd/peer.crt").unlink()
    (node.kubernetes / "pki/etcd/peer.key").write_text(content)
    result = run_module("kubeadm_init", {"config": node.document()})
    assert "certs" in result["phases"]
    assert not (node.kubernetes / "pki/etcd/peer.key").exists()
    assert [file.name for file in (node.kubernetes / "groundwork/backup").glob("**/*.key")] == ["peer.key"]


def test_data_of_etcd_without_its_authority_is_refused(run_module: RunModule, node: Node) -> None:
    (node.root / "var/lib/etcd/member").mkdir(parents=True)
    result = run_module("kubeadm_init", {"config": node.document()})
    assert result["failed"]
    assert "holds the data of a cluster" in result["msg"]
    assert node.calls() == []


def test_a_worker_is_not_made_a_cluster_of_its_own(run_module: RunModule, node: Node) -> None:
    node.write("etc/kubernetes/kubelet.conf")
    result = run_module("kubeadm_init", {"config": node.document()})
    assert result["failed"]
    assert "worker of a cluster already" in result["msg"]


def test_what_kubeadm_prints_on_failure_reaches_the_user_without_its_secrets(run_module: RunModule, node: Node) -> None:
    node.failure.write_text("timed out waiting for the condition; token abcdef.0123456789abcdef\n")
    result = run_module("kubeadm_init", {"config": node.document()})
    assert result["failed"]
    assert "timed out waiting for the condition" in result["msg"]
    assert "abcdef.0123456789abcdef" not in str(result["stderr"]) + result["msg"]
    assert result["commands"]
