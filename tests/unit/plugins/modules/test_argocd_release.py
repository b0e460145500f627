# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release changes, and what it says Git cannot put back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules import argocd_release
from ansible_collections.groundwork.kube.plugins.modules.argocd_release import (
    ReleaseError,
    ending,
    family,
    irreplaceable,
    moving,
)

REPOSITORY = "https://git.example.org/platform.git"


def application(name: str, repository: str = REPOSITORY, phase: str = "Succeeded", **source: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "source": {"repoURL": repository, "targetRevision": "v1", **source},
            "destination": {"namespace": name},
        },
        "status": {"operationState": {"phase": phase}, "resources": []},
    }


def platform(root_phase: str = "Succeeded") -> argocd_release.Family:
    root = application("root", phase=root_phase, helm={"valuesObject": {"revision": "v1", "domain": "example.org"}})
    children = [
        application("web"),
        application("cert-manager", "https://charts.example.org", "Running"),
    ]
    root["status"]["resources"] = [{"kind": "Application", "name": each["metadata"]["name"]} for each in children]
    return family("root", {each["metadata"]["name"]: each for each in [root, *children, application("foreign")]})


def secret(namespace: str, name: str, kind: str = "Opaque", **annotations: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "annotations": annotations}, "type": kind}


def test_a_release_moves_the_root_and_what_it_hands_on() -> None:
    moved = moving(platform().root, "v2")
    assert moved["spec"]["source"] == {"targetRevision": "v2", "helm": {"valuesObject": {"revision": "v2"}}}
    assert "status" not in moved


def test_a_chart_that_hands_no_revision_on_gets_none() -> None:
    assert moving(application("lone"), "v2")["spec"]["source"] == {"targetRevision": "v2"}


def test_a_sync_of_the_revision_before_is_ended_and_none_that_has_ended() -> None:
    assert moving(platform("Running").root, "v2")["status"] == {"operationState": {"phase": "Terminating"}}
    assert ending(application("web", phase="Running")) == {"status": {"operationState": {"phase": "Terminating"}}}
    assert ending(application("web")) is None


def test_what_follows_another_repository_is_left_alone() -> None:
    assert [each["metadata"]["name"] for each in platform().followers()] == ["root", "web"]


def test_only_what_git_did_not_bring_is_irreplaceable() -> None:
    tracked = {"argocd.argoproj.io/tracking-id": "web:/Secret:web/from-git"}
    secrets = [
        secret("web", "session-key"),
        secret("web", "from-git", **tracked),
        secret("web", "token", "kubernetes.io/service-account-token"),
        secret("elsewhere", "not-ours"),
    ]
    lost = irreplaceable(platform(), [secret("web", "data")], secrets)
    assert lost == {"claims": ["web/data"], "secrets": ["web/session-key"]}


def test_an_application_that_is_not_there_is_refused_with_the_way_to_it() -> None:
    with pytest.raises(ReleaseError, match=r"no application eco2; run site\.yml"):
        family("eco2", {})


def test_an_application_of_several_sources_is_refused() -> None:
    several = {"metadata": {"name": "root"}, "spec": {"sources": [{}, {}]}}
    with pytest.raises(ReleaseError, match="several sources"):
        family("root", {"root": several})
