# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for applications. What Argo CD's controller would write is written by hand here; molecule/argocd has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import (
    APPLICATION,
    APPLICATION_SET,
    REFRESH,
    Argo,
    Kind,
)
from tests.api.conftest import Api, ArgoCd, Play, wait_until

Call = Callable[..., dict[str, Any]]

GIT = "https://git.example.com/platforms.git"
IN_CLUSTER = {"server": "https://kubernetes.default.svc"}
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}}
MANIFEST_REFUSED = 'Deployment.apps "grafana" is invalid: spec.template.spec.containers: Required value'


def child(name: str, wave: int, status: str = "Synced", kind: str = "Application") -> dict[str, Any]:
    """How a root application lists what it grows."""
    resource = {"group": "argoproj.io", "version": "v1alpha1", "kind": kind, "namespace": "argocd", "name": name}
    return {**resource, "status": status, **({"syncWave": wave} if wave else {})}


@pytest.fixture
def plant(argocd: ArgoCd) -> Callable[..., None]:
    def plant(*names: str, **metadata: Any) -> None:
        for name in names:
            source = {"repoURL": GIT, "path": name, "targetRevision": "main"}
            spec = {"project": "default", "source": source, "destination": IN_CLUSTER, "syncPolicy": AUTOMATED}
            argocd.plant(APPLICATION, name, spec=spec, metadata=metadata)

    return plant


@pytest.fixture
def platform(argocd: ArgoCd, plant: Callable[..., None]) -> list[dict[str, Any]]:
    """A root application in the middle of its waves: what is there yet is well."""
    plant("eco2", "crds", "grafana")
    grown = [child("crds", 0), child("grafana", 20), child("redis", 28, "OutOfSync")]
    waits = {"phase": "Running", "message": "waiting for healthy state of argoproj.io/Application/grafana"}
    argocd.look("eco2", "OutOfSync", "Progressing", operation=waits, resources=grown)
    argocd.look("crds")
    argocd.look("grafana")
    return grown


def look(call: Call, *names: str, **options: Any) -> dict[str, Any]:
    return call("argocd_health", names=names or ["eco2"], **{"refresh": False, **options})


def test_it_waits_for_the_lowest_wave_and_names_what_is_behind_it(
    argocd: ArgoCd, call: Call, platform: list[dict[str, Any]]
) -> None:
    argocd.look("grafana", health="Progressing")
    seen = look(call)
    assert not seen["healthy"]
    assert seen["summary"] == "1/4 Synced and Healthy, wave 20: grafana (Progressing)"
    assert seen["report"] == [
        "wave 20 grafana: Progressing since 2026-11-21T13:05:00Z",
        "eco2: syncing since 2026-11-21T13:00:00Z: waiting for healthy state of argoproj.io/Application/grafana",
        "not ready after these: wave 28 redis",
    ]
    assert [(state["wave"], state["name"], state["ready"]) for state in seen["children"]] == [
        (0, "crds", True),
        (20, "grafana", False),
        (28, "redis", False),
    ]


def test_all_is_well_when_the_last_wave_is(argocd: ArgoCd, call: Call, plant: Callable[..., None]) -> None:
    plant("eco2", "crds", "redis")
    argocd.look("eco2", resources=[child("crds", 0), child("redis", 28)])
    argocd.look("crds")
    argocd.look("redis")
    seen = look(call)
    assert seen["healthy"]
    assert (seen["summary"], seen["report"]) == ("3/3 Synced and Healthy", [])


def test_the_waves_need_not_be_waited_for(argocd: ArgoCd, call: Call, plant: Callable[..., None]) -> None:
    plant("eco2")
    argocd.look("eco2", resources=[child("crds", 0)])
    assert not look(call)["healthy"]
    assert look(call, waves=False)["healthy"]


