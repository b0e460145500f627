# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eco²'s machines as AWS knows them are those that its inventory writes down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.aws import tag_list
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
            "ansible.builtin.debug": {
                "msg": {
                    "nodes": "{{ groundwork.nodes }}",
                    "groups": "{{ groups }}",
                    "ssh": "{{ ansible_ssh_common_args }}",
                    "bastions": "{{ groups.bastion | default([]) | map('extract', hostvars, 'ansible_host') }}",
                }
            },
        }
    ],
}


def told(play: Play, inventory: Path, *arguments: str, **variables: Any) -> dict[str, Any]:
    run = play([*PLAN, TELL], inventory, *arguments, **variables)
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
            "kubernetes.io/cluster/eco2": "owned",
            "groundwork.kube/groups": " ".join(
                group for group, hosts in groups.items() if name in hosts and group not in ("all", "ungrouped")
            ),
            **{key: node["labels"][key] for key in ("tier", "domain") if key in node["labels"]},
        }
        make_instance(
            aws, name, tags, SubnetId=subnet, PrivateIpAddress=node["address"], InstanceType=node["instance_type"]
        )


def make_instance(aws: Account, name: str, tags: dict[str, str], **settings: Any) -> None:
    aws.client("ec2").run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tag_list({"Name": name, **tags})}],
        **settings,
    )


@pytest.mark.parametrize("way_in", ["none", "bastion"])
def test_the_same_nodes_with_the_same_groups_labels_taints_and_way_in(
    aws: Account, play: Play, tmp_path: Path, way_in: str
) -> None:
    beside: list[str] = []
    if way_in == "bastion":
        make_instance(aws, "eco2-bastion", {"groundwork.kube/cluster": "eco2", "groundwork.kube/groups": "bastion"})
        public = aws.instances()["eco2-bastion"]["PublicIpAddress"]
        bastion = tmp_path / "bastion.json"
        bastion.write_text(json.dumps({"bastion": {"hosts": {"eco2-bastion": {"ansible_host": public}}}}))
        beside = ["-i", str(bastion)]
    written = told(play, WRITTEN, *beside, way_in=way_in)
    make_instances(aws, written["nodes"], written["groups"])

    found = told(play, FOUND, way_in=way_in)

    assert (found["ssh"], found["bastions"]) == (written["ssh"], written["bastions"])
    assert ("ProxyCommand" in found["ssh"], len(found["bastions"])) == ((True, 1) if beside else (False, 0))

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
