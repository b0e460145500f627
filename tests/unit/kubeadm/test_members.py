"""Joining, keeping and resetting a member."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiUnreachableError
from ansible_collections.groundwork.kube.plugins.module_utils.lock import LOCK_PATH
from ansible_collections.groundwork.kube.plugins.modules import kubeadm_node

from .conftest import Node

RunModule = Callable[..., dict[str, Any]]
FLAGS = '[{name: node-labels, value: "tier=api"}, {name: node-ip, value: 10.77.0.12}]'
JOIN = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: {token: abcdef.0123456789abcdef, apiServerEndpoint: "api:6443", caCertHashes: ["sha256:0"]}
"""


def _join_args(**more: Any) -> dict[str, Any]:
    return {"config": JOIN, "node_name": "k8s-redis", "ca_cert_hashes": ["sha256:0"], "timeout": 0, **more}


# Joining -------------------------------------------------------------------------------------------------------------


def test_a_bare_node_joins_and_keeps_no_token(
    run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: True)
    result = run_module("kubeadm_join", _join_args(), diff=True)
    assert result["changed"], result
    assert node.calls() == [f"join --config {k.JOIN_DOCUMENT}"]
    assert "abcdef.0123456789abcdef" in Path(f"{node.root}/calls.document").read_text()
    assert not Path(k.JOIN_DOCUMENT).exists()
    assert "abcdef.0123456789abcdef" not in str(result)


def test_a_failed_join_keeps_no_token_either(run_module: RunModule, node: Node) -> None:
    node.failure.write_text("could not find a JWS signature for token abcdef.0123456789abcdef\n")
    result = run_module("kubeadm_join", _join_args())
    assert result["failed"]
    assert "JWS signature" in result["msg"]
    assert not Path(k.JOIN_DOCUMENT).exists()
    assert "abcdef.0123456789abcdef" not in str(result)


def test_an_interrupted_join_is_run_again_over_what_it_left(
    run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: True)
    node.write("etc/kubernetes/bootstrap-kubelet.conf")
    result = run_module("kubeadm_join", _join_args())
    assert result["state"] == "partial"
    assert "--ignore-preflight-errors" in node.calls()[0]
    assert "FileAvailable--etc-kubernetes-bootstrap-kubelet.conf" in node.calls()[0]


def test_a_node_of_another_cluster_is_refused_with_the_way_out(run_module: RunModule, node: Node) -> None:
    node.phase("certs", "ca")
    node.write("etc/kubernetes/kubelet.conf")
    result = run_module("kubeadm_join", _join_args())
    assert result["failed"]
    assert "belongs to another cluster" in result["msg"]
    assert "kubeadm reset" in result["msg"]
    assert node.calls() == []


def test_a_member_whose_node_object_is_gone_is_registered_by_its_kubelet(
    run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = iter([False, True])
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: next(seen))
    node.write("etc/kubernetes/kubelet.conf")
    node.active.touch()
    result = run_module("kubeadm_join", _join_args())
    assert (result["changed"], result["state"]) == (True, "unregistered"), result
    assert node.calls() == []
    assert "restart kubelet" in node.calls("systemctl")


def test_a_member_is_left_alone(run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: True)
    node.write("etc/kubernetes/kubelet.conf")
    node.active.touch()
    result = run_module("kubeadm_join", _join_args())
    assert (result["changed"], result["state"], result["commands"]) == (False, "member", [])


@pytest.mark.parametrize(("etcd", "state"), [(True, "partial"), (False, "member")])
def test_a_control_plane_without_its_etcd_is_half_joined_unless_etcd_is_elsewhere(
    run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch, etcd: bool, state: str
) -> None:
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: True)
    node.write("etc/kubernetes/kubelet.conf")
    for component in k.CONTROL_PLANE_COMPONENTS:
        node.write(f"etc/kubernetes/manifests/{component}.yaml")
    node.active.touch()
    result = run_module("kubeadm_join", _join_args(control_plane=True, etcd=etcd), check=True)
    assert result["state"] == state, result


