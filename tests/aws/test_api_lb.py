# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One name and one load balancer before the API servers, as one of them comes and another goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.conftest import REGION, Account, tags

Call = Callable[..., dict[str, Any]]
ENDPOINT = "api.eco2.internal"
THREE = ["10.0.1.11", "10.0.2.11", "10.0.3.11"]


@pytest.fixture
def network(aws: Account) -> dict[str, Any]:
    """Two subnets, each in a zone of its own, of which the load balancer is to be in the first; and its group."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for number, zone in ((1, "a"), (2, "c"))
    ]
    group = ec2.create_security_group(GroupName="eco2-api", Description="eco2-api", VpcId=vpc)["GroupId"]
    return {"vpc_id": vpc, "subnets": [each["SubnetId"] for each in subnets], "security_group": group}


@pytest.fixture
def balancer(network: dict[str, Any], run_module: Call) -> Call:
    def balancer(check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"cluster": "eco2", "endpoint": ENDPOINT, "targets": THREE, "region": REGION, **network, **options}
        return run_module("aws_api_lb", given, check=check, diff=True)

    return balancer


def targets(aws: Account) -> set[str]:
    elb = aws.client("elbv2")
    (group,) = elb.describe_target_groups()["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    return {each["Target"]["Id"] for each in health}


def test_it_is_made_once_and_goes_whole(balancer: Call, aws: Account) -> None:
    before = aws.contents()
    told = balancer(check=True)
    assert (told["changes"], aws.contents()) == (["target group", "load balancer", "listener", "name"], before)
    made = balancer()
    assert (made.get("msg"), made["changes"], made["diff"]) == (None, told["changes"], told["diff"])
    assert balancer()["changes"] == []

    there = aws.contents()
    goes = ["name", "load balancer", "target group"]
    assert (balancer(check=True, state="absent")["changes"], aws.contents()) == (goes, there)
    assert balancer(state="absent")["changes"] == goes
    assert (balancer(state="absent")["changes"], aws.contents()) == ([], before)


def test_nodes_reach_whichever_api_server_is_ready_by_one_private_name(
    balancer: Call, aws: Account, network: dict[str, Any]
) -> None:
    balancer()
    elb, route53 = aws.client("elbv2"), aws.client("route53")
    (made,) = elb.describe_load_balancers()["LoadBalancers"]
    assert (made["Type"], made["Scheme"], made["SecurityGroups"]) == (
        "network",
        "internal",
        [network["security_group"]],
    )
    (group,) = elb.describe_target_groups()["TargetGroups"]
    # By instance, a control plane could not call itself.
    assert (group["TargetType"], group["HealthCheckProtocol"], group["HealthCheckPath"]) == ("ip", "HTTPS", "/readyz")
    (listener,) = elb.describe_listeners(LoadBalancerArn=made["LoadBalancerArn"])["Listeners"]
    assert (listener["Port"], listener["Protocol"]) == (6443, "TCP")
    assert targets(aws) == set(THREE)
    for thing in (made["LoadBalancerArn"], group["TargetGroupArn"]):
        (described,) = elb.describe_tags(ResourceArns=[thing])["TagDescriptions"]
        assert tags(described) == {"groundwork.kube/cluster": "eco2"}

    (zone,) = route53.list_hosted_zones()["HostedZones"]
    assert (zone["Name"], zone["Config"]["PrivateZone"]) == (f"{ENDPOINT}.", True)
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (record,) = [each for each in records if each["Type"] == "A"]
    assert record["AliasTarget"]["DNSName"].rstrip(".") == made["DNSName"]


def test_control_planes_and_zones_come_and_go(balancer: Call, aws: Account, network: dict[str, Any]) -> None:
    balancer(subnets=network["subnets"][:1])
    moved = [*THREE[:2], "10.0.3.12"]
    assert balancer(check=True, targets=moved)["changes"] == ["target group", "load balancer"]
    assert balancer(targets=moved)["changes"] == ["target group", "load balancer"]
    assert targets(aws) == set(moved)
    (made,) = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert {each["SubnetId"] for each in made["AvailabilityZones"]} == set(network["subnets"])
    assert balancer(targets=moved)["changes"] == []


def test_what_a_killed_run_has_begun_is_finished(balancer: Call, aws: Account) -> None:
    balancer()
    route53, elb = aws.client("route53"), aws.client("elbv2")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (record,) = [each for each in records if each["Type"] == "A"]
    gone = [{"Action": "DELETE", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": gone})
    (made,) = elb.describe_load_balancers()["LoadBalancers"]
    (listener,) = elb.describe_listeners(LoadBalancerArn=made["LoadBalancerArn"])["Listeners"]
    elb.delete_listener(ListenerArn=listener["ListenerArn"])

    assert balancer()["changes"] == ["listener", "name"]
    assert balancer()["changes"] == []


def test_somebody_elses_is_neither_taken_over_nor_taken_away(
    balancer: Call, aws: Account, network: dict[str, Any]
) -> None:
    elb, route53 = aws.client("elbv2"), aws.client("route53")
    elb.create_target_group(Name="eco2-api", Protocol="TCP", Port=6443, VpcId=network["vpc_id"], TargetType="ip")
    elb.create_load_balancer(Name="eco2-api", Type="network", Subnets=network["subnets"])
    route53.create_hosted_zone(Name=ENDPOINT, CallerReference="theirs")
    before = aws.contents()
    refused = balancer()
    assert (
        "There is a load balancer and a target group eco2-api in the account, and Groundwork has not" in refused["msg"]
    )
    assert (balancer(state="absent")["changed"], aws.contents()) == (False, before)
