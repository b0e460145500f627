# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS by botocore, as it finds region and credentials by itself: for what amazon.aws has no module."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

    class BotoCoreError(Exception):  # type: ignore[no-redef]
        """What there is to catch where there is no botocore."""

    class ClientError(Exception):  # type: ignore[no-redef]
        """Likewise."""


# The options that the doc fragment groundwork.kube.aws describes.
AWS_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {"region": {"type": "str"}}
# The tag of what Groundwork has made, whose value is the cluster's name.
OURS = "groundwork.kube/cluster"
# The states of an instance that is still somebody's.
LIVING = ("pending", "running", "stopping", "stopped")


class AwsError(Exception):
    """What came of a call instead of an answer, an answer that is an error included."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.code: str = getattr(error, "response", {}).get("Error", {}).get("Code", "")


@contextmanager
def answering() -> Iterator[None]:
    """Around calls: botocore's errors are AwsErrors, whether botocore is there or not."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(error) from error


def clients(module: AnsibleModule) -> Any:
    """The session of which a module makes its clients."""
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("boto3"), exception=IMPORT_ERROR)
    return boto3.Session(region_name=module.params["region"] or None)


def listed(client: Any, call: str, place: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
    """All that a call lists, page by page."""
    for page in client.get_paginator(call).paginate(**arguments):
        yield from page[place]


def tags(thing: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags") or ()}


def tag_list(wanted: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in wanted.items()]


def filters(**wanted: Any) -> list[dict[str, Any]]:
    """Filters by their names in AWS, of which a dash cannot be written in Python."""
    return [{"Name": name.replace("_", "-"), "Values": list(values)} for name, values in wanted.items()]
