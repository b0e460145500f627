# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must change on a Node so that it carries what the inventory says. Pure: a Node and a wish in, a plan out.

Ownership is written: the annotation ``groundwork.kube/owned`` lists, by section, the keys the inventory set on that
Node. A key on the list that the inventory no longer has is removed, whoever wrote its value; any other key is foreign
and stays. A Node without the list is new, or was deleted and registered again with its old flags: then the keys
recorded for the whole cluster stand in for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from ansible_collections.groundwork.kube.plugins.module_utils.metadata import (
    MetadataError,
    Taint,
    check_annotation_value,
    check_label_key,
    check_label_value,
    parse_taints,
    writer,
)

OWNED_ANNOTATION = "groundwork.kube/owned"

LABELS = "labels"
TAINTS = "taints"
ANNOTATIONS = "annotations"

REMEDIES = {
    "the kubelet": "correct the inventory",
    "kubeadm": "run `kubeadm init phase mark-control-plane` on a control plane, or correct the inventory",
    "the controller manager": "take it out of the inventory",
    "the cloud controller": "change the machine, or correct the inventory",
}

_Wish = TypeVar("_Wish")


class SectionPlan(NamedTuple):
    """One section (labels, taints or annotations) of one Node."""

    section: str
    patch: Any
    """What a merge patch must say at the section's place; None when that is nothing."""
    given: Any
    """What is set: a map, or a list of taints."""
    removed: list[str]
    owned: list[str]
    owned_before: list[str] | None
    before: list[str]
    after: list[str]
    """Only the lines that differ, as a person would write them."""
    drift: list[str]
    differing: list[str]
    """What is not as the inventory says and not ours to mend, with its remedy."""

    @property
    def changed(self) -> bool:
        return self.patch is not None or self.owned != self.owned_before


class NodePlan(NamedTuple):
    node: Mapping[str, Any]
    sections: list[SectionPlan]

    @property
    def name(self) -> str:
        return str(self.node["metadata"]["name"])

    @property
    def changed(self) -> bool:
        return any(section.changed for section in self.sections)

    @property
    def drift(self) -> list[str]:
        return [line for section in self.sections for line in section.drift]

    @property
    def differing(self) -> list[str]:
        return [line for section in self.sections for line in section.differing]

    def owned(self, section: str) -> list[str]:
        return next(plan.owned for plan in self.sections if plan.section == section)

    def patch(self) -> dict[str, Any]:
        """One merge patch, which the API refuses (409) if the Node is no longer the one that was read."""
        metadata: dict[str, Any] = {}
        patch: dict[str, Any] = {"metadata": metadata}
        for section in self.sections:
            if section.patch is not None:
                place = patch.setdefault("spec", {}) if section.section == TAINTS else metadata
                place[section.section] = section.patch
        owned = {**(owned_sections(self.node)), **{section.section: section.owned for section in self.sections}}
        metadata.setdefault(ANNOTATIONS, {})[OWNED_ANNOTATION] = json.dumps(
            owned, separators=(",", ":"), sort_keys=True
        )
        if "resourceVersion" in self.node["metadata"]:
            metadata["resourceVersion"] = self.node["metadata"]["resourceVersion"]
        return patch

    def summary(self) -> dict[str, dict[str, Any]]:
        return {
            section.section: {"set": section.given, "removed": section.removed}
            for section in self.sections
            if section.changed
        }

    def diff(self) -> dict[str, str]:
        changed = [section for section in self.sections if section.changed]
        header = f"Node {self.name}"
        return {
            "before_header": header,
            "after_header": header,
            "before": "".join(_paragraph(plan.section, plan.before, plan.owned_before) for plan in changed),
            "after": "".join(_paragraph(plan.section, plan.after, plan.owned) for plan in changed),
        }


def owned_keys(node: Mapping[str, Any], section: str) -> list[str] | None:
    """The keys of a section that the inventory set on this Node; None if the Node does not say."""
    return owned_sections(node).get(section)


def live_taints(node: Mapping[str, Any]) -> list[Taint]:
    return [_taint(entry) for entry in _taint_entries(node)]


def plan_labels(
    node: Mapping[str, Any], wanted: Mapping[str, str], recorded: Collection[str] = (), cloud: bool | None = None
) -> SectionPlan:
    return _plan_map(LABELS, "label {}={}", node, wanted, recorded, cloud)


