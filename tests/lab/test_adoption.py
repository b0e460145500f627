"""A cluster that somebody made with kubeadm and a script is taken over where it stands."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.state import CHECKOUT

pytestmark = pytest.mark.lab

# What an inventory says of a cluster whose pod network is to stay as its owner made it.
OWN_NETWORK = {"groundwork_cni": "none"}


@pytest.fixture(scope="module")
def foreign_cluster(bare_machines: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Made by the script that the benchmarks race against."""
    nodes: Path = tmp_path_factory.mktemp("bare") / "nodes"
    specs = sorted(bare_machines.record.nodes.values(), key=lambda spec: spec.address)
    nodes.write_text("".join(f"{spec.name} {spec.address} - -\n" for spec in specs))
    script = CHECKOUT / "benchmarks/bare_cluster.sh"
    command = [script, bare_machines.lab.state, bare_machines.record.network, nodes]
    subprocess.run(command, env=bare_machines.environment, check=True)
    return bare_machines


def test_check_tells_what_adoption_would_change_and_touches_nothing(foreign_cluster: Any) -> None:
    before = foreign_cluster.pods()
    run = foreign_cluster.playbook("site", "--check", "--diff", extra_vars=OWN_NETWORK)
    assert run.rc == 0
    assert run.changed
    assert foreign_cluster.pods() == before
    assert "tier" not in foreign_cluster.labels("k8s-worker-ai")


def test_adoption_restarts_no_pod(foreign_cluster: Any) -> None:
    before = foreign_cluster.pods()
    run = foreign_cluster.playbook("site", extra_vars=OWN_NETWORK)
    assert run.rc == 0
    assert foreign_cluster.pods() == before
    assert foreign_cluster.labels("k8s-worker-ai")["tier"] == "worker"


def test_check_tells_whom_the_roles_own_network_would_restart(foreign_cluster: Any) -> None:
    before = foreign_cluster.pods()
    run = foreign_cluster.playbook("site", "--check", "--diff")
    assert run.rc == 0
    assert "+++ after: DaemonSet kube-system/calico-node" in run.stdout
    assert foreign_cluster.pods() == before


def test_an_adopted_cluster_is_like_any_other(foreign_cluster: Any) -> None:
    run = foreign_cluster.playbook("site", extra_vars=OWN_NETWORK)
    assert (run.rc, run.changed) == (0, {})
