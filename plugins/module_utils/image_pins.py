# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tag and digest of an image where an overlay names them: read, judged, written without touching another letter."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

try:
    import yaml

    YAML_ERROR: str | None = None
except ImportError as error:  # pragma: no cover
    YAML_ERROR = str(error)

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
UNRELEASED = "sha256:" + 64 * "0"
_MOVING = re.compile(
    r"(^|[-_.])(latest|stable|main|master|trunk|dev|devel|develop|edge|nightly|snapshot|head|current|canary)$",
    re.IGNORECASE,
)


class PinError(Exception):
    """Which image, what is wrong with it and what would be right."""


@dataclass(frozen=True)
class Pin:
    """Which image is meant: the tag for people, the digest for machines."""

    tag: str
    digest: str


def moves(tag: str) -> bool:
    """Whether a tag by its name means one image today and another tomorrow."""
    return bool(_MOVING.search(tag))


def check(pin: Pin) -> None:
    if not pin.digest:
        raise PinError(f"tag {pin.tag}: no digest; a tag can be moved, so say which image it is, as sha256:<hex>")
    if not DIGEST.fullmatch(pin.digest):
        raise PinError(f"digest {pin.digest!r} is not sha256: and 64 hexadecimal digits")
    if pin.digest == UNRELEASED:
        raise PinError("a digest of zeros is an image that nobody has released yet")
    if not TAG.fullmatch(pin.tag):
        raise PinError(f"tag {pin.tag!r} is no tag of an image")
    if moves(pin.tag):
        raise PinError(f"tag {pin.tag!r} moves: release under a tag that is given once, such as the commit's")


def read(text: str, name: str) -> Pin:
    found = _entry(text, name)
    return Pin(*(found.values[key].value if key in found.values else "" for key in found.keys))


def write(text: str, name: str, pin: Pin) -> str:
    """The text with the pin in its place; comments, order and quotes of everything else stay."""
    found = _entry(text, name)
    for key, value in zip(reversed(found.keys), (pin.digest, pin.tag)):
        scalar = value if yaml.safe_load(value) == value else json.dumps(value)
        if key in found.values:
            node = found.values[key]
            text = text[: node.start_mark.index] + scalar + text[node.end_mark.index :]
        else:
            end = found.anchor.end_mark.index
            gap = ", " if found.node.flow_style else "\n" + " " * found.node.start_mark.column
            text = text[:end] + f"{gap}{key}: {scalar}" + text[end:]
        found = _entry(text, name)
    return text


@dataclass(frozen=True)
class _Entry:
    node: Any
    keys: tuple[str, str]
    values: dict[str, Any]

    @property
    def anchor(self) -> Any:
        """The scalar behind which a key is added: that of the tag, or else the first."""
        return self.values.get(self.keys[0]) or next(iter(self.values.values()))


def _entry(text: str, name: str) -> _Entry:
    """An entry of a kustomization's images by its name, or a mapping of a chart's values by its dotted path."""
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise PinError(f"this is no YAML: {error}") from None
    top = _mapping(document)
    if _text(top.get("kind")) == "Kustomization" or "images" in top:
        images = top["images"].value if "images" in top else []
        for node in images:
            values = _mapping(node)
            if _text(values.get("name")) == name:
                return _Entry(node, ("newTag", "digest"), values)
        known = ", ".join(_text(_mapping(node).get("name")) for node in images) or "none"
        raise PinError(f"images has no entry {name!r}; it has {known}")
    node = document
    for key in name.split("."):
        node = _mapping(node).get(key)
    if node is None or not _mapping(node):
        raise PinError(f"there is no mapping {name!r} with an image's tag and digest")
    return _Entry(node, ("tag", "digest"), _mapping(node))


def _mapping(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _text(node: Any) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""
