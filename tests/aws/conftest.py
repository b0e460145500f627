# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWS account that is not one: moto's server on loopback, which playbooks reach by botocore's own environment."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests import ansible_playbook
from tests.aws.server import serve

REGION = "ap-northeast-2"

# What makes up the contents of an account: the service, the call, where its answer lists things, and the things' names.
LISTS = (
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_volumes", "Volumes", "VolumeId"),
    ("ec2", "describe_key_pairs", "KeyPairs", "KeyName"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("route53", "list_hosted_zones", "HostedZones", "Id"),
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
)
GONE = ("deleted", "terminated")


class Account:
    """The account as a test sees it, beside the playbooks."""

    def __init__(self, endpoint: str, directory: Path) -> None:
        self.endpoint = endpoint
        # Nobody's key, and no file or machine from which botocore could take somebody's.
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": secrets.token_hex(8),
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(directory / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "no-credentials"),
        }

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def reset(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST"), timeout=60)

    def instances(self) -> dict[str, dict[str, Any]]:
        """The instances that live, by their names."""
        reservations = self.client("ec2").describe_instances()["Reservations"]
        every = [instance for reservation in reservations for instance in reservation["Instances"]]
        return {tags(each)["Name"]: each for each in every if each["State"]["Name"] not in GONE}

    def contents(self) -> set[str]:
        """Everything in the account, an untouched account's own things included."""
        found = {f"instance {name}" for name in self.instances()}
        for service, call, place, name in LISTS:
            listed = getattr(self.client(service), call)()[place]
            found |= {f"{call} {each[name]}" for each in listed if each.get("State") not in GONE}
        cloudfront = self.client("cloudfront")
        distributions = cloudfront.list_distributions()["DistributionList"].get("Items", ())
        controls = cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", ())
        found |= {f"distribution {each['Id']}" for each in distributions}
        found |= {f"access control {each['Id']}" for each in controls}
        own = self.client("iam").list_policies(Scope="Local")["Policies"]
        return found | {f"policy {each['PolicyName']}" for each in own}


def tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", ())}


@dataclass(frozen=True)
class Run:
    returncode: int
    output: str
    tasks: list[tuple[str, str, dict[str, Any]]]
    """Each task's name, host and result, in order."""

    @property
    def changed(self) -> list[str]:
        return list(dict.fromkeys(name for name, _host, result in self.tasks if result.get("changed")))

    @property
    def failures(self) -> list[str]:
        return [str(result.get("msg")) for _name, _host, result in self.tasks if result.get("failed")]


Play = Callable[..., Run]


def _tasks(output: str) -> list[tuple[str, str, dict[str, Any]]]:
    start = output.find("\n{\n") + 1
    if not output.startswith("{") and not start:
        return []
    plays = json.JSONDecoder().raw_decode(output[start:])[0]["plays"]
    return [
        (task["task"]["name"].rpartition(" : ")[2], host, result)
        for play in plays
        for task in play["tasks"]
        for host, result in task["hosts"].items()
    ]


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """The endpoint of moto's server, one for the whole session."""
    with serve() as endpoint:
        yield endpoint


@pytest.fixture
def aws(aws_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account in which nobody has made anything yet, and this process's environment pointing at it."""
    account = Account(aws_server, tmp_path)
    account.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    return account


@pytest.fixture
def play(aws: Account, tmp_path: Path) -> Play:
    """Run a playbook (its path, or plays) with an inventory (its path, or groups), as a user would."""

    def play(
        playbook: Path | list[dict[str, Any]],
        inventory: Path | dict[str, Any],
        *arguments: str,
        environment: dict[str, str] | None = None,
        **variables: Any,
    ) -> Run:
        if not isinstance(playbook, Path):
            (tmp_path / "play.json").write_text(json.dumps(playbook))
            playbook = tmp_path / "play.json"
        if not isinstance(inventory, Path):
            (tmp_path / "hosts.json").write_text(json.dumps(inventory))
            inventory = tmp_path / "hosts.json"
        (tmp_path / "variables.json").write_text(json.dumps(variables))
        done = subprocess.run(
            [
                *(ansible_playbook.PROGRAM, "-i", inventory),
                *(f"--extra-vars=@{tmp_path / 'variables.json'}", *arguments, playbook),
            ],
            # No ansible.cfg of this directory's: a user has none of ours.
            cwd=tmp_path,
            env=ansible_playbook.environment(
                tmp_path, **{"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", **(environment or {})}
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        return Run(done.returncode, output, _tasks(output))

    return play


def made_once(aws: Account, run: Callable[..., Run], **variables: Any) -> Run:
    """A dry run tells what the run makes and makes nothing of it, and the run after it has nothing to do."""
    before = aws.contents()
    told = run("--check", **variables)
    assert (told.returncode, aws.contents()) == (0, before), told.failures
    made = run(**variables)
    assert made.returncode == 0, made.failures
    assert told.changed == made.changed
    again = run(**variables)
    assert (again.returncode, again.changed) == (0, []), again.failures
    return made


@pytest.fixture
def cluster_play() -> Callable[..., tuple[list[dict[str, Any]], dict[str, Any]]]:
    """A play of one of the roles, and the inventory of a small cluster called eco2."""

    def cluster_play(role: str, part: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        task = {"name": "Role", "ansible.builtin.include_role": {"name": f"groundwork.kube.{role}", "tasks_from": part}}
        here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        plays = [
            {"name": "Plan", "import_playbook": str(ansible_playbook.REPOSITORY / "playbooks/plan.yml")},
            {"name": "AWS", "hosts": "kube_control_plane[0]", "gather_facts": False, "vars": here, "tasks": [task]},
        ]
        inventory = {
            "kube_control_plane": {"hosts": {"k8s-master": {"ansible_host": "10.0.1.11", "instance_type": "t3.large"}}},
            "kube_node": {"hosts": {"k8s-api": {"ansible_host": "10.0.2.12", "instance_type": "t3.micro"}}},
            "all": {"vars": {"groundwork_cluster_name": "eco2"}},
        }
        return plays, inventory

    return cluster_play
