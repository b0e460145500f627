# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that no role knows: a misspelt one would be ignored without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest
from ansible_collections.groundwork.kube.plugins.module_utils.topology import (
    NODE_VARIABLES,
    Problem,
    Variables,
)

Options = Mapping[str, Mapping[str, Any]]


def options(argument_specs: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Every variable that one of these argument_specs.yml documents, whichever entry point it belongs to."""
    entry_points = [entry for document in argument_specs for entry in document.get("argument_specs", {}).values()]
    return {name: option or {} for entry in entry_points for name, option in (entry.get("options") or {}).items()}


def problems(
    nodes: Sequence[str], written: Mapping[str, Variables], prefixes: Iterable[str], known: Options
) -> Iterator[Problem]:
    """What the hosts' variables, as they were written, say that no role would hear or understand."""
    prefixes = tuple(prefixes)
    for host in nodes:
        for name, value in written[host].items():
            if name in known:
                yield from _wrong_value(host, name, value, known[name])
            elif prefix := next(filter(name.startswith, prefixes), ""):
                yield _unknown(host, name, prefix, known)
            elif name.startswith("node_") and name not in NODE_VARIABLES:
                yield from _misspelt_node_variable(host, name)


def _unknown(host: str, name: str, prefix: str, known: Options) -> Problem:
    # The prefix alone makes no two names alike.
    meant = nearest(name[len(prefix) :], (each[len(prefix) :] for each in known if each.startswith(prefix)))
    remove = f"remove it; the documentation of {prefix[:-1]} lists what there is"
    remedy = f"rename it to {prefix}{meant}" if meant else remove
    return Problem(host, name, "is not known", remedy)


def _misspelt_node_variable(host: str, name: str) -> Iterator[Problem]:
    """Other variables may begin with node_, too: only what looks like one of ours is refused."""
    meant = nearest(name, NODE_VARIABLES, cutoff=0.85)
    if meant:
        yield Problem(host, name, "is not known", f"rename it to {meant}")


def _wrong_value(host: str, name: str, value: Any, option: Mapping[str, Any]) -> Iterator[Problem]:
    if value is None or _is_template(value):
        return
    kind = option.get("type", "str")
    if kind == "dict" and not isinstance(value, Mapping):
        yield Problem(host, name, f"is {value!r}, not a map", "write it as {key: value}")
    elif kind == "list" and isinstance(value, Mapping):
        yield Problem(host, name, "is a map, not a list", "write it as [...]")
    elif kind in ("str", "path") and isinstance(value, (Mapping, list)):
        yield Problem(host, name, f"is {value!r}, not a text", "write one value")
    elif (
        kind == "str"
        and "choices" in option
        and str(value).lower() not in [str(each).lower() for each in option["choices"]]
    ):
        meant = nearest(value, map(str, option["choices"]))
        choices = ", ".join(map(str, option["choices"]))
        yield Problem(host, name, f"{value!r} is not known", f"write {meant}" if meant else f"choose one of {choices}")


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)
