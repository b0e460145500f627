# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done to ARM resources: desired, observed -> changes. Nothing here speaks to Azure.

A body says a part of a resource: what it does not name is left as it is. A path is the names on the way to a property,
joined by dots; it names the same property of every item of a list, because items come and go.
"""

from __future__ import annotations

import graphlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import quote

from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean

Body = dict[str, Any]

RESOURCE_GROUPS = "microsoft.resources/resourcegroups"

# What the service keeps, and what no body may hold.
_READ_ONLY = frozenset({"etag", "systemdata", "provisioningstate", "resourceguid"})
_READ_ONLY_AT_THE_TOP = _READ_ONLY | {"id", "name", "type"}
_ITEM_KEYS = ("name", "id")
_HALF_MADE = ("failed", "canceled")
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-(preview|beta|alpha|privatepreview))?")


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


class ArmPlanError(ValueError):
    """What was asked for cannot be; the text says each thing that is wrong and what would be right."""


@dataclass(frozen=True)
class Told:
    """Which properties are not to be compared as they stand. Paths are in lower case, as ARM's names have no case."""

    write_only: frozenset[str] = frozenset()
    initial: frozenset[str] = frozenset()
    any_order: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()

    def hides(self, path: str, observed: Any) -> bool:
        """Whether nobody can say if a property is as it is to be."""
        return path in self.write_only or (path in self.secret and (observed is ABSENT or observed is None))


NOTHING_TOLD = Told()


@dataclass(frozen=True)
class Resource:
    """What is wanted of one resource: to be so, not to be, or that something be done to it."""

    key: str
    id: str
    type: str
    name: str
    api_version: str
    present: bool = True
    body: Body | None = None
    update: str = "PUT"
    action: str = ""
    unless: Body | None = None
    depends_on: tuple[str, ...] = ()
    told: Told = NOTHING_TOLD

    def __str__(self) -> str:
        return f"{self.type} {self.name}" + (f" ({self.key})" if self.key != self.name else "")

    @property
    def namespace(self) -> str:
        return self.type.partition("/")[0]

    @property
    def family(self) -> str:
        """The outermost resource of this one and its kin, which Azure changes one at a time."""
        before, providers, within = self.id.lower().rpartition("/providers/")
        return before + providers + "/".join(within.split("/")[:3]) if providers else within


@dataclass(frozen=True)
class Difference:
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_text(self.before)} -> {_text(self.after)}"


@dataclass(frozen=True)
class Change:
    """One request that makes a resource what it is to be."""

    resource: Resource
    verb: str
    method: str
    body: Any = None
    differences: tuple[Difference, ...] = ()
    before: Any = None
    after: Any = None

    @property
    def deed(self) -> str:
        return f"{self.verb} {self.resource}"

    def told(self) -> dict[str, Any]:
        return {
            "key": self.resource.key,
            "id": self.resource.id,
            "verb": self.verb,
            "differences": [str(difference) for difference in self.differences],
        }

    def diff(self) -> dict[str, Any]:
        title = f"{self.resource.id} ({self.verb})"
        return {
            "before_header": title,
            "after_header": title,
            "before": self.before or {},
            "after": self.after or {},
        }


# --- what is asked for ------------------------------------------------------------------------------------------------


def resource_id(options: Mapping[str, Any], subscription: str, collection: bool = False) -> str:
    """The id that a type and a name make, or that of all of the type; names go with types as in an ARM template."""
    namespace, *types = options["type"].strip("/").split("/")
    names = _names(options)
    if not types:
        raise ArmPlanError(f"type {namespace}: write it as in a template, Microsoft.Network/virtualNetworks")
    if len(names) != len(types) and not (collection and is_collection(options)):
        raise ArmPlanError(
            f"name {'/'.join(names) or '(none)'}: {options['type']} takes {len(types)} name{'s'[: len(types) - 1]}, "
            f"the outermost first, as in {'/'.join(f'<{each}>' for each in types)}"
        )
    if options["type"].lower() == RESOURCE_GROUPS:
        return "/".join([f"/subscriptions/{subscription}/resourceGroups", *names])
    outside = options["scope"] or f"/subscriptions/{subscription}"
    if options["resource_group"]:
        outside += f"/resourceGroups/{options['resource_group']}"
    within = [part for pair in zip_longest(types, names) for part in pair if part]
    return "/".join([outside.rstrip("/"), "providers", namespace, *within])


def is_collection(options: Mapping[str, Any]) -> bool:
    """Whether the innermost name is missing, so that all of the type are meant."""
    return len(_names(options)) == options["type"].strip("/").count("/") - 1


def _names(options: Mapping[str, Any]) -> list[str]:
    return [name for name in (options["name"] or "").split("/") if name]


