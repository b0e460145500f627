# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which store a value goes to is decided by what its leak would cost: Key Vault, Secret or ConfigMap."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

LEAKS = ("key_vault", "secret", "config")
_KEYS = {"value", "leak", "into", "key", "object", "harmless"}

_TELLING_NAME = re.compile(
    r"(^|[_.-])(password|passwd|passphrase|pwd|secret|token|credentials?|key)([_.-]?\d+)?$", re.IGNORECASE
)
_TELLING_VALUES = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")),
    ("a URL with a password", re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)),
    (
        "a connection string with a key",
        re.compile(r"\b(password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|sig)\s*=\s*\S", re.IGNORECASE),
    ),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")),
    (
        "a provider's token",
        re.compile(
            r"\b(sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
            r"|(AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|hv[sb]\.\w{20,})"
        ),
    ),
)
_RANDOM = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{24,}={0,2}(?![\w+/=-])")
_RANDOM_ENTROPY = 4.0


def suspicion(name: str, value: str) -> str | None:
    """Why a value looks like a credential. What is said names its kind, never the value."""
    if value and _TELLING_NAME.search(name):
        return "its name is a credential's"
    for kind, pattern in _TELLING_VALUES:
        if pattern.search(value):
            return f"it looks like {kind}"
    if any(_random(text) for text in _RANDOM.findall(value)):
        return "it looks like a generated key"
    return None


def _random(text: str) -> bool:
    """Drawn from many letters of every kind; words, paths, ids and digests are not."""
    kinds = sum(bool(re.search(kind, text)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    counts = Counter(text)
    entropy = -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
    return kinds == 3 and entropy >= _RANDOM_ENTROPY


def problems(values: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    taken: dict[tuple[str, ...], str] = {}
    for name, entry in values.items():
        yield from (f"{name}: {problem}" for problem in _entry_problems(name, entry))
        for place in _places(name, entry):
            if place in taken:
                yield f"{name}: {' '.join(place)} is already {taken[place]}'s."
            taken.setdefault(place, name)


def _entry_problems(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        yield f"unknown {', '.join(unknown)}; a value has {', '.join(sorted(_KEYS))}."
    if entry.get("value") is None:
        yield "it has no value."
    leak = entry.get("leak")
    if leak not in LEAKS:
        yield f"say what its leak would cost, as leak: {', '.join(LEAKS[:-1])} or {LEAKS[-1]}."
    elif leak != "key_vault" and not entry.get("into"):
        yield f"into: the {'ConfigMap' if leak == 'config' else 'Secret'} that has it."
    if leak == "key_vault" and not re.fullmatch(r"[0-9A-Za-z-]{1,127}", _object(name, entry)):
        yield "object: Key Vault names are 1 to 127 letters, digits and hyphens."
    if leak == "config" and not entry.get("harmless"):
        why = suspicion(name, _text(entry.get("value")))
        if why:
            yield f"{why}, and a ConfigMap hides nothing. Say leak: key_vault or secret, or harmless: and why it is."


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _object(name: str, entry: Mapping[str, Any]) -> str:
    return str(entry.get("object") or name.lower().replace("_", "-"))


def _key(name: str, entry: Mapping[str, Any]) -> str:
    return str(entry.get("key") or name)


def _places(name: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if entry.get("leak") == "key_vault":
        yield ("Key Vault", _object(name, entry).lower())
    if entry.get("into"):
        kind = "ConfigMap" if entry.get("leak") == "config" else "Secret"
        yield (kind, str(entry["into"]), _key(name, entry))


def value_stores(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Each store with what it holds. ValueError lists everything wrong, by name and without a value."""
    found = list(problems(values))
    if found:
        raise ValueError("\n".join(found))
    stores: dict[str, Any] = {"key_vault": {}, "mapping": [], "secrets": {}, "config_maps": {}}
    for name, entry in values.items():
        value, key = _text(entry["value"]), _key(name, entry)
        if entry["leak"] == "key_vault":
            stores["key_vault"][_object(name, entry)] = value
            row = {"object": _object(name, entry)}
            stores["mapping"].append({**row, "secret": entry["into"], "key": key} if entry.get("into") else row)
        else:
            store = "config_maps" if entry["leak"] == "config" else "secrets"
            stores[store].setdefault(entry["into"], {})[key] = value
    return stores
