"""What a cluster's controllers have left goes, and what looks like it stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.aws import tag_list
from tests.aws.conftest import REGION, Account

CLUSTER = "kubernetes.io/cluster/eco2"
DRIVERS = "ebs.csi.aws.com/cluster"


def plant_volume(aws: Account, **tags: str) -> str:
    made = aws.client("ec2").create_volume(
        Size=8, AvailabilityZone=f"{REGION}a", TagSpecifications=[{"ResourceType": "volume", "Tags": tag_list(tags)}]
    )
    return str(made["VolumeId"])


def test_only_volumes_that_the_driver_made_for_this_cluster_go(
    aws: Account, run_module: Callable[..., dict[str, Any]]
) -> None:
    drivers = plant_volume(aws, **{CLUSTER: "owned", DRIVERS: "true"})
    for others in (
        {CLUSTER: "owned"},
        {CLUSTER: "owned", DRIVERS: "true", "groundwork.kube/cluster": "eco2"},
        {"kubernetes.io/cluster/other": "owned", DRIVERS: "true"},
        {CLUSTER: "shared", DRIVERS: "true"},
    ):
        plant_volume(aws, **others)
    before = aws.contents()

    told = run_module("aws_leftovers", {"cluster": "eco2", "region": REGION}, check=True)
    assert [each["id"] for each in told["leftovers"]] == [drivers]
    assert aws.contents() == before

    assert run_module("aws_leftovers", {"cluster": "eco2", "region": REGION})["leftovers"] == told["leftovers"]
    assert before - aws.contents() == {f"describe_volumes {drivers}"}
    assert run_module("aws_leftovers", {"cluster": "eco2", "region": REGION})["changed"] is False
