#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_capacity
short_description: Whether an AWS account has room for instances, before the first of them is made
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - Asks whether each instance's type is on offer in its zone, whether its subnet has an address left, and whether the
    account's quota of vCPUs has room for all of them. Instances that are there already are not counted again.
  - Fails with everything that is missing. What AWS does not answer, for lack of rights mostly, is a warning.
extends_documentation_fragment:
  - groundwork.kube.aws
options:
  cluster:
    description: The cluster's name, which is the value of the tag C(groundwork.kube/cluster) of its instances.
    type: str
    required: true
  instances:
    description: The instances that there shall be.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      type:
        description: Its type.
        type: str
        required: true
      subnet_id:
        description: The subnet that it will be in.
        type: str
        required: true
attributes:
  check_mode:
    support: full
    description: Only looks.
  diff_mode:
    support: N/A
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look for room
  groundwork.kube.aws_capacity:
    cluster: eco2
    instances:
      - {name: k8s-master, type: t3.large, subnet_id: subnet-0123456789abcdef0}
  delegate_to: localhost
"""

RETURN = r"""
missing:
  description: The instances that are not there yet, by their names.
  returned: success
  type: list
vcpus:
  description: How many vCPUs the missing instances have together; C(null) where AWS did not say.
  returned: success
  type: int
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.aws import (
    AWS_ARGUMENT_SPEC,
    LIVING,
    AwsError,
    answering,
    clients,
    filters,
    listed,
    tags,
)

# "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs.
QUOTA = "L-1216C47A"
STANDARD = "acdhimrtz"

_Answer = TypeVar("_Answer")


@dataclass
class Observed:
    """What AWS answered; None for what it did not."""

    there: set[str]
    zones: dict[str, str]
    """Each subnet's zone."""
    free: dict[str, int]
    """Each subnet's free addresses."""
    offers: set[tuple[str, str]] | None = None
    """The types on offer, each with its zone."""
    vcpus: dict[str, int] | None = None
    """The types' vCPUs."""
    used: int | None = None
    quota: int | None = None
    unanswered: list[str] = field(default_factory=list)


def problems(missing: Sequence[Mapping[str, str]], observed: Observed) -> list[str]:
    """What keeps the missing instances from being made, each with its remedy."""
    found = []
    for each in missing:
        zone = observed.zones.get(each["subnet_id"])
        if observed.offers is not None and zone and (each["type"], zone) not in observed.offers:
            found.append(
                f"{each['name']}: aws_nodes_type: {each['type']} is not on offer in {zone}. "
                "Remedy: choose another type, or a zone that has it."
            )
    for subnet, count in Counter(each["subnet_id"] for each in missing).items():
        if count > observed.free.get(subnet, count):
            found.append(
                f"{subnet} has {observed.free[subnet]} free addresses, and {count} instances are to be in it. "
                "Remedy: give aws_network_zones a larger private subnet."
            )
    needed = vcpus(missing, observed)
    if needed and observed.quota is not None and observed.used is not None:
        room = observed.quota - observed.used
        if needed > room:
            found.append(
                f"the instances need {needed} vCPUs, and of the quota of {observed.quota} {max(room, 0)} are left. "
                f"Remedy: ask AWS for {observed.used + needed} (Service Quotas, EC2, {QUOTA}), or choose smaller types."
            )
    return found


def vcpus(missing: Sequence[Mapping[str, str]], observed: Observed) -> int | None:
    """The vCPUs of the missing instances that count against the quota."""
    known = observed.vcpus
    if known is None:
        return None
    return sum(known.get(each["type"], 0) for each in missing if each["type"][0] in STANDARD)


class Account:
    """The account's answers; a refused one is written down and not the end."""

    def __init__(self, session: Any, cluster: str) -> None:
        self._session = session
        self._ec2 = session.client("ec2")
        self._cluster = cluster
        self.unanswered: list[str] = []

    def observe(self, instances: Sequence[Mapping[str, str]]) -> Observed:
        # Without these two nothing can be made either: their errors are the module's.
        there = self._names()
        subnets = list(listed(self._ec2, "describe_subnets", "Subnets"))
        types = sorted({each["type"] for each in instances})
        return Observed(
            there=there,
            zones={subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in subnets},
            free={subnet["SubnetId"]: subnet["AvailableIpAddressCount"] for subnet in subnets},
            offers=self._ask("which instance types are on offer", lambda: self._offers(types)),
            vcpus=self._ask("how many vCPUs the instance types have", lambda: self._vcpus(types)),
            used=self._ask("how many vCPUs are in use", self._used),
            quota=self._ask("the quota of vCPUs", self._quota),
            unanswered=self.unanswered,
        )

    def _ask(self, question: str, answer: Callable[[], _Answer]) -> _Answer | None:
        try:
            with answering():
                return answer()
        except AwsError as error:
            self.unanswered.append(f"AWS did not say {question}, so that nothing is known of it beforehand: {error}")
            return None

    def _running(self, **wanted: Any) -> list[Mapping[str, Any]]:
        found = listed(self._ec2, "describe_instances", "Reservations", Filters=filters(**wanted))
        return [instance for reservation in found for instance in reservation["Instances"]]

    def _names(self) -> set[str]:
        ours = {"tag:groundwork.kube/cluster": [self._cluster], "instance_state_name": LIVING}
        return {tags(instance).get("Name", "") for instance in self._running(**ours)}

    def _offers(self, types: list[str]) -> set[tuple[str, str]]:
        arguments = {"LocationType": "availability-zone", "Filters": filters(instance_type=types)}
        offers = listed(self._ec2, "describe_instance_type_offerings", "InstanceTypeOfferings", **arguments)
        return {(offer["InstanceType"], offer["Location"]) for offer in offers}

    def _vcpus(self, types: list[str]) -> dict[str, int]:
        known = listed(self._ec2, "describe_instance_types", "InstanceTypes", Filters=filters(instance_type=types))
        return {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in known}

    def _used(self) -> int:
        types = Counter(
            instance["InstanceType"]
            for instance in self._running(instance_state_name=["pending", "running"])
            if instance["InstanceType"][0] in STANDARD and instance.get("InstanceLifecycle") != "spot"
        )
        sizes = self._vcpus(sorted(types)) if types else {}
        return sum(sizes[each] * count for each, count in types.items())

    def _quota(self) -> int:
        found = self._session.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=QUOTA)
        return int(found["Quota"]["Value"])


def main() -> None:
    instance = {name: {"type": "str", "required": True} for name in ("name", "type", "subnet_id")}
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "instances": {"type": "list", "elements": "dict", "required": True, "options": instance},
            **AWS_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    try:
        with answering():
            account = Account(clients(module), module.params["cluster"])
            observed = account.observe(module.params["instances"])
    except AwsError as error:
        module.fail_json(msg=f"AWS cannot be asked for room: {error}")
    for warning in observed.unanswered:
        module.warn(warning)
    missing = [each for each in module.params["instances"] if each["name"] not in observed.there]
    found = problems(missing, observed)
    if found:
        module.fail_json(msg="\n".join(["There is no room for these instances; none was made.", *found]))
    module.exit_json(
        changed=False, missing=[each["name"] for each in missing], vcpus=vcpus(missing, observed) if missing else 0
    )


if __name__ == "__main__":
    main()
