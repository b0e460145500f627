# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release before a real API server. What would run in Argo CD's pod runs here, under a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION
from lab.api import binary
from tests.ansible_playbook import PROGRAM, REPOSITORY
from tests.api.conftest import Api, ArgoCd
from tests.fake_harbor import PATH, SECRET, USER, WEB, running, scanned

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


def deploy(inventory: Path, api: Api, **variables: Any) -> str:
    """What the playbook says whose release ends before anything is changed."""
    hosts = {"cp-1": {"ansible_host": "192.0.2.11", "ansible_connection": "local"}}
    inventory.write_text(json.dumps({"kube_control_plane": {"hosts": hosts, "vars": variables}}))
    done = subprocess.run(
        [PROGRAM, "-i", inventory, "playbooks/deploy_production.yml"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "K8S_AUTH_KUBECONFIG": str(api.kubeconfig),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode, done.stdout
    assert SECRET not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("severity", "stops"), [("High", True), ("Critical", False)])
def test_a_release_stops_at_what_harbor_found_in_a_new_image(
    shop: None, api: Api, argocd: ArgoCd, pod: Path, tmp_path: Path, severity: str, stops: bool
) -> None:
    with running() as harbor:
        harbor.reports[PATH] = [scanned(High=3, Low=1)]
        image = f"{harbor.host}/{WEB}"
        (pod.parent / "bin/argocd").write_text(f"#!/bin/sh\n[ $6 = c0ffee ] || echo 'image: {image}'\n")
        root = {"name": "shop", "repository": "https://git.example.com/shop.git", "revision": "v1", "path": "shop/root"}
        scan = {"url": f"http://{harbor.host}", "username": USER, "password": SECRET, "severity": severity}
        told = deploy(
            tmp_path / "inventory.json",
            api,
            ansible_become=False,
            argocd_release_revision="v2",
            argocd_release_scan=scan,
            argocd_root_application={**root, "released": True},
        )
    assert (f"{image}: 3 High" in told) == stops
    assert ("Nothing was changed." in told) != stops
    assert harbor.asked == [f"GET {PATH}"]
    assert argocd.read(APPLICATION, "shop")["spec"]["source"]["targetRevision"] == "v1"
