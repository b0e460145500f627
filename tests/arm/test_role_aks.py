"""A private AKS cluster with two pools: made, left alone, mended, upgraded, stopped and deleted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.arm.conftest import Call, Play, Run
from tests.arm.fake import SUBSCRIPTION, FakeArm, Json
from tests.arm.roles import Role
from tests.arm.services import IMAGE, as_azure_does, credential, kubeconfig

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/aks"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/agui"
POOLS = f"{CLUSTER}/agentPools"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/spoke/subnets/aks"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/control-plane"
WHO: Json = {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}

VARIABLES: dict[str, Any] = {
    "aks_resource_group": "aks",
    "aks_location": "koreacentral",
    "aks_name": "agui",
    "aks_kubernetes_version": "1.35.2",
    "aks_identity": IDENTITY,
    "aks_azure_rbac": True,
    "aks_private": True,
    "aks_outbound": "userDefinedRouting",
    "aks_dns_prefix": "agui",
    "aks_dns_servers": [],
    "aks_private_dns_zones": [],
    "aks_tags": {},
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
def role(azure: FakeArm, declare: Call) -> Role:
    azure.plant(GROUP)
    azure.adds = as_azure_does(azure)
    return Role(declare, "aks", VARIABLES)


def test_the_cluster_is_made_and_the_second_run_sends_nothing(azure: FakeArm, role: Role) -> None:
    azure.operations = "Azure-AsyncOperation"
    assert ([each["verb"] for each in role(check=True)], azure.written) == (3 * ["create"], [])
    role()
    assert azure.sent("PUT")[0] == f"PUT {CLUSTER}"
    assert set(azure.sent("PUT")[1:]) == {f"PUT {POOLS}/system", f"PUT {POOLS}/general"}
    written = azure.written
    assert role() == role(check=True) == []
    assert azure.written == written


def test_what_the_autoscaler_and_others_do_is_theirs(azure: FakeArm, role: Role) -> None:
    role()
    azure.resource(f"{POOLS}/general")["properties"]["count"] = 5
    azure.plant(f"{POOLS}/batch", properties={"count": 1})
    assert role() == []
    assert f"{POOLS}/batch".lower() in azure.store


def test_a_taint_that_somebody_took_away_is_told_and_put_back(azure: FakeArm, role: Role) -> None:
    role()
    azure.resource(f"{POOLS}/general")["properties"]["nodeTaints"] = []
    (told,) = role(check=True)
    assert told["differences"] == ['properties.nodeTaints[0]: absent -> "workload=general:NoSchedule"']
    before = len(azure.written)
    assert role() == [told]
    assert azure.written[before:] == [f"PUT {POOLS}/general"]
    assert role() == []


def test_an_upgrade_begins_with_the_control_plane_and_ends_with_the_pools(azure: FakeArm, role: Role) -> None:
    role()
    azure.operations = "Azure-AsyncOperation"
    before = len(azure.written)
    role(aks_kubernetes_version="1.36.0")
    assert azure.written[before] == f"PUT {CLUSTER}"
    assert len(azure.written[before:]) == 3
    for pool in ("system", "general"):
        assert azure.resource(f"{POOLS}/{pool}")["properties"]["orchestratorVersion"] == "1.36.0"
    assert role(aks_kubernetes_version="1.36.0") == []


def test_a_pool_that_is_to_go_goes(azure: FakeArm, role: Role) -> None:
    role()
    without = {"aks_pools": VARIABLES["aks_pools"][:1], "aks_absent_pools": ["general"]}
    assert [each["verb"] for each in role(**without)] == ["delete"]
    assert f"{POOLS}/general".lower() not in azure.store
    assert role(**without) == []


def test_it_is_stopped_and_started_once(azure: FakeArm, role: Role) -> None:
    role()
    for action, code in (("stop", "Stopped"), ("start", "Running")):
        azure.actions[action] = becomes(powerState={"code": code})
        assert [each["verb"] for each in role(action, check=True)] == [action]
        role(action)
        assert role(action) == []
        assert azure.resource(CLUSTER)["properties"]["powerState"] == {"code": code}


def test_it_is_deleted(azure: FakeArm, role: Role) -> None:
    role()
    role("remove")
    assert list(azure.store) == [GROUP.lower()]
    assert role("remove") == []


def test_day_two_in_one_play(azure: FakeArm, role: Role, play: Play, tmp_path: Path) -> None:
    def steps(*parts: str, fails: bool = False, **changes: Any) -> Run:
        tasks = [
            {"ansible.builtin.include_role": {"name": "groundwork.kube.aks", "tasks_from": part}} for part in parts
        ]
        return play(tasks, fails=fails, **{**VARIABLES, "aks_kubeconfig": str(tmp_path / "kubeconfig"), **changes})

    role()
    newer = "AKSUbuntu-2404gen2containerd-202612.01.0"
    for pool, image in (("system", IMAGE), ("general", newer)):
        azure.plant(f"{POOLS}/{pool}/upgradeProfiles/default", properties={"latestNodeImageVersion": image})
    azure.actions.update(
        upgradeNodeImageVersion=becomes(nodeImageVersion=newer),
        stop=becomes(powerState={"code": "Stopped"}),
        start=becomes(powerState={"code": "Running"}),
        # Nobody is there: it is the name of a network that we are not in.
        listClusterUserCredential=lambda cluster, body: credential(kubeconfig(WHO, "https://127.0.0.1:1")),
        runCommand=lambda cluster, body: {"properties": {"exitCode": 1, "logs": f"no {body['command']}"}},
    )
    before = len(azure.written)
    # Whoever is not in its network has one way in, and of what fails there hears all.
    failed = steps(
        "renew", "renew", "stop", "start", "access", "run", fails=True, aks_access="run_command", aks_command="kubectl"
    )
    assert "no kubectl" in failed.printed, failed.printed
    deeds = [
        "agentPools/general/upgradeNodeImageVersion",
        "stop",
        "start",
        "listClusterUserCredential",
        "runCommand",
    ]
    assert azure.written[before:] == [f"POST {CLUSTER}/{deed}" for deed in deeds]
    refused = steps("access", fails=True)
    assert "does not answer by it. Remedy: write one of run_command, or" in " ".join(refused.printed.split())


def test_steps_in_the_cluster_are_for_the_machine_that_reaches_it(
    azure: FakeArm, role: Role, play: Play, tmp_path: Path
) -> None:
    role()
    jump_host = {
        "name": "jump",
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    ways = ["direct", "jump_host", "run_command"]
    tasks = [
        {"ansible.builtin.add_host": jump_host},
        {"ansible.builtin.include_role": {"name": "groundwork.kube.aks", "tasks_from": "access"}},
        {"ansible.builtin.assert": {"that": ["aks_host == 'jump'", f"aks_ways == {ways}", "aks_assume == []"]}},
    ]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
        azure.actions["listClusterUserCredential"] = lambda cluster, body: credential(kubeconfig(WHO, address))
        login = tmp_path / "home/kube/agui"
        variables = {"aks_access": "jump_host", "aks_jump_host": "jump", "aks_kubeconfig": str(login)}
        play(tasks, "--check", **VARIABLES, **variables)
    assert login.stat().st_mode & 0o777 == 0o600


def becomes(**properties: Any) -> Callable[[Json, Any], None]:
    return lambda resource, body: resource["properties"].update(properties)
