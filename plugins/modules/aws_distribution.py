#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_distribution
short_description: CloudFront before a private bucket
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - >-
    Makes a CloudFront distribution that has one name and one origin, an S3 bucket that nobody else may read: it signs
    what it asks the bucket (origin access control). Who comes without TLS is sent to come with it.
  - >-
    Every method passes. CloudFront itself may only read, though, so that an upload passes if whoever sends it has
    signed it with a right of his own, in the header C(Authorization), for the bucket's own name.
  - The bucket's policy says so, too (O(groundwork.kube.aws_bucket#module:distribution)).
  - Settings that are not described here stay as somebody has made them.
extends_documentation_fragment:
  - groundwork.kube.aws
  - groundwork.kube.aws.parts
options:
  domain:
    description: The name that it answers to, and by which it is found again.
    type: str
    required: true
  bucket:
    description: The bucket, in O(region). It need not be there yet.
    type: str
  certificate_arn:
    description: A certificate for O(domain), which has to be one of C(us-east-1).
    type: str
  state:
    description: Whether there shall be such a distribution. One that lacks O(tags) stays.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: The tags of one that is made.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Images from everywhere
  groundwork.kube.aws_distribution:
    domain: images.example.org
    bucket: eco2-images
    certificate_arn: arn:aws:acm:us-east-1:123456789012:certificate/0123
  delegate_to: localhost
"""

RETURN = r"""
arn:
  description: The distribution; empty where there is none.
  returned: success
  type: str
domain_name:
  description: The name of CloudFront's own that O(domain) is to lead to; empty where there is none.
  returned: success
  type: str
  sample: d111111abcdef8.cloudfront.net
changes:
  description: What was not as it should be, or would be changed in check mode.
  returned: success
  type: list
  elements: str
  sample: [distribution]
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.aws import (
    AWS_ARGUMENT_SPEC,
    AwsError,
    answering,
    clients,
    tag_list,
    tags,
)

METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
# CloudFront's own policies CachingOptimized and AllViewerExceptHostHeader.
CACHE_POLICY = "658327ea-f89d-4fab-a63d-7e88639e58f6"
REQUEST_POLICY = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def several(items: list[Any]) -> dict[str, Any]:
    """A list as CloudFront has it."""
    return {"Quantity": len(items), "Items": items}


