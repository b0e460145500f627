# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any


def missing_packages(wanted: Sequence[str], installed: Mapping[str, str]) -> list[str]:
    missing = []
    for package in wanted:
        name, _equals, version = package.partition("=")
        if name not in installed or not fnmatchcase(installed[name], version or "*"):
            missing.append(package)
    return missing


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"missing_packages": missing_packages}
