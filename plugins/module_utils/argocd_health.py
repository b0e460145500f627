# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How applications are, which wave they are in, since when and why. Pure: everything is read off what the API said.

An application is ready when Argo CD has compared it as it is now specified, found it Synced and Healthy, and has no
sync on the way or failed behind it. Healthy alone says too little: Argo CD also calls an application so whose objects
were refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import REFRESH

NOT_COMPARED = "not compared yet"

_GROUP = "argoproj.io"
_SET = "ApplicationSet"
_FAILED = ("Failed", "Error")
_TOLD = (
    *("name", "wave", "parent", "sync", "health", "phase", "revision"),
    *("ready", "failed", "erring", "broken", "overtaken", "since", "brief", "why"),
)
_SHOWN = 5
_LONGEST = 120
# What an unreachable or restarting repository or repo server says: it may pass, so it is waited for.
_PASSING = (
    "code = Unavailable",
    "code = DeadlineExceeded",
    "context deadline exceeded",
    "connection refused",
    "connection reset",
    "i/o timeout",
    "no such host",
)


@dataclass(frozen=True)
class State:
    """An application: whether it is ready, and if not, why.

    ``failed`` is a sync that has ended badly and will not be tried again. ``erring`` is one that Argo CD cannot even
    compare, and ``broken`` one of those that waiting will not mend. ``overtaken`` is one whose sync Git has left.
    """

    name: str
    wave: int = 0
    parent: str = ""
    path: tuple[int, ...] = ()
    sync: str = ""
    health: str = ""
    phase: str = ""
    revision: str = ""
    ready: bool = False
    failed: bool = False
    erring: bool = False
    broken: bool = False
    overtaken: bool = False
    since: str = ""
    brief: str = ""
    why: str = ""
    resources: tuple[Mapping[str, str], ...] = ()

    def __str__(self) -> str:
        reason = f"{self.brief}: {self.why[:_LONGEST]}" if self.broken else self.brief
        return f"{self.name} ({reason})" if reason else self.name

    def result(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in _TOLD}
        return {**told, "resources": [dict(resource) for resource in self.resources]}


def state_of(
    name: str, app: Mapping[str, Any] | None, parent: str = "", path: tuple[int, ...] = (), settled: bool = True
) -> State:
    """How an application is. One that its parent is about to change is not settled: its failures are of the past."""
    wave = path[-1] if path else 0
    if app is None:
        return State(name, wave, parent, path, brief="does not exist", why="there is no such Application")
    status = app.get("status") or {}
    sync, operation = status.get("sync") or {}, status.get("operationState") or {}
    health = status.get("health") or {}
    if not path:
        wave = _wave(app)
    failed = settled and failed_for_good(app)
    troubles = errors(app)
    passing = any(text in trouble["message"] for trouble in troubles for text in _PASSING)
    broken = bool(troubles) and settled and not failed and not passing
    ready = compared_now(app) and not (troubles or failed or busy(app) or app["metadata"].get("deletionTimestamp"))
    ready = ready and sync.get("status") == "Synced" and health.get("status") == "Healthy"
    brief, why, since = ("", "", "") if ready else _reason(app, failed, troubles)
    return State(
        name=name,
        wave=wave,
        parent=parent,
        path=path,
        sync=sync.get("status") or "Unknown",
        health=health.get("status") or "Unknown",
        phase="Running" if app.get("operation") else operation.get("phase") or "",
        revision=_revision(sync),
        ready=ready,
        failed=failed,
        erring=bool(troubles) and not failed,
        broken=broken,
        overtaken=overtaken(app),
        since=since or health.get("lastTransitionTime") or app["metadata"].get("creationTimestamp") or "",
        brief=brief,
        why=why,
        resources=() if ready else tuple(_refused(operation)),
    )


def children(
    names: Iterable[str], apps: Mapping[str, Mapping[str, Any]], sets: Mapping[str, Mapping[str, Any] | None]
) -> list[State]:
    """All that these applications grow, and what that grows in turn, in the order of the waves."""
    seen = set(names)
    found = [state for name in names for state in _grown(name, (), apps, sets, seen)]
    return sorted(found, key=lambda state: (state.path, state.name))


def all_states(apps: Mapping[str, Mapping[str, Any]]) -> list[State]:
    """Every application that there is: those that no other one grows, and then by wave."""
    grown: set[str] = set()
    for name, app in apps.items():
        for item in _managed(app):
            grown.update({item["name"]} - {name} if item["kind"] != _SET else _generated(item["name"], apps))
    roots = sorted(set(apps) - grown)
    states = [state_of(name, apps[name]) for name in roots]
    return [*states, *(state for state in children(roots, apps, {}) if state.name in apps)]


def going(name: str, app: Mapping[str, Any] | None) -> State:
    """How far an application is with being gone; ready is gone."""
    if app is None:
        return State(name, ready=True)
    why = "; ".join(item["message"] for item in errors(app))
    deleted = app["metadata"].get("deletionTimestamp") or ""
    brief = "is being deleted" if deleted else "is not being deleted"
    return State(name, since=deleted, brief=brief, why=why, overtaken=overtaken(app))


def application_sets(names: Iterable[str], apps: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The ApplicationSets that these applications grow, directly or not."""
    sets: dict[str, Mapping[str, Any] | None] = {}
    while True:
        grown = {*names, *(state.name for state in children(names, apps, sets))}
        referred = {item["name"] for app in grown for item in _managed(apps.get(app)) if item["kind"] == _SET}
        if referred <= set(sets):
            return referred
        sets.update(dict.fromkeys(referred))


def blocking(states: Sequence[State]) -> list[State]:
    """Those that the others wait for: the unready ones of the lowest wave, and whatever has failed."""
    unready = [state for state in states if not state.ready]
    lowest = min((state.path for state in unready), default=())
    return [state for state in unready if state.path == lowest or state.failed or state.broken]


def summary(roots: Sequence[State], grown: Sequence[State]) -> str:
    """Such as "3/9 Synced and Healthy, wave 20: grafana (Progressing), prometheus (OutOfSync)"."""
    states = [*roots, *grown]
    line = f"{sum(state.ready for state in states)}/{len(states)} Synced and Healthy"
    blockers = blocking(grown)
    if blockers:
        return f"{line}, wave {blockers[0].wave}: {_shortened(blockers)}"
    waiting = [state for state in roots if not state.ready]
    return f"{line}, waiting: {_shortened(waiting)}" if waiting else line


def report(roots: Sequence[State], grown: Sequence[State]) -> list[str]:
    """What is not well and why, line by line; what is only behind it by name alone."""
    unready = [state for state in [*grown, *roots] if not state.ready]
    blockers = blocking([*grown]) + [state for state in roots if not state.ready]
    lines = []
    for state in blockers:
        place = f"wave {state.wave} {state.name}" if state.parent else state.name
        since = f" since {state.since}" if state.since else ""
        lines.append(f"{place}: {state.brief}{since}" + (f": {state.why}" if state.why else ""))
        lines.extend(f"  {item['resource']}: {item['message']}" for item in state.resources)
    later = [f"wave {state.wave} {state.name}" for state in unready if state not in blockers]
    return [*lines, *([f"not ready after these: {', '.join(later)}"] if later else [])]


def errors(app: Mapping[str, Any]) -> list[dict[str, str]]:
    """What Argo CD found wrong when it last looked; what it said before this sync or look is of the past."""
    if unseen(app):
        return []
    conditions = (app.get("status") or {}).get("conditions") or []
    past = ("SyncError",) if busy(app) else ()
    return [item for item in conditions if item["type"].endswith("Error") and item["type"] not in past]


def resource_name(resource: Mapping[str, Any]) -> str:
    namespace = resource.get("namespace")
    return f"{resource['kind']} {namespace + '/' if namespace else ''}{resource['name']}"


def automated(app: Mapping[str, Any]) -> bool:
    policy = (app["spec"].get("syncPolicy") or {}).get("automated")
    return policy is not None and policy.get("enabled", True)


def _grown(
    name: str,
    path: tuple[int, ...],
    apps: Mapping[str, Mapping[str, Any]],
    sets: Mapping[str, Mapping[str, Any] | None],
    seen: set[str],
) -> Iterator[State]:
    for item in _managed(apps.get(name)):
        child = item["name"]
        place = (*path, int(item.get("syncWave") or 0))
        names = _generated(child, apps) if item["kind"] == _SET else [child]
        if item["kind"] == _SET and child in sets:
            yield from _set_states(child, sets[child], name, place, names)
        settled = item.get("status") == "Synced" and compared_now(apps[name])
        for each in names:
            if each not in seen:
                seen.add(each)
                yield state_of(each, apps.get(each), name, place, settled)
                yield from _grown(each, place, apps, sets, seen)


def _managed(app: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """The applications and sets among what an application grows."""
    for item in ((app or {}).get("status") or {}).get("resources") or []:
        if item.get("group") == _GROUP and item["kind"] in ("Application", _SET) and not item.get("requiresPruning"):
            yield item


def _generated(name: str, apps: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted(
        app
        for app, item in apps.items()
        for owner in item["metadata"].get("ownerReferences") or []
        if (owner["kind"], owner["name"]) == (_SET, name)
    )


def _set_states(
    name: str, item: Mapping[str, Any] | None, parent: str, path: tuple[int, ...], generated: Collection[str]
) -> Iterator[State]:
    """A set has a line of its own only while it is the matter: not there, in error, or short of applications."""
    title = f"ApplicationSet {name}"
    status = (item or {}).get("status") or {}
    trouble = next(
        (
            condition
            for condition in status.get("conditions") or []
            if condition["type"] == "ErrorOccurred" and condition["status"] == "True"
        ),
        None,
    )
    wanted = status.get("resourcesCount") or len(status.get("resources") or [])
    if item is None:
        yield State(title, path[-1], parent, path, brief="does not exist", why="there is no such ApplicationSet")
    elif trouble:
        yield State(
            title,
            path[-1],
            parent,
            path,
            broken=True,
            since=trouble.get("lastTransitionTime") or "",
            brief=trouble.get("reason") or "ErrorOccurred",
            why=trouble.get("message") or "",
        )
    elif not status or len(generated) < wanted:
        why = f"it has made {len(generated)} of {wanted} applications" if status else "its controller has not seen it"
        yield State(title, path[-1], parent, path, brief="Progressing", why=why)


def _reason(app: Mapping[str, Any], failed: bool, troubles: Sequence[Mapping[str, str]]) -> tuple[str, str, str]:
    """In a word, in a sentence, and since when. What explains the rest comes first."""
    status = app.get("status") or {}
    operation, health = status.get("operationState") or {}, status.get("health") or {}
    deleted = app["metadata"].get("deletionTimestamp")
    if deleted:
        return "is being deleted", "; ".join(trouble["message"] for trouble in troubles), deleted
    if failed:
        return f"sync {operation['phase']}", operation.get("message") or "", operation.get("finishedAt") or ""
    if troubles:
        first = troubles[0]
        return first["type"], first["message"], first.get("lastTransitionTime") or ""
    if busy(app):
        return "syncing", operation.get("message") or "", operation.get("startedAt") or ""
    if unseen(app) or not compared_now(app):
        return NOT_COMPARED, "Argo CD's application controller has not looked at it as it is now", ""
    if (status.get("sync") or {}).get("status") != "Synced":
        return (status.get("sync") or {}).get("status") or "Unknown", _out_of_sync(app), ""
    return health.get("status") or "Unknown", health.get("message") or "", health.get("lastTransitionTime") or ""


def _out_of_sync(app: Mapping[str, Any]) -> str:
    resources = (app.get("status") or {}).get("resources") or []
    differing = [resource_name(item) for item in resources if item.get("status") == "OutOfSync"]
    shown = ", ".join(differing[:_SHOWN]) + (f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else "")
    parts = [f"differing: {shown}"] if shown else []
    if not automated(app):
        parts.append("it does not sync by itself")
    return "; ".join(parts)


def unseen(app: Mapping[str, Any]) -> bool:
    return REFRESH in (app["metadata"].get("annotations") or {})


def compared_now(app: Mapping[str, Any]) -> bool:
    """Whether Argo CD's last comparison was of what the application says now."""
    spec, compared = app["spec"], ((app.get("status") or {}).get("sync") or {}).get("comparedTo")
    if unseen(app) or not compared:
        return False
    if "sourceHydrator" in spec:
        return True
    places = ("sources" if spec.get("sources") else "source", "destination")
    return all(_lean(spec.get(place)) == _lean(compared.get(place)) for place in places)


def _lean(value: Any) -> Any:
    """Without what says nothing, which Argo CD drops when it writes a spec back."""
    if isinstance(value, Mapping):
        return {key: lean for key, item in value.items() if (lean := _lean(item))}
    if isinstance(value, list):
        return [_lean(item) for item in value]
    return value


def busy(app: Mapping[str, Any]) -> bool:
    phase = ((app.get("status") or {}).get("operationState") or {}).get("phase")
    return bool(app.get("operation")) or phase in ("Running", "Terminating")


def overtaken(app: Mapping[str, Any]) -> bool:
    """Whether it waits for applications to become well that Git may have taken back: a sync keeps to its revision.

    Argo CD begins no other before that one has ended, which it never does if what it waits for cannot become well. Nor
    does it delete an application whose sync is still to be tried again, for minutes.
    """
    status = app.get("status") or {}
    operation = status.get("operationState") or {}
    if operation.get("phase") != "Running":
        return False
    if app["metadata"].get("deletionTimestamp"):
        return bool(operation.get("finishedAt"))
    if not compared_now(app) or not automated(app) or not any(_managed(app)):
        return False
    hooks = str(operation.get("message")).startswith("waiting for completion of hook")
    return not hooks and _revision(operation.get("syncResult") or {}) not in ("", _revision(status["sync"]))


def failed_for_good(app: Mapping[str, Any]) -> bool:
    """Whether the last sync, to the revision of now, has failed for good: retries are part of a sync."""
    status = app.get("status") or {}
    operation, sync = status.get("operationState") or {}, status.get("sync") or {}
    if operation.get("phase") not in _FAILED or busy(app) or not compared_now(app):
        return False
    tried = operation.get("syncResult") or {}
    source = "sources" if app["spec"].get("sources") else "source"
    same_source = source not in tried or _lean(tried[source]) == _lean(app["spec"].get(source))
    return not tried or (same_source and _revision(tried) == _revision(sync))


def _revision(compared: Mapping[str, Any]) -> str:
    return compared.get("revision") or ", ".join(compared.get("revisions") or [])


def _refused(operation: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for result in (operation.get("syncResult") or {}).get("resources") or []:
        if result.get("status") == "SyncFailed" or result.get("hookPhase") in _FAILED:
            yield {"resource": resource_name(result), "message": result.get("message") or ""}


def _wave(app: Mapping[str, Any]) -> int:
    text = (app["metadata"].get("annotations") or {}).get("argocd.argoproj.io/sync-wave") or "0"
    return int(text) if text.lstrip("-").isdigit() else 0


def _shortened(states: Sequence[State]) -> str:
    shown = [str(state) for state in states[:_SHOWN]]
    return ", ".join(shown + ([f"{len(states) - _SHOWN} more"] if len(states) > _SHOWN else []))
