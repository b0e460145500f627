# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.metadata import MetadataError, Taint
from ansible_collections.groundwork.kube.plugins.module_utils.node_plan import (
    OWNED_ANNOTATION,
    plan_labels,
    plan_node,
    plan_taints,
    read_annotations,
    read_labels,
    read_taints,
)


def a_node(
    labels: dict[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
    owned: dict[str, list[str]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    annotations = {} if owned is None else {OWNED_ANNOTATION: json.dumps(owned)}
    return {
        "metadata": {
            "name": "k8s-redis",
            "resourceVersion": "7",
            "labels": labels or {},
            "annotations": annotations,
        },
        "spec": {"taints": taints or [], **spec},
    }


def test_a_node_as_it_should_be_needs_no_patch() -> None:
    node = a_node({"tier": "infra"}, owned={"labels": ["tier"], "taints": []})
    assert not plan_node(node, {"labels": {"tier": "infra"}, "taints": []}, {}).changed


def test_the_patch_names_the_version_it_was_made_for_and_touches_only_what_differs() -> None:
    node = a_node({"tier": "web", "old": "1", "foreign": "x"}, owned={"labels": ["old", "tier"], "taints": ["domain"]})
    plan = plan_node(node, {"labels": {"tier": "infra", "domain": "redis"}}, {})
    assert plan.patch() == {
        "metadata": {
            "resourceVersion": "7",
            "labels": {"tier": "infra", "domain": "redis", "old": None},
            "annotations": {OWNED_ANNOTATION: '{"labels":["domain","tier"],"taints":["domain"]}'},
        }
    }
    assert plan.drift == [
        "label domain=redis missing",
        "label tier=web, should be 'infra'",
        "label old=1 no longer in the inventory",
    ]


def test_taints_and_labels_of_one_node_make_one_patch() -> None:
    plan = plan_node(a_node(), {"labels": {"tier": "infra"}, "taints": [Taint("a", "", "NoExecute")]}, {})
    patch = plan.patch()
    assert patch["metadata"]["labels"] == {"tier": "infra"}
    assert patch["spec"]["taints"] == [{"key": "a", "effect": "NoExecute"}]


def test_what_is_on_record_counts_only_where_the_node_does_not_say() -> None:
    assert plan_labels(a_node({"old": "1"}), {}, recorded={"old"}).removed == ["old"]
    assert plan_labels(a_node({"old": "1"}, owned={"labels": []}), {}, recorded={"old"}).removed == []


@pytest.mark.parametrize("broken", ["{", "[]", '"labels"', '{"labels": "tier"}', ""])
def test_an_ownership_annotation_that_says_nothing_is_none(broken: str) -> None:
    node = a_node({"old": "1"})
    node["metadata"]["annotations"] = {OWNED_ANNOTATION: broken}
    assert plan_labels(node, {}, recorded={"old"}).removed == ["old"]


def test_a_key_that_a_component_writes_is_never_removed() -> None:
    key = "topology.kubernetes.io/zone"
    assert plan_labels(a_node({key: "a"}, owned={"labels": [key]}, providerID="aws:///i"), {}).removed == []
    assert plan_labels(a_node({key: "a"}, owned={"labels": [key]}), {}).removed == [key]


def test_a_taint_may_be_wanted_with_two_effects() -> None:
    live = [{"key": "a", "value": "x", "effect": "NoSchedule"}]
    wanted = [Taint("a", "x", "NoSchedule"), Taint("a", "x", "NoExecute")]
    plan = plan_taints(a_node(taints=live), wanted)
    assert plan.patch == [*live, {"key": "a", "value": "x", "effect": "NoExecute"}]
    assert plan.given == ["a=x:NoExecute"]
    assert plan.removed == []


def test_a_taint_that_is_right_keeps_its_time() -> None:
    live = [
        {"key": "a", "effect": "NoExecute", "timeAdded": "2026-11-21T09:00:00Z"},
        {"key": "b", "value": "wrong", "effect": "NoSchedule"},
    ]
    plan = plan_taints(a_node(taints=live), [Taint("a", "", "NoExecute"), Taint("b", "right", "NoSchedule")])
    assert plan.patch == [live[0], {"key": "b", "value": "right", "effect": "NoSchedule"}]


def test_the_diff_shows_what_is_touched_and_nothing_else() -> None:
    node = a_node({"tier": "web", "foreign": "x"}, owned={"labels": ["tier"]})
    diff = plan_node(node, {"labels": {"tier": "infra"}}, {}).diff()
    assert diff["before"] == "labels:\n  tier: web\nowned labels: tier\n"
    assert diff["after"] == "labels:\n  tier: infra\nowned labels: tier\n"
    assert diff["before_header"] == "Node k8s-redis"


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(MetadataError) as refusal:
        read_labels({"n1": {"spot": True, "-bad": "x", "fine": "yes"}, "n2": ["tier"], "n3": {"cpus": 8}})
    assert str(refusal.value).splitlines() == [
        'n1: label spot: value true is a boolean, not a string; quote it: "true"',
        "n1: label -bad: key '-bad': the name must be 1 to 63 letters, digits, '-', '_' or '.', "
        "and begin and end with a letter or digit",
        "n2: labels are ['tier'], not a map of keys to values",
        'n3: label cpus: value 8 is a number, not a string; quote it: "8"',
    ]


def test_the_ownership_annotation_is_nobody_elses() -> None:
    with pytest.raises(MetadataError, match="this collection writes it"):
        read_annotations({"n1": {OWNED_ANNOTATION: "{}"}})


@pytest.mark.parametrize(
    ("taints", "cure"),
    [
        ("domain=redis:NoSchedule", "not a list"),
        ({"domain": "redis"}, "not a list"),
        (["domain=redis:NoSchedul"], "n1: taint: .*did you mean NoSchedule?"),
    ],
)
def test_wrong_taints_are_refused_by_node(taints: Any, cure: str) -> None:
    with pytest.raises(MetadataError, match=cure):
        read_taints({"n1": taints})
