# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain: its zone, its certificates, and its images."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto import settings

from tests.aws.conftest import REGION, Account, Play, Run

DOMAIN = "example.org"
BUCKET = "eco2-images"
TELL = {"name": "Tell", "ansible.builtin.debug": {"var": "_aws_dns_cdn_domain"}}


def test_zone_certificates_and_a_bucket_of_images_that_only_cloudfront_reads(
    play: Play, cluster_play: Any, aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS takes minutes to look for the certificates' records.
    monkeypatch.setattr(settings, "ACM_VALIDATION_WAIT", -1)
    variables = {
        "groundwork_aws_region": REGION,
        "aws_dns_cdn_domain": DOMAIN,
        "aws_dns_cdn_images_bucket": BUCKET,
    }

    def role(*arguments: str, part: str = "main") -> Run:
        plays, inventory = cluster_play("aws_dns_cdn", part)
        plays[1]["tasks"].append(TELL)
        return play(plays, inventory, *arguments, **variables)

    before = aws.contents()
    told = role("--check")
    assert (told.returncode, aws.contents()) == (0, before), told.failures
    made = role()
    # Where the name leads is not known before.
    assert (made.failures, made.changed) == ([], [*told.changed, "Lead their name to the distribution"])
    (issued,) = aws.client("acm").list_certificates()["CertificateSummaryList"]
    assert made.tasks[-1][2]["_aws_dns_cdn_domain"]["certificate_arn"] == issued["CertificateArn"]
    again = role()
    assert (again.failures, again.changed) == ([], [])

    (found,) = aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    assert {"GET", "PUT", "DELETE"} <= set(found["DefaultCacheBehavior"]["AllowedMethods"]["Items"])
    (for_images,) = aws.client("acm", "us-east-1").list_certificates()["CertificateSummaryList"]
    assert found["ViewerCertificate"]["ACMCertificateArn"] == for_images["CertificateArn"]
    s3 = aws.client("s3")
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    allowed = [
        each
        for each in json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
        if each["Effect"] == "Allow"
    ]
    assert [(each["Action"], each["Condition"]) for each in allowed] == [
        ("s3:GetObject", {"StringEquals": {"AWS:SourceArn": found["ARN"]}})
    ]
    (zone,) = aws.client("route53").list_hosted_zones()["HostedZones"]
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    leads = {each["Type"]: each["AliasTarget"]["DNSName"] for each in records if each["Name"] == f"images.{DOMAIN}."}
    assert {name.rstrip(".") for name in leads.values()} == {found["DomainName"]}
    assert set(leads) == {"A", "AAAA"}

    assert role(part="remove").failures == []
    # The zone's servers are named by the domain's registrar, and the images are somebody's.
    assert {each.split()[0] for each in aws.contents() - before} == {"list_hosted_zones", "list_buckets"}
