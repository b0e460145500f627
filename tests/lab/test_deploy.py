# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What grows from Git, breaks and is mended: the scenario molecule/argocd builds the cluster and runs this in order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError
from lab.git import write_credentials
from tests.lab.conftest import WorkingTree, until

ROOT = Path(__file__).parents[2]
HERE = ROOT / "molecule/argocd"
STATE = ROOT / ".lab" / os.environ.get("GROUNDWORK_LAB", "argocd")
TREE = STATE / "shop"
PLATFORM = TREE / "platforms/shop"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
SHOP = "/api/v1/namespaces/shop"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
ECHO = "docker.io/groundwork/echo"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not TREE.exists(), reason="molecule/argocd builds its cluster"),
]


REPOSITORY = WorkingTree(TREE)
git, push = REPOSITORY.git, REPOSITORY.push


def tree(name: str, *objects: dict[str, Any]) -> None:
    """A directory of the platform with these objects in it."""
    directory = PLATFORM / name
    directory.mkdir()
    (directory / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["objects.yaml"]}))


def config_map(name: str, **annotations: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}


@contextmanager
def children() -> Iterator[list[dict[str, Any]]]:
    """The children of the platform, to be changed."""
    file = PLATFORM / "root/platform.yaml"
    platform = yaml.safe_load(file.read_text())
    yield platform["children"]
    file.write_text(yaml.safe_dump(platform))


def child(name: str, wave: int) -> dict[str, Any]:
    return {"name": name, "wave": wave, "path": name, "overlays": False, "namespace": "shop"}


def run(program: str, *arguments: str, succeeds: bool = True) -> str:
    """Run one of Ansible's programs as the operator does."""
    done = subprocess.run(
        [Path(sys.executable).with_name(program), f"--inventory={HERE / 'hosts.yml'}", *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "GROUNDWORK_LAB": STATE.name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == succeeds, done.stdout
    return done.stdout


def play(name: str, *arguments: str, succeeds: bool = True, **variables: Any) -> str:
    extra = f"--extra-vars={json.dumps(variables)}"
    return run("ansible-playbook", f"groundwork.kube.{name}", extra, *arguments, succeeds=succeeds)


def site(*arguments: str, succeeds: bool = True, **variables: Any) -> str:
    return play("site", "--tags=gitops", *arguments, succeeds=succeeds, **variables)


def module(called: str, **options: Any) -> str:
    return run("ansible", "k8s-master", "--become", "-m", f"groundwork.kube.{called}", "-a", json.dumps(options))


@pytest.fixture(scope="module")
def api() -> Iterator[ApiClient]:
    client = ApiClient.from_options({"kubeconfig": str(STATE / "admin.conf")})
    yield client
    client.close()


def sync_of(api: ApiClient, name: str) -> dict[str, Any]:
    found = api.get(f"{APPLICATIONS}/{name}") or {}
    sync: dict[str, Any] = found.get("status", {}).get("sync", {})
    return sync


def images(api: ApiClient) -> str:
    deployment = api.get(WEB)
    assert deployment
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def secrets() -> list[str]:
    password = (STATE / "git-credentials").read_text().strip().partition(":")[2]
    return [password, (STATE / "admin-password").read_text()]


def told_by_the_cluster(api: ApiClient) -> str:
    """What everybody who may look around in the cluster can read of Argo CD and what it grows, and all of its logs."""
    kinds = ("argoproj.io/v1alpha1/applications", "argoproj.io/v1alpha1/appprojects", "apps/v1/deployments")
    told = [json.dumps(api.list(path)) for path in ("/api/v1/configmaps", *(f"/apis/{kind}" for kind in kinds))]
    for namespace in ("argocd", "shop"):
        pods = f"/api/v1/namespaces/{namespace}/pods"
        told += [api.text(f"{pods}/{pod['metadata']['name']}/log") for pod in api.list(pods)]
    return "".join(told)


def secrets_in(told: str) -> list[int]:
    """Which of the secrets it holds, by number: a failing test prints this."""
    return [number for number, secret in enumerate(secrets()) if secret in told]


def test_no_secret_is_told_by_a_log_or_an_object(api: ApiClient) -> None:
    told = site("-vvvv", "--diff")
    assert secrets_in(told) == []
    assert secrets_in(told_by_the_cluster(api)) == []


def test_a_rotated_password_is_brought_and_taken(api: ApiClient) -> None:
    write_credentials(STATE / "git-credentials", "groundwork", "canary-" + os.urandom(12).hex())
    told = site("-vvvv", "--diff")
    assert "changed=1" in told
    assert secrets_in(told) == []
    revision = push_change()
    site()
    # The platform's own repository is the one that asks: root and child alike have read it with the new password.
    assert [sync_of(api, name)["revision"] for name in ("shop", "web")] == [revision, revision]
    assert secrets_in(told_by_the_cluster(api)) == []


def test_what_was_pushed_is_deployed_to_staging(api: ApiClient) -> None:
    root = yaml.safe_load((HERE / "group_vars/all/platform.yml").read_text())["argocd_root_application"]
    revision = push_change()
    play("deploy_staging", argocd_root_application={**root, "released": False})
    assert sync_of(api, "web")["revision"] == revision


def push_change() -> str:
    note = TREE / "notes"
    note.write_text(note.read_text() + "." if note.exists() else ".")
    return push("A note")


def test_a_wave_that_fails_names_why_and_no_later_one_starts(api: ApiClient) -> None:
    labels = {"matchLabels": {"app": "broken"}}
    template = {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "web", "image": ECHO}]}}
    tree(
        "broken",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "broken", "namespace": "shop"},
            "spec": {"selector": labels, "template": template},
        },
    )
    tree("later", config_map("later"))
    with children() as found:
        found += [child("broken", 20), child("later", 40)]
    push("A Deployment that the API refuses")
    told = site(succeeds=False, argocd_sync_timeout=60)
    assert "broken" in told
    assert "Deployment" in told
    assert "selector" in told
    assert api.get(f"{APPLICATIONS}/later") is None
    with children() as found:
        found[:] = [each for each in found if each["name"] != "broken"]
    shutil.rmtree(PLATFORM / "broken")
    push("Without it")
    site()
    assert api.get(f"{SHOP}/configmaps/later")
    assert api.get(f"{APPLICATIONS}/broken") is None


