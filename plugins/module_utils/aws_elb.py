# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers in AWS as they go: what they used is free again only some time after them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.aws import AwsError, answering, filters

# What AWS says of something that another thing has not let go of yet.
IN_USE = ("DependencyViolation", "ResourceInUse", "VolumeInUse")
ASK_EVERY = 5


def delete_when_free(delete: Callable[[], Any], deadline: float) -> None:
    while True:
        try:
            with answering():
                delete()
        except AwsError as error:
            if error.code not in IN_USE or time.monotonic() > deadline:
                raise
            time.sleep(ASK_EVERY)
        else:
            return


def delete_load_balancer(elb: Any, ec2: Any, arn: str, deadline: float) -> None:
    """With its interfaces, without which its subnets and its security groups cannot go."""
    elb.delete_load_balancer(LoadBalancerArn=arn)
    elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn])
    its = filters(description=[f"ELB {arn.partition(':loadbalancer/')[2]}"])
    while ec2.describe_network_interfaces(Filters=its)["NetworkInterfaces"] and time.monotonic() < deadline:
        time.sleep(ASK_EVERY)