def plan_annotations(
    node: Mapping[str, Any], wanted: Mapping[str, str], recorded: Collection[str] = (), cloud: bool | None = None
) -> SectionPlan:
    # Values of annotations are long and may be private: only keys are spoken of.
    return _plan_map(ANNOTATIONS, "annotation {}", node, wanted, recorded, cloud)


def plan_taints(
    node: Mapping[str, Any], wanted: Sequence[Taint], recorded: Collection[str] = (), cloud: bool | None = None
) -> SectionPlan:
    """``spec.taints`` is one list without owners: rebuild it, foreign taints and their times as they were."""
    live = _taint_entries(node)
    cloud = _knows_cloud(node) if cloud is None else cloud
    owned_before = owned_keys(node, TAINTS)
    present = set(live_taints(node))
    ours = [taint for taint in wanted if not writer(taint.key, cloud)]
    owned = sorted({taint.key for taint in ours})
    stale = {key for key in _formerly_owned(owned_before, recorded) if not writer(key, cloud)}
    by_identity = {(taint.key, taint.effect): taint for taint in ours}

    rebuilt: list[dict[str, Any]] = []
    removed, drift = [], []
    for entry in live:
        found = _taint(entry)
        if found.key not in stale.union(owned):
            rebuilt.append(entry)
            continue
        right = by_identity.pop((found.key, found.effect), None)
        if right == found:
            rebuilt.append(entry)
        elif right:
            rebuilt.append(_entry(right))
            drift.append(f"taint {found}, should be {right}")
        else:
            removed.append(str(found))
            drift.append(f"taint {found} {'not' if found.key in owned else 'no longer'} in the inventory")
    rebuilt.extend(_entry(taint) for taint in by_identity.values())
    drift.extend(f"taint {taint} missing" for taint in by_identity.values())

    after = {_taint(entry) for entry in rebuilt}
    return SectionPlan(
        section=TAINTS,
        patch=rebuilt if rebuilt != live else None,
        given=sorted(str(taint) for taint in after - present),
        removed=sorted(removed),
        owned=owned,
        owned_before=owned_before,
        before=sorted(f"- {taint}" for taint in present - after),
        after=sorted(f"- {taint}" for taint in after - present),
        drift=drift or _recording(TAINTS, owned_before, owned),
        differing=[
            _not_ours(f"taint {taint} missing", writer(taint.key, cloud))
            for taint in wanted
            if writer(taint.key, cloud) and taint not in present
        ],
    )


def plan_node(
    node: Mapping[str, Any],
    wishes: Mapping[str, Any],
    recorded: Mapping[str, Collection[str]],
    cloud: bool | None = None,
) -> NodePlan:
    """Plan the sections that ``wishes`` speaks of; ``recorded`` stands in, by section, for a list the Node lacks.

    ``cloud``: whether a cloud controller writes zone, region and instance type; None is told from the Node.
    """
    planners: dict[str, Callable[..., SectionPlan]] = {
        LABELS: plan_labels,
        TAINTS: plan_taints,
        ANNOTATIONS: plan_annotations,
    }
    return NodePlan(
        node, [planners[section](node, wish, recorded.get(section, ()), cloud) for section, wish in wishes.items()]
    )


