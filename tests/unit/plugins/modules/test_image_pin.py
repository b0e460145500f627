"""Which image an environment runs is tag and digest, and the same digest moves on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OLD, NEW = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
KUSTOMIZATION = f"""---
kind: Kustomization
resources: [../../base]
# Written by promote_image.
images:
  - name: other
    newTag: "1.0"
  - name: web   # the shop's window
    newName: registry.example.org/web
    newTag: 1.0.0
    digest: {OLD}   # of 1.0.0
"""

Pin = Callable[..., dict[str, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "kustomization.yaml"
    place.write_text(KUSTOMIZATION)
    return place


@pytest.fixture
def pin(file: Path, run_module: Callable[..., dict[str, Any]]) -> Pin:
    def pin(*, check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module("image_pin", {"path": str(file), "image": "web", **options}, check=check, diff=True)

    return pin


def test_tag_and_digest_change_and_nothing_else_does(pin: Pin, file: Path) -> None:
    result = pin(tag="1.0.1", digest=NEW)
    assert result["changed"]
    assert result["before"] == {"tag": "1.0.0", "digest": OLD}
    assert file.read_text() == KUSTOMIZATION.replace("newTag: 1.0.0", "newTag: 1.0.1").replace(OLD, NEW)


def test_the_second_run_changes_nothing(pin: Pin) -> None:
    pin(tag="1.0.1", digest=NEW)
    assert pin(tag="1.0.1", digest=NEW)["changed"] is False


def test_check_mode_shows_it_and_writes_nothing(pin: Pin, file: Path) -> None:
    result = pin(check=True, tag="1.0.1", digest=NEW)
    assert result["changed"]
    assert NEW in result["diff"]["after"]
    assert file.read_text() == KUSTOMIZATION


def test_production_runs_what_staging_ran(pin: Pin, file: Path, tmp_path: Path) -> None:
    staging = tmp_path / "staging.yaml"
    staging.write_text(KUSTOMIZATION.replace(OLD, NEW).replace("1.0.0", "3f1c2ab"))
    result = pin(source=str(staging))
    assert (result["tag"], result["digest"]) == ("3f1c2ab", NEW)
    assert f"newTag: 3f1c2ab\n    digest: {NEW}" in file.read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("images:\n  - name: web\n", f'images:\n  - name: web\n    newTag: "1.10"\n    digest: {NEW}\n'),
        ("images:\n  - {name: web, newTag: a}\n", f'images:\n  - {{name: web, newTag: "1.10", digest: {NEW}}}\n'),
        ("images:\n- newTag: a\n  name: web\n", f'images:\n- newTag: "1.10"\n  digest: {NEW}\n  name: web\n'),
    ],
)
def test_what_is_missing_is_added_and_a_tag_stays_a_string(pin: Pin, file: Path, before: str, after: str) -> None:
    file.write_text(before)
    pin(tag="1.10", digest=NEW)
    assert file.read_text() == after


def test_a_charts_values_are_pinned_by_the_path_of_the_image(pin: Pin, file: Path) -> None:
    file.write_text('replicas: 2\nweb:\n  image:\n    repository: web\n    tag: ""\n    digest: ""\nhost: a\n')
    pin(image="web.image", tag="1.0.1", digest=NEW)
    assert (
        file.read_text()
        == f"replicas: 2\nweb:\n  image:\n    repository: web\n    tag: 1.0.1\n    digest: {NEW}\nhost: a\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tag": "latest", "digest": NEW}, "tag 'latest' moves"),
        ({"tag": "auth-dev-latest", "digest": NEW}, "tag 'auth-dev-latest' moves"),
        ({"tag": "main", "digest": NEW}, "tag 'main' moves"),
        ({"tag": "1.0.1"}, "no digest"),
        ({"tag": "1.0.1", "digest": "sha256:abc"}, "64 hexadecimal digits"),
        ({"tag": "1.0.1", "digest": "sha256:" + 64 * "0"}, "nobody has released"),
        ({"tag": "a tag", "digest": NEW}, "is no tag"),
        ({"tag": "1.0.1", "digest": NEW, "image": "wbe"}, "images has no entry 'wbe'; it has other, web"),
        ({"tag": "1.0.1", "digest": NEW, "source": "x"}, "mutually exclusive"),
        ({"source": "nowhere.yaml"}, "nowhere.yaml: No such file"),
    ],
)
def test_what_is_wrong_is_refused_and_the_file_stays(pin: Pin, file: Path, options: dict[str, Any], said: str) -> None:
    result = pin(**options)
    assert result["failed"]
    assert said in result["msg"]
    assert file.read_text() == KUSTOMIZATION


def test_what_staging_runs_without_a_digest_does_not_move_on(pin: Pin, tmp_path: Path) -> None:
    staging = tmp_path / "staging.yaml"
    staging.write_text("images:\n  - {name: web, newTag: 1.0.2}\n")
    assert f"{staging}: image web: tag 1.0.2: no digest" in pin(source=str(staging))["msg"]


def test_a_path_that_a_values_file_does_not_have_is_named(pin: Pin, file: Path) -> None:
    file.write_text("image: {tag: a}\n")
    assert "no mapping 'web.image'" in pin(image="web.image", tag="1.0.1", digest=NEW)["msg"]
