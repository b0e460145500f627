# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(host_settings) would change: desired and observed in, changes out. Nothing here touches a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

MARKER = "# Managed by Groundwork: change the inventory, not this file."
HOSTS_BEGIN = "# BEGIN Groundwork"
HOSTS_END = "# END Groundwork"
SWAP_REMARK = "# switched off by Groundwork: "


@dataclass(frozen=True)
class WantedFile:
    """A file as it shall be: C(content) None means that it shall not exist, an attribute None: as it is."""

    path: str
    content: str | None = field(repr=False)
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    validate: str | None = None
    sensitive: bool = False


@dataclass(frozen=True)
class SeenFile:
    """A file as it is: C(content) None means that it does not exist."""

    content: str | None = field(default=None, repr=False)
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class FileChange:
    wanted: WantedFile
    seen: SeenFile

    @property
    def rewrites(self) -> bool:
        return self.wanted.content != self.seen.content


@dataclass(frozen=True)
class Setting:
    """Something that runs rather than lies in a file: a sysctl, a kernel module, a swap device, a held package."""

    kind: str
    name: str
    before: str
    after: str


def _attributes(owner: str | None, group: str | None, mode: int | None) -> dict[str, Any]:
    return {"owner": owner, "group": group, "mode": mode}


def _attributes_differ(wanted: WantedFile, seen: SeenFile) -> bool:
    want = _attributes(wanted.owner, wanted.group, wanted.mode)
    have = _attributes(seen.owner, seen.group, seen.mode)
    return any(value is not None and value != have[name] for name, value in want.items())


def plan_files(wanted: list[WantedFile], seen: dict[str, SeenFile]) -> list[FileChange]:
    """The files that are not as wanted, in the order given."""
    changes = []
    for file in wanted:
        present = seen[file.path]
        if file.content != present.content or (file.content is not None and _attributes_differ(file, present)):
            changes.append(FileChange(file, present))
    return changes


def plan_settings(kind: str, wanted: dict[str, str], seen: dict[str, str]) -> list[Setting]:
    """The settings that are not as wanted, by name."""
    return [
        Setting(kind, name, seen.get(name, ""), value)
        for name, value in sorted(wanted.items())
        if seen.get(name, "") != value
    ]


def sysctl_content(values: dict[str, str]) -> str | None:
    if not values:
        return None
    return "\n".join([MARKER, *(f"{name} = {value}" for name, value in sorted(values.items()))]) + "\n"


def modules_content(names: list[str]) -> str | None:
    if not names:
        return None
    return "\n".join([MARKER, *sorted(names)]) + "\n"


def hosts_content(present: str, addresses: dict[str, list[str]]) -> str:
    """/etc/hosts with our marked block replaced, removed when it would be empty, every other line kept."""
    block = re.compile(rf"^{re.escape(HOSTS_BEGIN)}$.*?^{re.escape(HOSTS_END)}$\n?", re.MULTILINE | re.DOTALL)
    lines = [f"{address} {' '.join(names)}" for address, names in sorted(addresses.items())]
    ours = "\n".join([HOSTS_BEGIN, *lines, HOSTS_END]) + "\n" if lines else ""
    if block.search(present):
        return block.sub(lambda _block: ours, present, count=1)
    return (present if present.endswith("\n") or not present else present + "\n") + ours


def fstab_without_swap(present: str) -> str:
    """/etc/fstab with its swap lines made remarks, which an operator can read and undo."""
    lines = []
    for line in present.splitlines(keepends=True):
        fields = line.split()
        is_swap = len(fields) > 2 and not line.lstrip().startswith("#") and fields[2] == "swap"
        lines.append(SWAP_REMARK + line if is_swap else line)
    return "".join(lines)


def is_ours(content: str | None) -> bool:
    """Whether Groundwork wrote a file, by its first line."""
    return content is not None and content.split("\n", 1)[0] == MARKER


def _shown(file_content: str | None, sensitive: bool) -> str:
    if file_content is None:
        return ""
    return "(sensitive content)\n" if sensitive else file_content


def _attribute_lines(owner: str | None, group: str | None, mode: int | None) -> str:
    shown = {"owner": owner, "group": group, "mode": None if mode is None else f"{mode:04o}"}
    return "".join(f"{name}: {value}\n" for name, value in shown.items() if value is not None)


def file_diffs(change: FileChange) -> list[dict[str, str]]:
    """The change as Ansible shows diffs: of the content, and owner and mode of a file that stays."""
    wanted, seen = change.wanted, change.seen
    diffs = []
    if change.rewrites:
        after = _shown(wanted.content, wanted.sensitive)
        if wanted.sensitive and seen.content is not None and wanted.content is not None:
            after = "(other sensitive content)\n"
        diffs.append(
            {
                "before_header": wanted.path if seen.content is not None else f"{wanted.path} (absent)",
                "after_header": wanted.path if wanted.content is not None else f"{wanted.path} (absent)",
                "before": _shown(seen.content, wanted.sensitive),
                "after": after,
            }
        )
    if seen.content is not None and wanted.content is not None and _attributes_differ(wanted, seen):
        keep = {name: value for name, value in vars(seen).items() if getattr(wanted, name) is not None}
        header = f"{wanted.path} (owner and mode)"
        diffs.append(
            {
                "before_header": header,
                "after_header": header,
                "before": _attribute_lines(keep.get("owner"), keep.get("group"), keep.get("mode")),
                "after": _attribute_lines(wanted.owner, wanted.group, wanted.mode),
            }
        )
    return diffs


def setting_diffs(settings: list[Setting]) -> list[dict[str, str]]:
    """One diff for each kind of running setting."""
    diffs = []
    for kind in sorted({setting.kind for setting in settings}):
        ours = [setting for setting in settings if setting.kind == kind]
        diffs.append(
            {
                "before_header": kind,
                "after_header": kind,
                "before": "".join(f"{one.name}: {one.before or 'absent'}\n" for one in ours),
                "after": "".join(f"{one.name}: {one.after}\n" for one in ours),
            }
        )
    return diffs
