# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.conftest import Api, Play

Call = Callable[..., dict[str, Any]]

NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


def set_ready(api: Api, name: str, status: str, reason: str = "KubeletReady", message: str = "") -> None:
    condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
    api.patch(name, {"status": {"conditions": [condition]}}, subresource="/status")


@pytest.fixture
def daemon_set(api: Api) -> Iterator[str]:
    pod = {
        "metadata": {"labels": {"app": "calico-node"}},
        "spec": {"containers": [{"name": "node", "image": "calico/node"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "calico-node"}}, "template": pod}
    api.client.create(DAEMON_SETS, {"metadata": {"name": "calico-node"}, "spec": spec})
    yield "kube-system/DaemonSet/calico-node"
    api.client.delete(f"{DAEMON_SETS}/calico-node")


def roll_out(api: Api, wanted: int, available: int) -> None:
    status = {
        "observedGeneration": 1,
        "currentNumberScheduled": wanted,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": wanted,
        "updatedNumberScheduled": wanted,
        "numberReady": available,
        "numberAvailable": available,
    }
    api.client.patch(f"{DAEMON_SETS}/calico-node/status", {"status": status})


def test_it_says_which_nodes_are_waited_for_and_why(api: Api, call: Call) -> None:
    for name in ("k8s-master", "k8s-redis", "k8s-mute"):
        api.plant(name)
    set_ready(api, "k8s-master", "True")
    set_ready(api, "k8s-redis", "False", "KubeletNotReady", NO_NETWORK)
    seen = call("cluster_health", nodes=["k8s-master", "k8s-redis", "k8s-mute", "k8s-typo"])
    assert not seen["healthy"]
    assert seen["summary"] == (
        "1/4 Ready, waiting: k8s-redis (NetworkPluginNotReady), k8s-mute (no status yet), k8s-typo (no Node object)"
    )


def test_without_a_pod_network_a_node_that_lacks_nothing_else_will_do(api: Api, call: Call) -> None:
    for name, message in {"k8s-redis": NO_NETWORK, "k8s-ill": "PLEG is not healthy"}.items():
        api.plant(name)
        set_ready(api, name, "False", "KubeletNotReady", message)
    assert not call("cluster_health", nodes=["k8s-redis"])["healthy"]
    assert call("cluster_health", nodes=["k8s-redis"], pod_network=False)["healthy"]
    assert not call("cluster_health", nodes=["k8s-redis", "k8s-ill"], pod_network=False)["healthy"]


def test_a_node_that_is_known_to_be_dead_is_not_waited_for(api: Api, call: Call, daemon_set: str) -> None:
    for name in ("alive", "dead"):
        api.plant(name)
    set_ready(api, "alive", "True")
    set_ready(api, "dead", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    roll_out(api, wanted=2, available=1)
    everything = {"nodes": ["alive", "dead"], "workloads": [daemon_set]}
    seen = call("cluster_health", **everything)
    assert seen["summary"] == f"1/2 Ready, waiting: dead (NodeStatusUnknown), {daemon_set} (1/2)"
    seen = call("cluster_health", **everything, absent=["dead"])
    assert seen["healthy"]
    assert seen["summary"] == "1/1 Ready"


def test_a_workload_is_waited_for_until_it_is_rolled_out(api: Api, call: Call, daemon_set: str) -> None:
    seen = call("cluster_health", nodes=[], workloads=[daemon_set, "kube-system/Deployment/coredns"])
    assert seen["summary"].startswith("0/2 rolled out, waiting: ")
    assert seen["workloads"][daemon_set]["reason"] == "not seen by its controller yet"
    assert seen["workloads"]["kube-system/Deployment/coredns"]["reason"] == "does not exist"
    roll_out(api, wanted=14, available=9)
    assert call("cluster_health", nodes=[], workloads=[daemon_set])["workloads"][daemon_set]["reason"] == "9/14"
    roll_out(api, wanted=14, available=14)
    assert call("cluster_health", nodes=[], workloads=[daemon_set])["healthy"]


def test_a_workload_that_is_not_named_right_is_refused(call: Call) -> None:
    refused = call("cluster_health", nodes=[], workloads=["kube-system/coredns"])
    assert refused["failed"]
    assert "namespace/Kind/name" in refused["msg"]


def test_an_api_that_does_not_answer_yet_is_waited_for(call: Call) -> None:
    seen = call("cluster_health", nodes=["n1"], host="https://127.0.0.1:1")
    assert not seen["failed"]
    assert not seen["healthy"]
    assert "does not answer" in seen["summary"]


def test_a_play_prints_each_change_while_it_waits_and_ends_when_all_is_well(api: Api, play: Play) -> None:
    for name in ("k8s-master", "k8s-redis"):
        api.plant(name)
        set_ready(api, name, "False", "KubeletNotReady", NO_NETWORK)
    wait = {"nodes": ["k8s-master", "k8s-redis"], "interval": 0, "timeout": 300}
    running = play([{"groundwork.kube.cluster_health": wait}])
    assert running.stdout
    lines = []
    for line in running.stdout:
        lines.append(line.strip())
        if "0/2 Ready" in line:
            set_ready(api, "k8s-master", "True")
        if "1/2 Ready" in line:
            set_ready(api, "k8s-redis", "True")
    assert running.wait() == 0, "\n".join(lines)
    assert [line for line in lines if "Ready" in line] == [
        "0/2 Ready, waiting: k8s-master (NetworkPluginNotReady), k8s-redis (NetworkPluginNotReady)",
        "1/2 Ready, waiting: k8s-redis (NetworkPluginNotReady)",
    ]


def test_a_play_that_gives_up_says_what_was_last_seen_of_each_node(api: Api, play: Play) -> None:
    api.plant("k8s-redis")
    set_ready(api, "k8s-redis", "False", "KubeletNotReady", NO_NETWORK)
    running = play([{"groundwork.kube.cluster_health": {"nodes": ["k8s-redis", "k8s-gone"], "timeout": 0}}])
    output, _ = running.communicate()
    assert running.returncode == 2
    assert "0/2 Ready" in output
    assert "k8s-redis: NetworkPluginNotReady" in output
    assert "k8s-gone: no Node object" in output
