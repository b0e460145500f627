"""The applications at a glance."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundwork.kube.plugins.filter.application_table import application_table

ROOT = {"name": "lab", "wave": 0, "parent": "", "sync": "Synced", "health": "Healthy", "revision": 40 * "a"}
CHILD = {
    "name": "cert-manager",
    "wave": 12,
    "parent": "lab",
    "sync": "Synced",
    "health": "Healthy",
    "revision": "v1.2.3",
}


def ready(application: dict[str, Any]) -> dict[str, Any]:
    return {**application, "ready": True, "why": ""}


def test_each_application_is_a_line_with_its_wave() -> None:
    assert application_table([ready(ROOT), ready(CHILD)]) == [
        "WAVE  APPLICATION   SYNC    HEALTH   REVISION",
        "–     lab           Synced  Healthy  aaaaaaaaaa",
        "12    cert-manager  Synced  Healthy  v1.2.3",
    ]


def test_what_is_not_ready_says_why() -> None:
    waiting = {**CHILD, "sync": "", "health": "Missing", "revision": "", "ready": False, "why": "no such chart"}
    assert application_table([ready(ROOT), waiting]) == [
        "WAVE  APPLICATION   SYNC    HEALTH   REVISION    WHY",
        "–     lab           Synced  Healthy  aaaaaaaaaa",
        "12    cert-manager  –       Missing  –           no such chart",
    ]
