# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checks that make waves mean something, judged by Argo CD's own interpreter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.api import binary

FILES = Path(__file__).parents[2] / "roles/argocd/files"
CHECKS = {"Application": "application_health.lua", "ApplicationSet": "application_set_health.lua"}

SOURCE = {"repoURL": "https://git.example.org/p.git", "path": "web", "targetRevision": "main"}
OTHER = {**SOURCE, "targetRevision": "v2"}
LATEST = {"revision": "b2", "source": SOURCE}

Judge = Callable[[dict[str, Any]], tuple[str, str]]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    settings, judged = tmp_path / "argocd-cm.yaml", tmp_path / "object.yaml"
    data = {
        f"resource.customizations.health.argoproj.io_{kind}": (FILES / name).read_text()
        for kind, name in CHECKS.items()
    }
    labels = {"app.kubernetes.io/part-of": "argocd"}
    metadata = {"name": "argocd-cm", "namespace": "argocd", "labels": labels}
    settings.write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}))

    def judge(item: dict[str, Any]) -> tuple[str, str]:
        judged.write_text(json.dumps({"apiVersion": "argoproj.io/v1alpha1", **item}))
        command = ["admin", "settings", "resource-overrides", "health", judged, "--argocd-cm-path", settings]
        done = subprocess.run([binary("argocd"), *command], capture_output=True, text=True, check=True)
        status, message = done.stdout.split("MESSAGE:")
        return status.removeprefix("STATUS:").strip(), message.strip()

    return judge


def application(operation: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    sync = {"status": "Synced", "revision": "b2", "comparedTo": {"source": SOURCE, "destination": {}}}
    sync.update(status.pop("sync", {}))
    found = {"health": {"status": "Healthy"}, "sync": sync, **status}
    if operation is not None:
        found["operationState"] = operation
    return {
        "kind": "Application",
        "metadata": {"name": "web"},
        "spec": {"project": "default", "source": SOURCE, "destination": {}},
        "status": found,
    }


APPLICATIONS = {
    "synced, and its last sync succeeded": (
        application({"phase": "Succeeded", "syncResult": LATEST}),
        ("Healthy", ""),
    ),
    "synced, and there was never anything to sync": (application(), ("Healthy", "")),
    "not looked at yet": ({**application(), "status": {}}, ("Progressing", "has not been looked at")),
    "of a source its parent has just changed": (
        {**application(), "spec": {"source": OTHER, "destination": {}}},
        ("Progressing", "has not been looked at"),
    ),
    "not synced": (application(sync={"status": "OutOfSync"}), ("Progressing", "is OutOfSync")),
    "impossible to compare": (
        application(sync={"status": "Unknown"}, conditions=[{"type": "ComparisonError", "message": "no such path"}]),
        ("Progressing", "no such path"),
    ),
    "being synced": (
        application({"phase": "Running", "message": "waiting for web"}),
        ("Progressing", "waiting for web"),
    ),
    "about to be synced": ({**application(), "operation": {"sync": {}}}, ("Progressing", "is being synced")),
    "healthy although its sync failed": (
        application({"phase": "Failed", "message": "web is invalid", "syncResult": LATEST}),
        ("Degraded", "sync Failed: web is invalid"),
    ),
    "on its way to another revision after a failed sync": (
        application({"phase": "Failed", "syncResult": {**LATEST, "revision": "a1"}}, sync={"status": "OutOfSync"}),
        ("Progressing", "is OutOfSync"),
    ),
    "on its way to another source after a failed sync": (
        application({"phase": "Error", "syncResult": {**LATEST, "source": OTHER}}, sync={"status": "OutOfSync"}),
        ("Progressing", "is OutOfSync"),
    ),
    "synced, and not up yet": (
        application({"phase": "Succeeded", "syncResult": LATEST}, health={"status": "Progressing"}),
        ("Progressing", ""),
    ),
}


@pytest.mark.parametrize(("item", "expected"), APPLICATIONS.values(), ids=APPLICATIONS)
def test_an_application_that_is(judge: Judge, item: dict[str, Any], expected: tuple[str, str]) -> None:
    status, message = judge(item)
    assert status == expected[0]
    assert expected[1] in message


UP = {"type": "ResourcesUpToDate", "status": "True", "message": "All applications have been generated"}


def applications(*states: tuple[str, str], **condition: str) -> dict[str, Any]:
    resources = [
        {"name": f"web-{number}", "status": sync, "health": {"status": health}}
        for number, (sync, health) in enumerate(states)
    ]
    return {
        "kind": "ApplicationSet",
        "metadata": {"name": "web"},
        "spec": {},
        "status": {"conditions": [condition or UP], "resources": resources},
    }


SETS = {
    "of applications that are well": (applications(("Synced", "Healthy"), ("Synced", "Healthy")), "Healthy"),
    "of none": (applications(), "Healthy"),
    "of one that is not up yet": (applications(("Synced", "Healthy"), ("Synced", "Progressing")), "Progressing"),
    "of one that is not synced": (applications(("OutOfSync", "Healthy")), "Progressing"),
    "of one that is broken": (applications(("Synced", "Progressing"), ("Synced", "Degraded")), "Degraded"),
    "that cannot make them": (
        applications(type="ErrorOccurred", status="True", message="no such generator"),
        "Degraded",
    ),
    "that has not made them yet": ({**applications(), "status": {}}, "Progressing"),
}


@pytest.mark.parametrize(("item", "status"), SETS.values(), ids=SETS)
def test_a_set(judge: Judge, item: dict[str, Any], status: str) -> None:
    assert judge(item)[0] == status
