# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, PROJECT
from tests.api.conftest import ArgoCd

Call = Callable[..., dict[str, Any]]

PRODUCTION: dict[str, Any] = {
    "name": "production",
    "description": "what customers see",
    "source_repos": ["https://git.example.com/production.git"],
    "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "production"}],
    "namespace_resource_blacklist": [{"group": "", "kind": "ResourceQuota"}],
    "sync_windows": [{"kind": "deny", "schedule": "0 18 * * 5", "duration": "62h", "manual_sync": True}],
}


def test_a_project_is_made_once_as_declared(argocd: ArgoCd, call: Call) -> None:
    first, again = call("argocd_project", **PRODUCTION), call("argocd_project", **PRODUCTION)
    assert (first["created"], again["changed"]) == (["production"], False)
    spec = argocd.read(PROJECT, "production")["spec"]
    assert spec["sourceRepos"] == ["https://git.example.com/production.git"]
    assert spec["syncWindows"] == [{"kind": "deny", "schedule": "0 18 * * 5", "duration": "62h", "manualSync": True}]
    assert spec["namespaceResourceBlacklist"] == [{"group": "", "kind": "ResourceQuota"}]


def test_what_leaves_the_inventory_leaves_the_project(argocd: ArgoCd, call: Call) -> None:
    call("argocd_project", **PRODUCTION)
    less = {key: value for key, value in PRODUCTION.items() if key != "sync_windows"}
    would = call("argocd_project", check=True, diff=True, **less)
    assert "syncWindows" in would["diff"][0]["before"]
    assert "syncWindows" not in would["diff"][0]["after"]
    assert call("argocd_project", **less)["updated"] == ["production"]
    assert "syncWindows" not in argocd.read(PROJECT, "production")["spec"]


def test_many_projects_go_in_one_call(argocd: ArgoCd, call: Call) -> None:
    done = call("argocd_project", projects=[PRODUCTION, {"name": "staging"}])
    assert done["created"] == argocd.names(PROJECT) == ["production", "staging"]


def test_a_project_that_is_still_needed_is_not_deleted(argocd: ArgoCd, call: Call) -> None:
    call("argocd_project", **PRODUCTION)
    spec = {"project": "production", "destination": {}, "source": {"repoURL": "https://git.example.com/production.git"}}
    argocd.plant(APPLICATION, "shop", spec=spec)
    refused = call("argocd_project", name="production", state="absent")
    assert refused["msg"] == "AppProject production still has applications: shop; delete or move them first"
    argocd.client.delete(APPLICATION.path("argocd", "shop"))
    assert call("argocd_project", name="production", state="absent")["deleted"] == ["production"]
    assert not call("argocd_project", name="production", state="absent")["changed"]
