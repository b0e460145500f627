# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a volume waits for is told from what the cluster says: messages as the driver, AWS and Kubernetes write them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.volume_check import (
    Observed,
    default_class,
    diagnose,
    registration_problem,
)

DRIVER = "ebs.csi.aws.com"
FAILED = 'failed to provision volume with StorageClass "gp3": '
CREATE = f'{FAILED}rpc error: code = Internal desc = Could not create volume "pvc-1": could not create volume in EC2: '
WAITING = (
    f"Waiting for a volume to be created either by the external provisioner '{DRIVER}' or manually by the "
    "system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
    "registered."
)
FIRST = "waiting for first consumer to be created before binding"


def node(provider_id: str = "aws:///ap-northeast-2a/i-1") -> dict[str, Any]:
    return {"spec": {"providerID": provider_id} if provider_id else {}}


def csi_node(*topology_keys: str, driver: str = DRIVER) -> dict[str, Any]:
    return {"spec": {"drivers": [{"name": driver, "nodeID": "i-1", "topologyKeys": list(topology_keys)}]}}


SOUND: dict[str, Any] = {
    "provisioner": DRIVER,
    "drivers": frozenset({DRIVER}),
    "nodes": {"k8s-redis": node()},
    "csi_nodes": {"k8s-redis": csi_node("topology.ebs.csi.aws.com/zone")},
}


@pytest.mark.parametrize(
    ("message", "missing", "remedy"),
    [
        (
            f"{CREATE}operation error EC2: CreateVolume, https response error StatusCode: 403, RequestID: 1, api error "
            "UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::1:role/a "
            "is not authorized to perform: ec2:CreateVolume on resource: arn:aws:ec2:ap-northeast-2:1:volume/* because "
            "no identity-based policy allows the action. Encoded authorization failure message: s3cr3t",
            "IAM",
            "AmazonEBSCSIDriverPolicyV2",
        ),
        (
            f"{CREATE}operation error EC2: CreateVolume, get identity: get credentials: failed to refresh cached "
            "credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error "
            "StatusCode: 404, request to EC2 IMDS failed",
            "IAM",
            "instance profile",
        ),
        (
            f"{CREATE}operation error EC2: CreateVolume, get identity: get credentials: failed to refresh cached "
            "credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled, "
            "context deadline exceeded",
            "metadata",
            "http-put-response-hop-limit 2",
        ),
        (
            f"{FAILED}error generating accessibility requirements: no topology key found on CSINode k8s-redis",
            "topology",
            "topology.ebs.csi.aws.com/zone",
        ),
        (
            "0/14 nodes are available: 1 node(s) had untolerated taints, 13 node(s) had volume node affinity conflict.",
            "topology",
            "in the volume's zone",
        ),
        (
            'AttachVolume.Attach failed for volume "pvc-1" : CSINode k8s-redis does not contain driver ebs.csi.aws.com',
            "driver",
            "app=ebs-csi-node",
        ),
        (WAITING, "driver", "ebs_csi_tolerations"),
    ],
)
def test_what_is_said_of_a_volume_names_what_is_missing(message: str, missing: str, remedy: str) -> None:
    found = diagnose(Observed(**SOUND, messages=(FIRST, message)))

    assert found.what == missing
    assert remedy in found.remedy
    assert "s3cr3t" not in str(found)


def test_the_last_word_counts() -> None:
    denied, found_since = f"{CREATE}UnauthorizedOperation", f"{FAILED}no topology key found on CSINode k8s-redis"

    assert diagnose(Observed(**SOUND, messages=(denied, found_since))).what == "topology"


def test_what_nobody_knows_is_repeated() -> None:
    found = diagnose(Observed(**SOUND, messages=(f"{CREATE}VolumeLimitExceeded",)))

    assert found.what == ""
    assert "VolumeLimitExceeded" in found.problem


@pytest.mark.parametrize(
    ("change", "missing", "said"),
    [
        ({"drivers": frozenset()}, "driver", "never installed"),
        ({"csi_nodes": {}}, "driver", "not registered on k8s-redis"),
        ({"csi_nodes": {"k8s-redis": csi_node(driver="example.com")}}, "driver", "not registered on k8s-redis"),
        ({"csi_nodes": {}, "nodes": {"k8s-redis": node("")}}, "metadata", "k8s-redis have no providerID"),
        ({"csi_nodes": {"k8s-redis": csi_node()}}, "topology", "in which zone k8s-redis are"),
    ],
)
def test_a_driver_that_is_not_everywhere_is_told_of(change: dict[str, Any], missing: str, said: str) -> None:
    observed = Observed(**{**SOUND, **change})
    found = registration_problem(observed)

    assert found
    assert found.what == missing
    assert said in found.problem
    assert diagnose(observed) == found


def test_a_driver_that_is_everywhere_is_well() -> None:
    assert registration_problem(Observed(**SOUND)) is None


def test_of_two_default_classes_claims_get_the_younger() -> None:
    def storage_class(name: str, created: str, default: str = "true") -> dict[str, Any]:
        annotations = {"storageclass.kubernetes.io/is-default-class": default}
        return {"metadata": {"name": name, "creationTimestamp": created, "annotations": annotations}}

    classes = [
        storage_class("gp2", "2026-01-01T00:00:00Z"),
        storage_class("gp3", "2026-02-01T00:00:00Z"),
        storage_class("io2", "2026-03-01T00:00:00Z", "false"),
    ]
    chosen = default_class(classes)
    assert chosen
    assert chosen["metadata"]["name"] == "gp3"
    assert default_class(classes[2:]) is None


def test_a_provisioner_that_is_no_csi_driver_is_not_missed_as_one() -> None:
    """As rancher.io/local-path is, whose pod may wait for its image."""
    told = diagnose(Observed(provisioner="rancher.io/local-path", messages=(FIRST, "Back-off pulling image")))
    assert (told.what, told.problem) == ("", "Back-off pulling image")
