# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release before a real API server. What would run in Argo CD's pod runs here, under a home of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION
from lab.api import binary
from tests.api.conftest import Api, ArgoCd

PROGRAMS = {
    "kubectl": 'while [ "$1" != -- ]; do shift; done; shift; HOME="$POD_HOME" exec "$@"',
    "argocd": 'grep -q tokenFile "$KUBECONFIG" && echo "kind: $3" && echo "image: web:$6"',
}


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs, home = tmp_path / "bin", tmp_path / "home"
    for directory in (programs, home):
        directory.mkdir()
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("POD_HOME", str(home))
    return home


@pytest.fixture
def shop(argocd: ArgoCd) -> None:
    source = {"repoURL": "https://git.example.com/shop.git", "path": "root", "targetRevision": "v1"}
    destination = {"server": "https://kubernetes.default.svc", "namespace": "argocd"}
    argocd.plant(APPLICATION, "shop", spec={"project": "default", "source": source, "destination": destination})
    argocd.look("shop")


def test_a_release_shows_what_argo_cds_pod_renders_and_leaves_nothing_there(
    shop: None, call: Callable[..., dict[str, Any]], pod: Path
) -> None:
    shown = call("argocd_release", name="shop", revision="v2", check=True)
    assert shown["rendered"]["shop"].splitlines()[2:] == [
        "@@ -1,2 +1,2 @@",
        " kind: shop",
        "-image: web:c0ffee",
        "+image: web:v2",
    ]
    assert list(pod.iterdir()) == []


def test_a_sync_that_ends_meanwhile_is_not_ended_once_more(
    shop: None, api: Api, argocd: ArgoCd, call: Callable[..., dict[str, Any]], pod: Path
) -> None:
    argocd.look("shop", operation={"phase": "Running"})
    # Rendering takes its time.
    ended = json.dumps({"status": {"operationState": {"phase": "Succeeded"}}})
    patch = f"{binary('kubectl')} --kubeconfig {api.kubeconfig} --namespace argocd patch application shop --type merge"
    (pod.parent / "bin/argocd").write_text(f"#!/bin/sh\n{patch} --patch '{ended}' >&2\n")
    assert not call("argocd_release", name="shop", revision="v2")["failed"]
    moved = argocd.read(APPLICATION, "shop")
    assert moved["spec"]["source"]["targetRevision"] == "v2"
    assert moved["status"]["operationState"]["phase"] == "Succeeded"
