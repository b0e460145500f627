"""A certificate is asked for once, and AWS is shown whose domain it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto import settings

from tests.aws.conftest import REGION, Account

DOMAIN = "example.org"

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def zone(aws: Account) -> str:
    made: str = aws.client("route53").create_hosted_zone(Name=DOMAIN, CallerReference="test")["HostedZone"]["Id"]
    return made.rpartition("/")[2]


@pytest.fixture
def certificate(zone: str, run_module: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    # AWS takes minutes to look for the records.
    monkeypatch.setattr(settings, "ACM_VALIDATION_WAIT", -1)

    def certificate(check: bool = False, **options: Any) -> dict[str, Any]:
        names = {"domain": DOMAIN, "alternative_names": [f"*.{DOMAIN}"]}
        return run_module("aws_certificate", {**names, "zone_id": zone, "region": REGION, **options}, check=check)

    return certificate


def records(aws: Account, zone: str) -> dict[str, str]:
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {each["Name"]: each["ResourceRecords"][0]["Value"] for each in found if each["Type"] == "CNAME"}


def test_it_is_asked_for_once_and_its_records_are_written(certificate: Call, aws: Account, zone: str) -> None:
    before = aws.contents()
    told = certificate(check=True)
    assert (told["changes"], told["arn"], aws.contents()) == (["certificate"], "", before)
    made = certificate()
    assert made["changes"][0] == "certificate"
    assert {f"record {name}" for name in records(aws, zone)} == set(made["changes"][1:])
    again = certificate()
    assert (again["changed"], again["arn"]) == (False, made["arn"])
    found = aws.client("acm").describe_certificate(CertificateArn=made["arn"])["Certificate"]
    assert (found["Status"], set(found["SubjectAlternativeNames"])) == ("ISSUED", {DOMAIN, f"*.{DOMAIN}"})


def test_a_record_that_somebody_removed_is_written_again(certificate: Call, aws: Account, zone: str) -> None:
    certificate()
    kept = records(aws, zone)
    for name, value in kept.items():
        record = {"Name": name, "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": value}]}
        batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
        aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    assert certificate(check=True)["changes"] == [f"record {name}" for name in kept]
    assert certificate()["changed"] is True
    assert records(aws, zone) == kept


def test_a_certificate_for_other_names_is_another_one(certificate: Call) -> None:
    made = certificate()
    assert certificate(alternative_names=[])["arn"] != made["arn"]
    assert certificate()["arn"] == made["arn"]


def test_one_that_is_not_issued_in_time_is_an_error_that_says_where_aws_looks(
    certificate: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ACM_VALIDATION_WAIT", 600)
    failed = certificate(timeout=0)
    assert failed["failed"]
    assert "it is PENDING_VALIDATION: AWS looks for its records in public DNS" in failed["msg"]


def test_it_is_taken_away(certificate: Call, aws: Account) -> None:
    before = aws.contents()
    certificate()
    assert certificate(check=True, state="absent")["changed"] is True
    assert certificate(state="absent")["changed"] is True
    assert certificate(state="absent")["changed"] is False
    assert aws.contents() == before


def test_one_of_somebody_elses_stays(certificate: Call, aws: Account) -> None:
    theirs = certificate(tags={"groundwork.kube/cluster": "other"})["arn"]
    told = certificate(state="absent", tags={"groundwork.kube/cluster": "eco2"})
    assert (told["changed"], told["arn"]) == (False, theirs)
    assert certificate(state="absent", tags={"groundwork.kube/cluster": "other"})["changed"] is True
