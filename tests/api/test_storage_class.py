# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.storage_class import DEFAULT
from ansible_collections.groundwork.kube.plugins.modules.storage_class import CLASSES, VOLUMES
from tests.api.conftest import Api

Call = Callable[..., dict[str, Any]]

GP3 = {
    "name": "gp3",
    "provisioner": "ebs.csi.aws.com",
    "parameters": {"type": "gp3", "encrypted": "true"},
    "default": True,
}


@pytest.fixture(autouse=True)
def clean(api: Api) -> Iterator[None]:
    yield
    api.client.delete(CLASSES)
    api.client.delete(VOLUMES)


def plant(api: Api, name: str, provisioner: str = "example.com/disk", **metadata: Any) -> None:
    api.client.create(CLASSES, {"metadata": {"name": name, **metadata}, "provisioner": provisioner})


def test_the_class_is_made_and_a_second_call_changes_nothing(api: Api, call: Call) -> None:
    assert call("storage_class", check=True, **GP3)["changed"]
    assert api.client.list(CLASSES) == []

    assert call("storage_class", **GP3)["changed"]
    (made,) = api.client.list(CLASSES)
    assert made["metadata"]["annotations"][DEFAULT] == "true"
    assert made["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert (made["volumeBindingMode"], made["allowVolumeExpansion"]) == ("WaitForFirstConsumer", True)

    assert not call("storage_class", **GP3)["changed"]


def test_what_may_change_is_changed(api: Api, call: Call) -> None:
    call("storage_class", **GP3)

    result = call("storage_class", diff=True, **{**GP3, "default": False, "allow_volume_expansion": False})

    assert result["changed"]
    (made,) = api.client.list(CLASSES)
    assert DEFAULT not in made["metadata"].get("annotations", {})
    assert not made["allowVolumeExpansion"]
    assert "allowVolumeExpansion" in result["diff"][0]["after"]


@pytest.mark.parametrize(
    "mark",
    [
        {"annotations": {"argocd.argoproj.io/tracking-id": "rbac-storage:storage.k8s.io/StorageClass:/gp3"}},
        {"labels": {"argocd.argoproj.io/instance": "rbac-storage"}},
    ],
)
def test_a_class_that_git_owns_is_refused(api: Api, call: Call, mark: dict[str, Any]) -> None:
    plant(api, "gp3", "ebs.csi.aws.com", **mark)

    refused = call("storage_class", **GP3)

    assert refused["failed"]
    assert "Application rbac-storage's" in refused["msg"]
    assert 'ebs_csi_storage_class: ""' in refused["msg"]


def test_a_second_default_is_refused(api: Api, call: Call) -> None:
    plant(api, "gp2", annotations={DEFAULT: "true"})

    refused = call("storage_class", **GP3)

    assert refused["failed"]
    assert "gp2 is the default already" in refused["msg"]
    assert len(api.client.list(CLASSES)) == 1
    assert call("storage_class", **{**GP3, "default": False})["changed"]


def test_what_kubernetes_changes_on_no_class_is_refused_with_the_way_out(api: Api, call: Call) -> None:
    call("storage_class", **GP3)

    refused = call("storage_class", **{**GP3, "parameters": {"type": "io2", "encrypted": "true"}})

    assert refused["failed"]
    assert "kubectl delete storageclass gp3" in refused["msg"]


def test_the_last_volume_keeps_the_class(api: Api, call: Call) -> None:
    call("storage_class", **GP3)
    api.client.create(
        VOLUMES,
        {
            "metadata": {"name": "pvc-1"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
                "claimRef": {"namespace": "data", "name": "postgresql-0"},
            },
        },
    )

    refused = call("storage_class", **GP3, state="absent")
    assert refused["failed"]
    assert "data/postgresql-0" in refused["msg"]

    api.delete_volume("pvc-1")
    assert call("storage_class", **GP3, state="absent")["changed"]
    assert not call("storage_class", **GP3, state="absent")["changed"]


def test_a_class_of_that_name_of_another_drivers_stays(api: Api, call: Call) -> None:
    plant(api, "gp3", "kubernetes.io/aws-ebs")

    assert not call("storage_class", **GP3, state="absent")["changed"]
    assert api.client.get(f"{CLASSES}/gp3")


def test_another_class_of_the_driver_keeps_the_driver(api: Api, call: Call) -> None:
    plant(api, "io2", "ebs.csi.aws.com")

    refused = call("storage_class", **GP3, state="absent")

    assert refused["failed"]
    assert "StorageClass io2 is made of ebs.csi.aws.com, too" in refused["msg"]
