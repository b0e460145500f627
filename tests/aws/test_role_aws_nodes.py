"""The machines of an inventory as instances, once each, and none of them before there is room for all."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import boto3
import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.aws import tag_list
from ansible_collections.groundwork.kube.plugins.modules.aws_capacity import Observed, problems, vcpus
from tests.aws.conftest import REGION, Account, Play, Run, made_once, tags

ACCOUNT = "123456789012"
NETWORK = {"public": "10.0.101.0/24", "private": "10.0.1.0/24"}
GROUPS = ("control-plane", "node", "node-ports", "bastion")
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrFmNjvVkbbpW3CYuUCLwFDEfkZOKQ4VEFg5M1LlHRk"
NODES = {"k8s-master": "10.0.1.11", "k8s-api": "10.0.1.12"}
VARIABLES = {
    "groundwork_aws_region": REGION,
    # One of those that moto has.
    "aws_nodes_image_owner": "099720109477",
    "aws_nodes_image_name": "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-*",
}


def tagged(kind: str, **more: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tag_list({"groundwork.kube/cluster": "eco2", **more})}]


@pytest.fixture
def network(aws: Account) -> None:
    """What aws_network and aws_iam make, as far as instances need it."""
    ec2, iam = aws.client("ec2"), aws.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for kind, cidr in NETWORK.items():
        roles = {"kubernetes.io/role/elb": "1"} if kind == "public" else {}
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}a", TagSpecifications=tagged("subnet", **roles)
        )
    for group in GROUPS:
        specification = tagged("security-group")
        ec2.create_security_group(
            GroupName=f"eco2-{group}", Description=group, VpcId=vpc, TagSpecifications=specification
        )
    for profile in ("control-plane", "node"):
        iam.create_instance_profile(InstanceProfileName=f"eco2-{profile}")


@pytest.fixture
def role(play: Play, cluster_play: Any) -> Callable[..., Run]:
    def run(*arguments: str, part: str = "main", bastion: bool = False, **variables: Any) -> Run:
        plays, inventory = cluster_play("aws_nodes", part)
        plays[1]["hosts"] = "kube_control_plane:kube_node:bastion"
        (inventory["kube_node"]["hosts"],) = [{"k8s-api": {"ansible_host": "10.0.1.12", "instance_type": "t3.micro"}}]
        # As if the inventory that asks AWS stood beside this one.
        inventory["aws_ec2"] = {"hosts": {"k8s-api": {}}}
        inventory["kube_node"]["vars"] = {"node_labels": {"tier": "api", "domain": "auth"}}
        if bastion:
            inventory["bastion"] = {"hosts": {"way-in": {"instance_type": "t3.nano"}}}
        return play(plays, inventory, *arguments, **{**VARIABLES, **variables})

    return run


def test_each_machine_is_made_once_and_as_the_inventory_says(
    role: Callable[..., Run], network: None, aws: Account
) -> None:
    before = aws.contents()
    made = made_once(aws, role, bastion=True, aws_nodes_public_key=PUBLIC_KEY)
    assert made.changed == ["Make the key pair", "Make the instance"]

    instances = aws.instances()
    assert {name: each["PrivateIpAddress"] for name, each in instances.items() if name in NODES} == NODES
    assert {name: each["InstanceType"] for name, each in instances.items()} == {
        "k8s-master": "t3.large",
        "k8s-api": "t3.micro",
        "way-in": "t3.nano",
    }
    api = instances["k8s-api"]
    assert tags(api) == {
        "Name": "k8s-api",
        "groundwork.kube/cluster": "eco2",
        "groundwork.kube/groups": "kube_node",
        "kubernetes.io/cluster/eco2": "owned",
        "tier": "api",
        "domain": "auth",
    }
    assert api["MetadataOptions"]["HttpTokens"] == "required"
    assert api["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert api["SourceDestCheck"] is True
    assert api["IamInstanceProfile"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/eco2-node"
    assert {group["GroupName"] for group in api["SecurityGroups"]} == {"eco2-node", "eco2-node-ports"}
    assert {group["GroupName"] for group in instances["way-in"]["SecurityGroups"]} == {"eco2-bastion"}
    assert instances["way-in"]["PublicIpAddress"]
    assert "PublicIpAddress" not in api
    volumes = aws.client("ec2").describe_volumes()["Volumes"]
    assert {(volume["Size"], volume["VolumeType"], volume["Encrypted"]) for volume in volumes} == {(30, "gp3", True)}

    assert role(part="remove", bastion=True, aws_nodes_public_key=PUBLIC_KEY).returncode == 0
    assert aws.contents() == before


def test_a_machine_may_have_another_image_and_pods_packets_may_leave_it_where_nothing_encapsulates_them(
    role: Callable[..., Run], network: None, aws: Account
) -> None:
    usual, another = VARIABLES["aws_nodes_image_name"], "ubuntu/images/hvm-ssd/ubuntu-trusty-14.04-*"
    of_each = f"{{{{ '{another}' if inventory_hostname == 'k8s-api' else '{usual}' }}}}"
    run = role(aws_nodes_image_name=of_each, calico_encapsulation="None")
    assert run.failures == []
    instances = aws.instances()
    names = {each["ImageId"]: each["Name"] for each in aws.client("ec2").describe_images()["Images"]}
    assert fnmatch(names[instances["k8s-api"]["ImageId"]], another)
    assert fnmatch(names[instances["k8s-master"]["ImageId"]], usual)
    assert {each["SourceDestCheck"] for each in instances.values()} == {False}


def test_a_key_pair_of_somebody_elses_is_neither_taken_over_nor_taken_away(
    role: Callable[..., Run], network: None, aws: Account
) -> None:
    aws.client("ec2").create_key_pair(KeyName="eco2")
    before = aws.contents()
    refused = role(aws_nodes_public_key=PUBLIC_KEY)
    assert "there is a key pair eco2 in the account, and Groundwork has not made it" in refused.failures[0]
    assert (refused.changed, aws.contents()) == ([], before)
    assert role(part="remove", aws_nodes_public_key=PUBLIC_KEY).changed == []
    assert aws.contents() == before


def test_nothing_is_made_where_there_is_no_network_or_no_image(role: Callable[..., Run], aws: Account) -> None:
    run = role()
    assert "k8s-api: there is no subnet of eco2 for 10.0.1.12. Remedy: run the role aws_network first." in run.failures
    told = role("--check")
    assert (told.returncode, told.changed) == (0, ["Tell of the instance that would be made once there is a network"])
    nobody = role("--check", aws_nodes_image_name="debian-7-*")
    assert "Remedy: name one that it has, or another aws_nodes_image_owner." in nobody.failures[0]
    assert aws.instances() == {}


WISHES = [
    {"name": "k8s-master", "type": "t3.large", "subnet_id": "subnet-a"},
    {"name": "k8s-api", "type": "t3.micro", "subnet_id": "subnet-a"},
    {"name": "k8s-gpu", "type": "p5.4xlarge", "subnet_id": "subnet-b"},
]


def observed(**changes: Any) -> Observed:
    answers = {
        "there": set(),
        "zones": {"subnet-a": "a", "subnet-b": "b"},
        "free": {"subnet-a": 250, "subnet-b": 250},
        "offers": {("t3.large", "a"), ("t3.micro", "a"), ("p5.4xlarge", "b")},
        "vcpus": {"t3.large": 2, "t3.micro": 2, "p5.4xlarge": 16},
        "used": 28,
        "quota": 32,
    }
    return Observed(**{**answers, **changes})


def test_there_is_room() -> None:
    assert problems(WISHES, observed()) == []
    assert vcpus(WISHES, observed()) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"offers": {("t3.large", "a"), ("t3.micro", "b"), ("p5.4xlarge", "b")}}, "k8s-api: aws_nodes_type: t3.micro"),
        ({"free": {"subnet-a": 1, "subnet-b": 9}}, "subnet-a has 1 free addresses, and 2 instances"),
        ({"quota": 30}, "need 4 vCPUs, and of the quota of 30 2 are left. Remedy: ask AWS for 32"),
    ],
)
def test_what_is_missing_is_told_with_its_remedy(answer: dict[str, Any], words: str) -> None:
    (problem,) = problems(WISHES, observed(**answer))
    assert words in problem


def test_what_aws_does_not_say_is_no_problem_yet() -> None:
    assert problems(WISHES, observed(offers=None, vcpus=None, used=None, quota=None)) == []


def test_the_module_asks_and_warns_of_what_was_not_answered(
    network: None, aws: Account, run_module: Callable[..., dict[str, Any]]
) -> None:
    subnet = aws.client("ec2").describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}])["Subnets"][
        0
    ]
    wish = {"name": "k8s-master", "type": "t3.large", "subnet_id": subnet["SubnetId"]}
    asked = {"cluster": "eco2", "region": REGION, "instances": [wish]}
    result = run_module("aws_capacity", asked)
    assert (result["missing"], result["vcpus"]) == (["k8s-master"], 2)
    # Moto knows no quotas of EC2.
    (warning,) = result["warnings"]
    assert "did not say the quota of vCPUs" in str(warning)
    # T3 without a zone of its own: nowhere on offer.
    refused = run_module("aws_capacity", {**asked, "instances": [{**wish, "type": "u-6tb1.metal"}]})
    assert "k8s-master: aws_nodes_type: u-6tb1.metal is not on offer" in refused["msg"]


def test_an_account_that_does_not_answer_is_a_plain_error(
    aws: Account, run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    boto3.DEFAULT_SESSION = None
    result = run_module("aws_capacity", {"cluster": "eco2", "region": REGION, "instances": []})
    assert result["failed"]
    assert "AWS cannot be asked for room: Could not connect to the endpoint URL" in result["msg"]
