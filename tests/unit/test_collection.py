"""What is built and installed is the collection, no more, and it runs from where it was installed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NOT_SHIPPED = {
    "lab",
    "tests",
    "benchmarks",
    "molecule",
    "collections",
    "docs",
    ".ci",
    ".github",
    ".venv",
    ".lab",
    ".git",
}


def _fragments(module: str) -> list[str]:
    imported = importlib.import_module(f"ansible_collections.groundwork.kube.plugins.modules.{module}")
    fragments = yaml.safe_load(imported.DOCUMENTATION).get("extends_documentation_fragment", [])
    return [fragments] if isinstance(fragments, str) else fragments


def _run(*command: str, **environment: str) -> str:
    # An ansible.cfg of the clone would find the clone: only what was installed may be found here.
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=environment.pop("cwd", "/"),
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    _run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(directory))
    return next(directory.glob("groundwork-kube-*.tar.gz"))


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("installed")
    bundle = next(
        Path(path) for path in sys.path if (Path(path) / "ansible_collections").is_dir() and "site-packages" in path
    )
    _run(
        *("ansible-galaxy", "collection", "install", "--offline", str(tarball), "--collections-path", str(directory)),
        ANSIBLE_COLLECTIONS_PATH=f"{directory}:{bundle}",
    )
    return directory


def test_the_tarball_ships_the_collection_and_nothing_that_builds_or_judges_it(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    top = {name.split("/")[0] for name in names}
    assert {"plugins", "roles", "playbooks", "meta", "README.md", "LICENSE"} <= top
    assert top & NOT_SHIPPED == set()
    assert [
        name for name in names if name.startswith("inventories/lab") or name.endswith((".pyc", "ansible.cfg"))
    ] == []


@pytest.mark.parametrize("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_an_installed_playbook_runs_by_its_full_name(installed: Path, playbook: str) -> None:
    _run(
        *("ansible-playbook", f"groundwork.kube.{playbook}", "--syntax-check", "-i", "localhost,"),
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )


@pytest.mark.parametrize(("group", "fragment"), [("kube", "groundwork.kube.api"), ("azure", "groundwork.kube.azure")])
def test_an_action_group_is_the_modules_that_share_the_options(group: str, fragment: str) -> None:
    modules = [path.stem for path in (ROOT / "plugins/modules").glob("*.py")]
    members = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"][group]
    assert set(members) == {module for module in modules if fragment in _fragments(module)}
