# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container registry, and the images that it takes from others, each by its digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    placed,
    public_access,
    refuse,
    resource,
)
from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import Pin, PinError, check

REGISTRY = "Microsoft.ContainerRegistry/registries"
API = "2023-07-01"

_NAME = re.compile(r"[a-zA-Z0-9]{5,50}")
_IMAGE = re.compile(r"(?P<registry>[^/]+\.[^/]+)/(?P<repository>[^:@]+):(?P<tag>[^:@]+)@(?P<digest>.+)")
# Which images were taken. ARM does not say what a registry holds, and a private one tells nobody who is not within.
_TAG = "groundwork-images"


def resources(plan: Plan) -> list[Resource]:
    """The registry, as arm_resource takes it."""
    refuse("azure_registry", plan, _problems(plan))
    properties = {
        "adminUserEnabled": False,
        "publicNetworkAccess": public_access(plan),
        # By this, Azure's own import gets into a registry that is closed to all others.
        "networkRuleBypassOptions": "AzureServices",
    }
    return [_registry(plan, body=placed(plan, sku={"name": plan["sku"]}, properties=properties))]


def imports(plan: Plan) -> list[Resource]:
    """Take the images, unless just these were taken before."""
    refuse("azure_registry", plan, _problems(plan))
    unless = {"tags": {_TAG: _mark(plan)}}
    return [_import(plan, image, unless) for image in plan["images"]]


def imported(plan: Plan) -> list[Resource]:
    """Which images the registry has, once it has them."""
    return [_registry(plan, body={"tags": {_TAG: _mark(plan)}})]


def _problems(plan: Plan) -> Iterator[str]:
    if not _NAME.fullmatch(plan["name"]):
        yield f"azure_registry_name: {plan['name']} has to be 5 to 50 letters and digits"
    if not plan["public_access"] and plan["sku"] != "Premium":
        yield f"azure_registry_sku: {plan['sku']} is always public; azure_registry_public_access off takes Premium"
    for image in plan["images"]:
        yield from (f"azure_registry_images: {image}: {problem}" for problem in _image_problems(image))


def _image_problems(image: str) -> Iterator[str]:
    parts = _parts(image)
    if not parts:
        yield "write it as registry/repository:tag@sha256:<hex>"
        return
    try:
        check(Pin(parts["tag"], parts["digest"]))
    except PinError as error:
        yield str(error)


def _registry(plan: Plan, **what: Any) -> Resource:
    return resource(plan, REGISTRY, plan["name"], API, **what)


def _import(plan: Plan, image: str, unless: dict[str, dict[str, str]]) -> Resource:
    parts = _parts(image)
    source = {"registryUri": parts["registry"], "sourceImage": f"{parts['repository']}@{parts['digest']}"}
    # The path stays what it is upstream; what was imported under the tag before is replaced.
    body = {"source": source, "targetTags": [f"{parts['repository']}:{parts['tag']}"], "mode": "Force"}
    return _registry(plan, body=body, key=image, action="importImage", unless=unless)


def _parts(image: str) -> dict[str, str]:
    found = _IMAGE.fullmatch(image)
    return found.groupdict() if found else {}


def _mark(plan: Plan) -> str:
    return hashlib.sha256("\n".join(sorted(plan["images"])).encode()).hexdigest()