def read_labels(nodes: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Check every label of every node; all that is wrong is said at once."""
    return _read_all(nodes, lambda value: _read_map(value, "label", check_label_value))


def read_annotations(nodes: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return _read_all(nodes, lambda value: _read_map(value, "annotation", check_annotation_value))


def read_taints(nodes: Mapping[str, Any]) -> dict[str, list[Taint]]:
    return _read_all(nodes, _read_taints)


def _plan_map(
    section: str,
    wording: str,
    node: Mapping[str, Any],
    wanted: Mapping[str, str],
    recorded: Collection[str],
    cloud: bool | None,
) -> SectionPlan:
    live: Mapping[str, str] = node["metadata"].get(section) or {}
    cloud = _knows_cloud(node) if cloud is None else cloud
    owned_before = owned_keys(node, section)
    ours = {key: value for key, value in wanted.items() if not writer(key, cloud)}
    owned = sorted(ours)
    given = {key: ours[key] for key in owned if live.get(key) != ours[key]}
    removed = sorted(
        key
        for key in _formerly_owned(owned_before, recorded)
        if key in live and key not in ours and not writer(key, cloud)
    )

    drift = []
    for key, value in given.items():
        if key not in live:
            drift.append(wording.format(key, value) + " missing")
        elif section == LABELS:
            drift.append(f"{wording.format(key, live[key])}, should be {value!r}")
        else:
            drift.append(wording.format(key) + " differs")
    drift.extend(wording.format(key, live[key]) + " no longer in the inventory" for key in removed)

    touched = sorted([*given, *removed])
    return SectionPlan(
        section=section,
        patch={**given, **dict.fromkeys(removed)} or None,
        given=given,
        removed=removed,
        owned=owned,
        owned_before=owned_before,
        before=[f"{key}: {live[key]}" for key in touched if key in live],
        after=[f"{key}: {given[key]}" for key in touched if key in given],
        drift=drift or _recording(section, owned_before, owned),
        differing=[
            _not_ours(
                wording.format(key, value) + (f", found {live[key]!r}" if key in live else " missing"),
                writer(key, cloud),
            )
            for key, value in wanted.items()
            if key not in ours and live.get(key) != value
        ],
    )


def owned_sections(node: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the Node says the inventory set on it, by section."""
    text = (node["metadata"].get("annotations") or {}).get(OWNED_ANNOTATION)
    try:
        sections = json.loads(text) if text else {}
    except ValueError:
        return {}
    if not isinstance(sections, dict):
        return {}
    return {section: keys for section, keys in sections.items() if isinstance(keys, list)}


def _formerly_owned(owned_before: list[str] | None, recorded: Collection[str]) -> Collection[str]:
    return recorded if owned_before is None else owned_before


def _knows_cloud(node: Mapping[str, Any]) -> bool:
    """A cloud controller that has taken charge of a Node has given it the cloud's name for the machine.

    So has a kubelet that was told it, whose cluster need not have a cloud controller: who knows says so.
    """
    return bool((node.get("spec") or {}).get("providerID"))


def _taint_entries(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((node.get("spec") or {}).get("taints") or [])


def _taint(entry: Mapping[str, str]) -> Taint:
    return Taint(entry["key"], entry.get("value") or "", entry["effect"])


def _entry(taint: Taint) -> dict[str, Any]:
    value = {"value": taint.value} if taint.value else {}
    return {"key": taint.key, **value, "effect": taint.effect}


def _recording(section: str, owned_before: list[str] | None, owned: list[str]) -> list[str]:
    return [] if owned_before == owned else [f"owned {section} recorded: {', '.join(owned) or 'none'}"]


def _not_ours(finding: str, who: str | None) -> str:
    return f"{finding}; {who} writes it: {REMEDIES[who or '']}"


def _paragraph(section: str, lines: list[str], owned: list[str] | None) -> str:
    body = "".join(f"  {line}\n" for line in lines)
    return f"{section}:\n{body}owned {section}: {', '.join(owned or []) or '-'}\n"


def _read_all(nodes: Mapping[str, Any], read: Callable[[Any], tuple[_Wish, list[str]]]) -> dict[str, _Wish]:
    wishes, problems = {}, []
    for name, value in nodes.items():
        wishes[name], wrong = read(value)
        problems += [f"{name}: {problem}" for problem in wrong]
    if problems:
        raise MetadataError("\n".join(problems))
    return wishes


def _read_map(value: Any, noun: str, check_value: Callable[[Any], None]) -> tuple[dict[str, str], list[str]]:
    if not isinstance(value, Mapping):
        return {}, [f"{noun}s are {value!r}, not a map of keys to values"]
    problems = (_problem(key, text, check_value) for key, text in value.items())
    return dict(value), [f"{noun} {problem}" for problem in problems if problem]


def _problem(key: Any, value: Any, check_value: Callable[[Any], None]) -> str | None:
    if key == OWNED_ANNOTATION:
        return f"{key}: this collection writes it; take it out of the inventory"
    try:
        check_label_key(key)
        check_value(value)
    except MetadataError as problem:
        return f"{key}: {problem}"
    return None


def _read_taints(value: Any) -> tuple[list[Taint], list[str]]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        return [], [f"taints are {value!r}, not a list of key=value:Effect"]
    try:
        return parse_taints(value), []
    except MetadataError as problem:
        return [], [f"taint: {problem}"]
