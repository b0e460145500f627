# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications against a real API server with Argo CD's kinds. Its controller is absent; molecule/argocd has it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, PROJECT, REFRESH
from tests.api.conftest import ArgoCd, wait_until

Call = Callable[..., dict[str, Any]]

IN_CLUSTER = "https://kubernetes.default.svc"
ECO2: dict[str, Any] = {
    "name": "eco2",
    "source": {"repo_url": "https://git.example.com/platforms.git", "path": "eco2/root", "target_revision": "main"},
    "destination": {"server": IN_CLUSTER, "namespace": "argocd"},
}


def application(name: str = "eco2", **options: Any) -> dict[str, Any]:
    return {**ECO2, "name": name, **options}


def test_an_application_is_created_once_and_then_found_as_declared(argocd: ArgoCd, call: Call) -> None:
    first = call("argocd_application", **application())
    again = call("argocd_application", **application())
    assert (first["changed"], first["created"]) == (True, ["eco2"])
    assert (again["changed"], again["created"], again["updated"], again["diff"]) == (False, [], [], [])
    assert argocd.read(APPLICATION, "eco2")["spec"] == {
        "project": "default",
        "source": {"repoURL": "https://git.example.com/platforms.git", "path": "eco2/root", "targetRevision": "main"},
        "destination": {"server": IN_CLUSTER, "namespace": "argocd"},
    }


def test_a_value_that_leaves_the_inventory_leaves_the_application(argocd: ArgoCd, call: Call) -> None:
    source = dict(ECO2["source"])
    for values in ({"domain": "example.com", "nodes": {"a": 1, "b": 2}, "tiers": ["x", "y"]}, {"nodes": {"a": 1}}):
        done = call("argocd_application", **application(source={**source, "helm": {"values_object": values}}))
        assert done["changed"]
        assert argocd.read(APPLICATION, "eco2")["spec"]["source"]["helm"]["valuesObject"] == values


def test_what_somebody_else_keeps_on_it_stays(argocd: ArgoCd, call: Call) -> None:
    call("argocd_application", **application())
    argocd.edit("eco2", {"metadata": {"annotations": {"team": "platform"}}, "spec": {"revisionHistoryLimit": 3}})
    again = call("argocd_application", **application(labels={"tier": "root"}))
    live = argocd.read(APPLICATION, "eco2")
    assert again["updated"] == ["eco2"]
    assert (live["metadata"]["annotations"]["team"], live["spec"]["revisionHistoryLimit"]) == ("platform", 3)
    assert live["metadata"]["labels"] == {"tier": "root"}


def test_check_mode_says_what_it_would_do_and_does_nothing(argocd: ArgoCd, call: Call) -> None:
    would = call("argocd_application", check=True, diff=True, **application())
    assert would["created"] == ["eco2"]
    assert '"targetRevision": "main"' in would["diff"][0]["after"]
    assert argocd.names(APPLICATION) == []


def test_check_mode_finds_what_the_api_would_refuse(argocd: ArgoCd, call: Call) -> None:
    refused = call("argocd_application", check=True, **application(name="Eco2"))
    assert refused["failed"]
    assert "RFC 1123" in refused["msg"]


def test_many_go_in_one_call_and_one_that_is_refused_does_not_stop_the_others(argocd: ArgoCd, call: Call) -> None:
    several = [application("first"), application("Second"), application("third")]
    done = call("argocd_application", applications=several)
    assert done["failed"]
    assert "Second" in done["msg"]
    assert done["created"] == argocd.names(APPLICATION) == ["first", "third"]


def test_a_wave_may_be_a_number(argocd: ArgoCd, call: Call) -> None:
    done = call("argocd_application", **application(annotations={"argocd.argoproj.io/sync-wave": 20}))
    assert done["applications"][0]["wave"] == 20


def test_an_unknown_project_is_an_error_that_names_the_known_ones(argocd: ArgoCd, call: Call) -> None:
    argocd.plant(PROJECT, "eco2", spec={})
    refused = call("argocd_application", **application(project="eco3"))
    assert refused["msg"] == "there is no AppProject eco3; this Argo CD has: eco2"
    assert argocd.names(APPLICATION) == []
    assert not call("argocd_application", **application(project="eco2"))["failed"]


def test_what_changed_is_read_from_git_anew(argocd: ArgoCd, call: Call) -> None:
    def marked() -> bool:
        return REFRESH in argocd.read(APPLICATION, "eco2")["metadata"].get("annotations", {})

    call("argocd_application", **application())
    assert marked()
    argocd.look("eco2")
    call("argocd_application", **application())
    assert not marked()
    again = call("argocd_application", **application(), refresh=True)
    assert marked()
    assert not again["changed"]


def test_the_finalizer_says_what_becomes_of_its_objects(argocd: ArgoCd, call: Call) -> None:
    def finalizers() -> list[str]:
        found: list[str] = argocd.read(APPLICATION, "eco2")["metadata"].get("finalizers", [])
        return found

    resources = "resources-finalizer.argocd.argoproj.io"
    for cascade, expected in {
        "foreground": [resources],
        "background": [f"{resources}/background"],
        "orphan": [],
    }.items():
        assert call("argocd_application", **application(), cascade=cascade)["changed"]
        assert finalizers() == expected


