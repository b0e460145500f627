"""When a member of etcd may go."""

from __future__ import annotations

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.etcd import Member, objection


def member(number: int, learner: bool = False) -> Member:
    return Member(str(number), f"cp-{number}", (f"https://192.0.2.{number}:2380",), (), learner)


@pytest.mark.parametrize(
    ("count", "healthy", "leaving"),
    [
        (3, {"1", "2", "3"}, 1),
        (3, {"2", "3"}, 1),
        (5, {"1", "2", "3"}, 4),
        (5, {"1", "2", "3", "4"}, 4),
        (2, {"1", "2"}, 1),
    ],
)
def test_a_member_may_go_while_the_others_are_enough(count: int, healthy: set[str], leaving: int) -> None:
    assert objection([member(number) for number in range(1, count + 1)], healthy, member(leaving)) == ""


@pytest.mark.parametrize(
    ("count", "healthy", "leaving", "said"),
    [
        (1, {"1"}, 1, "cp-1 is etcd's only member"),
        (2, {"2"}, 1, "has lost its quorum: 1 of 2 members serve"),
        (3, {"3"}, 1, "has lost its quorum: 1 of 3 members serve"),
        (3, {"1", "3"}, 1, "bring back cp-2 first"),
        (4, {"1", "2", "3"}, 1, ""),
        (5, {"1", "2", "3"}, 1, "bring back cp-4, cp-5 first"),
    ],
)
def test_else_it_is_said_what_would_be_lost(count: int, healthy: set[str], leaving: int, said: str) -> None:
    found = objection([member(number) for number in range(1, count + 1)], healthy, member(leaving))
    assert said in found
    assert bool(said) == bool(found)


def test_a_learner_has_no_vote_to_lose() -> None:
    learner = member(2, learner=True)
    assert objection([member(1), learner], {"1"}, learner) == ""


def test_a_member_that_has_never_started_is_known_by_its_address() -> None:
    unstarted = member(1)._replace(name="")
    assert unstarted.is_at("cp-1", "192.0.2.1")
    assert not unstarted.is_at("cp-1", "")
    assert not member(2).is_at("cp-1", "192.0.2.2")