@pytest.mark.parametrize(
    ("found", "brief"),
    [
        ({"sync": "OutOfSync"}, "OutOfSync"),
        ({"health": "Degraded"}, "Degraded"),
        ({"operation": {"phase": "Running", "message": "hooks"}}, "syncing"),
        ({"operation": {"phase": "Failed", "message": "a hook"}}, "sync Failed"),
        ({"conditions": [{"type": "ComparisonError", "message": "no such path"}]}, "ComparisonError"),
    ],
)
def test_healthy_alone_is_not_enough(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], found: dict[str, Any], brief: str
) -> None:
    plant("eco2")
    argocd.look("eco2", **found)
    seen = look(call)
    assert not seen["healthy"]
    assert seen["applications"][0]["brief"] == brief


def test_what_was_found_before_the_last_change_does_not_count(
    argocd: ArgoCd, call: Call, plant: Callable[..., None]
) -> None:
    plant("eco2")
    argocd.look("eco2")
    argocd.edit("eco2", {"spec": {"source": {"targetRevision": "v2"}}})
    seen = look(call)
    assert not seen["healthy"]
    assert seen["applications"][0]["brief"] == "not compared yet"


def test_it_has_git_read_anew_for_all_that_is_there(argocd: ArgoCd, call: Call, platform: list[dict[str, Any]]) -> None:
    assert not look(call, refresh=True)["healthy"]
    for name in ("eco2", "crds", "grafana"):
        assert argocd.read(APPLICATION, name)["metadata"]["annotations"] == {REFRESH: "normal"}


@pytest.mark.parametrize(
    ("revision", "message", "phase"),
    [
        ("older", "waiting for healthy state of argoproj.io/Application/grafana", "Terminating"),
        ("c0ffee", "waiting for healthy state of argoproj.io/Application/grafana", "Running"),
        ("older", "waiting for completion of hook batch/Job/migrate", "Running"),
    ],
)
def test_a_sync_that_waits_for_what_git_has_left_is_ended(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], revision: str, message: str, phase: str
) -> None:
    plant("eco2")
    sync = {"phase": "Running", "message": message, "syncResult": {"revision": revision}}
    argocd.look("eco2", "OutOfSync", operation=sync, resources=[child("grafana", 20)])
    look(call, refresh=True)
    assert argocd.read(APPLICATION, "eco2")["status"]["operationState"]["phase"] == phase


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(("finished", "phase"), [("2026-11-21T13:01:00Z", "Terminating"), (None, "Running")])
def test_a_sync_is_not_tried_again_before_its_application_is_deleted(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], finished: str | None, phase: str, state: str
) -> None:
    plant("grafana", finalizers=["resources-finalizer.argocd.argoproj.io"])
    argocd.look("grafana", "OutOfSync", operation={"phase": "Running", "finishedAt": finished})
    argocd.client.delete(APPLICATION.path(argocd.namespace, "grafana"))
    look(call, "grafana", state=state, refresh=True)
    assert argocd.read(APPLICATION, "grafana")["status"]["operationState"]["phase"] == phase


