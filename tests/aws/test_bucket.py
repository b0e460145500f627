"""A bucket is private from its first moment, and a dry run says what of it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import REGION, Account, Play, Run, made_once

NAME = "eco2-etcd-backup"
OPTIONS = {"name": NAME, "keep_days": 14, "tags": {"groundwork.kube/cluster": "eco2"}, "region": REGION}

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def bucket(aws: Account, run_module: Call) -> Call:
    def bucket(check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module("aws_bucket", {**OPTIONS, **options}, check=check, diff=True)

    return bucket


def test_a_dry_run_tells_what_the_run_makes_and_the_next_has_nothing_to_do(bucket: Call, aws: Account) -> None:
    before = aws.contents()
    told = bucket(check=True)
    assert aws.contents() == before
    made = bucket()
    assert told["changes"] == made["changes"]
    assert {"bucket", "public access", "encryption", "versioning", "policy", "lifecycle"} <= set(made["changes"])
    assert (bucket()["changed"], bucket(check=True)["changed"]) == (False, False)


def test_what_somebody_opened_is_closed_again_and_shown(bucket: Call, aws: Account) -> None:
    bucket()
    s3 = aws.client("s3")
    s3.delete_public_access_block(Bucket=NAME)
    s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Suspended"})
    closed = bucket()
    assert closed["changes"] == ["public access", "versioning"]
    assert (closed["diff"]["before"]["versioning"], closed["diff"]["after"]["versioning"]) == ("Suspended", "Enabled")
    assert all(s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"].values())


def test_others_rules_and_tags_stay(bucket: Call, aws: Account) -> None:
    bucket()
    s3 = aws.client("s3")
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    ours = s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    s3.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": [rule, *ours]})
    assert bucket()["changed"] is False
    assert bucket(keep_days=7, tags={"cost": "platform"})["changes"] == ["lifecycle", "tags"]
    rules = {
        each["ID"]: each["Expiration"]["Days"] for each in s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    }
    assert rules == {"theirs": 1, "groundwork": 7}
    tags = {tag["Key"] for tag in s3.get_bucket_tagging(Bucket=NAME)["TagSet"]}
    assert tags == {"groundwork.kube/cluster", "cost"}


def test_a_bucket_with_something_in_it_goes_only_by_force(bucket: Call, aws: Account) -> None:
    bucket()
    s3 = aws.client("s3")
    # Its own policy refuses what comes without TLS.
    with pytest.raises(ClientError, match="Forbidden"):
        s3.put_object(Bucket=NAME, Key="snapshot.db", Body=b"today")
    s3.delete_bucket_policy(Bucket=NAME)
    for content in (b"yesterday", b"today"):
        s3.put_object(Bucket=NAME, Key="snapshot.db", Body=content)
    refused = bucket(state="absent")
    assert refused["failed"]
    assert "BucketNotEmpty" in refused["msg"]
    goes = bucket(check=True, state="absent", force=True)
    assert (goes["changed"], goes["diff"]["before"]["versioning"], goes["diff"]["after"]) == (True, "Enabled", {})
    assert bucket(state="absent", force=True)["changed"] is True
    assert s3.list_buckets()["Buckets"] == []
    assert bucket(state="absent", force=True)["changed"] is False


def test_somebody_elses_is_neither_taken_over_nor_taken_away(bucket: Call, aws: Account) -> None:
    bucket(tags={})
    refused = bucket()
    assert (
        "There is a bucket eco2-etcd-backup in the account, and Groundwork has not made it for eco2" in refused["msg"]
    )
    assert "tag it groundwork.kube/cluster=eco2" in refused["msg"]
    assert bucket(state="absent", force=True)["changed"] is False

    theirs = [{"Key": "groundwork.kube/cluster", "Value": "another"}]
    aws.client("s3").put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": theirs})
    assert bucket()["failed"]
    ours = [{"Key": "groundwork.kube/cluster", "Value": "eco2"}]
    aws.client("s3").put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": ours})
    assert bucket()["changes"] == []
    assert bucket(state="absent")["changed"] is True


def test_the_role_makes_it_and_takes_it_away(play: Play, cluster_play: Any, aws: Account) -> None:
    before = aws.contents()

    def role(*arguments: str, part: str = "main") -> Run:
        return play(*cluster_play("aws_backup_bucket", part), *arguments, groundwork_aws_region=REGION)

    assert made_once(aws, role).changed == ["Make the bucket for backups"]
    assert role(part="remove").returncode == 0
    assert aws.contents() == before
