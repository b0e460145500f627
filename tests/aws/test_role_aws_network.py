"""The network of a cluster, from an empty account and back to one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws.conftest import REGION, Account, Play, Run, made_once, tags

ZONES = [
    {"zone": "ap-northeast-2a", "private": "10.0.1.0/24", "public": "10.0.101.0/24"},
    {"zone": "ap-northeast-2c", "private": "10.0.2.0/24", "public": "10.0.102.0/24"},
]
OFFICE = "198.51.100.0/24"
VARIABLES: dict[str, Any] = {
    "aws_network_zones": ZONES,
    "aws_network_ssh_cidrs": [OFFICE],
    "aws_network_extra_ports": [{"port": 9100, "why": "node-exporter"}],
}


@pytest.fixture
def role(play: Play, cluster_play: Any) -> Any:
    def run(*arguments: str, part: str = "main", **variables: Any) -> Run:
        return play(*cluster_play("aws_network", part), *arguments, **{**VARIABLES, **variables})

    return run


@pytest.fixture
def balanced(play: Play, cluster_play: Any) -> Any:
    """The role for a cluster of three control planes in two zones."""

    def run(*arguments: str, part: str = "main", **variables: Any) -> Run:
        plays, inventory = cluster_play("aws_network", part)
        for name, address in (("k8s-master-2", "10.0.1.12"), ("k8s-master-3", "10.0.2.13")):
            inventory["kube_control_plane"]["hosts"][name] = {"ansible_host": address, "instance_type": "t3.large"}
        shared = {"groundwork_aws_region": REGION, "api_lb_provider": "aws_nlb"}
        return play(plays, inventory, *arguments, **{**VARIABLES, **shared, **variables})

    return run


def groups(aws: Account) -> dict[str, dict[str, Any]]:
    return {group["GroupName"]: group for group in aws.client("ec2").describe_security_groups()["SecurityGroups"]}


def way_out(aws: Account, name: str) -> str:
    (table,) = [
        table for table in aws.client("ec2").describe_route_tables()["RouteTables"] if tags(table).get("Name") == name
    ]
    (route,) = [route for route in table["Routes"] if route["DestinationCidrBlock"] == "0.0.0.0/0"]
    return route.get("NatGatewayId") or route["GatewayId"]


def test_a_network_is_made_once_and_taken_away_whole(role: Any, aws: Account) -> None:
    before = aws.contents()
    made_once(aws, role)
    assert role(part="remove").returncode == 0
    assert aws.contents() == before
    gone = role(part="remove")
    assert (gone.returncode, gone.changed) == (0, [])


def test_several_control_planes_have_a_load_balancer_and_go_with_it(balanced: Any, aws: Account) -> None:
    before = aws.contents()
    made_once(aws, balanced)
    (balancer,) = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    subnets = {each["SubnetId"]: tags(each).get("Name") for each in aws.client("ec2").describe_subnets()["Subnets"]}
    assert {subnets[zone["SubnetId"]] for zone in balancer["AvailabilityZones"]} == {
        "eco2-private-ap-northeast-2a",
        "eco2-private-ap-northeast-2c",
    }
    own = groups(aws)["eco2-api-load-balancer"]["GroupId"]
    assert balancer["SecurityGroups"] == [own]
    sources = {
        pair["GroupId"]
        for rule in groups(aws)["eco2-control-plane"]["IpPermissions"]
        for pair in rule["UserIdGroupPairs"]
    }
    assert own in sources

    assert balanced(part="remove").failures == []
    assert aws.contents() == before


def test_what_controllers_and_machines_look_for_is_there(role: Any, aws: Account) -> None:
    assert role().returncode == 0

    subnets = {tags(subnet).get("Name"): subnet for subnet in aws.client("ec2").describe_subnets()["Subnets"]}
    private = subnets["eco2-private-ap-northeast-2c"]
    assert (private["CidrBlock"], private["AvailabilityZone"]) == ("10.0.2.0/24", "ap-northeast-2c")
    assert tags(private)["kubernetes.io/role/internal-elb"] == "1"
    assert tags(private)["kubernetes.io/cluster/eco2"] == "owned"
    assert tags(subnets["eco2-public-ap-northeast-2a"])["kubernetes.io/role/elb"] == "1"
    # One tagged group on each node: controllers refuse two.
    assert [name for name, group in groups(aws).items() if "kubernetes.io/cluster/eco2" in tags(group)] == [
        "eco2-node-ports"
    ]

    assert way_out(aws, "eco2-public").startswith("igw-")
    assert way_out(aws, "eco2-private-ap-northeast-2a").startswith("nat-")
    assert way_out(aws, "eco2-private-ap-northeast-2a") == way_out(aws, "eco2-private-ap-northeast-2c")

    from_addresses = {
        name: {(rule["FromPort"], block["CidrIp"]) for rule in group["IpPermissions"] for block in rule["IpRanges"]}
        for name, group in groups(aws).items()
        if name.startswith("eco2-")
    }
    assert from_addresses == {
        "eco2-control-plane": set(),
        "eco2-node": set(),
        "eco2-node-ports": set(),
        "eco2-bastion": {(22, OFFICE)},
        "eco2-load-balancer": {(80, "0.0.0.0/0"), (443, "0.0.0.0/0")},
    }
    exporters = [rule for rule in groups(aws)["eco2-node"]["IpPermissions"] if rule["FromPort"] == 9100]
    assert len(exporters[0]["UserIdGroupPairs"]) == 2

    # Each zone its own way out, and another encapsulation: its ports come, and the others go.
    ports = groups(aws)["eco2-node-ports"]["GroupId"]
    controllers_own = {
        "IpProtocol": "tcp",
        "FromPort": 31000,
        "ToPort": 31000,
        "IpRanges": [{"CidrIp": "10.0.101.0/24"}],
    }
    aws.client("ec2").authorize_security_group_ingress(GroupId=ports, IpPermissions=[controllers_own])
    assert role(aws_network_nat_per_zone=True, calico_encapsulation="None").returncode == 0
    assert way_out(aws, "eco2-private-ap-northeast-2a") != way_out(aws, "eco2-private-ap-northeast-2c")
    opened = {rule.get("FromPort") for rule in groups(aws)["eco2-node"]["IpPermissions"]}
    assert 179 in opened
    assert 4789 not in opened
    assert 31000 in {rule["FromPort"] for rule in groups(aws)["eco2-node-ports"]["IpPermissions"]}


def test_what_somebody_else_has_made_is_neither_taken_over_nor_taken_away(role: Any, aws: Account) -> None:
    ec2 = aws.client("ec2")
    theirs = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[theirs], Tags=[{"Key": "Name", "Value": "eco2"}])
    before = aws.contents()
    refused = role()
    assert "There is a VPC eco2 that Groundwork has not made" in refused.failures[0]
    assert (refused.changed, aws.contents()) == ([], before)

    ec2.delete_vpc(VpcId=theirs)
    assert role().returncode == 0
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["eco2"]}])["Vpcs"]
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.200.0/24")["Subnet"]["SubnetId"]
    assert role(part="remove").returncode != 0
    assert [each["SubnetId"] for each in ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]] == [subnet]