def test_what_goes_while_it_is_looked_at_is_gone(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant("eco2")
    read = Argo.read

    def read_before_it_goes(argo: Argo, kind: Kind) -> dict[str, Any]:
        found = read(argo, kind)
        argocd.client.delete(kind.path(argocd.namespace, "eco2"))
        return found

    monkeypatch.setattr(Argo, "read", read_before_it_goes)
    assert look(call, state="absent", refresh=True)["healthy"]


def test_in_check_mode_it_writes_nothing(argocd: ArgoCd, call: Call, plant: Callable[..., None]) -> None:
    plant("eco2")
    argocd.look("eco2")
    assert look(call, refresh=True, check=True)["healthy"]


def test_a_failed_sync_names_the_objects_that_were_refused(
    argocd: ArgoCd, call: Call, platform: list[dict[str, Any]]
) -> None:
    argocd.look("eco2", "Synced", "Progressing", operation={"phase": "Running"}, resources=platform)
    refused = {"kind": "Deployment", "namespace": "monitoring", "name": "grafana", "message": MANIFEST_REFUSED}
    results = [{"group": "apps", "version": "v1", "status": "SyncFailed", **refused}]
    failed = {
        "phase": "Failed",
        "message": "one or more objects failed to apply",
        "syncResult": {"revision": "c0ffee", "resources": results},
    }
    argocd.look("grafana", "OutOfSync", operation=failed)
    seen = look(call)
    assert [state["name"] for state in seen["children"] if state["failed"]] == ["grafana"]
    assert seen["report"][:2] == [
        "wave 20 grafana: sync Failed since 2026-11-21T13:01:00Z: one or more objects failed to apply",
        f"  Deployment monitoring/grafana: {MANIFEST_REFUSED}",
    ]


def test_a_failure_of_what_its_parent_is_about_to_change_is_of_the_past(
    argocd: ArgoCd, call: Call, plant: Callable[..., None]
) -> None:
    plant("eco2", "grafana")
    argocd.look("grafana", "OutOfSync", operation={"phase": "Failed", "message": "broken"})
    for status, failed in {"OutOfSync": [], "Synced": ["grafana"]}.items():
        argocd.look("eco2", "OutOfSync", operation={"phase": "Running"}, resources=[child("grafana", 20, status)])
        assert [state["name"] for state in look(call)["children"] if state["failed"]] == failed


def test_a_failure_at_another_revision_is_of_the_past(argocd: ArgoCd, call: Call, plant: Callable[..., None]) -> None:
    plant("eco2")
    argocd.look("eco2", "OutOfSync", revision="new", operation={"phase": "Failed", "syncResult": {"revision": "old"}})
    assert not look(call)["applications"][0]["failed"]


@pytest.mark.parametrize(
    ("message", "hopeless"),
    [
        ("unable to resolve 'v9' to a commit SHA", True),
        ("rpc error: code = Unavailable desc = connection error: connection refused", False),
    ],
)
def test_what_may_pass_is_waited_for_and_what_cannot_is_not(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], message: str, hopeless: bool
) -> None:
    plant("eco2")
    argocd.look("eco2", "Unknown", conditions=[{"type": "ComparisonError", "message": message}])
    assert look(call)["applications"][0]["broken"] is hopeless


def test_what_an_application_set_makes_is_in_its_wave(
    argocd: ArgoCd, api: Api, call: Call, plant: Callable[..., None]
) -> None:
    sets = APPLICATION_SET.path("argocd")
    plant("eco2")
    argocd.look("eco2", resources=[child("apis", 60, kind="ApplicationSet")])
    assert "ApplicationSet apis (does not exist)" in look(call)["summary"]
    template = {"metadata": {"name": "{{domain}}"}, "spec": {"project": "default", "destination": IN_CLUSTER}}
    template["spec"]["source"] = {"repoURL": GIT, "path": "domains"}
    generators = [{"list": {"elements": [{"domain": "auth"}]}}]
    argocd.plant(APPLICATION_SET, "apis", spec={"generators": generators, "template": template})
    try:
        error = {"type": "ErrorOccurred", "status": "True", "reason": "ApplicationGenerationFromParamsError"}
        seconds = {"lastTransitionTime": "2026-11-21T13:02:00Z", "message": "domain is not set"}
        api.client.patch(f"{sets}/apis/status", {"status": {"conditions": [{**error, **seconds}]}})
        assert look(call)["report"] == [
            "wave 60 ApplicationSet apis: ApplicationGenerationFromParamsError since 2026-11-21T13:02:00Z: "
            "domain is not set"
        ]
        api.client.patch(f"{sets}/apis/status", {"status": {"conditions": [], "resourcesCount": 1}})
        assert "it has made 0 of 1 applications" in look(call)["report"][0]
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "apis", "uid": "1"}
        plant("auth", ownerReferences=[owner])
        argocd.look("auth", health="Degraded")
        assert look(call)["summary"] == "1/2 Synced and Healthy, wave 60: auth (Degraded)"
        argocd.look("auth")
        assert look(call)["healthy"]
    finally:
        api.client.delete(f"{sets}/apis")


