#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_bucket
short_description: A bucket in AWS that nobody but those with a right to it can read
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - >-
    Makes an S3 bucket and keeps it private: no public access, whatever an object's ACL says, encryption at rest, TLS on
    the way, and no objects of another account's. What M(amazon.aws.s3_bucket) cannot tell in check mode, this does.
extends_documentation_fragment:
  - groundwork.kube.aws
  - groundwork.kube.aws.parts
options:
  name:
    description: The bucket's name, which nobody else in the world may have.
    type: str
    required: true
  state:
    description: Whether there shall be such a bucket.
    type: str
    choices: [present, absent]
    default: present
  versioning:
    description: Whether what is overwritten or deleted is kept.
    type: bool
    default: true
  distribution:
    description: The ARN of a CloudFront distribution (M(groundwork.kube.aws_distribution)) that may read what is in it.
    type: str
    default: ""
  keep_days:
    description: After how many days objects go, and as many days later what was kept of them; V(0) keeps them.
    type: int
    default: 0
  tags:
    description:
      - Its tags. Others that it has stay.
      - A bucket that is there already is somebody else's unless it has the C(groundwork.kube/cluster) that is written
        here. It is refused, and with O(state=absent) it stays.
    type: dict
    default: {}
  force:
    description: With O(state=absent), delete what is in it, too. Without, a bucket that is not empty is an error.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: A bucket for backups
  groundwork.kube.aws_bucket:
    name: eco2-etcd-backup
    keep_days: 14
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What was not as it should be, or would be changed in check mode.
  returned: success
  type: list
  elements: str
  sample: [bucket, versioning, encryption]
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.aws import (
    AWS_ARGUMENT_SPEC,
    OURS,
    AwsError,
    answering,
    clients,
    tag_list,
)

RULE = "groundwork"
# An upload that was broken off is paid for until somebody deletes it.
BROKEN_UPLOAD_DAYS = 7
# As many versions as one call deletes.
DELETE_AT_ONCE = 1000
# This region has no name where buckets are made.
FIRST_REGION = "us-east-1"
NOT_THERE = {
    "404",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
}


def desired(params: Mapping[str, Any]) -> dict[str, Any]:
    """Each part of the bucket as it should be."""
    name, days = params["name"], params["keep_days"]
    expiry = {"Expiration": {"Days": days}, "NoncurrentVersionExpiration": {"NoncurrentDays": days}} if days else {}
    return {
        "public access": dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
        "ownership": "BucketOwnerEnforced",
        "encryption": "AES256",
        "versioning": "Enabled" if params["versioning"] else "Suspended",
        "policy": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OnlyByTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                *([_reading(name, params["distribution"])] if params["distribution"] else []),
            ],
        },
        "lifecycle": {
            "ID": RULE,
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": BROKEN_UPLOAD_DAYS},
            **expiry,
        },
        "tags": dict(params["tags"]),
    }


def _reading(bucket: str, distribution: str) -> dict[str, Any]:
    """What lets CloudFront read for a distribution, and for no other."""
    return {
        "Sid": "CloudFrontReads",
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": distribution}},
    }


def changes(wanted: Mapping[str, Any], observed: Mapping[str, Any] | None) -> list[str]:
    """The parts to change; all of them, and the bucket itself, where there is none."""
    if observed is None:
        return ["bucket", *(part for part, value in wanted.items() if value)]
    return [part for part, value in wanted.items() if not _holds(observed.get(part), value, part)]


def _holds(found: Any, value: Any, part: str) -> bool:
    if part == "tags":
        return value.items() <= (found or {}).items()
    return bool(found == value)


def is_others(tags: Mapping[str, str], observed: Mapping[str, Any]) -> bool:
    """Whether a bucket that is there is not of the cluster that the tags are of."""
    return OURS in tags and observed["tags"].get(OURS) != tags[OURS]


