"""Playbooks of these tests reach the account on loopback, and nothing else."""

from __future__ import annotations

import urllib.parse

from tests.aws.conftest import Account, Play
from tests.aws.server import is_ours

NETWORKS = {"name": "Read the networks", "amazon.aws.ec2_vpc_net_info": {}}


# Botocore is where ansible is.
VARIABLES = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
PLAYS = [{"name": "Play", "hosts": "all", "gather_facts": False, "vars": VARIABLES, "tasks": [NETWORKS]}]
INVENTORY = {"ungrouped": {"hosts": {"localhost": {}}}}


def test_amazons_modules_see_the_account_that_the_test_sees(aws: Account, play: Play) -> None:
    made = aws.client("ec2").create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    run = play(PLAYS, INVENTORY)
    ((_name, _host, result),) = run.tasks
    assert made in {network["id"] for network in result["vpcs"]}


def test_the_account_is_on_loopback(aws: Account) -> None:
    assert urllib.parse.urlsplit(aws.endpoint).hostname == "127.0.0.1"


def test_a_labs_account_ends_with_the_labs_address() -> None:
    assert is_ours("127.0.0.1")
    # Of a network that is in nobody's machine.
    assert not is_ours("192.0.2.1")


def test_an_account_that_cannot_be_reached_is_an_error(aws: Account, play: Play) -> None:
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    run = play(PLAYS, INVENTORY, environment=nobody)
    assert run.returncode != 0
    assert run.failures == ["Unable to describe VPCs []: Failed to describe vpcs"]
