"""What is edited in the inventory of a running cluster arrives on every node, and disturbs no more than it must."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.kubeadm import subject_alternative_names

pytestmark = pytest.mark.lab

CONTROL_PLANE = "k8s-master"
APISERVER = f"kube-apiserver-{CONTROL_PLANE}"
NAME = "api.example.org"


def edited(cluster: Any) -> dict[str, Any]:
    """A name of the API server, a flag of its, a kubelet setting and a registry mirror."""
    settings = cluster.settings
    return {
        "kubeadm_apiserver_cert_sans": [NAME],
        "kubeadm_apiserver_extra_args": [{"name": "event-ttl", "value": "2h0m0s"}],
        "kubeadm_kubelet_configuration": {**settings["kubeadm_kubelet_configuration"], "maxPods": 90},
        "containerd_registry_mirrors": {"_default": [cluster.mirror], "ghcr.io": [cluster.mirror]},
    }


def seen(cluster: Any) -> dict[str, Any]:
    """The same four as the cluster shows them."""
    address = cluster.record.node(CONTROL_PLANE).address
    nodes = cluster.read("nodes")["items"]
    command = cluster.read("pod", "--namespace=kube-system", APISERVER)["spec"]["containers"][0]["command"]
    return {
        "name": NAME in subject_alternative_names(ssl.get_server_certificate((address, 6443))),
        "flag": [flag for flag in command if flag.startswith("--event-ttl")],
        "pods": {node["metadata"]["name"]: node["status"]["capacity"]["pods"] for node in nodes},
        "mirror": {name: cluster.node(name, "ls /etc/containerd/certs.d") for name in cluster.names},
    }


def everywhere(cluster: Any, value: str) -> dict[str, str]:
    return dict.fromkeys(cluster.names, value)


def test_settings_arrive_on_every_node_and_one_static_pod_restarts(cluster: Any) -> None:
    pods = cluster.pods()
    with cluster.watched_api() as api:
        run = cluster.playbook("site", extra_vars=edited(cluster))
    print(f"longest time without the API: {api.longest_gap:.1f} s")
    assert run.rc == 0
    assert api.answers
    assert seen(cluster) == {
        "name": True,
        "flag": ["--event-ttl=2h0m0s"],
        "pods": everywhere(cluster, "90"),
        "mirror": everywhere(cluster, "_default\nghcr.io"),
    }
    # By identity: controllers that miss the API for long end themselves to elect anew, which no one has asked for.
    made_anew = {name for name, (uid, _restarts) in cluster.pods().items() if pods[name][0] != uid}
    assert made_anew == {APISERVER}


def test_then_nothing_is_left_to_do(cluster: Any) -> None:
    run = cluster.playbook("site", extra_vars=edited(cluster))
    assert (run.rc, run.changed) == (0, {})


def test_what_is_taken_back_in_the_inventory_is_taken_back(cluster: Any) -> None:
    assert cluster.playbook("site").rc == 0
    assert seen(cluster) == {
        "name": False,
        "flag": [],
        "pods": everywhere(cluster, "110"),
        "mirror": everywhere(cluster, "_default"),
    }


@pytest.mark.parametrize("arguments", [("--check", "--diff"), ()], ids=["check", "run"])
def test_a_changed_pod_network_is_refused_and_nothing_is_changed(cluster: Any, arguments: tuple[str, ...]) -> None:
    run = cluster.playbook("site", *arguments, extra_vars={"kubeadm_pod_subnet": "10.200.0.0/16"})
    assert run.rc != 0
    assert run.changed == {}
    for words in ("kubeadm_pod_subnet", "192.168.0.0/16", "10.200.0.0/16", "build a new cluster"):
        assert words in run.stdout
