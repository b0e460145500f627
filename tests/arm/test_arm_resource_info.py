"""Any resource, read: one, or all of a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.arm.fake import SUBSCRIPTION, FakeArm, Refusal

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/aks"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/staging"
ROLE = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments/reader"

Read = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.made_up


@pytest.fixture
def read(azure: FakeArm, run_module: Callable[..., dict[str, Any]]) -> Read:
    for path in (GROUP, CLUSTER, *(f"{CLUSTER}/agentPools/{name}" for name in ("system", "general", "spot")), ROLE):
        azure.plant(path)

    def read(kind: str, check: bool = False, **where: Any) -> dict[str, Any]:
        return run_module("arm_resource_info", {"type": kind, "api_version": "2025-05-01", **where}, check=check)

    return read


@pytest.mark.parametrize(
    ("kind", "where", "names"),
    [
        ("Microsoft.ContainerService/managedClusters", {"name": "STAGING", "resource_group": "AKS"}, ["staging"]),
        ("Microsoft.ContainerService/managedClusters", {"name": "another", "resource_group": "aks"}, []),
        ("Microsoft.ContainerService/managedClusters", {"resource_group": "aks"}, ["staging"]),
        (
            "Microsoft.ContainerService/managedClusters/agentPools",
            {"name": "staging", "resource_group": "aks"},
            ["system", "general", "spot"],
        ),
        ("Microsoft.Authorization/roleAssignments", {"name": "reader", "scope": CLUSTER}, ["reader"]),
        ("Microsoft.Authorization/roleAssignments", {"scope": CLUSTER}, ["reader"]),
        ("Microsoft.Resources/resourceGroups", {"name": "aks"}, ["aks"]),
        ("Microsoft.Resources/resourceGroups", {}, ["aks"]),
    ],
)
def test_what_is_there_is_found(azure: FakeArm, read: Read, kind: str, where: dict[str, str], names: list[str]) -> None:
    for check in (False, True):
        result = read(kind, check=check, **where)
        assert not result["changed"]
        assert [resource["name"] for resource in result["resources"]] == names
    assert azure.written == []


def test_a_name_that_does_not_go_with_the_type_is_refused(azure: FakeArm, read: Read) -> None:
    result = read("Microsoft.Network/virtualNetworks", name="a/b")
    assert "name a/b: Microsoft.Network/virtualNetworks takes 1 name, the outermost first" in result["msg"]


def test_a_refusal_names_the_deed(azure: FakeArm, read: Read) -> None:
    azure.fault("GET", "/staging", Refusal(403, "AuthorizationFailed", "You may not."))
    result = read("Microsoft.ContainerService/managedClusters", name="staging", resource_group="aks")
    assert result["msg"].startswith(
        "read Microsoft.ContainerService/managedClusters staging: 403 AuthorizationFailed: You may not."
    )
    assert result["correlation_id"] == "c0ffee"
