#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_api_lb
short_description: A load balancer of AWS' before the API servers of a cluster, and its name
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - >-
    Makes an internal network load balancer C(<cluster>-api) that hands connections at port 6443 to the control planes
    that say they are ready (C(/readyz)), and a private zone of Route 53 in which O(endpoint) is its name. That zone has
    this name alone, so that whatever else there is in its domain is found as before.
  - >-
    Control planes are known by their addresses and need not be there yet. A network load balancer hides who calls from
    those that it knows by address, without which a machine could not reach itself through it.
  - What M(community.aws.elb_network_lb) cannot tell in check mode, this does.
extends_documentation_fragment:
  - groundwork.kube.aws
  - groundwork.kube.aws.parts
options:
  cluster:
    description:
      - The cluster's name.
      - >-
        A load balancer or a target group C(<cluster>-api) that is there already is somebody else's unless its tag
        C(groundwork.kube/cluster) says this name. It is refused, and with O(state=absent) it stays.
    type: str
    required: true
  endpoint:
    description: The name by which nodes call the API.
    type: str
    required: true
  targets:
    description: The control planes' addresses.
    type: list
    elements: str
  vpc_id:
    description: The network.
    type: str
  subnets:
    description: The IDs of its subnets to be in, one in each zone.
    type: list
    elements: str
  security_group:
    description: The ID of the group it is made with, from which control planes take calls.
    type: str
  state:
    description: Whether there shall be such a load balancer.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: Further tags of what is made.
    type: dict
    default: {}
  timeout:
    description: Seconds to wait for AWS to let go of what is being deleted.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: One name for three API servers
  groundwork.kube.aws_api_lb:
    cluster: eco2
    endpoint: api.eco2.internal
    targets: [10.0.1.11, 10.0.2.11, 10.0.3.11]
    vpc_id: vpc-0123456789abcdef0
    subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1, subnet-0123456789abcdef2]
    security_group: sg-0123456789abcdef0
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What was not as it should be, or would be changed in check mode.
  returned: success
  type: list
  elements: str
  sample: [target group, load balancer, listener, name]
