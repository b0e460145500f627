# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages as dpkg's status file shows them, without starting dpkg."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.groundwork.kube.plugins.module_utils.host_root import Root

DPKG = "/var/lib/dpkg"


@dataclass(frozen=True)
class Package:
    version: str
    held: bool


def _fields(paragraph: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in paragraph.splitlines() if not line.startswith(" "))
    return {name: value.strip() for name, _separator, value in pairs}


def installed_packages(root: Root, names: Iterable[str]) -> dict[str, Package]:
    """Those of the named packages that are installed, completely."""
    wanted = {f"Package: {name}" for name in names}
    found = {}
    for paragraph in (root.text(f"{DPKG}/status") or "").split("\n\n"):
        if paragraph.lstrip().split("\n", 1)[0] not in wanted:
            continue
        fields = _fields(paragraph.lstrip())
        selection, _error, state = ([*fields.get("Status", "").split(), "", "", ""])[:3]
        if state == "installed":
            found[fields["Package"]] = Package(fields.get("Version", ""), selection == "hold")
    return found
