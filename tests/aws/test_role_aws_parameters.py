# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster reads from the Parameter Store: facts follow, secrets stay and are nowhere to be seen."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.conftest import Account, Play, Run

CANARY = secrets.token_hex(12)
WANTED: dict[str, Any] = {
    "groundwork_aws_region": "ap-northeast-2",
    "aws_parameters_facts": {"cluster/bucket": "eco2-etcd-backup"},
    "aws_parameters_secrets": {"prod/dockerhub": {"username": "eco2", "password": CANARY}},
    "aws_parameters_generated": {"prod/redis": {"password": 32}},
}


@pytest.fixture
def run(play: Play, cluster_play: Callable[..., Any]) -> Callable[..., Run]:
    def run(*arguments: str, part: str = "main", **variables: Any) -> Run:
        done = play(*cluster_play("aws_parameters", part), *arguments, **{**WANTED, **variables})
        assert CANARY not in done.output
        return done

    return run


def parameters(aws: Account) -> dict[str, tuple[str, str]]:
    pages = aws.client("ssm").get_paginator("get_parameters_by_path")
    found = [
        each
        for page in pages.paginate(Path="/eco2", Recursive=True, WithDecryption=True)
        for each in page["Parameters"]
    ]
    return {each["Name"]: (each["Type"], each["Value"]) for each in found}


def test_facts_follow_and_secrets_stay(aws: Account, run: Callable[..., Run]) -> None:
    ec2 = aws.client("ec2")
    name = {"Key": "Name", "Value": "eco2"}
    others, vpc = (ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _each in range(2))
    ec2.create_tags(Resources=[others, vpc], Tags=[name])
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "groundwork.kube/cluster", "Value": "eco2"}])

    assert run("--check", "--diff").changed == ["Write what the cluster reads"]
    assert parameters(aws) == {}

    assert run("-vvv", "--diff").returncode == 0
    first = parameters(aws)
    assert first["/eco2/cluster/vpc"] == ("String", vpc)
    assert first["/eco2/prod/dockerhub"] == ("SecureString", json.dumps({"username": "eco2", "password": CANARY}))
    kind, made_up = first["/eco2/prod/redis"]
    assert (kind, len(json.loads(made_up)["password"])) == ("SecureString", 32)

    assert run().changed == []

    aws.client("ssm").put_parameter(Name="/eco2/prod/redis", Type="SecureString", Value="rotated", Overwrite=True)
    later = run("--diff", aws_parameters_facts={"cluster/bucket": "another"})
    assert later.changed == ["Write what the cluster reads"]
    assert parameters(aws) == {
        **first,
        "/eco2/prod/redis": ("SecureString", "rotated"),
        "/eco2/cluster/bucket": ("String", "another"),
    }


def test_what_is_a_secret_already_becomes_no_fact(aws: Account, run: Callable[..., Run]) -> None:
    aws.client("ssm").put_parameter(Name="/eco2/cluster/bucket", Type="SecureString", Value="hidden")

    refused = run()

    assert refused.returncode != 0
    assert "is a SecureString" in refused.failures[0]
    assert "hidden" not in refused.output


def test_no_path_is_not_everything(aws: Account, run: Callable[..., Run]) -> None:
    aws.client("ssm").put_parameter(Name="/another/redis", Type="String", Value="stays")

    for path in ("", "/", "eco2", "/eco2/"):
        refused = run(part="remove", aws_parameters_path=path)
        assert (refused.returncode, refused.changed) == (2, [])
        assert "Remedy: write one like /eco2" in refused.failures[0]
    assert aws.client("ssm").get_parameter(Name="/another/redis")


def test_all_of_it_goes_and_nothing_else(aws: Account, run: Callable[..., Run]) -> None:
    for others in ("/another/redis", "/eco2/by-hand"):
        aws.client("ssm").put_parameter(Name=others, Type="String", Value="stays")
    run()
    aws.client("ssm").put_parameter(Name="/eco2/prod/redis", Type="SecureString", Value="rotated", Overwrite=True)

    assert run("--check", part="remove").changed
    assert len(parameters(aws)) == 5
    assert run(part="remove").changed
    assert list(parameters(aws)) == ["/eco2/by-hand"]
    assert aws.client("ssm").get_parameter(Name="/another/redis")
    assert run(part="remove").changed == []
