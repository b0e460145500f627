#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_certificate
short_description: A certificate that AWS issues and renews by itself
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - >-
    Asks AWS Certificate Manager for a certificate, puts the records by which AWS sees whose domain it is into a zone of
    Route 53, and waits until it is issued. As long as those records stay, AWS renews it.
  - CloudFront takes certificates of C(us-east-1) only.
extends_documentation_fragment:
  - groundwork.kube.aws
options:
  domain:
    description: The name that it is for.
    type: str
    required: true
  alternative_names:
    description: Further names, like C(*.example.org).
    type: list
    elements: str
    default: []
  zone_id:
    description: The zone that has these names.
    type: str
    required: true
  state:
    description: Whether there shall be such a certificate.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: The tags of one that is asked for. With O(state=absent), one that has not all of them stays.
    type: dict
    default: {}
  timeout:
    description: Seconds to wait for it to be issued.
    type: int
    default: 900
attributes:
  check_mode:
    support: full
    description: Tells whether there is such a certificate, and the records of one that is.
  diff_mode:
    support: none
    description: There is nothing to compare but whether it is there.
"""

EXAMPLES = r"""
- name: A certificate for the load balancer
  groundwork.kube.aws_certificate:
    domain: example.org
    alternative_names: ["*.example.org"]
    zone_id: Z0123456789ABCDEFGHIJ
  delegate_to: localhost
"""

RETURN = r"""
arn:
  description: The certificate; empty where check mode did not ask for one, and where it is gone.
  returned: success
  type: str
changes:
  description: What was not there, or would be made in check mode.
  returned: success
  type: list
  elements: str
  sample: [certificate, "record _3639.example.org."]
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.aws import (
    AWS_ARGUMENT_SPEC,
    AwsError,
    answering,
    clients,
    listed,
    tag_list,
    tags,
)

LIVING = ["PENDING_VALIDATION", "ISSUED"]
RECORD_SECONDS = 300
ASK_EVERY = 5


def missing(wanted: Iterable[Mapping[str, str]], records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """The records that a zone has not, or has with other values, each once: names that share a record are common."""
    there = {
        (record["Name"], record["Type"], value["Value"])
        for record in records
        for value in record.get("ResourceRecords", ())
    }
    once = {record["Name"]: record for record in wanted}
    return [record for record in once.values() if (record["Name"], record["Type"], record["Value"]) not in there]


class Certificates:
    def __init__(self, module: AnsibleModule) -> None:
        session = clients(module)
        self._acm, self._route53 = session.client("acm"), session.client("route53")
        self._zone, self._names = (
            module.params["zone_id"],
            {module.params["domain"], *module.params["alternative_names"]},
        )
        self._params = module.params
        self._deadline = time.monotonic() + module.params["timeout"]

    def find(self) -> str:
        """The certificate for exactly these names; the issued one of several."""
        domain = self._params["domain"]
        named = [
            each["CertificateArn"]
            for each in listed(self._acm, "list_certificates", "CertificateSummaryList", CertificateStatuses=LIVING)
            if each["DomainName"] == domain
        ]
        fitting = [each for each in map(self._describe, named) if set(each["SubjectAlternativeNames"]) == self._names]
        fitting.sort(key=lambda each: LIVING.index(each["Status"]))
        return str(fitting[-1]["CertificateArn"]) if fitting else ""

    def request(self) -> str:
        names = sorted(self._names)
        # Asked for twice within an hour, it is one certificate.
        token = hashlib.sha256(" ".join(names).encode()).hexdigest()[:32]
        arn: str = self._acm.request_certificate(
            DomainName=self._params["domain"],
            SubjectAlternativeNames=names,
            ValidationMethod="DNS",
            IdempotencyToken=token,
            **({"Tags": tag_list(self._params["tags"])} if self._params["tags"] else {}),
        )["CertificateArn"]
        return arn

    def missing_records(self, arn: str) -> list[Mapping[str, str]]:
        """What the zone lacks of the records that AWS looks for, which it needs a moment to name."""
        self._wait(
            arn, lambda each: bool(_records(each)) and len(_records(each)) == len(each["DomainValidationOptions"])
        )
        there = listed(self._route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self._zone)
        return missing(_records(self._describe(arn)), there)

    def write(self, records: Iterable[Mapping[str, str]]) -> None:
        changes = [
            {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": record["Name"],
                    "Type": record["Type"],
                    "TTL": RECORD_SECONDS,
                    "ResourceRecords": [{"Value": record["Value"]}],
                },
            }
            for record in records
        ]
        self._route53.change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch={"Changes": changes})

    def wait_until_issued(self, arn: str) -> None:
        self._wait(arn, lambda each: bool(each["Status"] == "ISSUED"))

    def has_tags(self, arn: str) -> bool:
        found = tags(self._acm.list_tags_for_certificate(CertificateArn=arn))
        return bool(self._params["tags"].items() <= found.items())

    def delete(self, arn: str) -> None:
        """Its records stay: another certificate for these names has the same."""
        self._acm.delete_certificate(CertificateArn=arn)

    def _describe(self, arn: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._acm.describe_certificate(CertificateArn=arn)["Certificate"]
        return found

    def _wait(self, arn: str, come: Callable[[Mapping[str, Any]], bool]) -> None:
        while not come(found := self._describe(arn)):
            if found["Status"] not in LIVING or time.monotonic() > self._deadline:
                raise AwsError(
                    RuntimeError(
                        f"it is {found['Status']}: AWS looks for its records in public DNS, so that the domain's "
                        f"registrar has to name the name servers of the zone {self._zone}"
                    )
                )
            time.sleep(ASK_EVERY)


def _records(certificate: Mapping[str, Any]) -> list[Mapping[str, str]]:
    options = certificate.get("DomainValidationOptions", ())
    return [option["ResourceRecord"] for option in options if "ResourceRecord" in option]


def _present(certificates: Certificates, check: bool) -> tuple[str, list[str]]:
    arn = certificates.find()
    changes = [] if arn else ["certificate"]
    if changes and check:
        return "", changes
    arn = arn or certificates.request()
    records = certificates.missing_records(arn)
    changes += [f"record {record['Name']}" for record in records]
    if not check:
        if records:
            certificates.write(records)
        certificates.wait_until_issued(arn)
    return arn, changes


def _absent(certificates: Certificates, check: bool) -> tuple[str, list[str]]:
    arn = certificates.find()
    if not arn or not certificates.has_tags(arn):
        return arn, []
    if not check:
        certificates.delete(arn)
    return "", ["certificate"]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "domain": {"type": "str", "required": True},
            "alternative_names": {"type": "list", "elements": "str", "default": []},
            "zone_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 900},
            **AWS_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    act = _present if module.params["state"] == "present" else _absent
    try:
        with answering():
            arn, changes = act(Certificates(module), module.check_mode)
    except AwsError as error:
        module.fail_json(msg=f"There is no certificate for {module.params['domain']}: {error}")
    module.exit_json(changed=bool(changes), arn=arn, changes=changes)


if __name__ == "__main__":
    main()
