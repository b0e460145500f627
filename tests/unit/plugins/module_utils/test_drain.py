# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods leave a node that is drained."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.drain import (
    CORDONED_ANNOTATION,
    MIRROR_ANNOTATION,
    cordon_patch,
    plan,
    uncordon_patch,
)


def pod(kind: str = "ReplicaSet", phase: str = "Running", volumes: Any = (), **metadata: Any) -> dict[str, Any]:
    owners = [{"kind": kind, "name": "front", "controller": True}] if kind else []
    return {
        "metadata": {"namespace": "web", "name": "front-1", "ownerReferences": owners, **metadata},
        "spec": {"volumes": list(volumes)},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize("stays", [pod("DaemonSet"), pod("Node", annotations={MIRROR_ANNOTATION: "x"})])
def test_pods_of_the_node_itself_stay(stays: dict[str, Any]) -> None:
    assert plan([stays], force=False, delete_emptydir_data=False).done


def test_a_pod_that_is_made_anew_elsewhere_goes() -> None:
    assert plan([pod()], force=False, delete_emptydir_data=False).evict == ["web/front-1"]


def test_a_pod_that_is_going_is_waited_for_and_not_asked_again() -> None:
    found = plan([pod(deletionTimestamp="2026-11-21T12:00:00Z")], force=False, delete_emptydir_data=False)
    assert (found.evict, found.leaving, found.done) == ([], ["web/front-1"], False)


@pytest.mark.parametrize(
    ("lonely", "option"),
    [(pod(""), "force"), (pod(volumes=[{"name": "data", "emptyDir": {}}]), "delete_emptydir_data")],
)
def test_what_would_be_lost_needs_consent(lonely: dict[str, Any], option: str) -> None:
    (refusal,) = plan([lonely], force=False, delete_emptydir_data=False).refused
    assert "web/front-1" in refusal
    assert f"({option})" in refusal
    assert plan([lonely], force=True, delete_emptydir_data=True).refused == []


def test_a_finished_pod_has_nothing_to_lose() -> None:
    finished = pod("", phase="Succeeded", volumes=[{"name": "data", "emptyDir": {}}])
    assert plan([finished], force=False, delete_emptydir_data=False).refused == []


def test_a_node_is_opened_again_only_by_whoever_closed_it() -> None:
    foreign = {"metadata": {}, "spec": {"unschedulable": True}}
    assert cordon_patch(foreign) is None
    assert uncordon_patch(foreign) is None
    ours = cordon_patch({"metadata": {}, "spec": {}})
    assert ours is not None
    assert uncordon_patch(ours) == {
        "metadata": {"annotations": {CORDONED_ANNOTATION: None}},
        "spec": {"unschedulable": None},
    }