def test_a_child_that_can_never_be_synced_is_named() -> None:
    tree("stubborn", config_map("kept", **{"argocd.argoproj.io/sync-options": "Prune=false"}), config_map("other"))
    with children() as found:
        found += [child("stubborn", 35)]
    push("What must not be pruned")
    site()
    (PLATFORM / "stubborn/objects.yaml").write_text(yaml.safe_dump(config_map("other")))
    push("And is not wanted any more")
    told = site(succeeds=False, argocd_sync_timeout=60)
    assert "stubborn" in told
    assert "ConfigMap" in told
    assert "kept" in told
    with children() as found:
        found[:] = [each for each in found if each["name"] != "stubborn"]
    shutil.rmtree(PLATFORM / "stubborn")
    push("Without it")
    site()


def test_what_leaves_git_leaves_the_cluster(api: ApiClient) -> None:
    with children() as found:
        found[:] = [each for each in found if each["name"] != "later"]
    shutil.rmtree(PLATFORM / "later")
    push("Without the last wave")
    site()
    until(lambda: api.get(f"{SHOP}/configmaps/later") is None, timeout=180, pause=2)


def test_what_somebody_changes_by_hand_is_healed(api: ApiClient) -> None:
    api.patch(WEB, {"spec": {"replicas": 0}})
    until(lambda: (api.get(WEB) or {})["spec"]["replicas"] == 2, timeout=180, pause=2)


@pytest.mark.parametrize(("cascade", "stays"), [("orphan", True), ("foreground", False)])
def test_an_application_goes_with_or_without_what_it_has_grown(api: ApiClient, cascade: str, stays: bool) -> None:
    source = {"repo_url": f"http://{address()}/git/private/shop.git", "path": "alone", "target_revision": "main"}
    if not (TREE / "alone").exists():
        (TREE / "alone").mkdir()
        (TREE / "alone/map.yaml").write_text(yaml.safe_dump(config_map("alone")))
        push("An application of its own")
    alone = {
        "name": "alone",
        "source": source,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        "sync_policy": {"automated": {"prune": True}},
    }
    play("register_app", argocd_applications=[alone])
    assert api.get(f"{SHOP}/configmaps/alone")
    module("argocd_application", name="alone", state="absent", cascade=cascade)
    assert api.get(f"{APPLICATIONS}/alone") is None
    assert (api.get(f"{SHOP}/configmaps/alone") is not None) == stays


def address() -> str:
    return os.environ.get("GROUNDWORK_LAB_NETWORK", "10.89.0") + ".1"


def test_a_controller_killed_in_mid_sync_converges(api: ApiClient) -> None:
    for number in range(3):
        tree(f"step-{number}", config_map(f"step-{number}"))
    with children() as found:
        found += [child(f"step-{number}", 50 + number) for number in range(3)]
    push("Many waves")
    until(lambda: api.get(f"{APPLICATIONS}/step-0"), timeout=180, pause=2)
    api.delete("/api/v1/namespaces/argocd/pods/argocd-application-controller-0", {"gracePeriodSeconds": 0})
    site()
    assert api.get(f"{SHOP}/configmaps/step-2")


