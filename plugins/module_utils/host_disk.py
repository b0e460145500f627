# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a disk may be formatted, mounted or must be left alone: what was seen of it in, one decision out."""

from __future__ import annotations

from dataclasses import dataclass

# By its label Groundwork knows a file system that it made.
LABEL = "groundwork"

FORMAT = "format"
MOUNT = "mount"
SETTLE = "settle"


class RefusedError(Exception):
    """The disk or the directory holds something that is not ours."""


@dataclass(frozen=True)
class Disk:
    """A disk and the directory it is for, as they are."""

    device: str
    path: str
    signature: str
    label: str
    zeroed: bool
    mounted: bool
    settled: bool
    covered: bool
    occupied: bool

    @property
    def blank(self) -> bool:
        return not self.signature and self.zeroed


def decide(disk: Disk) -> tuple[str, ...]:
    """What is to be done, in order; nothing when the disk is where it belongs."""
    if disk.mounted:
        return () if disk.settled else (SETTLE,)
    if disk.covered:
        raise RefusedError(
            f"Something else than {disk.device} is mounted at {disk.path}. Unmount it if it is not needed."
        )
    if disk.occupied:
        raise RefusedError(
            f"{disk.path} is not empty, and mounting {disk.device} over it would hide what is there. "
            f"Stop what uses it and move it away."
        )
    if disk.blank:
        return (FORMAT, MOUNT, SETTLE)
    if disk.label == LABEL:
        return (MOUNT, SETTLE)
    found = disk.signature or "data of no known kind"
    raise RefusedError(
        f"{disk.device} holds {found}, so it is not formatted. If nothing on it is needed, blank it yourself: "
        f"wipefs --all {disk.device} && dd if=/dev/zero of={disk.device} bs=1M count=1. "
        f"A file system to be used as it is gets the label {LABEL}."
    )


def unit_name(path: str) -> str:
    """The name that systemd wants of a mount unit for a path."""
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    parts = [part for part in path.split("/") if part]
    escaped = "-".join(
        "".join(character if character in allowed else f"\\x{ord(character):02x}" for character in part)
        for part in parts
    )
    return f"{escaped}.mount"


def unit_content(marker: str, uuid: str, path: str, filesystem: str) -> str:
    """A mount unit by UUID: device names may change places at the next boot."""
    return f"""\
{marker}
[Unit]
Description=Data disk of {path}

[Mount]
What=/dev/disk/by-uuid/{uuid}
Where={path}
Type={filesystem}
Options=noatime

[Install]
WantedBy=local-fs.target
"""
