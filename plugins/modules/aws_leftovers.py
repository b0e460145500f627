#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_leftovers
short_description: What a cluster's controllers have made in an AWS account, taken away with the cluster
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - >-
    Deletes the load balancers, target groups and security groups of the AWS Load Balancer Controller, which it tags
    C(elbv2.k8s.aws/cluster), and the volumes of the EBS CSI driver, which it tags C(ebs.csi.aws.com/cluster) and
    C(kubernetes.io/cluster/<cluster>). Nobody else would, once the cluster is gone.
  - What Groundwork itself has made has the tag C(groundwork.kube/cluster), and is left to its roles.
  - The controllers would make it all again, and a volume in use cannot go, so that their machines go first. In check
    mode, this lists what there is beforehand.
extends_documentation_fragment:
  - groundwork.kube.aws
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  timeout:
    description: Seconds to wait for AWS to let go of what is being deleted.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: Lists what there is.
  diff_mode:
    support: none
    description: All of it goes.
"""

EXAMPLES = r"""
- name: List what would go with the cluster
  groundwork.kube.aws_leftovers:
    cluster: eco2
  check_mode: true
  delegate_to: localhost
"""

RETURN = r"""
leftovers:
  description: What was found, each with its C(kind), C(name) and C(id), in the order in which it goes.
  returned: success
  type: list
  elements: dict
  sample: [{kind: load balancer, name: k8s-eco2, id: "arn:aws:elasticloadbalancing:…"}]
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.aws import (
    AWS_ARGUMENT_SPEC,
    OURS,
    AwsError,
    answering,
    clients,
    filters,
    listed,
    tags,
)
from ansible_collections.groundwork.kube.plugins.module_utils.aws_elb import delete_load_balancer, delete_when_free

# As many things as elbv2 tells the tags of in one call.
TAGS_AT_ONCE = 20
DRIVERS = "ebs.csi.aws.com/cluster"


class Leftover(NamedTuple):
    kind: str
    name: str
    id: str


class Account:
    def __init__(self, session: Any, cluster: str, timeout: int) -> None:
        self._ec2, self._elb = session.client("ec2"), session.client("elbv2")
        self._cluster, self._deadline = cluster, time.monotonic() + timeout

    def leftovers(self) -> list[Leftover]:
        """In the order in which one lets go of the next."""
        balancers = self._elb_things("describe_load_balancers", "LoadBalancers", "LoadBalancer")
        targets = self._elb_things("describe_target_groups", "TargetGroups", "TargetGroup")
        return [
            *(Leftover("load balancer", *each) for each in balancers),
            *(Leftover("target group", *each) for each in targets),
            *(Leftover("security group", each["GroupName"], each["GroupId"]) for each in self._groups()),
            *(Leftover("volume", tags(each).get("Name", ""), each["VolumeId"]) for each in self._volumes()),
        ]

    def delete(self, leftover: Leftover) -> None:
        deletions: dict[str, Callable[[str], None]] = {
            "load balancer": lambda arn: delete_load_balancer(self._elb, self._ec2, arn, self._deadline),
            "target group": lambda arn: self._elb.delete_target_group(TargetGroupArn=arn),
            "security group": self._delete_group,
            "volume": lambda volume: self._ec2.delete_volume(VolumeId=volume),
        }
        delete_when_free(lambda: deletions[leftover.kind](leftover.id), self._deadline)

    def _elb_things(self, call: str, place: str, kind: str) -> Iterator[tuple[str, str]]:
        names = {each[f"{kind}Arn"]: each[f"{kind}Name"] for each in listed(self._elb, call, place)}
        arns = list(names)
        for start in range(0, len(arns), TAGS_AT_ONCE):
            described = self._elb.describe_tags(ResourceArns=arns[start : start + TAGS_AT_ONCE])["TagDescriptions"]
            for each in described:
                if tags(each).get("elbv2.k8s.aws/cluster") == self._cluster:
                    yield names[each["ResourceArn"]], each["ResourceArn"]

    def _groups(self) -> Iterator[Mapping[str, Any]]:
        wanted = filters(**{"tag:elbv2.k8s.aws/cluster": [self._cluster]})
        return listed(self._ec2, "describe_security_groups", "SecurityGroups", Filters=wanted)

    def _volumes(self) -> Iterator[Mapping[str, Any]]:
        wanted = filters(**{f"tag:kubernetes.io/cluster/{self._cluster}": ["owned"], f"tag:{DRIVERS}": ["true"]})
        found = listed(self._ec2, "describe_volumes", "Volumes", Filters=wanted)
        return (volume for volume in found if OURS not in tags(volume))

    def _delete_group(self, group: str) -> None:
        """Others' rules that name it go first."""
        wanted = filters(**{"ip-permission.group-id": [group]})
        naming = listed(self._ec2, "describe_security_groups", "SecurityGroups", Filters=wanted)
        for other in naming:
            for rule in other["IpPermissions"]:
                pairs = [pair for pair in rule["UserIdGroupPairs"] if pair["GroupId"] == group]
                if pairs:
                    what = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
                    named = [{"GroupId": group}]
                    self._ec2.revoke_security_group_ingress(
                        GroupId=other["GroupId"], IpPermissions=[{**what, "UserIdGroupPairs": named}]
                    )
        self._ec2.delete_security_group(GroupId=group)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 300},
            **AWS_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    try:
        with answering():
            account = Account(clients(module), module.params["cluster"], module.params["timeout"])
            found = account.leftovers()
        if not module.check_mode:
            for leftover in found:
                account.delete(leftover)
    except AwsError as error:
        module.fail_json(msg=f"AWS refused: {error}")
    module.exit_json(changed=bool(found), leftovers=[each._asdict() for each in found])


if __name__ == "__main__":
    main()
