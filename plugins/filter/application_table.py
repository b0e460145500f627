# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD's applications as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HEADINGS = ("WAVE", "APPLICATION", "SYNC", "HEALTH", "REVISION", "WHY")
_REVISION_LENGTH = 10


def _row(application: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(application["wave"]) if application["parent"] else "–",
        application["name"],
        application["sync"] or "–",
        application["health"] or "–",
        application["revision"][:_REVISION_LENGTH] or "–",
        "" if application["ready"] else application["why"],
    )


def application_table(applications: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of a table, one for each application that M(groundwork.kube.argocd_info) returned, below the headings."""
    rows = [_HEADINGS, *(_row(application) for application in applications)]
    if all(application["ready"] for application in applications):
        rows = [row[:-1] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


class FilterModule:
    """Names of the filters in this file."""

    def filters(self) -> dict[str, Any]:
        return {"application_table": application_table}
