"""From an empty account to Eco²'s fourteen machines, and back to an empty account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moto import settings

from tests.ansible_playbook import REPOSITORY
from tests.aws.conftest import REGION, Account, Play, Run

ECO2 = REPOSITORY / "inventories/eco2"
BOOTSTRAP, DESTROY = (REPOSITORY / f"playbooks/{name}_cluster.yml" for name in ("bootstrap", "destroy"))
# One of those that moto has.
IMAGE = {"aws_nodes_image_name": "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-*"}
MACHINES = "aws_network,aws_backup_bucket,aws_iam,aws_nodes"


@pytest.fixture
def called(tmp_path: Path) -> Path:
    """Where an ssh that reaches nobody writes down whom it was asked to call."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "called"}\nexit 255\n')
    ssh.chmod(0o755)
    return tmp_path / "called"


@pytest.fixture
def run(play: Play, called: Path) -> Any:
    def run(playbook: Path, *arguments: str, **variables: Any) -> Run:
        environment = {"ANSIBLE_SSH_EXECUTABLE": str(called.with_name("ssh")), "ANSIBLE_FORKS": "4"}
        return play(playbook, ECO2, *arguments, environment=environment, **{**IMAGE, **variables})

    return run


def plant_what_kubernetes_makes(aws: Account, cluster: str, vpc: str) -> str:
    """A load balancer and a volume, tagged as their controllers do. The load balancer's group is returned."""
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    name, tags = f"k8s-{cluster}", [{"Key": "elbv2.k8s.aws/cluster", "Value": cluster}]
    owned = [{"Key": f"kubernetes.io/cluster/{cluster}", "Value": "owned"}]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    group: str = ec2.create_security_group(
        GroupName=name,
        Description="of a load balancer",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )["GroupId"]
    ec2.create_volume(
        Size=8,
        AvailabilityZone=f"{REGION}a",
        TagSpecifications=[
            {"ResourceType": "volume", "Tags": [*owned, {"Key": "ebs.csi.aws.com/cluster", "Value": "true"}]}
        ],
    )
    elb.create_target_group(Name=name, Protocol="HTTP", Port=30000, VpcId=vpc, Tags=tags)
    elb.create_load_balancer(Name=name, Subnets=[subnets[0]["SubnetId"]], SecurityGroups=[group], Tags=tags)
    return group


def test_fourteen_machines_are_made_and_go_with_all_that_kubernetes_made(
    run: Any, aws: Account, called: Path, run_module: Any
) -> None:
    ec2 = aws.client("ec2")
    plant_what_kubernetes_makes(aws, "other", ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
    before = aws.contents()

    made = run(BOOTSTRAP, f"--tags={MACHINES}")
    assert made.failures == []
    instances = aws.instances()
    assert len(instances) == 14
    profiles = {name: each["IamInstanceProfile"]["Arn"].rpartition("/")[2] for name, each in instances.items()}
    special = {"k8s-master": "eco2-control-plane", "k8s-worker-storage": "eco2-storage"}
    assert profiles == {name: special.get(name, "eco2-node") for name in instances}
    # And then to their first reading, which is as far as it goes with machines that do not boot.
    assert len(called.read_text().splitlines()) >= 14

    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["eco2"]}])["Vpcs"]
    group = plant_what_kubernetes_makes(aws, "eco2", vpc["VpcId"])
    named = [{"Name": "group-name", "Values": ["eco2-node-ports"]}]
    (ports,) = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    let_in = {"IpProtocol": "tcp", "FromPort": 30000, "ToPort": 30000, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=ports["GroupId"], IpPermissions=[let_in])
    # As it is where there are more control planes.
    subnets = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": [f"eco2-private-{REGION}a"]}])["Subnets"]
    of_api = {"subnets": [subnets[0]["SubnetId"]], "security_group": group, "targets": ["10.0.1.11"]}
    api = {"cluster": "eco2", "endpoint": "api.eco2.internal", "vpc_id": vpc["VpcId"], "region": REGION, **of_api}
    assert run_module("aws_api_lb", api)["changed"] is True
    there = aws.contents()

    asked = run(DESTROY)
    assert asked.returncode != 0
    assert "add -e groundwork_confirm=eco2" in asked.failures[0]
    for what in (
        "k8s-api-auth",
        "load balancer k8s-eco2",
        "target group k8s-eco2",
        "security group k8s-eco2",
        "volume",
        "api.eco2.internal with its load balancer and target group eco2-api",
    ):
        assert what in asked.failures[0]
    assert "k8s-other" not in asked.failures[0]
    assert aws.contents() == there

    gone = run(DESTROY, "--tags=all,aws_backup_bucket", groundwork_confirm="eco2")
    assert gone.returncode == 0, gone.failures
    assert aws.contents() == before


