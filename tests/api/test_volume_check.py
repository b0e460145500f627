# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.storage_class import DEFAULT
from ansible_collections.groundwork.kube.plugins.modules import volume_check
from ansible_collections.groundwork.kube.plugins.modules.volume_check import STORAGE, VOLUMES
from tests.api.conftest import Api

Call = Callable[..., dict[str, Any]]

DRIVER = "ebs.csi.aws.com"
ZONE = "topology.ebs.csi.aws.com/zone"
NAMESPACES = "/api/v1/namespaces"


@pytest.fixture(autouse=True)
def driver(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The driver's objects and two Nodes of AWS; what would run of it does not."""
    monkeypatch.setattr(volume_check, "INTERVAL", 0.1)
    api.client.create(f"{STORAGE}/csidrivers", {"metadata": {"name": DRIVER}, "spec": {}})
    api.client.create(
        f"{STORAGE}/storageclasses",
        {
            "metadata": {"name": "gp3", "annotations": {DEFAULT: "true"}},
            "provisioner": DRIVER,
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    for name in ("k8s-redis", "k8s-postgresql"):
        api.plant(name, providerID=f"aws:///ap-northeast-2a/{name}")
    register(api, "k8s-redis")
    yield
    for kind in ("csidrivers", "storageclasses", "csinodes"):
        api.client.delete(f"{STORAGE}/{kind}")


def register(api: Api, node: str) -> None:
    """What the kubelet writes once the driver's pod on its node has told who it is."""
    drivers = [{"name": DRIVER, "nodeID": node, "topologyKeys": [ZONE]}]
    api.client.create(f"{STORAGE}/csinodes", {"metadata": {"name": node}, "spec": {"drivers": drivers}})


def home(api: Api) -> str:
    """The namespace of the check that runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for found in api.client.list(NAMESPACES):
            path = f"{NAMESPACES}/{found['metadata']['name']}"
            living = found["metadata"]["name"].startswith("groundwork-verify-") and not found["metadata"].get(
                "deletionTimestamp"
            )
            if living and api.client.get(f"{path}/pods/volume"):
                return path
        time.sleep(0.1)
    raise AssertionError("no check has begun")


def test_a_driver_is_waited_for_until_it_is_on_every_node(api: Api, call: Call) -> None:
    nodes = ["k8s-redis", "k8s-postgresql"]
    missing = call("volume_check", driver=DRIVER, nodes=nodes, timeout=0)
    assert missing["failed"]
    assert missing["missing"] == "driver"
    assert "k8s-postgresql" in missing["msg"]

    late = threading.Timer(1, register, [api, "k8s-postgresql"])
    late.start()
    assert not call("volume_check", driver=DRIVER, nodes=nodes, timeout=60)["failed"]
    late.join()


def test_a_driver_that_was_never_installed_is_named(api: Api, call: Call) -> None:
    api.client.delete(f"{STORAGE}/csidrivers")

    missing = call("volume_check", driver=DRIVER, nodes=["k8s-redis"], timeout=0)

    assert missing["missing"] == "driver"
    assert "groundwork_storage: ebs_csi" in missing["msg"]


def test_a_node_without_a_provider_id_is_named(api: Api, call: Call) -> None:
    api.plant("k8s-rabbitmq")

    missing = call("volume_check", driver=DRIVER, nodes=["k8s-redis", "k8s-rabbitmq"], timeout=0)

    assert missing["missing"] == "metadata"
    assert "groundwork_cloud: provider_id" in missing["msg"]


def test_a_pod_that_gets_its_volume_says_where_and_nothing_of_it_stays(api: Api, call: Call) -> None:
    volume = {
        "metadata": {"name": "pvc-1"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "csi": {"driver": DRIVER, "volumeHandle": "vol-1"},
        },
    }

    def scheduler_provisioner_and_kubelet() -> None:
        path = home(api)
        api.client.create(VOLUMES, volume)
        api.client.patch(f"{path}/persistentvolumeclaims/volume", {"spec": {"volumeName": "pvc-1"}})
        binding = {"metadata": {"name": "volume"}, "target": {"kind": "Node", "name": "k8s-redis"}}
        api.client.create(f"{path}/pods/volume/binding", binding)
        api.client.patch(f"{path}/pods/volume/status", {"status": {"phase": "Running"}})

    others = threading.Thread(target=scheduler_provisioner_and_kubelet)
    others.start()
    bound = call("volume_check", bind=True, nodes=["k8s-redis"], timeout=60)
    others.join()

    assert (bound["node"], bound["storage_class"], bound["changed"]) == ("k8s-redis", "gp3", False)
    namespaces = [found["metadata"] for found in api.client.list(NAMESPACES)]
    verified = [each for each in namespaces if each["name"].startswith("groundwork-verify-")]
    assert all("deletionTimestamp" in each for each in verified)
    retained = api.client.request("GET", f"{VOLUMES}/pvc-1")["spec"]["persistentVolumeReclaimPolicy"]
    api.delete_volume("pvc-1")
    assert retained == "Delete"


def test_a_claim_that_stays_pending_is_told_by_its_cause(api: Api, call: Call) -> None:
    def provisioner() -> None:
        path = home(api)
        claim = {"kind": "PersistentVolumeClaim", "namespace": path.rpartition("/")[2], "name": "volume"}
        event = {
            "metadata": {"name": "volume.1"},
            "involvedObject": claim,
            "type": "Warning",
            "reason": "ProvisioningFailed",
            "lastTimestamp": "2026-11-21T20:00:00Z",
            "message": 'failed to provision volume with StorageClass "gp3": rpc error: code = Internal desc = Could '
            'not create volume "pvc-1": could not create volume in EC2: operation error EC2: CreateVolume, '
            "https response error StatusCode: 403, api error UnauthorizedOperation: You are not authorized.",
        }
        api.client.create(f"{path}/events", event)

    others = threading.Thread(target=provisioner)
    others.start()
    pending = call("volume_check", bind=True, nodes=["k8s-redis"], timeout=5)
    others.join()

    assert pending["failed"]
    assert pending["missing"] == "IAM"
    assert "AmazonEBSCSIDriverPolicyV2" in pending["msg"]


def test_without_a_default_class_there_is_nothing_to_bind(api: Api, call: Call) -> None:
    api.client.delete(f"{STORAGE}/storageclasses")

    assert "there is no default StorageClass" in call("volume_check", bind=True)["msg"]
    assert not call("volume_check", bind=True, check=True)["failed"]