"""

import time
import uuid
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
    tags,
)
from ansible_collections.groundwork.kube.plugins.module_utils.aws_elb import delete_load_balancer, delete_when_free
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import API_PORT

NOT_THERE = ("LoadBalancerNotFound", "TargetGroupNotFound")
# A zone that has no control plane sends its callers to those that have one.
CROSS_ZONE = "load_balancing.cross_zone.enabled"
# An API server that says so is out of use after twice as many seconds, and in use again as soon.
HEALTH_SECONDS = 10


def desired(params: Mapping[str, Any]) -> dict[str, Any]:
    """Each part as it should be, in the order in which one needs the other."""
    return {
        "target group": sorted(params["targets"]),
        "load balancer": {"subnets": sorted(params["subnets"]), CROSS_ZONE: "true"},
        "listener": API_PORT,
        "name": params["endpoint"],
    }


class ApiBalancer:
    def __init__(self, session: Any, params: Mapping[str, Any]) -> None:
        self._elb, self._ec2, self._route53 = (session.client(name) for name in ("elbv2", "ec2", "route53"))
        self._params, self._region = params, session.region_name
        self._name, self._zone_name = f"{params['cluster']}-api", f"{params['endpoint']}."
        self._tags = {**params["tags"], OURS: params["cluster"]}
        # By which a zone is known again: it is there from the beginning, unlike a zone's tags.
        self._comment = f"{OURS}={params['cluster']} {self._region}"

    def others(self) -> list[str]:
        """What has the name and is somebody else's."""
        found = {"load balancer": self._balancer(), "target group": self._group()}
        return [kind for kind, each in found.items() if each and not self._if_ours(each)]

    def observe(self) -> dict[str, Any]:
        """Each part as it is; None where there is none of ours."""
        group, balancer, zone = self._if_ours(self._group()), self._if_ours(self._balancer()), self._zone()
        return {
            "target group": self._targets(group) if group else None,
            "load balancer": self._shape(balancer) if balancer else None,
            "listener": self._port(balancer) if balancer else None,
            "name": self._leads_to(zone, balancer) if zone else None,
        }

    def change(self, part: str, observed: Any, wanted: Any) -> None:
        acts: dict[str, Callable[[Any, Any], None]] = {
            "target group": self._keep_targets,
            "load balancer": self._keep_balancer,
            "listener": self._listen,
            "name": self._keep_name,
        }
        acts[part](observed, wanted)

    def wait(self) -> None:
        """Until it is ready, which takes AWS minutes."""
        self._elb.get_waiter("load_balancer_available").wait(Names=[self._name])

    def delete(self, part: str) -> None:
        deadline = time.monotonic() + self._params["timeout"]
        deletions: dict[str, Callable[[], None]] = {
            "name": lambda: self._delete_zone(self._zone()["Id"]),
            "load balancer": lambda: delete_load_balancer(
                self._elb, self._ec2, self._balancer()["LoadBalancerArn"], deadline
            ),
            "target group": lambda: delete_when_free(
                lambda: self._elb.delete_target_group(TargetGroupArn=self._group()["TargetGroupArn"]), deadline
            ),
        }
        deletions[part]()

    def _balancer(self) -> dict[str, Any]:
        return self._named(self._elb.describe_load_balancers, "LoadBalancers")

    def _group(self) -> dict[str, Any]:
        return self._named(self._elb.describe_target_groups, "TargetGroups")

    def _named(self, call: Callable[..., Any], place: str) -> dict[str, Any]:
        try:
            with answering():
                return dict(call(Names=[self._name])[place][0])
        except AwsError as error:
            if error.code in NOT_THERE:
                return {}
            raise

    def _if_ours(self, thing: dict[str, Any]) -> dict[str, Any]:
        if not thing:
            return {}
        arn = thing.get("LoadBalancerArn") or thing["TargetGroupArn"]
        (described,) = self._elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return thing if tags(described).get(OURS) == self._tags[OURS] else {}

    def _targets(self, group: Mapping[str, Any]) -> list[str]:
        health = self._elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        return sorted(each["Target"]["Id"] for each in health if each["TargetHealth"]["State"] != "draining")

    def _shape(self, balancer: Mapping[str, Any]) -> dict[str, Any]:
        arn = balancer["LoadBalancerArn"]
        found = self._elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return {
            "subnets": sorted(zone["SubnetId"] for zone in balancer["AvailabilityZones"]),
            **{each["Key"]: each["Value"] for each in found if each["Key"] == CROSS_ZONE},
        }

    def _port(self, balancer: Mapping[str, Any]) -> int | None:
        listeners = self._elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        return next((int(each["Port"]) for each in listeners), None)

    def _zone(self) -> dict[str, Any]:
        found = self._route53.list_hosted_zones_by_name(DNSName=self._zone_name)["HostedZones"]
        ours = (each for each in found if each["Config"].get("Comment") == self._comment)
        return next((dict(each) for each in ours if each["Name"] == self._zone_name), {})

    def _records(self, zone: str) -> list[dict[str, Any]]:
        found = self._route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [each for each in found if each["Name"] == self._zone_name and each["Type"] == "A"]

    def _leads_to(self, zone: Mapping[str, Any], balancer: Mapping[str, Any]) -> str:
        led = {each["AliasTarget"]["DNSName"].rstrip(".").lower() for each in self._records(zone["Id"])}
        return self._params["endpoint"] if balancer and balancer["DNSName"].lower() in led else ""

    def _keep_targets(self, observed: list[str] | None, wanted: list[str]) -> None:
        if observed is None:
            self._elb.create_target_group(
                Name=self._name,
                Protocol="TCP",
                Port=API_PORT,
                VpcId=self._params["vpc_id"],
                TargetType="ip",
                HealthCheckProtocol="HTTPS",
                HealthCheckPath="/readyz",
                HealthCheckIntervalSeconds=HEALTH_SECONDS,
                HealthyThresholdCount=2,
                UnhealthyThresholdCount=2,
                Tags=tag_list(self._tags),
            )
        arn = self._group()["TargetGroupArn"]
        come, gone = (
            [{"Id": each} for each in sorted(some)]
            for some in (set(wanted) - set(observed or ()), set(observed or ()) - set(wanted))
        )
        if come:
            self._elb.register_targets(TargetGroupArn=arn, Targets=come)
        if gone:
            self._elb.deregister_targets(TargetGroupArn=arn, Targets=gone)

    def _keep_balancer(self, observed: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
        if observed is None:
            self._elb.create_load_balancer(
                Name=self._name,
                Type="network",
                Scheme="internal",
                Subnets=wanted["subnets"],
                SecurityGroups=[self._params["security_group"]],
                Tags=tag_list(self._tags),
            )
        arn = self._balancer()["LoadBalancerArn"]
        if observed and observed["subnets"] != wanted["subnets"]:
            self._elb.set_subnets(LoadBalancerArn=arn, Subnets=wanted["subnets"])
        self._elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": CROSS_ZONE, "Value": wanted[CROSS_ZONE]}]
        )

    def _listen(self, _observed: int | None, port: int) -> None:
        self._elb.create_listener(
            LoadBalancerArn=self._balancer()["LoadBalancerArn"],
            Protocol="TCP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self._group()["TargetGroupArn"]}],
            Tags=tag_list(self._tags),
        )

    def _keep_name(self, observed: str | None, _name: str) -> None:
        if observed is None:
            self._route53.create_hosted_zone(
                Name=self._zone_name,
                VPC={"VPCRegion": self._region, "VPCId": self._params["vpc_id"]},
                CallerReference=str(uuid.uuid4()),
                HostedZoneConfig={"Comment": self._comment, "PrivateZone": True},
            )
        zone, balancer = self._zone()["Id"], self._balancer()
        self._route53.change_tags_for_resource(
            ResourceType="hostedzone", ResourceId=zone.rpartition("/")[2], AddTags=tag_list(self._tags)
        )
        target = {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": balancer["DNSName"],
            "EvaluateTargetHealth": False,
        }
        self._write(zone, "UPSERT", {"Name": self._zone_name, "Type": "A", "AliasTarget": target})

    def _delete_zone(self, zone: str) -> None:
        for record in self._records(zone):
            self._write(zone, "DELETE", record)
        self._route53.delete_hosted_zone(Id=zone)

    def _write(self, zone: str, action: str, record: Mapping[str, Any]) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record}]
        self._route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def present(module: AnsibleModule, balancer: ApiBalancer) -> dict[str, Any]:
    others = balancer.others()
    if others:
        cluster = module.params["cluster"]
        module.fail_json(
            msg=f"There is a {' and a '.join(others)} {cluster}-api in the account, and Groundwork has not made it for "
            f"{cluster}. Remedy: choose another groundwork_cluster_name; to hand it over, tag it {OURS}={cluster}."
        )
    wanted, observed = desired(module.params), balancer.observe()
    parts = [part for part, value in wanted.items() if observed[part] != value]
    if not module.check_mode:
        for part in parts:
            balancer.change(part, observed[part], wanted[part])
        balancer.wait()
    return {
        "changes": parts,
        "diff": {"before": {part: observed[part] for part in parts}, "after": {part: wanted[part] for part in parts}},
    }


def absent(module: AnsibleModule, balancer: ApiBalancer) -> dict[str, Any]:
    observed = balancer.observe()
    # Listeners go with their load balancer.
    parts = [part for part in ("name", "load balancer", "target group") if observed[part] is not None]
    if not module.check_mode:
        for part in parts:
            balancer.delete(part)
    return {"changes": parts, "diff": {"before": {part: observed[part] for part in parts}, "after": {}}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "endpoint": {"type": "str", "required": True},
            "targets": {"type": "list", "elements": "str"},
            "vpc_id": {"type": "str"},
            "subnets": {"type": "list", "elements": "str"},
            "security_group": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 300},
            **AWS_ARGUMENT_SPEC,
        },
        required_if=[("state", "present", ["targets", "vpc_id", "subnets", "security_group"])],
        supports_check_mode=True,
    )
    act = present if module.params["state"] == "present" else absent
    try:
        with answering():
            result = act(module, ApiBalancer(clients(module), module.params))
    except AwsError as error:
        module.fail_json(msg=f"There is no load balancer {module.params['cluster']}-api: {error}")
    module.exit_json(changed=bool(result["changes"]), **result)


if __name__ == "__main__":
    main()
