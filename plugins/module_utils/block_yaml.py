# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML that Kubernetes' own tools write: block style, each scalar on its line. A node need not have PyYAML for it.

Whatever else YAML can say is refused (ValueError), never guessed at. All scalars but true, false and null are text.
"""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any

_ENTRY = re.compile(r"([A-Za-z0-9_./-]+):(?: +(.*))?")
_CONSTANTS: dict[str, Any] = {"{}": {}, "[]": [], "null": None, "~": None, "true": True, "false": False}
_BEYOND_US = tuple("&*!|>%@`{[?#")

_Lines = deque[tuple[int, str]]


def load(text: str) -> Any:
    lines: _Lines = deque()
    for line in text.splitlines():
        content = line.strip(" ")
        if content and content != "---" and not content.startswith("#"):
            lines.append((len(line) - len(line.lstrip(" ")), content))
    value = _block(lines, lines[0][0]) if lines else None
    if lines:
        raise ValueError(f"unexpected {lines[0][1]!r}")
    return value


def _block(lines: _Lines, indent: int) -> Any:
    if _is_item(lines[0][1]):
        return _sequence(lines, indent)
    if _ENTRY.fullmatch(lines[0][1]):
        return _mapping(lines, indent)
    return _scalar(lines.popleft()[1])


def _sequence(lines: _Lines, indent: int) -> list[Any]:
    sequence = []
    while lines and lines[0][0] == indent and _is_item(lines[0][1]):
        rest = lines.popleft()[1][1:].lstrip(" ")
        lines.appendleft((indent + 2, rest))
        sequence.append(_block(lines, indent + 2))
    return sequence


def _mapping(lines: _Lines, indent: int) -> dict[str, Any]:
    mapping = {}
    while lines and lines[0][0] == indent and not _is_item(lines[0][1]):
        content = lines.popleft()[1]
        entry = _ENTRY.fullmatch(content)
        if not entry:
            raise ValueError(f"unexpected {content!r}")
        key, value = entry.groups()
        if value:
            mapping[key] = _scalar(value)
        else:
            nested = bool(lines) and (lines[0][0] > indent or (lines[0][0] == indent and _is_item(lines[0][1])))
            mapping[key] = _block(lines, lines[0][0]) if nested else None
    return mapping


def _is_item(content: str) -> bool:
    return content.startswith("- ")


def _scalar(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text.startswith((*_BEYOND_US, "'")) or ": " in text or " #" in text:
        raise ValueError("not the block style of Kubernetes' own tools")
    return text
