# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading back. What Argo CD's controller would write is written by hand here; molecule/argocd has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, PROJECT, Kind
from tests.api.conftest import ArgoCd

Call = Callable[..., dict[str, Any]]

GIT = "https://git.example.com/platforms.git"
CONTROLLER = "argocd-application-controller"
STATEFUL_SET = Kind("StatefulSet", "statefulsets", "apps/v1")


def plant(argocd: ArgoCd, name: str, **resources: int) -> None:
    destination = {"name": "in-cluster", "namespace": name}
    source = {"repoURL": GIT, "path": name, "targetRevision": "main"}
    argocd.plant(APPLICATION, name, spec={"project": "default", "source": source, "destination": destination})
    grown = [
        {"group": "argoproj.io", "kind": "Application", "namespace": "argocd", "name": child, "syncWave": wave}
        for child, wave in resources.items()
    ]
    argocd.look(name, resources=grown)


def test_applications_come_in_the_order_of_their_waves(argocd: ArgoCd, call: Call) -> None:
    plant(argocd, "eco2", redis=28, crds=-5, apis=60)
    plant(argocd, "apis", auth=0)
    for name in ("auth", "crds", "redis", "another"):
        plant(argocd, name)
    argocd.look("redis", health="Degraded")
    told = call("argocd_info", gather=["applications"])["applications"]
    assert [(app["name"], app["wave"], app["parent"]) for app in told] == [
        ("another", 0, ""),
        ("eco2", 0, ""),
        ("crds", -5, "eco2"),
        ("redis", 28, "eco2"),
        ("apis", 60, "eco2"),
        ("auth", 0, "apis"),
    ]
    assert [app["name"] for app in told if not app["ready"]] == ["redis"]
    assert told[1]["source"] == f"{GIT} eco2"
    assert (told[1]["target_revision"], told[1]["destination"]) == ("main", "in-cluster eco2")


def test_only_the_named_ones_are_told(argocd: ArgoCd, call: Call) -> None:
    plant(argocd, "eco2", crds=0)
    plant(argocd, "crds")
    told = call("argocd_info", gather=["applications"], names=["crds", "no-such"])["applications"]
    assert [(app["name"], app["parent"]) for app in told] == [("crds", "eco2")]


def test_projects_are_told(argocd: ArgoCd, call: Call) -> None:
    destinations = [{"server": "*", "namespace": "shop"}]
    argocd.plant(PROJECT, "shop", spec={"sourceRepos": [GIT], "destinations": destinations})
    assert call("argocd_info", gather=["projects"])["projects"] == [
        {"name": "shop", "description": "", "source_repos": [GIT], "destinations": ["* shop"]}
    ]


def test_the_version_is_that_of_the_controller_that_runs(argocd: ArgoCd, call: Call) -> None:
    assert call("argocd_info", gather=["version"])["version"] == ""
    labels = {"app.kubernetes.io/name": CONTROLLER}
    image = "quay.io/argoproj/argocd:v3.5.7@sha256:" + "0" * 64
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "controller", "image": image}]}}
    spec = {"serviceName": CONTROLLER, "selector": {"matchLabels": labels}, "template": pod}
    argocd.plant(STATEFUL_SET, CONTROLLER, metadata={"labels": labels}, spec=spec)
    assert call("argocd_info", gather=["version"])["version"] == "v3.5.7"
    argocd.client.delete(STATEFUL_SET.path("argocd", CONTROLLER))


def test_where_there_is_no_argo_cd_yet_check_mode_may_find_nothing(argocd: ArgoCd, call: Call) -> None:
    empty = {"applications": [], "projects": [], "repositories": [], "clusters": [], "version": ""}
    told = call("argocd_info", check=True, assume=["api"], kubeconfig="/nowhere/admin.conf")
    assert {part: told[part] for part in empty} == empty
    assert "/nowhere/admin.conf does not exist" in call("argocd_info", kubeconfig="/nowhere/admin.conf")["msg"]
