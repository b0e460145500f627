"""Nothing is reset without the cluster's name, and what a reset leaves is good enough to build on."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.lab

MEMBERSHIP = "/etc/kubernetes/kubelet.conf"


def test_without_the_clusters_name_it_says_what_it_would_do_and_does_nothing(cluster: Any) -> None:
    before = cluster.pods()
    run = cluster.playbook("reset")
    assert run.rc != 0
    assert MEMBERSHIP in run.stdout
    assert "groundwork_confirm=kubernetes" in run.stdout
    assert cluster.pods() == before


def test_another_name_is_no_confirmation(cluster: Any) -> None:
    before = cluster.pods()
    assert cluster.playbook("reset", extra_vars={"groundwork_confirm": "production"}).rc != 0
    assert cluster.pods() == before


def test_with_its_name_every_node_leaves_and_foreign_firewall_rules_stay(cluster: Any) -> None:
    for name in cluster.names:
        cluster.node(name, "apt-get -qq update && apt-get -qq install --yes iptables >/dev/null 2>&1")
        cluster.node(name, "iptables -A INPUT -p tcp --dport 4242 -m comment --comment somebody-elses -j ACCEPT")
    run = cluster.playbook("reset", extra_vars={"groundwork_confirm": "kubernetes"})
    assert run.rc == 0
    for left in ("vxlan.calico", "iptables rules of KUBE chains"):
        assert left in run.stdout
    for name in cluster.names:
        assert cluster.node(name, f"ls -d {MEMBERSHIP} /var/lib/etcd/member 2>/dev/null || true") == ""
        assert cluster.node(name, "ctr --namespace k8s.io tasks list --quiet") == ""
        assert "somebody-elses" in cluster.node(name, "iptables-save")


def test_a_second_reset_has_nothing_to_do(cluster: Any) -> None:
    run = cluster.playbook("reset", extra_vars={"groundwork_confirm": "kubernetes"})
    assert (run.rc, run.changed) == (0, {})


def test_site_builds_again_on_what_a_reset_left(cluster: Any) -> None:
    assert cluster.playbook("site").rc == 0
    assert cluster.ready() == sorted(cluster.names)
    run = cluster.playbook("site")
    assert (run.rc, run.changed) == (0, {})
    assert cluster.playbook("verify").rc == 0