def test_deletion_cascades_unless_its_objects_are_to_stay(argocd: ArgoCd, call: Call) -> None:
    call("argocd_application", applications=[application("kept"), application("gone")], cascade="foreground")
    orphaned = call("argocd_application", name="kept", state="absent", cascade="orphan")
    assert orphaned["deleted"] == ["kept"]
    deleted = call("argocd_application", name="gone", state="absent")
    assert deleted["deleted"] == ["gone"]
    # The controller, which is absent here, would now delete its objects and then take the finalizer away.
    assert argocd.names(APPLICATION) == ["gone"]
    assert not call("argocd_application", name="gone", state="absent")["changed"]
    assert not call("argocd_application", name="kept", state="absent")["changed"]


def test_deletion_in_check_mode_deletes_nothing(argocd: ArgoCd, call: Call) -> None:
    call("argocd_application", **application())
    would = call("argocd_application", check=True, name="eco2", state="absent")
    assert would["deleted"] == argocd.names(APPLICATION) == ["eco2"]
    assert "finalizers" not in argocd.read(APPLICATION, "eco2")["metadata"]


def registered(argocd: ArgoCd, call: Call, **policy: Any) -> None:
    call("argocd_application", **application(**({"sync_policy": policy} if policy else {})))
    argocd.look("eco2", "OutOfSync")


def sync(call: Call, check: bool = False, **request: Any) -> dict[str, Any]:
    return call("argocd_application", check=check, name="eco2", refresh=False, sync=request)


def test_a_sync_is_begun_only_where_one_is_due(argocd: ArgoCd, call: Call) -> None:
    registered(argocd, call, sync_options=["ServerSideApply=true"], retry={"limit": 3})
    begun = sync(call, prune=True, resources=[{"group": "apps", "kind": "Deployment", "name": "api"}])
    assert (begun["changed"], begun["synced"], begun["updated"]) == (True, ["eco2"], [])
    assert argocd.read(APPLICATION, "eco2")["operation"] == {
        "initiatedBy": {"username": "groundwork"},
        "sync": {
            "prune": True,
            "resources": [{"group": "apps", "kind": "Deployment", "name": "api"}],
            "syncOptions": ["ServerSideApply=true"],
        },
        "retry": {"limit": 3},
    }
    joined = sync(call)
    argocd.look("eco2")
    done = sync(call)
    assert (joined["changed"], done["changed"]) == (False, False)


def test_a_sync_that_failed_is_begun_again(argocd: ArgoCd, call: Call) -> None:
    registered(argocd, call)
    argocd.look("eco2", operation={"phase": "Failed"})
    assert sync(call)["synced"] == ["eco2"]
    assert "operationState" not in argocd.read(APPLICATION, "eco2")["status"]


def test_a_sync_in_check_mode_is_not_begun(argocd: ArgoCd, call: Call) -> None:
    registered(argocd, call)
    assert sync(call, check=True)["synced"] == ["eco2"]
    assert "operation" not in argocd.read(APPLICATION, "eco2")


def test_a_commit_is_synced_to_once(argocd: ArgoCd, call: Call) -> None:
    registered(argocd, call)
    assert sync(call, revision="c0ffee0")["changed"]
    argocd.look("eco2", operation={"phase": "Succeeded", "syncResult": {"revision": "c0ffee0"}})
    assert not sync(call, revision="c0ffee0")["changed"]
    assert sync(call, revision="c0ffee1")["changed"]


def test_a_rollback_that_self_heal_would_undo_is_refused(argocd: ArgoCd, call: Call) -> None:
    registered(argocd, call, automated={"self_heal": True})
    refused = sync(call, revision="v1")
    assert refused["failed"]
    assert "syncs itself to main, which would undo a sync to v1; set source.target_revision instead" in refused["msg"]
    assert "operation" not in argocd.read(APPLICATION, "eco2")
    assert sync(call, revision="main")["synced"] == ["eco2"]


def test_a_sync_waits_until_argo_cd_has_read_git(argocd: ArgoCd, call: Call) -> None:
    registered(argocd, call)

    def controller() -> None:
        wait_until(lambda: REFRESH in argocd.read(APPLICATION, "eco2")["metadata"].get("annotations", {}))
        argocd.look("eco2")

    with ThreadPoolExecutor() as pool:
        looking = pool.submit(controller)
        done = call("argocd_application", name="eco2", sync={})
        looking.result()
    assert not done["changed"]


def test_what_argo_cd_cannot_read_cannot_be_synced(argocd: ArgoCd, call: Call) -> None:
    call("argocd_application", **application())
    lost = {"type": "ComparisonError", "message": "unable to resolve 'v9' to a commit SHA"}
    unread = {"metadata": {"annotations": {REFRESH: None}}, "status": {"conditions": [lost]}}
    argocd.edit("eco2", unread)
    assert sync(call)["msg"] == "Application eco2 cannot be synced: unable to resolve 'v9' to a commit SHA"


def test_what_is_only_named_must_be_there(argocd: ArgoCd, call: Call) -> None:
    missing = call("argocd_application", applications=[{"name": "eco2"}, application("eco3", destination={})])
    assert missing["msg"].splitlines() == [
        "Application eco3 needs in destination either server or name",
        "there is no Application eco2, and nothing but its name is said of it",
    ]


def test_what_check_mode_may_assume_need_not_be_there_yet(argocd: ArgoCd, call: Call) -> None:
    planned = application(project="to-be-made")
    assert not call("argocd_application", check=True, **planned, namespace="later", assume=["api"])["failed"]
    assert call("argocd_application", check=True, **planned, namespace="later")["failed"]
