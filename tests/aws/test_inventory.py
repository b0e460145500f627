# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eco²'s machines as AWS knows them are those that its inventory writes down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import Account, Play

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
WRITTEN, FOUND = INVENTORIES / "eco2/hosts.yml", INVENTORIES / "eco2_aws/aws_ec2.yml"
PLAN = [{"name": "Plan", "import_playbook": str(INVENTORIES.parent / "playbooks/plan.yml")}]
TELL: dict[str, Any] = {
    "name": "Tell",
    "hosts": "k8s-master",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Tell",
            "ansible.builtin.debug": {"msg": {"nodes": "{{ groundwork.nodes }}", "groups": "{{ groups }}"}},
        }
    ],
}


def told(play: Play, inventory: Path) -> dict[str, Any]:
    run = play([*PLAN, TELL], inventory)
    assert run.returncode == 0, run.output
    (told,) = (result["msg"] for name, _host, result in run.tasks if name == "Tell")
    return dict(told)


def make_instances(aws: Account, nodes: dict[str, Any], groups: dict[str, list[str]]) -> None:
    """Running instances with the tags that aws_nodes gives them."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    for name, node in nodes.items():
        tags = {
            "Name": name,
            "kubernetes.io/cluster/eco2": "owned",
            "groundwork.kube/groups": " ".join(
                group for group, hosts in groups.items() if name in hosts and group not in ("all", "ungrouped")
            ),
            **{key: node["labels"][key] for key in ("tier", "domain") if key in node["labels"]},
        }
        ec2.run_instances(
            ImageId="ami-12c6146b",
            InstanceType=node["instance_type"],
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            PrivateIpAddress=node["address"],
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            ],
        )


def test_the_same_nodes_with_the_same_groups_labels_and_taints(aws: Account, play: Play) -> None:
    written = told(play, WRITTEN)
    make_instances(aws, written["nodes"], written["groups"])

    found = told(play, FOUND)

    instances = aws.instances()
    for name, node in written["nodes"].items():
        machine = instances[name]
        zone, instance = machine["Placement"]["AvailabilityZone"], machine["InstanceId"]
        assert found["nodes"][name] == {**node, "provider_id": f"aws:///{zone}/{instance}"}
    assert set(found["nodes"]) == set(written["nodes"])
    groups = {group: set(hosts) for group, hosts in found["groups"].items() if group != "aws_ec2"}
    assert groups == {group: set(hosts) for group, hosts in written["groups"].items()}


def test_an_instance_of_another_cluster_is_none_of_ours(aws: Account, play: Play) -> None:
    aws.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)

    run = play(PLAN, FOUND)

    assert run.returncode != 0
    assert "has no host" in run.failures[0]


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    ],
    ids=["endpoint", "credentials"],
)
def test_what_cannot_be_asked_is_no_empty_cluster(aws: Account, play: Play, environment: dict[str, str]) -> None:
    run = play(PLAN, FOUND, environment={**environment, "AWS_MAX_ATTEMPTS": "1"})

    assert run.returncode != 0
    assert "has no host" in run.failures[0]
    assert "Failed to parse" in run.output or "Unable to parse" in run.output