def release_of(tag: str) -> str:
    file = PLATFORM / "web/kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    kustomization["images"][0]["newTag"] = tag
    file.write_text(yaml.safe_dump(kustomization))
    return push(f"Release {tag}")


def records() -> list[Path]:
    return sorted((STATE / "releases").glob("*.json"))


def test_a_release_shows_what_it_changes_and_waits_for_its_confirmation(api: ApiClient) -> None:
    play("deploy_production", argocd_release_revision=git("rev-parse", "HEAD"), groundwork_confirm="kubernetes")
    before = images(api)
    told = play("deploy_production", succeeds=False, argocd_release_revision=release_of("1.0.1"))
    assert f"+        image: {ECHO}:1.0.1" in told
    assert "groundwork_confirm=kubernetes" in told
    assert images(api) == before


def test_a_released_platform_follows_no_branch(api: ApiClient) -> None:
    assert "changed=0" in site()
    assert images(api) == f"{ECHO}:1.0.0"
    assert "deploy_production" in play("deploy_staging", succeeds=False)


def test_a_confirmed_release_is_brought_and_recorded(api: ApiClient) -> None:
    revision = git("rev-parse", "HEAD")
    play("deploy_production", argocd_release_revision=revision, groundwork_confirm="kubernetes")
    assert images(api) == f"{ECHO}:1.0.1"
    record = records()[-1]
    assert record.stat().st_mode & 0o777 == 0o600
    told = json.loads(record.read_text())
    assert (told["revision"], told["verdict"]) == (revision, "released")
    assert told["who"]
    assert "1.0.1" in told["diff"]["web"]
    assert "changed=0" in site()


def test_a_release_that_does_not_come_up_goes_back_while_the_service_answers(api: ApiClient) -> None:
    good = git("rev-parse", "HEAD")
    broken = release_of("broken")
    with asked_throughout() as answers:
        told = play(
            "deploy_production",
            succeeds=False,
            argocd_release_revision=broken,
            groundwork_confirm="kubernetes",
            argocd_sync_timeout=75,
        )
    assert len(answers) > 10
    assert [answer for answer in answers if answer] == []
    assert "is as it was before" in told
    assert images(api) == f"{ECHO}:1.0.1"
    assert sync_of(api, "shop")["revision"] == good
    assert json.loads(records()[-1].read_text())["verdict"].startswith("went back")


def test_everything_is_deployed_in_one_go(api: ApiClient) -> None:
    good = git("rev-parse", "HEAD~1")
    play("deploy_libraries")
    play("deploy_all", argocd_release_revision=good, groundwork_confirm="kubernetes")
    assert sync_of(api, "shop")["revision"] == good


def deployments(api: ApiClient) -> set[str]:
    """Those of Argo CD."""
    return {item["metadata"]["name"] for item in api.list("/apis/apps/v1/namespaces/argocd/deployments")}


def test_removed_it_leaves_what_it_has_grown(api: ApiClient) -> None:
    assert "groundwork_confirm=kubernetes" in site(succeeds=False, argocd_state="absent")
    assert deployments(api)
    site(argocd_state="absent", groundwork_confirm="kubernetes")
    assert deployments(api) == set()
    assert api.get(f"{APPLICATIONS}/web")
    assert (api.get(WEB) or {})["status"]["readyReplicas"] == 2


def test_core_mode_takes_it_over_and_releases_without_a_server(api: ApiClient) -> None:
    site(argocd_mode="core")
    assert deployments(api) == {"argocd-applicationset-controller", "argocd-redis", "argocd-repo-server"}
    revision = release_of("1.0.0")
    play("deploy_production", argocd_mode="core", argocd_release_revision=revision, groundwork_confirm="kubernetes")
    assert sync_of(api, "shop")["revision"] == revision
    assert images(api) == f"{ECHO}:1.0.0"


def test_another_mode_follows_on_its_removal(api: ApiClient) -> None:
    site(argocd_state="absent", argocd_mode="core", groundwork_confirm="kubernetes")
    assert deployments(api) == set()
    site()
    assert "argocd-server" in deployments(api)
    assert "changed=0" in site()
    assert (api.get(WEB) or {})["status"]["readyReplicas"] == 2


@contextmanager
def asked_throughout() -> Iterator[list[str]]:
    """What the service did wrong, an empty text for each time it answered."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        client = ApiClient.from_options({"kubeconfig": str(STATE / "admin.conf")})
        while not over.wait(0.5):
            try:
                client.text(f"{SHOP}/services/http:web:80/proxy/")
                answers.append("")
            except ApiError as error:
                answers.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()
