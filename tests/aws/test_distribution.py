# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudFront before a private bucket: it alone may read it, and it is found again by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.conftest import REGION, Account

DOMAIN = "images.example.org"
BUCKET = "eco2-images"
OPTIONS = {
    "domain": DOMAIN,
    "bucket": BUCKET,
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/0123",
    "tags": {"groundwork.kube/cluster": "eco2"},
    "region": REGION,
}

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def distribution(aws: Account, run_module: Call) -> Call:
    def distribution(check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module("aws_distribution", {**OPTIONS, **options}, check=check, diff=True)

    return distribution


def configuration(aws: Account) -> dict[str, Any]:
    """That of the account's only distribution, whole."""
    (found,) = aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    return dict(aws.client("cloudfront").get_distribution_config(Id=found["Id"])["DistributionConfig"])


def test_it_is_made_once_and_goes_with_its_access_control(distribution: Call, aws: Account) -> None:
    before = aws.contents()
    told = distribution(check=True)
    assert (told["changes"], aws.contents()) == (["access control", "distribution"], before)
    made = distribution()
    assert made["changes"] == told["changes"]
    again = distribution()
    assert (again["changes"], again["arn"], again["domain_name"]) == ([], made["arn"], made["domain_name"])

    goes = distribution(check=True, state="absent")
    assert (goes["changed"], goes["diff"]) == (True, {"before": {"distribution": made["arn"]}, "after": {}})
    assert distribution(state="absent")["changed"] is True
    assert (distribution(state="absent")["changed"], aws.contents()) == (False, before)


def test_another_certificate_comes_and_what_others_have_set_stays(distribution: Call, aws: Account) -> None:
    made = distribution()
    cloudfront = aws.client("cloudfront")
    (found,) = cloudfront.list_distributions()["DistributionList"]["Items"]
    theirs = {**configuration(aws), "PriceClass": "PriceClass_100"}
    cloudfront.update_distribution(Id=found["Id"], DistributionConfig=theirs, IfMatch="any")
    assert distribution()["changes"] == []

    renewed = distribution(certificate_arn="arn:aws:acm:us-east-1:123456789012:certificate/4567")
    assert (renewed["changes"], renewed["arn"]) == (["ViewerCertificate"], made["arn"])
    now = configuration(aws)
    assert now["PriceClass"] == "PriceClass_100"
    assert now["ViewerCertificate"]["ACMCertificateArn"].endswith("4567")
    assert now["Origins"]["Items"][0]["OriginAccessControlId"]


def test_somebody_elses_is_neither_taken_over_nor_taken_away(distribution: Call, aws: Account) -> None:
    distribution(tags={})
    before = aws.contents()
    refused = distribution()
    assert "answers to it, and Groundwork has not made it. Remedy: choose another name" in refused["msg"]
    assert (distribution(state="absent")["changed"], aws.contents()) == (False, before)