def resources_of(entries: Sequence[Mapping[str, Any]], subscription: str) -> list[Resource]:
    """What a task asks for, in its order; everything that is wrong with it is said at once."""
    resources, problems = [], []
    for entry in entries:
        try:
            resources.append(_resource(entry, subscription))
        except ArmPlanError as error:
            problems.append(f"{entry['key'] or entry['name']}: {error}")
    problems += _contradictions(resources)
    if problems:
        raise ArmPlanError("; ".join(problems))
    prerequisites(resources)
    return resources


def _resource(entry: Mapping[str, Any], subscription: str) -> Resource:
    if not _API_VERSION.fullmatch(entry["api_version"]):
        raise ArmPlanError(f"api_version {entry['api_version']}: is written YYYY-MM-DD, or with -preview behind it")
    if entry["action"] and entry["state"] == "absent":
        raise ArmPlanError(f"action {entry['action']}: goes with state present alone")
    if entry["unless"] and not entry["action"]:
        raise ArmPlanError("unless: says when an action is not needed, and there is no action")
    address = resource_id(entry, subscription)
    secret = entry["secret_body"] or {}
    body: Body = merge(secret, entry["body"] or {}, Told(partial=frozenset(_paths(secret))))
    known = set(_paths(body))
    told = {}
    for option in ("write_only", "initial", "any_order", "partial"):
        told[option] = frozenset(path.lower() for path in entry[option])
        for path in entry[option]:
            if path.lower() not in known:
                raise ArmPlanError(f"{option} {path}: the body has no such property{did_you_mean(path, known)}")
    return Resource(
        key=entry["key"] or entry["name"],
        id=address,
        type=entry["type"],
        name=entry["name"],
        api_version=entry["api_version"],
        present=entry["state"] == "present",
        body=body,
        update=entry["update"].upper(),
        action=entry["action"] or "",
        unless=entry["unless"],
        depends_on=tuple(entry["depends_on"]),
        told=Told(**told, secret=frozenset(path for path, _value in _leaves(secret))),
    )


def _contradictions(resources: Sequence[Resource]) -> Iterator[str]:
    keys = Counter(resource.key for resource in resources)
    for key, times in keys.items():
        if times > 1:
            yield f"{key}: {times} resources are called so; give each a key of its own"
    declared = Counter(resource.id.lower() for resource in resources if not resource.action)
    for resource in resources:
        if not resource.action and declared.pop(resource.id.lower(), 0) > 1:
            yield f"{resource.key}: {resource.id} is declared more than once; say it in one place"
        for other in resource.depends_on:
            if other not in keys:
                yield f"{resource.key}: depends_on {other}: no resource is called so{did_you_mean(other, keys)}"


def prerequisites(resources: Sequence[Resource]) -> dict[str, set[str]]:
    """What has to be done before what: what is said, and what follows from ids. Deletions go the other way round."""
    found: dict[str, set[str]] = {resource.key: set() for resource in resources}
    for resource in resources:
        for other in resources:
            if other.key in resource.depends_on or _follows(resource, other):
                both_go = not (resource.present or other.present)
                first, second = (resource, other) if both_go else (other, resource)
                found[second.key].add(first.key)
    try:
        graphlib.TopologicalSorter(found).prepare()
    except graphlib.CycleError as error:
        raise ArmPlanError(f"each of these waits for the next: {' -> '.join(reversed(error.args[1]))}") from error
    return found


def _follows(resource: Resource, other: Resource) -> bool:
    """Whether a resource is within another one, on it, or speaks of it."""
    if resource is other:
        return False
    own, others = resource.id.lower(), other.id.lower()
    if own == others:
        return bool(resource.action and not other.action)
    if own.startswith(others + "/"):
        return True
    return not others.startswith(own + "/") and any(
        (text.lower() + "/").startswith(others + "/") for text in _strings(resource.body)
    )


# --- what is to be done -----------------------------------------------------------------------------------------------


def plan(resource: Resource, observed: Body | None) -> Change | None:
    """The change that one resource needs, None where it is as it is to be."""
    wanted = resource.body or {}
    if resource.action:
        needed = resource.unless is None or observed is None or any(differences(resource.unless, observed))
        # Without a body, ARM wants none.
        return Change(resource, resource.action, "POST", wanted or None, after=wanted) if needed else None
    if not resource.present:
        return Change(resource, "delete", "DELETE", before=observed) if observed is not None else None
    if observed is None:
        body = merge(wanted, {})
        return Change(resource, "create", "PUT", body, after=body)
    wanted = _without(wanted, resource.told.initial)
    comparable = _comparable(wanted, observed, resource.told)
    half_made = list(_half_made(observed))
    found = [*half_made, *differences(comparable, observed, resource.told)]
    if not found:
        return None
    # A patch of nothing would not make a half-made resource whole.
    method = "PUT" if half_made else resource.update
    merged = merge(wanted, _writable(observed, _READ_ONLY_AT_THE_TOP), resource.told)
    return Change(
        resource,
        "update",
        method,
        merged if method == "PUT" else _patch(comparable, observed, resource.told),
        tuple(found),
        before=_named(comparable, observed, resource.told),
        after=_named(comparable, merged, resource.told),
    )