def own_policies(aws: Account) -> dict[str, dict[str, Any]]:
    return {each["PolicyName"]: each for each in aws.client("iam").list_policies(Scope="Local")["Policies"]}


def parameters(aws: Account) -> list[str]:
    found = aws.client("ssm").get_parameters_by_path(Path="/eco2", Recursive=True)["Parameters"]
    return [each["Name"] for each in found]


def test_external_dns_may_keep_the_records_of_the_domains_zone_and_of_no_other(
    run: Any, aws: Account, called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS takes minutes to look for the certificate's records.
    monkeypatch.setattr(settings, "ACM_VALIDATION_WAIT", -1)
    made = run(BOOTSTRAP, "--tags=aws_dns_cdn,aws_iam,aws_parameters", aws_dns_cdn_domain="example.org")
    assert made.failures == []
    (zone,) = aws.client("route53").list_hosted_zones()["HostedZones"]
    policy = own_policies(aws)["eco2-external-dns"]
    found = aws.client("iam").get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    resources = {each["Sid"]: each["Resource"] for each in found["PolicyVersion"]["Document"]["Statement"]}
    assert resources["KeepRecords"] == f"arn:aws:route53:::{zone['Id'].lstrip('/')}"
    # And the storage worker what is in the domain's bucket of images.
    of_storage = aws.client("iam").list_attached_role_policies(RoleName="eco2-storage")["AttachedPolicies"]
    assert {each["PolicyName"] for each in of_storage} == {"eco2-logs", "eco2-images"}
    assert parameters(aws) == ["/eco2/cluster/region"]

    # destroy does not know of the zone, and takes the right to it away all the same.
    assert "its parameters below /eco2 " in run(DESTROY).failures[0]
    assert run(DESTROY, "--tags=aws_iam,aws_parameters", groundwork_confirm="eco2").failures == []
    assert (own_policies(aws), parameters(aws)) == ({}, [])


@pytest.mark.parametrize(
    ("way", "proxy"),
    [
        ("none", ""),
        ("session_manager", "aws ssm start-session --region ap-northeast-2"),
        ("bastion", "ssh -i ~/.ssh/eco2.pem -W %h:%p ubuntu@198.51.100.9"),
    ],
)
def test_ssh_comes_by_the_way_that_the_inventory_names(
    play: Play, called: Path, tmp_path: Path, way: str, proxy: str
) -> None:
    bastion = {"bastion": {"hosts": {"eco2-bastion": {"ansible_host": "198.51.100.9", "instance_type": "t3.micro"}}}}
    (tmp_path / "bastion.json").write_text(json.dumps(bastion))
    task = {"name": "Knock", "ansible.builtin.raw": "true"}
    knock = [{"name": "Knock", "hosts": "k8s-master", "gather_facts": False, "tasks": [task]}]
    environment = {"ANSIBLE_SSH_EXECUTABLE": str(called.with_name("ssh"))}
    play(knock, ECO2, "-i", str(tmp_path / "bastion.json"), environment=environment, way_in=way)
    said = called.read_text()
    assert ("ProxyCommand" in said) is bool(proxy)
    assert proxy in said
    if way == "session_manager":
        assert "Name=tag:Name,Values=k8s-master" in said


def test_a_wrong_inventory_and_a_missing_region_are_refused_before_aws_is_asked(
    run: Any, aws: Account, called: Path
) -> None:
    before = aws.contents()
    wrong = run(
        BOOTSTRAP, aws_network_zones=[{"zone": "us-east-1a", "private": "10.0.1.0/24", "public": "10.0.101.0/24"}]
    )
    assert "us-east-1a is no zone of ap-northeast-2. Remedy: write one like ap-northeast-2a." in wrong.failures[0]
    nowhere = run(BOOTSTRAP, groundwork_aws_region="", api_lb_provider="external")
    assert "groundwork_aws_region is not set. Remedy: write the region" in nowhere.failures[0]
    assert aws.contents() == before
    assert not called.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, {"AWS_SECRET_ACCESS_KEY": ""}],
    ids=["endpoint", "credentials"],
)
@pytest.mark.parametrize("playbook", [BOOTSTRAP, DESTROY], ids=lambda playbook: playbook.stem)
def test_an_account_that_does_not_answer_is_an_error_and_no_machine_is_called(
    run: Any, aws: Account, called: Path, monkeypatch: pytest.MonkeyPatch, playbook: Path, wrong: dict[str, str]
) -> None:
    before = aws.contents()
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    found = run(playbook, groundwork_confirm="eco2")
    assert found.returncode != 0
    assert len(found.failures) == 1
    assert (found.changed, aws.contents()) == ([], before)
    assert not called.exists()
