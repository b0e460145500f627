# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a platform in its owner's repository: what the catalogue has, what lies there, what is to be done.

The files are the owner's once written. Beside them lies what the catalogue had when they were, as digests; with it an
update of the catalogue can be told from a change of the owner's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    import yaml

    YAML_ERROR: str | None = None
except ImportError as error:  # pragma: no cover
    YAML_ERROR = str(error)

RECORD = ".catalogue.json"


class CatalogueError(Exception):
    """The catalogue has no such thing."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def catalogue_files(catalogue: Path, platform: str) -> dict[str, dict[str, bytes]]:
    """The files of a platform and of the platforms it is based on, by platform and by path in its directory."""
    found: dict[str, dict[str, bytes]] = {}
    waiting = [platform]
    while waiting:
        name = waiting.pop()
        if name not in found:
            definition = _definition(catalogue, name)
            found[name] = dict(_files(catalogue, name, definition))
            waiting.extend(definition.get("bases") or [])
    return found


def _definition(catalogue: Path, platform: str) -> dict[str, Any]:
    place = catalogue / "platforms" / platform / "platform.yaml"
    if not place.is_file():
        known = ", ".join(sorted(path.parent.name for path in catalogue.glob("platforms/*/platform.yaml")))
        raise CatalogueError(f"there is no platform {platform!r} in {catalogue}; there are: {known}")
    definition: dict[str, Any] = yaml.safe_load(place.read_text())
    return definition


def _files(catalogue: Path, platform: str, definition: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The root chart with what it reads beside it, and the platform's own trees as they are."""
    yield from ((f"root/{path}", content) for path, content in _directory(catalogue / "root"))
    for path, content in _directory(catalogue / "platforms" / platform):
        yield ("root/platform.yaml" if path == "platform.yaml" else path), content
    for name in sorted({child["addon"] for child in definition["children"] if "addon" in child}):
        for file in ("addon.yaml", "values.yaml"):
            place = catalogue / "addons" / name / file
            if place.is_file():
                yield f"root/addons/{name}/{file}", place.read_bytes()
            elif file == "addon.yaml":
                raise CatalogueError(f"platform {platform}: there is no add-on {name!r} in {catalogue}")


def _directory(place: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(place.rglob("*")):
        if path.is_file():
            yield path.relative_to(place).as_posix(), path.read_bytes()


@dataclass
class Plan:
    """What is to be done with the files of one platform, by path."""

    create: list[str] = field(default_factory=list)
    update: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    record: dict[str, str] = field(default_factory=dict)


def decide(
    wanted: Mapping[str, str],
    present: Mapping[str, str],
    recorded: Mapping[str, str],
    overwrite: Collection[str] = (),
    prune: bool = False,
) -> Plan:
    """From the digests of what the catalogue has, of what lies there and of what the catalogue had last time."""
    plan = Plan()
    for path, content in wanted.items():
        here, before = present.get(path), recorded.get(path)
        plan.record[path] = content
        if here == content:
            continue
        if here is None and before is None:
            plan.create.append(path)
        elif path in overwrite:
            (plan.create if here is None else plan.update).append(path)
        elif here is not None and here == before:
            plan.update.append(path)
        elif before == content:
            plan.kept.append(path)
        else:
            plan.conflicts.append(path)
            plan.record.pop(path)
            if before is not None:
                plan.record[path] = before
    for path in sorted(set(recorded) & set(present) - set(wanted)):
        if prune and present[path] == recorded[path]:
            plan.remove.append(path)
        else:
            plan.gone.append(path)
            plan.record[path] = recorded[path]
    return plan