def test_an_application_that_does_not_exist_is_said_to_be_missing(argocd: ArgoCd, call: Call) -> None:
    assert look(call)["report"] == ["eco2: does not exist: there is no such Application"]


def test_gone_is_gone_and_what_is_still_there_is_named(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], workload: dict[str, Any]
) -> None:
    plant("eco2", finalizers=["resources-finalizer.argocd.argoproj.io"])
    stuck = {"type": "DeletionError", "message": "a webhook does not answer"}
    argocd.look("eco2", conditions=[stuck], resources=[workload])
    argocd.client.delete(APPLICATION.path("argocd", "eco2"))
    seen = look(call, "eco2", "other", state="absent")
    assert seen["summary"] == "1/2 gone, eco2 (is being deleted)"
    assert "a webhook does not answer" in seen["report"][0]
    assert seen["report"][1] == "  Deployment default/grafana: is still there"
    argocd.edit("eco2", {"metadata": {"finalizers": None}})
    assert look(call, "eco2", state="absent")["healthy"]


@pytest.fixture
def workload(api: Api) -> Iterator[dict[str, Any]]:
    """A Deployment whose pod cannot have its image, as its controllers and kubelet would say it."""
    pods, deployments = "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments"
    labels = {"app": "grafana"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "grafana", "image": "grafana"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    api.client.create(deployments, {"metadata": {"name": "grafana"}, "spec": spec})
    api.client.create(pods, {**pod, "metadata": {"name": "grafana-0", "labels": labels}})
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "grafana"'}
    container = {"name": "grafana", "image": "grafana", "imageID": "", "ready": False, "restartCount": 0}
    pulling = {"containerStatuses": [{**container, "state": {"waiting": waiting}}]}
    api.client.patch(f"{pods}/grafana-0/status", {"status": {"phase": "Pending", **pulling}})
    api.client.patch(f"{deployments}/grafana/status", {"status": {"observedGeneration": 1}})
    yield {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "default", "name": "grafana"}
    api.client.delete(f"{deployments}/grafana")
    api.client.delete(f"{pods}/grafana-0", query={"gracePeriodSeconds": 0})


def test_the_live_objects_say_why(
    argocd: ArgoCd, call: Call, plant: Callable[..., None], workload: dict[str, Any]
) -> None:
    plant("monitoring")
    lost = {**workload, "kind": "StatefulSet", "name": "prometheus"}
    argocd.look("monitoring", health="Progressing", resources=[workload, lost])
    assert look(call, "monitoring")["report"][1:] == [
        '  Deployment default/grafana: 0/1; pod grafana-0: ImagePullBackOff: Back-off pulling image "grafana"',
        "  StatefulSet default/prometheus: does not exist",
    ]
    assert look(call, "monitoring", explain=False)["report"][1:] == []


def task(**options: Any) -> list[dict[str, Any]]:
    arguments = {"names": ["eco2"], "refresh": False, "interval": 2, **options}
    return [{"groundwork.kube.argocd_health": arguments}]


def test_the_wait_shows_what_it_waits_for_and_ends_when_it_is_there(
    argocd: ArgoCd, play: Play, plant: Callable[..., None]
) -> None:
    plant("eco2")
    # Not one that the wait has Argo CD compare again: nobody would answer.
    argocd.look("eco2", "OutOfSync")
    running = play(task(timeout=120))
    assert running.stdout
    lines = iter(running.stdout.readline, "")
    assert next(line for line in lines if "Synced and Healthy" in line) == (
        "  0/1 Synced and Healthy, waiting: eco2 (OutOfSync)\n"
    )
    argocd.look("eco2")
    output = "".join(lines)
    assert running.wait() == 0, output


def test_a_sync_that_has_failed_ends_the_wait_long_before_its_deadline(
    argocd: ArgoCd, play: Play, plant: Callable[..., None]
) -> None:
    plant("eco2", "grafana")
    argocd.look("eco2", resources=[child("grafana", 20)], operation={"phase": "Running"})
    argocd.look("grafana", "OutOfSync", operation={"phase": "Running"})
    running = play(task(timeout=3600))
    assert running.stdout
    lines = iter(running.stdout.readline, "")
    assert "syncing" in next(line for line in lines if "Synced and Healthy" in line)
    argocd.look("grafana", "OutOfSync", operation={"phase": "Failed", "message": "no"})
    output = "".join(lines)
    assert running.wait() == 2, output
    assert "Waiting is of no use" in output
    assert "wave 20 grafana: sync Failed since 2026-11-21T13:01:00Z: no" in output


def test_what_has_failed_before_is_begun_again(argocd: ArgoCd, play: Play, plant: Callable[..., None]) -> None:
    plant("eco2")
    failed = {"phase": "Failed", "message": "no"}
    argocd.look("eco2", "OutOfSync", operation=failed)
    running = play([{"groundwork.kube.argocd_application": {"name": "eco2", "refresh": False}}], "-v")
    assert running.stdout
    lines = iter(running.stdout.readline, "")
    assert "not compared yet" in next(line for line in lines if "Synced and Healthy" in line)
    argocd.look("eco2", "OutOfSync", operation=failed)
    wait_until(lambda: REFRESH in argocd.read(APPLICATION, "eco2")["metadata"].get("annotations", {}))
    argocd.look("eco2", "OutOfSync", operation=failed)
    wait_until(lambda: "operation" in argocd.read(APPLICATION, "eco2"))
    argocd.look("eco2")
    output = "".join(lines)
    assert running.wait() == 0, output
    assert "changed=1" in output


def test_time_up_is_a_failure_that_says_what_was_waited_for(
    argocd: ArgoCd, play: Play, plant: Callable[..., None]
) -> None:
    plant("eco2")
    service = {"version": "v1", "kind": "Service", "namespace": "default", "name": "api", "status": "OutOfSync"}
    argocd.look("eco2", "OutOfSync", resources=[service])
    running = play(task(timeout=3))
    output, _ = running.communicate(timeout=300)
    assert running.returncode == 2, output
    assert "eco2: OutOfSync since 2026-11-21T13:05:00Z: differing: Service default/api" in output


def test_registration_waits_until_argo_cd_has_looked_again(argocd: ArgoCd, play: Play) -> None:
    source = {"repo_url": GIT, "path": "eco2", "target_revision": "main"}
    register = {"name": "eco2", "source": source, "destination": IN_CLUSTER, "wait_timeout": 120}
    running = play([{"groundwork.kube.argocd_application": register}], "-v")
    assert running.stdout
    wait_until(lambda: "eco2" in argocd.names(APPLICATION))
    lines = iter(running.stdout.readline, "")
    assert "not compared yet" in next(line for line in lines if "Synced and Healthy" in line)
    argocd.look("eco2")
    output = "".join(lines)
    assert running.wait() == 0, output
    assert "changed=1" in output


def test_deletion_waits_until_it_is_gone(argocd: ArgoCd, play: Play, plant: Callable[..., None]) -> None:
    plant("eco2", finalizers=["resources-finalizer.argocd.argoproj.io"])
    running = play([{"groundwork.kube.argocd_application": {"name": "eco2", "state": "absent"}}])
    assert running.stdout
    lines = iter(running.stdout.readline, "")
    assert "eco2 (is being deleted)" in next(line for line in lines if "gone" in line)
    argocd.edit("eco2", {"metadata": {"finalizers": None}})
    output = "".join(lines)
    assert running.wait() == 0, output
    assert argocd.names(APPLICATION) == []
