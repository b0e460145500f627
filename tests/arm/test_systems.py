"""Both systems on AKS, all that their inventories declare, under whatever Azure or a user's machine does to a run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import arm
from tests.arm.conftest import Call, Kill, Killed
from tests.arm.fake import SUBSCRIPTION, Answer, FakeArm, Json, Refusal
from tests.arm.plans import Plans
from tests.arm.services import as_azure_does

# What playbooks/aks.yml does of the roles that an inventory lists, in its order.
STEPS = [
    ("azure_network", "make"),
    ("azure_registry", "make"),
    ("azure_registry", "imports"),
    ("azure_registry", "imported"),
    ("azure_keyvault", "make"),
    ("azure_postgresql", "make"),
    ("azure_ai_foundry", "make"),
    ("azure_monitor", "make"),
    ("azure_monitor", "assign"),
    ("azure_identity", "make"),
    ("azure_identity", "assign"),
    ("azure_firewall", "make"),
    ("azure_network", "name_servers"),
    ("azure_private_endpoint", "make"),
    ("aks", "make"),
    ("aks", "assign"),
    ("azure_monitor", "cluster"),
]

Run = Callable[..., list[Json]]


@pytest.fixture(scope="module", params=["auto_builder", "agui"])
def plans(request: pytest.FixtureRequest) -> Plans:
    return Plans(request.param)


@pytest.fixture(scope="module")
def auto_builder() -> Plans:
    return Plans("auto_builder")


def carry_out(azure: FakeArm, declare: Call, plans: Plans, *roles: str, **options: Any) -> list[Json]:
    """A run of a system, or of some of its roles: what it changed, to the failure that ends it."""
    azure.adds = as_azure_does(azure)
    azure.actions["importImage"] = lambda registry, body: None
    azure.never_returned = {"value", "administratorLoginPassword"}
    changes: list[Json] = []
    made: Json = {}
    for role, deed in STEPS:
        if role not in plans.roles or (roles and role not in roles):
            continue
        more = {"made": made, "assume": False} if deed == "assign" else {}
        result = declare(*plans.resources(role, deed, **more), **options)
        changes += result.get("changes", [])
        if result["failed"]:
            return [*changes, result]
        made = result["resources"]
    return changes


def failure(changes: list[Json]) -> str:
    return next((change["msg"] for change in changes if "msg" in change), "")


def assigned(azure: FakeArm) -> Counter[tuple[str, str, str]]:
    """How often each principal has each role at each place."""
    return Counter(
        (key.partition("/providers/microsoft.authorization")[0], each["properties"]["principalId"], role)
        for key, each in azure.store.items()
        if "/roleassignments/" in key
        for role in [each["properties"]["roleDefinitionId"]]
    )


def test_a_system_is_made_as_azures_own_models_have_it_and_the_second_run_writes_nothing(
    azure: FakeArm, declare: Call, plans: Plans
) -> None:
    azure.operations = "Azure-AsyncOperation"
    azure.polls_until_done = 1
    first = carry_out(azure, declare, plans)
    assert failure(first) == ""
    assert {change["verb"] for change in first} >= {"create"}
    written = azure.written
    assert carry_out(azure, declare, plans) == []
    assert azure.written == written


def slow(carry_out: Callable[[], Answer]) -> Answer:
    """It is done, but the client has stopped waiting for the answer."""
    done = carry_out()
    time.sleep(1)
    return done


FAULTS: dict[str, Callable[[Callable[[], Answer]], Answer]] = {
    "429": lambda _: Answer(429, {"error": {"code": "TooManyRequests", "message": "."}}, {"retry-after-ms": "1"}),
    "500": lambda _: Answer(500, {"error": {"code": "InternalServerError", "message": "."}}, {"retry-after-ms": "1"}),
    "slow": slow,
    "PrincipalNotFound": lambda _: Refusal(400, "PrincipalNotFound", "It is not in the directory.").answer,
    "AnotherOperationInProgress": lambda _: Refusal(409, "AnotherOperationInProgress", "Another one.").answer,
    "expired token": lambda _: Refusal(401, "ExpiredAuthenticationToken", "It has expired.").answer,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_outlived_by_every_write_of_a_system(
    azure: FakeArm, declare: Call, auto_builder: Plans, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "_READ_SECONDS", 0.5)
    azure.stumble = FAULTS[fault]
    assert failure(carry_out(azure, declare, auto_builder)) == ""
    once = set(azure.written)
    assert carry_out(azure, declare, auto_builder) == []
    assert set(azure.written) == once
    assert max(assigned(azure).values()) == 1


def test_what_was_left_half_made_is_finished_by_later_runs(azure: FakeArm, declare: Call, auto_builder: Plans) -> None:
    assert failure(carry_out(azure, declare, auto_builder)) == ""
    whole, roles = set(azure.store), assigned(azure)
    azure.store.clear()
    azure.operations = "Azure-AsyncOperation"
    azure.polls_until_done = 0

    def fall_over(carry_out: Callable[[], Answer]) -> Answer:
        azure.operation_error = {"code": "InternalExecutionError", "message": "It fell over."}
        answer = carry_out()
        azure.operation_error = None
        return answer

    azure.stumble = fall_over
    # Each run ends where something is first made.
    runs = 0
    while "It fell over." in failure(carry_out(azure, declare, auto_builder, parallel=1)):
        runs += 1
        assert runs <= len(whole)
    assert runs >= len(auto_builder.roles)
    assert carry_out(azure, declare, auto_builder) == []
    assert (set(azure.store), assigned(azure)) == (whole, roles)


@pytest.mark.parametrize(
    ("roles", "stride"),
    [
        pytest.param(("azure_identity", "aks"), 1, id="identity and cluster, at any request"),
        # Coprime to the number of requests that a resource takes: in time, each kind of them is the last one.
        pytest.param((), 11, id="the whole system, at every eleventh"),
    ],
)
def test_a_run_killed_at_a_request_is_finished_by_the_next_and_assigns_nothing_twice(
    azure: FakeArm, declare: Call, auto_builder: Plans, kill: Kill, roles: tuple[str, ...], stride: int
) -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-cloudtr-prd"

    def run() -> list[Json]:
        return carry_out(azure, declare, auto_builder, *roles, parallel=1)

    def empty() -> None:
        azure.store.clear()
        # What is judged is the last try: all are alike.
        azure.log.clear()
        if roles:
            # The network's role makes it, which is not among them.
            azure.plant(group)

    empty()
    assert failure(run()) == ""
    whole, assignments = set(azure.store), assigned(azure)
    survived = 0
    while True:
        empty()
        kill(survived)
        try:
            run()
            break
        except Killed:
            kill(None)
            assert failure(run()) == ""
            assert run() == []
            assert (set(azure.store), assigned(azure)) == (whole, assignments)
            survived += stride
    # It was killed before, between and after the writes of each of these.
    assert survived > 2 * len(whole)