class Bucket:
    def __init__(self, session: Any, name: str) -> None:
        self._s3, self._name, self._region = session.client("s3"), name, session.region_name

    def observe(self) -> dict[str, Any] | None:
        """Each part of the bucket as it is; None where there is no bucket, an error where it is somebody else's."""
        s3 = self._s3
        if self._read(s3.head_bucket) is None:
            return None
        blocked = self._read(s3.get_public_access_block) or {}
        owners = self._read(s3.get_bucket_ownership_controls) or {}
        encryption = self._read(s3.get_bucket_encryption) or {}
        rules = encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        policy = self._read(s3.get_bucket_policy)
        return {
            "public access": blocked.get("PublicAccessBlockConfiguration"),
            "ownership": next(
                (rule["ObjectOwnership"] for rule in owners.get("OwnershipControls", {}).get("Rules", [])), None
            ),
            "encryption": next((rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules), None),
            "versioning": (self._read(s3.get_bucket_versioning) or {}).get("Status", "Suspended"),
            "policy": json.loads(policy["Policy"]) if policy else None,
            "lifecycle": next((_plain_rule(rule) for rule in self._rules() if rule.get("ID") == RULE), None),
            "tags": self._tags(),
        }

    def create(self) -> None:
        where = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        self._s3.create_bucket(Bucket=self._name, **(where if self._region != FIRST_REGION else {}))

    def change(self, part: str, value: Any) -> None:
        s3, bucket = self._s3, {"Bucket": self._name}
        puts: dict[str, Callable[[], Any]] = {
            "public access": lambda: s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=value),
            "ownership": lambda: s3.put_bucket_ownership_controls(
                **bucket, OwnershipControls={"Rules": [{"ObjectOwnership": value}]}
            ),
            "encryption": lambda: s3.put_bucket_encryption(
                **bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": value}}]
                },
            ),
            "versioning": lambda: s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": value}),
            "policy": lambda: s3.put_bucket_policy(**bucket, Policy=json.dumps(value)),
            "lifecycle": lambda: s3.put_bucket_lifecycle_configuration(
                **bucket, LifecycleConfiguration={"Rules": [*self._others_rules(), {**value, "Filter": {"Prefix": ""}}]}
            ),
            "tags": lambda: s3.put_bucket_tagging(
                **bucket,
                Tagging={"TagSet": tag_list({**self._tags(), **value})},
            ),
        }
        puts[part]()

    def delete(self, force: bool) -> None:
        if force:
            self._empty()
        self._s3.delete_bucket(Bucket=self._name)

    def _empty(self) -> None:
        versions = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._name)
            for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        ]
        for start in range(0, len(versions), DELETE_AT_ONCE):
            self._s3.delete_objects(
                Bucket=self._name, Delete={"Objects": versions[start : start + DELETE_AT_ONCE], "Quiet": True}
            )

    def _read(self, call: Callable[..., Any]) -> Any:
        try:
            with answering():
                return call(Bucket=self._name)
        except AwsError as error:
            if error.code in NOT_THERE:
                return None
            raise

    def _rules(self) -> list[Mapping[str, Any]]:
        return (self._read(self._s3.get_bucket_lifecycle_configuration) or {}).get("Rules", [])

    def _others_rules(self) -> list[Mapping[str, Any]]:
        return [rule for rule in self._rules() if rule.get("ID") != RULE]

    def _tags(self) -> dict[str, str]:
        found = (self._read(self._s3.get_bucket_tagging) or {}).get("TagSet", [])
        return {tag["Key"]: tag["Value"] for tag in found}


def _plain_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule for everything, which AWS writes in more ways than one."""
    return {key: value for key, value in rule.items() if key not in ("Filter", "Prefix")}


def _creation(module: AnsibleModule) -> dict[str, Any]:
    bucket, wanted = Bucket(clients(module), module.params["name"]), desired(module.params)
    observed = bucket.observe()
    if observed and is_others(wanted["tags"], observed):
        name, cluster = module.params["name"], wanted["tags"][OURS]
        module.fail_json(
            msg=f"There is a bucket {name} in the account, and Groundwork has not made it for {cluster}. "
            f"Remedy: choose another name; to hand it over, tag it {OURS}={cluster}."
        )
    parts = changes(wanted, observed)
    if not module.check_mode:
        for part in parts:
            if part == "bucket":
                bucket.create()
            else:
                bucket.change(part, wanted[part])
    return {"changes": parts, "diff": _diff(wanted, observed, parts)}


def _deletion(module: AnsibleModule) -> dict[str, Any]:
    bucket = Bucket(clients(module), module.params["name"])
    observed = bucket.observe()
    goes = observed is not None and not is_others(module.params["tags"], observed)
    if goes and not module.check_mode:
        bucket.delete(module.params["force"])
    return {"changes": ["bucket"] if goes else [], "diff": {"before": observed if goes else {}, "after": {}}}


def _diff(wanted: Mapping[str, Any], observed: Mapping[str, Any] | None, parts: list[str]) -> dict[str, Any]:
    before = {part: (observed or {}).get(part) for part in parts if part in wanted}
    return {"before": before if observed is not None else {}, "after": {part: wanted[part] for part in before}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "versioning": {"type": "bool", "default": True},
            "distribution": {"type": "str", "default": ""},
            "keep_days": {"type": "int", "default": 0},
            "tags": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": False},
            **AWS_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    try:
        with answering():
            result = _deletion(module) if module.params["state"] == "absent" else _creation(module)
    except AwsError as error:
        module.fail_json(msg=f"AWS refused the bucket {module.params['name']}: {error}")
    module.exit_json(changed=bool(result["changes"]), **result)


if __name__ == "__main__":
    main()