def desired(params: Mapping[str, Any], region: str, access_control: str) -> dict[str, Any]:
    """What of a distribution's configuration is ours to say."""
    bucket = params["bucket"]
    origin = {
        "Id": bucket,
        "DomainName": f"{bucket}.s3.{region}.amazonaws.com",
        "OriginAccessControlId": access_control,
        # Empty, because it is the older way that access control replaces.
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    return {
        "Enabled": True,
        "Aliases": several([params["domain"]]),
        "Origins": several([origin]),
        "DefaultCacheBehavior": {
            "TargetOriginId": bucket,
            "ViewerProtocolPolicy": "redirect-to-https",
            "AllowedMethods": {**several(METHODS), "CachedMethods": several(["GET", "HEAD"])},
            "Compress": True,
            "CachePolicyId": CACHE_POLICY,
            "OriginRequestPolicyId": REQUEST_POLICY,
        },
        "ViewerCertificate": {
            "ACMCertificateArn": params["certificate_arn"],
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
        "HttpVersion": "http2and3",
    }


def holds(found: Any, wanted: Any) -> bool:
    """Whether what there is says all that is wanted. AWS adds what it was not told, and has an order of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(any(holds(each, one) for each in found) for one in wanted)
        )
    return bool(found == wanted)


def merged(found: Any, wanted: Any) -> Any:
    """What there is, with what is wanted of it."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {**found, **{key: merged(found.get(key), value) for key, value in wanted.items()}}
    if isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted) == 1:
        return [merged(found[0], wanted[0])]
    return wanted


class CloudFront:
    def __init__(self, session: Any, params: Mapping[str, Any]) -> None:
        self._cloudfront, self._params = session.client("cloudfront"), params
        # Of all accounts' distributions, only one may have an alias.
        self._name = params["domain"]

    def find(self) -> Mapping[str, Any] | None:
        for page in self._cloudfront.get_paginator("list_distributions").paginate():
            for each in page["DistributionList"].get("Items", ()):
                if self._name in each["Aliases"].get("Items", ()):
                    found: Mapping[str, Any] = each
                    return found
        return None

    def configuration(self, identity: str) -> tuple[dict[str, Any], str]:
        """The whole of it, and the tag by which CloudFront sees that nobody else has changed it since."""
        answer = self._cloudfront.get_distribution_config(Id=identity)
        return answer["DistributionConfig"], answer["ETag"]

    def is_ours(self, arn: str) -> bool:
        found = self._cloudfront.list_tags_for_resource(Resource=arn)["Tags"]
        return bool(self._params["tags"].items() <= tags({"Tags": found.get("Items", ())}).items())

    def access_control(self) -> str:
        """The origin access control of the same name; empty where there is none."""
        every = self._cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", ())
        return next((str(each["Id"]) for each in every if each["Name"] == self._name), "")

    def make_access_control(self) -> str:
        made: str = self._cloudfront.create_origin_access_control(
            OriginAccessControlConfig={
                "Name": self._name,
                "SigningProtocol": "sigv4",
                # What has a signature keeps it.
                "SigningBehavior": "no-override",
                "OriginAccessControlOriginType": "s3",
            }
        )["OriginAccessControl"]["Id"]
        return made

    def create(self, configuration: Mapping[str, Any]) -> Mapping[str, Any]:
        # Asked for twice, it is one distribution.
        reference = hashlib.sha256(self._name.encode()).hexdigest()[:32]
        made: Mapping[str, Any] = self._cloudfront.create_distribution_with_tags(
            DistributionConfigWithTags={
                "DistributionConfig": {"CallerReference": reference, "Comment": self._name, **configuration},
                "Tags": {"Items": tag_list(self._params["tags"])},
            }
        )["Distribution"]
        return made

    def update(self, identity: str, configuration: Mapping[str, Any], tag: str) -> None:
        self._cloudfront.update_distribution(Id=identity, DistributionConfig=configuration, IfMatch=tag)

    def delete(self, identity: str) -> None:
        """It has to be off everywhere before it can go, which takes CloudFront minutes."""
        configuration, tag = self.configuration(identity)
        if configuration["Enabled"]:
            self.update(identity, {**configuration, "Enabled": False}, tag)
        self._cloudfront.get_waiter("distribution_deployed").wait(Id=identity)
        self._cloudfront.delete_distribution(Id=identity, IfMatch=self.configuration(identity)[1])

    def delete_access_control(self, identity: str) -> None:
        tag = self._cloudfront.get_origin_access_control(Id=identity)["ETag"]
        self._cloudfront.delete_origin_access_control(Id=identity, IfMatch=tag)


def present(module: AnsibleModule, session: Any) -> dict[str, Any]:
    cloudfront = CloudFront(session, module.params)
    found, access_control = cloudfront.find(), cloudfront.access_control()
    if found and not cloudfront.is_ours(found["ARN"]):
        raise AwsError(
            RuntimeError(
                f"{found['Id']} answers to it, and Groundwork has not made it. Remedy: choose another name; to hand it "
                f"over, give it the tags {module.params['tags']}"
            )
        )
    changes = [] if access_control else ["access control"]
    if not access_control and not module.check_mode:
        access_control = cloudfront.make_access_control()
    wanted = desired(module.params, session.region_name, access_control)
    if found is None:
        made = cloudfront.create(wanted) if not module.check_mode else {}
        return _told(made, [*changes, "distribution"], {}, wanted)
    observed, tag = cloudfront.configuration(found["Id"])
    parts = [part for part, value in wanted.items() if not holds(observed.get(part), value)]
    if parts and not module.check_mode:
        cloudfront.update(found["Id"], merged(observed, wanted), tag)
    before = {part: observed.get(part) for part in parts}
    return _told(found, [*changes, *parts], before, {part: wanted[part] for part in parts})


def absent(module: AnsibleModule, session: Any) -> dict[str, Any]:
    cloudfront = CloudFront(session, module.params)
    found = cloudfront.find()
    if found is None or not cloudfront.is_ours(found["ARN"]):
        return _told(found or {}, [], {}, {})
    access_control = cloudfront.access_control()
    if not module.check_mode:
        cloudfront.delete(found["Id"])
        if access_control:
            cloudfront.delete_access_control(access_control)
    changes = ["distribution", *(["access control"] if access_control else [])]
    return _told({}, changes, {"distribution": found["ARN"]}, {})


def _told(
    distribution: Mapping[str, Any], changes: list[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "changed": bool(changes),
        "changes": changes,
        "arn": distribution.get("ARN", ""),
        "domain_name": distribution.get("DomainName", ""),
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "domain": {"type": "str", "required": True},
            "bucket": {"type": "str"},
            "certificate_arn": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "default": {}},
            **AWS_ARGUMENT_SPEC,
        },
        required_if=[("state", "present", ["bucket", "certificate_arn"])],
        supports_check_mode=True,
    )
    act = present if module.params["state"] == "present" else absent
    try:
        with answering():
            result = act(module, clients(module))
    except AwsError as error:
        module.fail_json(msg=f"There is no distribution for {module.params['domain']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
