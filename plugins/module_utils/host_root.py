# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine as a tree of files: the one below C(/), or one mounted somewhere else."""

from __future__ import annotations

import os


class Root:
    """Reads a machine's files below a prefix. What cannot be read is absent."""

    def __init__(self, prefix: str = "/") -> None:
        self.prefix = prefix.rstrip("/")

    @property
    def live(self) -> bool:
        """Whether this is the running machine rather than an image of one."""
        return not self.prefix

    def path(self, path: str) -> str:
        return self.prefix + path

    def exists(self, path: str) -> bool:
        return os.path.exists(self.path(path))

    def text(self, path: str) -> str | None:
        try:
            with open(self.path(path), encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return None

    def lines(self, path: str) -> list[str]:
        return (self.text(path) or "").splitlines()

    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []
