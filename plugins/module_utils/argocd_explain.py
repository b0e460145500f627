# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an application is not healthy, from the live objects themselves.

Argo CD no longer writes the health of single objects into the Application, so they are asked: workloads for their
conditions, their pods for what these wait for, everything else for conditions that are not as they should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, path_segment
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_health import resource_name
from ansible_collections.groundwork.kube.plugins.module_utils.health import workload_state

IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")

# Conditions that are bad when they are not True, and those that are bad when they are.
_GOOD = ("Ready", "Available", "Healthy", "Established", "Programmed", "Accepted", "Reconciled", "Synced", "Succeeded")
_BAD = ("Degraded", "Failed", "Stalled", "ReplicaFailure", "ErrorOccurred")
# They have no condition to be in, and a platform has many of them.
_STATELESS = (
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "Namespace",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
)
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
_ASKED = 100
_TOLD = 5


class Explainer:
    """Asks the API about the objects of applications; what kinds are called is asked once."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._kinds: dict[str, dict[str, str]] = {}

    def unwell(self, app: Mapping[str, Any]) -> list[dict[str, str]]:
        """The first few objects of the application that are not well, and what they say."""
        told = []
        for resource, live in self._objects(app):
            message = self._complaint(resource, live)
            if message:
                told.append({"resource": resource_name(resource), "message": message})
            if len(told) == _TOLD:
                break
        return told

    def remaining(self, app: Mapping[str, Any]) -> list[dict[str, str]]:
        """The first few objects that keep an application from being gone."""
        there = [(resource, live) for resource, live in self._objects(app) if live]
        return [{"resource": resource_name(resource), "message": _held(live)} for resource, live in there[:_TOLD]]

    def _objects(self, app: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any] | None]]:
        destination = app["spec"]["destination"]
        if not {destination.get("server"), destination.get("name")} & set(IN_CLUSTER):
            return
        resources = [
            item
            for item in (app.get("status") or {}).get("resources") or []
            if item["kind"] not in _STATELESS and item.get("group") != "argoproj.io" and not item.get("hook")
        ]
        for resource in sorted(resources, key=lambda item: item["kind"] not in _WORKLOADS)[:_ASKED]:
            path = self._path(resource)
            if path:
                yield resource, self._api.get(path)

    def _path(self, resource: Mapping[str, Any]) -> str:
        group, version = resource.get("group") or "", resource["version"]
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        if root not in self._kinds:
            known = (self._api.get(root) or {}).get("resources") or []
            self._kinds[root] = {item["kind"]: item["name"] for item in known if "/" not in item["name"]}
        plural = self._kinds[root].get(resource["kind"])
        if not plural:
            return ""
        namespace = resource.get("namespace")
        place = f"/namespaces/{path_segment(namespace)}" if namespace else ""
        return f"{root}{place}/{plural}/{path_segment(resource['name'])}"

    def _complaint(self, resource: Mapping[str, Any], live: Mapping[str, Any] | None) -> str:
        if live is None:
            return "does not exist"
        if live["metadata"].get("deletionTimestamp"):
            return "is being deleted"
        if resource["kind"] in _WORKLOADS:
            state = workload_state(resource["name"], live)
            return "" if state.ready else "; ".join([state.reason, *bad_conditions(live), *self._pods(live)])
        if resource["kind"] == "Pod":
            return pod_complaint(live) or ""
        if resource["kind"] == "Job":
            complete = any(
                condition["type"] == "Complete" and condition["status"] == "True" for condition in conditions(live)
            )
            return "" if complete else "; ".join(["not complete", *bad_conditions(live), *self._pods(live)])
        return "; ".join([*bad_conditions(live), *unfinished(live)])

    def _pods(self, workload: Mapping[str, Any]) -> Iterator[str]:
        """What the first pod that is not well says, or why there is none."""
        namespace = workload["metadata"]["namespace"]
        labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = self._api.list(f"/api/v1/namespaces/{path_segment(namespace)}/pods", {"labelSelector": selector})
        for pod in pods:
            name = pod["metadata"]["name"]
            complaint = pod_complaint(pod)
            if complaint is not None:
                yield f"pod {name}: {complaint or self._event(namespace, name) or 'not ready'}"
                return
        event = "" if pods else self._event(namespace, workload["metadata"]["name"])
        if event:
            yield event

    def _event(self, namespace: str, name: str) -> str:
        """The newest warning about an object."""
        query = {"fieldSelector": f"type=Warning,involvedObject.name={name}"}
        events = self._api.list(f"/api/v1/namespaces/{path_segment(namespace)}/events", query)
        newest = max(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default=None)
        return f"{newest.get('reason')}: {newest.get('message')}" if newest else ""


def _held(live: Mapping[str, Any]) -> str:
    finalizers = ", ".join(live["metadata"].get("finalizers") or [])
    return "is still there" + (f", held by the finalizers {finalizers}" if finalizers else "")


def conditions(item: Mapping[str, Any]) -> list[Mapping[str, str]]:
    found = (item.get("status") or {}).get("conditions")
    return [condition for condition in found if "type" in condition] if isinstance(found, list) else []


def bad_conditions(item: Mapping[str, Any]) -> list[str]:
    return [
        ": ".join(filter(None, (condition["type"], condition.get("reason"), condition.get("message"))))
        for condition in conditions(item)
        if (condition["type"] in _GOOD and condition.get("status") == "False")
        or (condition["type"] in _BAD and condition.get("status") == "True")
        or (condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded")
    ]


def unfinished(item: Mapping[str, Any]) -> Iterator[str]:
    """What the kinds that have a phase or an address instead of conditions lack."""
    status = item.get("status") or {}
    if item.get("kind") == "PersistentVolumeClaim" and status.get("phase") != "Bound":
        yield f"is {status.get('phase') or 'Pending'}"
    balanced = item.get("kind") == "Service" and item["spec"].get("type") == "LoadBalancer"
    if balanced and not (status.get("loadBalancer") or {}).get("ingress"):
        yield "has no address from a load balancer"


def pod_complaint(pod: Mapping[str, Any]) -> str | None:
    """What keeps a pod from being ready: None if nothing does, empty if it does not say."""
    status = pod.get("status") or {}
    told = {condition["type"]: condition for condition in conditions(pod)}
    if status.get("phase") == "Succeeded" or told.get("Ready", {}).get("status") == "True":
        return None
    scheduled = told.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason')}: {scheduled.get('message')}"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        complaint = _container_complaint(container)
        if complaint:
            return complaint
    return status.get("message") or ""


def _container_complaint(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    before = (container.get("lastState") or {}).get("terminated") or {}
    died = f"exited with {before['exitCode']} before" if before.get("exitCode") else ""
    if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
        return ": ".join(filter(None, (waiting["reason"], waiting.get("message"), died)))
    if ended.get("exitCode"):
        return ": ".join(filter(None, (ended.get("reason"), f"exited with {ended['exitCode']}", ended.get("message"))))
    return ""
