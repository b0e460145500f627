# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def _string(text: str) -> str:
    # JSON's escapes are TOML's, except that TOML wants DEL escaped.
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return str(key) if _BARE_KEY.fullmatch(str(key)) else _string(key)


def _value(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(one, f'{where}.{key}')}" for key, one in value.items() if one is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(one, f"{where}[{index}]") for index, one in enumerate(value)) + "]"
    raise AnsibleTemplatePluginError(f"to_toml: {where} is a {type(value).__name__}, which TOML has no word for.")


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """A table's own values, then its subtables, each under its full name."""
    values = {key: value for key, value in table.items() if value is not None and not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = []
    if path and (values or not tables):
        lines += ["", f"[{'.'.join(_key(key) for key in path)}]"]
    lines += [f"{_key(key)} = {_value(value, '.'.join([*path, str(key)]))}" for key, value in values.items()]
    for key, value in tables.items():
        lines += _lines(value, (*path, str(key)))
    return lines


def to_toml(document: Mapping[str, Any]) -> str:
    if not isinstance(document, Mapping):
        raise AnsibleTemplatePluginError(f"to_toml wants a map, and was given a {type(document).__name__}.")
    return "\n".join(_lines(document, ())).lstrip("\n") + "\n"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"to_toml": to_toml}