def what_is_left(resource: Resource, observed: Body | None) -> list[Difference]:
    """What a resource still lacks once it was made what it is to be."""
    if resource.action or not resource.present:
        return []
    wanted = _without(resource.body, resource.told.initial)
    return list(differences(_comparable(wanted, observed, resource.told), observed or {}, resource.told))


def expected(resource: Resource, observed: Body | None) -> Body | None:
    """What the resource will be, as far as anybody but Azure can say."""
    if resource.action or not resource.present:
        return observed if resource.action else None
    identity = {"id": resource.id, "name": resource.name.rpartition("/")[2], "type": resource.type}
    wanted = resource.body if observed is None else _without(resource.body, resource.told.initial)
    return {**identity, **merge(wanted, observed or {}, resource.told)}


def differences(
    desired: Any, observed: Any, told: Told = NOTHING_TOLD, path: str = "", shown: str = ""
) -> Iterator[Difference]:
    """Where what is observed does not hold what is desired."""
    if isinstance(desired, dict) and isinstance(observed, dict):
        for name, value in desired.items():
            there = observed.get(_spelling(name, observed), ABSENT)
            if (there is ABSENT or there is None) and _wants_nothing(name, value):
                continue
            yield from differences(value, there, told, _join(path, name), f"{shown}.{name}" if shown else name)
    elif isinstance(desired, list) and isinstance(observed, list):
        pairs, others = _paired(desired, observed, told, path)
        for label, item, there in pairs:
            yield from differences(item, there, told, path, f"{shown}[{label}]")
        if path not in told.partial:
            key = _item_key(desired) or _item_key(observed)
            for position, other in enumerate(others, len(pairs)):
                label = other.get(key, position) if key and isinstance(other, dict) else position
                yield Difference(f"{shown}[{label}]", other, ABSENT)
    elif desired is None:
        if observed is not ABSENT and observed is not None:
            yield Difference(shown, observed, ABSENT)
    elif not _same(desired, observed, path):
        yield Difference(shown, observed, desired)


def merge(desired: Any, observed: Any, told: Told = NOTHING_TOLD, path: str = "") -> Any:
    """What is observed, made to hold what is desired; a null takes a property away."""
    if isinstance(desired, dict):
        merged = dict(observed) if isinstance(observed, dict) else {}
        for name, value in desired.items():
            known = _spelling(name, merged)
            if value is None:
                merged.pop(known, None)
            else:
                merged[known] = merge(value, merged.get(known, ABSENT), told, _join(path, name))
        return merged
    if isinstance(desired, list):
        pairs, others = _paired(desired, observed if isinstance(observed, list) else [], told, path)
        kept = others if path in told.partial else []
        # Items without a name are the same ones only as long as they do not differ.
        named = _item_key(desired) is not None
        return [
            merge(item, there if named or not any(differences(item, there, told, path)) else ABSENT, told, path)
            for _label, item, there in pairs
        ] + kept
    return observed if _same(desired, observed, path) else desired


def secrets_in(resource: Resource, observed: Any) -> set[str]:
    """The secrets of a resource that is there, which may be others than those wanted."""
    return {str(value) for path, value in _leaves(observed) if path in resource.told.secret and value}


def spellings(secret: str) -> set[str]:
    """How a secret may look in what is printed: as it is, within JSON, within an address."""
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}


def _half_made(observed: Body) -> Iterator[Difference]:
    state = (observed.get("properties") or {}).get("provisioningState")
    if str(state).lower() in _HALF_MADE:
        yield Difference("properties.provisioningState", state, "Succeeded")


def _without(body: Any, paths: frozenset[str], path: str = "") -> Any:
    if isinstance(body, dict):
        within = {name: _join(path, name) for name in body}
        return {name: _without(body[name], paths, within[name]) for name in body if within[name] not in paths}
    if isinstance(body, list):
        return [_without(item, paths, path) for item in body]
    return body


def _comparable(desired: Any, observed: Any, told: Told, path: str = "") -> Any:
    """What is desired, without what Azure does not give back."""
    if isinstance(desired, dict):
        there = observed if isinstance(observed, dict) else {}
        values = {name: (_join(path, name), there.get(_spelling(name, there), ABSENT)) for name in desired}
        return {
            name: _comparable(desired[name], value, told, within)
            for name, (within, value) in values.items()
            if not told.hides(within, value)
        }
    if isinstance(desired, list):
        pairs, _others = _paired(desired, observed if isinstance(observed, list) else [], told, path)
        return [_comparable(item, there, told, path) for _label, item, there in pairs]
    return desired


