"""A private AKS cluster with two pools: made, left alone, mended, upgraded, stopped and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arm.conftest import Play
from tests.arm.fake import SUBSCRIPTION, FakeArm
from tests.arm.roles import Role
from tests.arm.services import IMAGE, as_azure_does

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/aks"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/agui"
POOLS = f"{CLUSTER}/agentPools"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/spoke/subnets/aks"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/control-plane"

VARIABLES: dict[str, Any] = {
    "aks_resource_group": "aks",
    "aks_location": "koreacentral",
    "aks_name": "agui",
    "aks_kubernetes_version": "1.35.2",
    "aks_identity": IDENTITY,
    "aks_azure_rbac": True,
    "aks_private": True,
    "aks_outbound": "userDefinedRouting",
    "aks_network_prefixes": ["10.0.0.0/10", "10.100.0.0/16"],
    "aks_keyvault_secrets": True,
    "aks_pools": [
        {
            "name": "system",
            "mode": "System",
            "vm_size": "Standard_D4s_v5",
            "count": 3,
            "subnet_id": SUBNET,
            "taints": ["CriticalAddonsOnly=true:NoSchedule"],
        },
        {
            "name": "general",
            "vm_size": "Standard_D8s_v5",
            "min_count": 2,
            "max_count": 6,
            "subnet_id": SUBNET,
            "labels": {"workload": "general"},
            "taints": ["workload=general:NoSchedule"],
        },
    ],
}


@pytest.fixture
def role(azure: FakeArm, play: Play) -> Role:
    azure.plant(GROUP)
    azure.adds = as_azure_does(azure)
    return Role(play, "aks", VARIABLES)


def test_the_cluster_is_made_and_the_second_run_sends_nothing(azure: FakeArm, role: Role) -> None:
    azure.operations = "Azure-AsyncOperation"
    checked = role("--check", "--diff")
    assert (checked.count("changed"), azure.written) == (1, [])
    assert checked.printed.count("(create)") == 3 * 2
    assert role().count("changed") == 1
    assert azure.sent("PUT")[0] == f"PUT {CLUSTER}"
    assert set(azure.sent("PUT")[1:]) == {f"PUT {POOLS}/system", f"PUT {POOLS}/general"}
    written = azure.written
    assert role().count("changed") == 0
    assert role("--check").count("changed") == 0
    assert azure.written == written


def test_what_the_autoscaler_and_others_do_is_theirs(azure: FakeArm, role: Role) -> None:
    role()
    azure.resource(f"{POOLS}/general")["properties"]["count"] = 5
    azure.plant(f"{POOLS}/batch", properties={"count": 1})
    assert role().count("changed") == 0
    assert f"{POOLS}/batch".lower() in azure.store


def test_a_taint_that_somebody_took_away_is_told_and_put_back(azure: FakeArm, role: Role) -> None:
    role()
    azure.resource(f"{POOLS}/general")["properties"]["nodeTaints"] = []
    assert "workload=general:NoSchedule" in role("--check", "--diff").printed
    before = len(azure.written)
    assert role().count("changed") == 1
    assert azure.written[before:] == [f"PUT {POOLS}/general"]
    assert role().count("changed") == 0


def test_an_upgrade_begins_with_the_control_plane_and_ends_with_the_pools(azure: FakeArm, role: Role) -> None:
    role()
    azure.operations = "Azure-AsyncOperation"
    before = len(azure.written)
    assert role(aks_kubernetes_version="1.36.0").count("changed") == 1
    assert azure.written[before] == f"PUT {CLUSTER}"
    assert len(azure.written[before:]) == 3
    for pool in ("system", "general"):
        assert azure.resource(f"{POOLS}/{pool}")["properties"]["orchestratorVersion"] == "1.36.0"
    assert role(aks_kubernetes_version="1.36.0").count("changed") == 0


def test_a_pool_that_is_to_go_goes(azure: FakeArm, role: Role) -> None:
    role()
    assert role(aks_pools=VARIABLES["aks_pools"][:1], aks_absent_pools=["general"]).count("changed") == 1
    assert f"{POOLS}/general".lower() not in azure.store
    assert role(aks_pools=VARIABLES["aks_pools"][:1], aks_absent_pools=["general"]).count("changed") == 0


def test_it_is_stopped_and_started_once(azure: FakeArm, role: Role) -> None:
    role()
    for action, code in (("stop", "Stopped"), ("start", "Running")):
        azure.actions[action] = lambda resource, body, code=code: resource["properties"].update(
            powerState={"code": code}
        )
        assert role("--check", part=action).count("changed") == 1
        assert role(part=action).count("changed") == 1
        assert role(part=action).count("changed") == 0
        assert azure.resource(CLUSTER)["properties"]["powerState"] == {"code": code}


def test_machines_are_renewed_where_there_is_a_newer_image(azure: FakeArm, role: Role) -> None:
    role()
    newer = "AKSUbuntu-2404gen2containerd-202612.01.0"
    for pool, image in (("system", IMAGE), ("general", newer)):
        azure.plant(f"{POOLS}/{pool}/upgradeProfiles/default", properties={"latestNodeImageVersion": image})
    azure.actions["upgradeNodeImageVersion"] = lambda pool, body: pool["properties"].update(nodeImageVersion=newer)
    before = len(azure.written)
    assert role(part="renew").count("changed") == 1
    assert azure.written[before:] == [f"POST {POOLS}/general/upgradeNodeImageVersion"]
    assert role(part="renew").count("changed") == 0


def test_it_is_deleted(azure: FakeArm, role: Role) -> None:
    role()
    assert role(part="remove").count("changed") == 1
    assert list(azure.store) == [GROUP.lower()]
    assert role(part="remove").count("changed") == 0


def test_a_plan_that_cannot_be_is_refused_before_azure_is_asked(azure: FakeArm, role: Role) -> None:
    refused = role(fails=True, aks_oidc_issuer=False)
    assert "aks_workload_identity: needs aks_oidc_issuer" in " ".join(refused.printed.split())
    assert azure.log == []