def test_kubeadm_holds_the_nodes_lock_itself(run_module: RunModule, node: Node) -> None:
    node.program("kubeadm", f"#!/bin/sh\nreadlink /proc/$$/fd/* > {node.root}/open\nexit 1\n")
    assert run_module("kubeadm_join", _join_args())["failed"]
    assert LOCK_PATH in (node.root / "open").read_text().split()


def test_joining_is_announced_in_check_mode(run_module: RunModule, node: Node) -> None:
    result = run_module("kubeadm_join", _join_args(), check=True, diff=True)
    assert result["changed"]
    assert "abcdef.0123456789abcdef" not in str(result)
    assert node.calls() == []


# A member's settings -------------------------------------------------------------------------------------------------


@pytest.fixture
def member(run_module: RunModule, node: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose kubelet is what ``document(flags=FLAGS)`` says."""
    monkeypatch.setattr(k, "kubelet_is_healthy", lambda: True)
    node.write("etc/kubernetes/kubelet.conf")
    node.active.touch()
    run_module("kubeadm_node", {"config": node.document(flags=FLAGS)})
    (node.root / "systemctl").unlink()
    return node


def test_settings_that_are_right_are_left_alone(run_module: RunModule, member: Node) -> None:
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS)})
    assert (result["changed"], result["commands"]) == (False, []), result


def test_a_changed_setting_restarts_the_kubelet(run_module: RunModule, member: Node) -> None:
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS, max_pods=50)}, diff=True)
    assert (result["changed"], result["restarted"]) == (True, True)
    assert "maxPods: 50" in (member.kubelet / "config.yaml").read_text()
    assert result["changed_files"] == [f"{member.kubelet}/config.yaml"]
    assert "restart kubelet" in member.calls("systemctl")


def test_a_node_is_told_which_machine_of_the_cloud_it_is(run_module: RunModule, member: Node) -> None:
    machine = "aws:///ap-northeast-2a/i-0123456789abcdef0"
    patches = {"kubeletconfiguration0+strategic.yaml": f"providerID: {machine}\n"}
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS), "patches": patches})
    assert result["restarted"], result
    assert f"providerID: {machine}\n" in (member.kubelet / "config.yaml").read_text()


def test_check_mode_shows_the_change_and_makes_none(run_module: RunModule, member: Node) -> None:
    before = (member.kubelet / "config.yaml").read_text()
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS, max_pods=50)}, check=True, diff=True)
    assert result["changed"]
    assert "maxPods: 50" in result["diff"][0]["after"]
    assert (member.kubelet / "config.yaml").read_text() == before


def test_a_kubelet_whose_node_object_was_deleted_registers_it_again(
    run_module: RunModule, member: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = iter([False, True])
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: next(seen))
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS), "node_name": "k8s-redis"})
    assert (result["changed"], result["registered"], result["restarted"]) == (True, False, True), result
    assert "restart kubelet" in member.calls("systemctl")


def test_a_kubelet_that_does_not_register_is_told_of(
    run_module: RunModule, member: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k, "node_seen_by_kubelet", lambda name: False)
    wanted = {"config": member.document(flags=FLAGS), "node_name": "k8s-redis", "timeout": 0}
    result = run_module("kubeadm_node", wanted)
    assert result["failed"]
    assert "the cluster has no Node k8s-redis" in result["msg"]


def test_an_api_that_does_not_answer_restarts_no_kubelet(
    run_module: RunModule, member: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(name: str) -> bool:
        raise ApiUnreachableError("GET", "nobody answers")

    monkeypatch.setattr(k, "node_seen_by_kubelet", silent)
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS), "node_name": "k8s-redis"})
    assert (result["changed"], result["registered"]) == (False, None), result


def test_labels_of_registration_change_without_a_restart(run_module: RunModule, member: Node) -> None:
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS.replace("tier=api", "tier=worker"))})
    assert (result["changed"], result["restarted"]) == (True, False), result
    assert "tier=worker" in (member.kubelet / "kubeadm-flags.env").read_text()
    assert "restart kubelet" not in member.calls("systemctl")


def test_registration_alone_can_be_changed_and_all_else_left(run_module: RunModule, member: Node) -> None:
    flags = member.kubelet / "kubeadm-flags.env"
    wanted = {
        "config": member.document(flags='[{name: node-labels, value: "tier=worker"}]', max_pods=50),
        "registration_only": True,
    }
    result = run_module("kubeadm_node", wanted)
    assert (result["changed_files"], result["restarted"]) == ([str(flags)], False), result
    assert "--node-labels=tier=worker" in flags.read_text()
    assert "--node-ip=10.77.0.12" in flags.read_text()
    assert "maxPods: 50" not in (member.kubelet / "config.yaml").read_text()
    assert not run_module("kubeadm_node", wanted)["changed"]


def test_a_flag_that_leaves_the_inventory_leaves_the_node(run_module: RunModule, member: Node) -> None:
    run_module("kubeadm_node", {"config": member.document()})
    assert "node-labels" not in (member.kubelet / "kubeadm-flags.env").read_text()


def test_a_flag_of_an_older_kubeadm_stays(run_module: RunModule, member: Node) -> None:
    file = member.kubelet / "kubeadm-flags.env"
    file.write_text(file.read_text().replace('="', '="--pod-infra-container-image=pause:3.9 '))
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS)})
    assert not result["changed"], result


def test_a_kubelet_that_does_not_come_back_gets_its_former_files(
    run_module: RunModule, member: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k, "kubelet_is_healthy", lambda: False)
    before = (member.kubelet / "config.yaml").read_text()
    result = run_module("kubeadm_node", {"config": member.document(flags=FLAGS, max_pods=50), "timeout": 0})
    assert result["failed"]
    assert "the former files are back" in result["msg"]
    assert (member.kubelet / "config.yaml").read_text() == before


def test_the_order_of_flags_is_no_difference() -> None:
    observed = 'KUBELET_KUBEADM_ARGS="--b=2 --a=1"\n'
    assert kubeadm_node.desired_flags(observed, 'KUBELET_KUBEADM_ARGS="--a=1 --b=2"\n') == observed


def test_a_machine_that_is_no_member_has_nothing_to_change_yet(run_module: RunModule, node: Node) -> None:
    assert not run_module("kubeadm_node", {"config": node.document()}, check=True)["changed"]
    assert "not a member" in run_module("kubeadm_node", {"config": node.document()})["msg"]


# Reset, info ---------------------------------------------------------------------------------------------------------


def test_reset_takes_what_is_there_and_is_done_then(run_module: RunModule, node: Node) -> None:
    node.write("etc/kubernetes/groundwork/init.yaml")
    kubeconfig = node.write("etc/kubernetes/kubelet.conf")
    announced = run_module("kubeadm_reset", {}, check=True)
    assert (announced["changed"], node.calls()) == (True, [])
    assert announced["found"] == [str(kubeconfig), k.OWN_DIRECTORY]
    result = run_module("kubeadm_reset", {})
    assert result["changed"]
    assert node.calls()[0].startswith("reset --force --cleanup-tmp-dir")
    assert not Path(k.OWN_DIRECTORY).exists()
    kubeconfig.unlink()  # as the real kubeadm would have
    assert not run_module("kubeadm_reset", {})["changed"]


def test_info_reads_version_role_and_certificates(run_module: RunModule, node: Node) -> None:
    assert run_module("kubeadm_info", {})["role"] == "none"
    node.phase("certs", "ca")
    node.write("etc/kubernetes/kubelet.conf")
    result = run_module("kubeadm_info", {})
    assert result["role"] == "worker"
    assert result["version"]
    assert result["certificates"]["ca"]["not_after"] > "2030"


# Certificates for those that join ------------------------------------------------------------------------------