def _named(desired: Any, value: Any, told: Told, path: str = "") -> Any:
    """That part of a resource that is spoken of, for people to compare."""
    if isinstance(desired, dict) and isinstance(value, dict):
        names = {name: _spelling(name, value) for name in desired}
        return {
            known: _named(desired[name], value[known], told, _join(path, name))
            for name, known in names.items()
            if value.get(known) is not None
        }
    if isinstance(desired, list) and isinstance(value, list):
        pairs, others = _paired(desired, value, told, path)
        named = [_named(item, there, told, path) for _label, item, there in pairs if there is not ABSENT]
        return named + ([] if path in told.partial else others)
    return value


def _patch(desired: Body, observed: Any, told: Told, path: str = "") -> Body:
    """Only what is not so; ARM merges maps and takes lists whole."""
    patch: Body = {}
    for name, value in desired.items():
        known, within = _spelling(name, observed), _join(path, name)
        there = observed.get(known, ABSENT)
        if not any(differences(value, there, told, within)):
            continue
        if isinstance(value, dict) and isinstance(there, dict):
            patch[known] = _patch(value, there, told, within)
        elif value is None:
            patch[known] = None
        else:
            patch[known] = merge(value, _writable(there), told, within)
    return patch


# --- how things are told apart ----------------------------------------------------------------------------------------


def _paired(
    desired: list[Any], observed: list[Any], told: Told, path: str
) -> tuple[list[tuple[Any, Any, Any]], list[Any]]:
    """Each item that is desired with its label and the one that is there for it; and those that nobody asked for."""
    key = _item_key(desired)
    left = list(range(len(observed)))
    pairs = []
    for position, item in enumerate(desired):
        if key:
            match = next((each for each in left if _has_name(observed[each], key, item[key])), None)
        elif path in told.any_order:
            match = next((each for each in left if not any(differences(item, observed[each], told, path))), None)
        else:
            match = position if position in left else None
        if match is not None:
            left.remove(match)
            if key:
                item = {**item, key: observed[match][key]}
        pairs.append((item[key] if key else position, item, ABSENT if match is None else observed[match]))
    return pairs, [observed[each] for each in left]


def _item_key(items: list[Any]) -> str | None:
    """The property that tells the items of a list apart, if there is one."""
    for key in _ITEM_KEYS:
        names = [str(item[key]).lower() for item in items if isinstance(item, dict) and item.get(key)]
        if items and len(set(names)) == len(items):
            return key
    return None


def _has_name(item: Any, key: str, name: Any) -> bool:
    return isinstance(item, dict) and str(item.get(key)).lower() == str(name).lower()


def _same(desired: Any, observed: Any, path: str) -> bool:
    if isinstance(desired, bool) or isinstance(observed, bool):
        return desired is observed
    if isinstance(desired, str) and isinstance(observed, str):
        if path == "location":
            return _squeezed(desired) == _squeezed(observed)
        if _is_id(desired):
            return desired.lower().rstrip("/") == observed.lower().rstrip("/")
    return bool(desired == observed)


def _wants_nothing(name: str, value: Any) -> bool:
    """Whether a property that is not there is as it is to be. Of an identity, being there is all that is wanted."""
    if name == "enabled":
        return value is False
    if isinstance(value, dict):
        return not _is_id(name) and all(_wants_nothing(*within) for within in value.items())
    return bool(value == [])


def _squeezed(location: str) -> str:
    return location.replace(" ", "").lower()


def _is_id(text: str) -> bool:
    return text.lower().startswith(("/subscriptions/", "/providers/"))


def _spelling(name: str, there: Mapping[str, Any]) -> str:
    """The name as the resource has it: Azure does not tell upper case from lower."""
    if name in there:
        return name
    return next((known for known in there if known.lower() == name.lower()), name)


def _writable(value: Any, read_only: frozenset[str] = _READ_ONLY) -> Any:
    if isinstance(value, dict):
        if _is_id(str(value.get("id", ""))) and "/" in str(value.get("type", "")):
            # A resource within another: its type follows from its id.
            read_only = read_only | {"type"}
        return {name: _writable(within) for name, within in value.items() if name.lower() not in read_only}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}".lower() if path else name.lower()


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, within in value.items():
            yield _join(path, name)
            yield from _paths(within, _join(path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, within in value.items():
            yield from _leaves(within, _join(path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    else:
        yield path, value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, within in value.items():
            yield name
            yield from _strings(within)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def _text(value: Any) -> str:
    return repr(value) if value is ABSENT else json.dumps(value, sort_keys=True)
