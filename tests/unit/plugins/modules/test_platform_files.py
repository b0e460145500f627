"""A platform in its owner's repository: written once, updated where nobody touched it, and the owner's ever after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., dict[str, Any]]

PLATFORM = """
name: shop
bases: [ground]
children:
  - {addon: metallb}
  - {name: apis, path: apis}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    files = {
        "root/Chart.yaml": "name: root\n",
        "root/templates/platform.yaml": "{{ . }}\n",
        "addons/metallb/addon.yaml": "name: metallb\n",
        "addons/metallb/values.yaml": "a: 1\n",
        "addons/harbor/addon.yaml": "name: harbor\n",
        "platforms/shop/platform.yaml": PLATFORM,
        "platforms/shop/apis/kustomization.yaml": "resources: []\n",
        "platforms/ground/platform.yaml": "name: ground\nchildren: [{name: crds, path: crds}]\n",
        "platforms/ground/crds/kustomization.yaml": "resources: []\n",
    }
    for path, content in files.items():
        place = tmp_path / "catalogue" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return tmp_path / "catalogue"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "repository" / "gitops"


@pytest.fixture
def write(catalogue: Path, tree: Path, run_module: Callable[..., dict[str, Any]]) -> Write:
    def write(*, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"platform": "shop", "catalogue": str(catalogue), "path": str(tree), **options}
        return run_module("platform_files", arguments, check=check, diff=True)

    return write


def test_a_platform_is_its_root_chart_its_addons_its_trees_and_those_of_its_bases(write: Write, tree: Path) -> None:
    assert write()["created"] == [
        "ground/crds/kustomization.yaml",
        "ground/root/Chart.yaml",
        "ground/root/platform.yaml",
        "ground/root/templates/platform.yaml",
        "shop/apis/kustomization.yaml",
        "shop/root/Chart.yaml",
        "shop/root/addons/metallb/addon.yaml",
        "shop/root/addons/metallb/values.yaml",
        "shop/root/platform.yaml",
        "shop/root/templates/platform.yaml",
    ]
    assert (tree / "shop/root/platform.yaml").read_text() == PLATFORM


def test_the_second_run_changes_nothing(write: Write) -> None:
    write()
    again = write()
    assert again["changed"] is False
    assert again["diff"] == []


def test_check_mode_says_the_same_and_writes_nothing(write: Write, tree: Path) -> None:
    foretold = write(check=True)
    assert not tree.exists()
    assert foretold == write()


def test_what_the_catalogue_changed_arrives_as_a_diff(write: Write, catalogue: Path, tree: Path) -> None:
    write()
    (catalogue / "addons/metallb/values.yaml").write_text("a: 2\n")
    result = write()
    assert result["updated"] == ["shop/root/addons/metallb/values.yaml"]
    assert [(diff["before"], diff["after"]) for diff in result["diff"]] == [("a: 1\n", "a: 2\n")]
    assert (tree / "shop/root/addons/metallb/values.yaml").read_text() == "a: 2\n"


def test_what_the_owner_changed_or_removed_stays_so(write: Write, tree: Path) -> None:
    write()
    (tree / "shop/apis/kustomization.yaml").write_text("resources: [mine.yaml]\n")
    (tree / "ground/crds/kustomization.yaml").unlink()
    result = write()
    assert result["changed"] is False
    assert result["kept"] == ["ground/crds/kustomization.yaml", "shop/apis/kustomization.yaml"]
    assert (tree / "shop/apis/kustomization.yaml").read_text() == "resources: [mine.yaml]\n"


@pytest.mark.parametrize("added", ["beforehand", "afterwards"])
def test_a_file_of_the_owners_own_is_never_overwritten(write: Write, catalogue: Path, tree: Path, added: str) -> None:
    own = tree / "shop/apis/extra.yaml"
    if added == "afterwards":
        write()
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("mine\n")
    (catalogue / "platforms/shop/apis/extra.yaml").write_text("the catalogue's\n")
    assert write()["conflicts"] == ["shop/apis/extra.yaml"]
    assert own.read_text() == "mine\n"


def test_what_both_changed_is_shown_and_taken_only_when_told(write: Write, catalogue: Path, tree: Path) -> None:
    write()
    values = tree / "shop/root/addons/metallb/values.yaml"
    values.write_text("a: mine\n")
    (catalogue / "addons/metallb/values.yaml").write_text("a: 2\n")

    result = write()
    assert (result["changed"], result["conflicts"]) == (False, ["shop/root/addons/metallb/values.yaml"])
    assert "overwrite" in str(result["warnings"])
    assert write()["conflicts"] == ["shop/root/addons/metallb/values.yaml"]

    assert write(overwrite=["shop/root/addons/metallb/values.yaml"])["updated"] == result["conflicts"]
    assert values.read_text() == "a: 2\n"


def test_what_is_no_longer_part_is_listed_until_told_to_go(write: Write, catalogue: Path, tree: Path) -> None:
    write()
    (catalogue / "platforms/ground/crds/kustomization.yaml").unlink()
    for _ in range(2):
        assert write()["gone"] == ["ground/crds/kustomization.yaml"]
    assert (tree / "ground/crds/kustomization.yaml").is_file()

    assert write(prune=True)["removed"] == ["ground/crds/kustomization.yaml"]
    assert not (tree / "ground/crds/kustomization.yaml").exists()
    assert write()["changed"] is False


def test_what_is_no_longer_part_but_changed_is_not_removed(write: Write, catalogue: Path, tree: Path) -> None:
    write()
    (tree / "ground/crds/kustomization.yaml").write_text("mine\n")
    (catalogue / "platforms/ground/crds/kustomization.yaml").unlink()
    result = write(prune=True)
    assert (result["removed"], result["gone"]) == ([], ["ground/crds/kustomization.yaml"])


def test_a_killed_runs_files_are_taken_over(write: Write, tree: Path) -> None:
    write()
    (tree / "shop/.catalogue.json").unlink()
    (tree / "shop/root/Chart.yaml").unlink()
    result = write()
    assert (result["created"], result["conflicts"]) == (["shop/root/Chart.yaml"], [])


def test_an_unknown_platform_names_those_there_are(write: Write) -> None:
    result = write(platform="shopp")
    assert result["failed"]
    assert "there is no platform 'shopp'" in result["msg"]
    assert "ground, shop" in result["msg"]


def test_an_unknown_addon_is_named(write: Write, catalogue: Path) -> None:
    (catalogue / "platforms/shop/platform.yaml").write_text(PLATFORM.replace("metallb", "metalb"))
    assert "platform shop: there is no add-on 'metalb'" in write()["msg"]
