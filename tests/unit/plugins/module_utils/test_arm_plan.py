"""What a body asks of a resource: desired, observed -> what differs and what is sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import (
    Resource,
    Told,
    differences,
    merge,
    plan,
    prerequisites,
    resource_id,
    spellings,
)

GROUP = "/subscriptions/s/resourceGroups/g"
POLICY = f"{GROUP}/providers/Microsoft.Network/firewallPolicies/policy"


def resource(key: str, id_: str = "", **more: Any) -> Resource:
    where = {"id": id_ or f"{GROUP}/providers/Microsoft.Network/x/{key}", "type": "Microsoft.Network/x", "name": key}
    return Resource(key=key, **where, api_version="2024-05-01", **more)


def told(desired: Any, observed: Any, **lists: str) -> list[str]:
    rules = Told(**{name: frozenset([path]) for name, path in lists.items()})
    return [str(difference) for difference in differences(desired, observed, rules)]


@pytest.mark.parametrize(
    ("desired", "observed", "found"),
    [
        ({}, {"a": 1}, []),
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {}, ["a: absent -> 1"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 2 -> 1"]),
        ({"A": 1}, {"a": 1}, []),
        ({"a": None}, {}, []),
        ({"a": None}, {"a": None}, []),
        ({"a": None}, {"a": 1}, ["a: 1 -> absent"]),
        ({"a": {}, "b": []}, {"b": None}, []),
        ({"a": {"b": {"enabled": False}}}, {}, []),
        ({"a": {"enabled": False, "b": 1}}, {}, ['a: absent -> {"b": 1, "enabled": false}']),
        ({"a": {"enabled": False}}, {"a": {"enabled": True}}, ["a.enabled: true -> false"]),
        ({"a": True}, {"a": 1}, ["a: 1 -> true"]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": "X"}, {"a": "x"}, ['a: "x" -> "X"']),
        ({"a": POLICY}, {"a": POLICY.upper() + "/"}, []),
        ({"location": "Korea Central"}, {"location": "koreacentral"}, []),
        ({"ids": {POLICY: {}}}, {"ids": {}}, [f"ids.{POLICY}: absent -> {{}}"]),
        ({"ids": {POLICY: {}}}, {"ids": {POLICY.lower(): {"clientId": "x"}}}, []),
        # Lists: by name, by id, by place.
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "X", "v": 1, "w": 2}]}, []),
        ({"a": [{"name": "x"}, {"name": "y"}]}, {"a": [{"name": "y"}, {"name": "x"}]}, []),
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "x", "v": 2}]}, ["a[x].v: 2 -> 1"]),
        ({"a": [{"name": "x"}]}, {"a": []}, ['a[x]: absent -> {"name": "x"}']),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "x"}, {"name": "z"}]}, ['a[z]: {"name": "z"} -> absent']),
        ({"a": [{"id": POLICY}]}, {"a": [{"id": POLICY.lower(), "v": 1}]}, []),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a[0]: 2 -> 1", "a[1]: 1 -> 2"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a[1]: 2 -> absent"]),
        ({"a": []}, {"a": [1]}, ["a[0]: 1 -> absent"]),
        ({"a": [{"v": 1}]}, {"a": [{"v": 1, "w": 2}]}, []),
        # A name that two items share tells nothing.
        ({"a": [{"name": "x", "v": 1}, {"name": "x"}]}, {"a": [{"name": "x", "v": 1}, {"name": "x", "v": 2}]}, []),
    ],
)
def test_differences(desired: Any, observed: Any, found: list[str]) -> None:
    assert told(desired, observed) == found


def test_a_list_without_order_is_one_only_where_that_is_said() -> None:
    assert told({"A": [1, 2, 2]}, {"a": [2, 1, 2]}, any_order="a") == []
    assert told({"a": [1, 2, 2]}, {"a": [2, 1, 1]}, any_order="a") == ["a[2]: absent -> 2", "a[3]: 1 -> absent"]
    assert told({"a": {"b": [{"v": 1}, {"v": 2}]}}, {"a": {"b": [{"v": 2, "w": 3}, {"v": 1}]}}, any_order="a.b") == []


def test_what_else_is_in_a_partial_list_is_left_alone() -> None:
    pools = {"pools": [{"name": "system", "count": 3}, {"name": "general", "count": 1}]}
    wanted = {"pools": [{"name": "system", "count": 5}]}
    rules = Told(partial=frozenset(["pools"]))
    assert told(wanted, pools, partial="pools") == ["pools[system].count: 3 -> 5"]
    assert merge(wanted, pools, rules)["pools"] == [{"name": "system", "count": 5}, {"name": "general", "count": 1}]
    assert merge(wanted, pools)["pools"] == [{"name": "system", "count": 5}]


@pytest.mark.parametrize(
    ("desired", "observed", "merged"),
    [
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"A": 1}, {"a": 2}, {"a": 1}),
        ({"a": None, "b": {"c": None}}, {"a": 1}, {"b": {}}),
        ({"a": POLICY}, {"a": POLICY.lower()}, {"a": POLICY.lower()}),
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "X", "w": 2}]}, {"a": [{"name": "X", "v": 1, "w": 2}]}),
        # Nobody knows whether an item without a name is the one that was there.
        ({"a": [{"v": 1}]}, {"a": [{"v": 2, "w": 3}]}, {"a": [{"v": 1}]}),
        ({"a": [{"v": 1}]}, {"a": [{"v": 1, "w": 3}]}, {"a": [{"v": 1, "w": 3}]}),
    ],
)
def test_merge(desired: Any, observed: Any, merged: Any) -> None:
    assert merge(desired, observed) == merged
    assert [each for each in differences(desired, merged) if each] == []


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"type": "Microsoft.Resources/resourceGroups", "name": "g"}, GROUP),
        ({"type": "Microsoft.Network/firewallPolicies", "name": "policy", "resource_group": "g"}, POLICY),
        ({"type": "Microsoft.Network/firewallPolicies/rules", "name": "policy/dns", "resource_group": "g"},
         f"{POLICY}/rules/dns"),
        ({"type": "Microsoft.Authorization/locks", "name": "keep", "scope": POLICY},
         f"{POLICY}/providers/Microsoft.Authorization/locks/keep"),
        ({"type": "Microsoft.Authorization/policies", "name": "p"},
         "/subscriptions/s/providers/Microsoft.Authorization/policies/p"),
    ],
)  # fmt: skip
def test_a_type_and_a_name_make_an_id(options: dict[str, str], path: str) -> None:
    assert resource_id({"resource_group": None, "scope": None, **options}, "s") == path


def test_a_resource_waits_for_what_it_is_within_on_or_speaks_of() -> None:
    resources = [
        resource("rules", f"{POLICY}/ruleCollectionGroups/dns"),
        resource("firewall", body={"properties": {"firewallPolicy": {"id": POLICY.lower()}}}),
        resource("lock", f"{POLICY}/providers/Microsoft.Authorization/locks/keep"),
        resource("namesake", body={"properties": {"other": POLICY + "2"}}),
        resource("policy", POLICY, body={"properties": {"children": [{"id": f"{POLICY}/ruleCollectionGroups/dns"}]}}),
        resource("group", GROUP),
    ]
    assert prerequisites(resources) == {
        "rules": {"policy", "group"},
        "firewall": {"policy", "group"},
        "lock": {"policy", "group"},
        "namesake": {"group"},
        "policy": {"group"},
        "group": set(),
    }


def test_deletions_go_the_other_way_round() -> None:
    resources = [
        resource("rules", f"{POLICY}/ruleCollectionGroups/dns", present=False),
        resource("policy", POLICY, present=False),
        resource("firewall", present=False, depends_on=("policy",)),
    ]
    assert prerequisites(resources) == {"policy": {"rules", "firewall"}, "rules": set(), "firewall": set()}


@pytest.mark.parametrize(
    ("path", "family"),
    [
        (f"{POLICY}/ruleCollectionGroups/dns", POLICY),
        (POLICY, POLICY),
        (GROUP, GROUP),
        (f"{POLICY}/providers/Microsoft.Authorization/locks/a", f"{POLICY}/providers/Microsoft.Authorization/locks/a"),
    ],
)
def test_a_family_is_what_the_outermost_resource_holds(path: str, family: str) -> None:
    assert resource("x", path).family == family.lower()


def test_what_is_shown_is_what_the_body_names() -> None:
    there = {"id": "x", "location": "here", "properties": {"a": 1, "b": 2, "provisioningState": "Succeeded"}}
    change = plan(resource("x", body={"properties": {"a": 5}}), there)
    assert change
    assert (change.before, change.after) == ({"properties": {"a": 1}}, {"properties": {"a": 5}})
    assert change.body == {"location": "here", "properties": {"a": 5, "b": 2}}


def test_what_is_not_there_needs_no_deletion() -> None:
    assert plan(resource("x", present=False), None) is None


def test_a_null_is_not_sent_when_a_resource_is_made() -> None:
    change = plan(resource("x", body={"a": None, "b": [{"c": None, "d": 1}]}), None)
    assert change
    assert change.body == {"b": [{"d": 1}]}


def test_a_secret_is_known_in_each_of_its_spellings() -> None:
    assert spellings('a"b/c\n') == {'a"b/c\n', 'a\\"b/c\\n', "a%22b%2Fc%0A"}
