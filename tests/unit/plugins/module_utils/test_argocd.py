# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the Argo CD modules; tests/api has them against a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import change, outcome
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_explain import bad_conditions, pod_complaint
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_health import all_states, state_of
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import (
    APPLICATION_SPEC,
    PROJECT_SPEC,
    fields,
)

SOURCE = {"repoURL": "https://git.example.com/platforms.git", "path": "eco2", "targetRevision": "main"}
DESTINATION = {"server": "https://kubernetes.default.svc"}


def test_options_become_fields_under_their_own_names() -> None:
    source = {"repo_url": "oci://example.com/chart", "chart": None, "helm": {"values_object": {"some_key": None}}}
    assert fields(APPLICATION_SPEC, {"source": source, "project": None}) == {
        "source": {"repoURL": "oci://example.com/chart", "helm": {"valuesObject": {"some_key": None}}}
    }
    assert fields(PROJECT_SPEC, {"signature_keys": [{"key_id": "ABCD"}]}) == {"signatureKeys": [{"keyID": "ABCD"}]}


def test_what_is_said_to_be_empty_is_not_what_is_not_said() -> None:
    policy = {"automated": {"prune": None, "self_heal": False}, "sync_options": [], "retry": None}
    assert fields(APPLICATION_SPEC, {"sync_policy": policy}) == {
        "syncPolicy": {"automated": {"selfHeal": False}, "syncOptions": []}
    }


@pytest.mark.parametrize(("said", "text"), [("8080", "8080"), (8080, "8080"), (True, "true"), ({"a": 1}, '{"a": 1}')])
def test_a_field_of_text_takes_what_yaml_made_of_it(said: Any, text: str) -> None:
    source = {"repo_url": "x", "helm": {"parameters": [{"name": "port", "value": said}]}}
    made = fields(APPLICATION_SPEC, {"source": source})
    assert made["source"]["helm"]["parameters"] == [{"name": "port", "value": text}]


def test_labels_are_text_and_helm_values_are_what_they_are() -> None:
    source = {"repo_url": "x", "kustomize": {"common_labels": {"on": True}}, "helm": {"values_object": {"on": True}}}
    made = fields(APPLICATION_SPEC, {"source": source})["source"]
    assert (made["kustomize"]["commonLabels"], made["helm"]["valuesObject"]) == ({"on": "true"}, {"on": True})


def live(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """An Application as Argo CD keeps it: Synced, Healthy and just compared."""
    kept = {"resourceVersion": "1", "managedFields": [], **metadata}
    sync = {"status": "Synced", "revision": "c0ffee", "comparedTo": {"source": SOURCE, "destination": DESTINATION}}
    return {
        "metadata": {"name": "eco2", **kept},
        "spec": {"project": "default", "source": dict(SOURCE), "destination": DESTINATION},
        "status": {"sync": sync, "health": {"status": "Healthy"}, **(status or {})},
    }


def test_what_argo_cd_itself_writes_is_no_change() -> None:
    marked = live({"health": {"status": "Degraded"}}, annotations={"argocd.argoproj.io/refresh": "normal"})
    assert change("eco2", {**marked, "operation": {"sync": {}}}, live(resourceVersion="2")) is None


def test_changes_are_told_by_what_was_done() -> None:
    before, after = live(), live(labels={"tier": "root"})
    pairs = {"new": (None, after), "other": (before, after), "old": (before, None), "same": (before, before)}
    told = outcome(found for name, pair in pairs.items() if (found := change(name, *pair)))
    assert (told["created"], told["updated"], told["deleted"]) == (["new"], ["other"], ["old"])
    assert [bool(diff["before"]) for diff in told["diff"]] == [False, True, True]


def test_what_argo_cd_leaves_out_of_a_spec_it_writes_back_is_no_difference() -> None:
    app = live()
    app["spec"]["source"] = {**SOURCE, "directory": {"recurse": False}, "helm": {"parameters": []}}
    assert state_of("eco2", app).ready


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"sync": {"status": "Synced"}},
        {"operationState": {"phase": "Terminating"}},
        {"operationState": {"phase": "Error", "message": "no such project"}},
        {"conditions": [{"type": "DeletionError", "message": "x"}]},
        {"health": {"status": "Suspended"}},
        {"health": {}},
    ],
)
def test_only_what_is_well_in_every_way_is_ready(status: dict[str, Any]) -> None:
    assert state_of("eco2", live(status)).ready is not bool(status)


def test_what_is_being_deleted_is_not_ready() -> None:
    state = state_of("eco2", live(deletionTimestamp="2026-11-21T13:00:00Z"))
    assert (state.ready, state.brief, state.since) == (False, "is being deleted", "2026-11-21T13:00:00Z")


def test_an_old_failure_ends_with_the_sync_that_follows_it() -> None:
    failed = {"phase": "Failed", "syncResult": {"revision": "c0ffee"}}
    old = {"operationState": failed, "conditions": [{"type": "SyncError", "message": "failed last attempt"}]}
    assert state_of("eco2", live(old)).failed
    syncing = state_of("eco2", {**live(old), "operation": {"sync": {}}})
    assert (syncing.failed, syncing.broken, syncing.phase) == (False, False, "Running")


def test_a_failure_with_other_values_is_of_the_past() -> None:
    tried = {"revision": "c0ffee", "source": {**SOURCE, "helm": {"values": "replicas: 1000"}}}
    assert not state_of("eco2", live({"operationState": {"phase": "Failed", "syncResult": tried}})).failed


def test_an_application_that_grows_itself_is_there_once() -> None:
    grown = [{"group": "argoproj.io", "kind": "Application", "name": name} for name in ("eco2", "crds")]
    apps = {"eco2": live({"resources": grown}), "crds": live()}
    assert [(state.name, state.parent) for state in all_states(apps)] == [("eco2", ""), ("crds", "eco2")]


NOT_READY = {"type": "Ready", "status": "False"}
UNSCHEDULABLE = {"reason": "Unschedulable", "message": "0/14 nodes are available: 14 node(s) had untolerated taints."}


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        ({"conditions": [{"type": "Ready", "status": "True"}]}, None),
        ({"phase": "Succeeded"}, None),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", **UNSCHEDULABLE}]},
            "Unschedulable: 0/14 nodes are available: 14 node(s) had untolerated taints.",
        ),
        (
            {
                "conditions": [NOT_READY],
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
                        "lastState": {"terminated": {"exitCode": 2}},
                    }
                ],
            },
            "CrashLoopBackOff: back-off 5m0s: exited with 2 before",
        ),
        (
            {
                "initContainerStatuses": [{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}],
                "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            "Error: exited with 1",
        ),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
    ],
)
def test_a_pod_says_what_it_waits_for(status: dict[str, Any], complaint: str | None) -> None:
    assert pod_complaint({"status": status}) == complaint


def test_conditions_are_bad_each_in_its_own_way() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "IssuerNotFound", "message": "no issuer x"},
        {"type": "Available", "status": "True"},
        {"type": "Degraded", "status": "True"},
        {"type": "Failed", "status": "False"},
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
    ]
    assert bad_conditions({"status": {"conditions": conditions}}) == [
        "Ready: IssuerNotFound: no issuer x",
        "Degraded",
        "Progressing: ProgressDeadlineExceeded",
    ]
    assert bad_conditions({"status": {"conditions": {"ready": "yes"}}}) == []
