# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of Argo CD's specs can be said, under the type that the CRD gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import (
    APPLICATION_SPEC,
    PROJECT_SPEC,
    field_name,
)
from tests.api.conftest import argocd_crds

TYPES = {"string": {"str", "raw"}, "boolean": {"bool"}, "integer": {"int"}, "array": {"list"}, "object": {"dict"}}


def uncovered(schema: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]], path: str) -> Iterator[str]:
    """The fields, with their paths, that no option covers as they are."""
    options = {field_name(option): said for option, said in spec.items()}
    for field, said in schema.get("properties", {}).items():
        place = f"{path}.{field}"
        if field not in options:
            yield f"{place} has no option"
            continue
        option = options[field]
        # A number or a text, such as a count of replicas, has no type of its own.
        if option["type"] not in TYPES.get(said.get("type", ""), {"int"}):
            yield f"{place} is {said.get('type')}, its option {option['type']}"
        if field in schema.get("required", []) and path.count(".") and not option.get("required"):
            yield f"{place} is required, its option is not"
        yield from uncovered(said.get("items", said), option.get("options", {}), place)


@pytest.mark.parametrize(("kind", "spec"), [("Application", APPLICATION_SPEC), ("AppProject", PROJECT_SPEC)])
def test_every_field_of_the_spec_has_its_option(kind: str, spec: Mapping[str, Mapping[str, Any]]) -> None:
    crd = next(crd for crd in argocd_crds() if crd["spec"]["names"]["kind"] == kind)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert list(uncovered(schema, spec, "spec")) == []


def test_a_field_that_no_option_covers_is_named() -> None:
    schema = {"properties": {"source": {"type": "object", "properties": {"path": {"type": "string"}}}}}
    spec = {"source": {"type": "dict", "options": {"chart": {"type": "str"}}}}
    assert list(uncovered(schema, spec, "spec")) == ["spec.source.path has no option"]
