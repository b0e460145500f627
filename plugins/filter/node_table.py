# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a cluster as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HEADINGS = ("NODE", "READY", "VERSION", "TIER", "DOMAIN", "TYPE", "TAINTS")


def _row(node: Mapping[str, Any]) -> tuple[str, ...]:
    labels = node["labels"]
    return (
        node["name"],
        "yes" if node["ready"] else f"no: {node['reason']}",
        node["kubelet_version"],
        labels.get("tier", "–"),
        labels.get("domain", "–"),
        labels.get("node.kubernetes.io/instance-type", "–"),
        " ".join(node["taints"]) or "–",
    )


def node_table(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of a table, one for each node that M(groundwork.kube.node_info) returned, below a line of headings."""
    rows = [_HEADINGS, *(_row(node) for node in nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


class FilterModule:
    """Names of the filters in this file."""

    def filters(self) -> dict[str, Any]:
        return {"node_table": node_table}
