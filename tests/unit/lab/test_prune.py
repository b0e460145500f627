"""Old keys leave the shared cache, and nothing that anybody still needs."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab.artifacts import Artifacts, load_versions
from lab.errors import LabError
from lab.prune import DAY, DAYS, prune


@pytest.fixture
def ours(tmp_path: Path) -> Artifacts:
    return Artifacts(load_versions(), tmp_path / "cache")


@pytest.fixture
def theirs(ours: Artifacts) -> Artifacts:
    """Another clone's, which pins an etcd of its own."""
    return Artifacts(replace(ours.versions, etcd="3.5.0"), ours.cache)


def age(place: Path, days: float = DAYS + 1) -> Path:
    then = time.time() - days * DAY
    os.utime(place, (then, then))
    return place


def build_all(artifacts: Artifacts) -> None:
    for place in artifacts.places().values():
        place.mkdir(parents=True, exist_ok=True)
        (place / "whole").touch()
        age(place)


def removed(artifacts: Artifacts, tmp_path: Path, days: int = DAYS) -> set[str]:
    lines: list[str] = []
    prune(artifacts, days, lines.append, labs=tmp_path / "labs")
    return {line.split()[0] for line in lines[:-1]}


def test_what_no_pin_names_any_more_goes(ours: Artifacts, theirs: Artifacts, tmp_path: Path) -> None:
    build_all(ours)
    build_all(theirs)
    former = set(theirs.places().values()) - set(ours.places().values())
    assert {place.name.rpartition("-")[0] for place in former} == {"etcd", "mirror", "mirror-next"}

    assert removed(ours, tmp_path) == {place.name for place in former}
    assert ours.missing() == []
    assert not any(place.exists() for place in former)
    assert removed(ours, tmp_path) == set()


def test_another_clone_that_has_used_its_own_keeps_it(ours: Artifacts, theirs: Artifacts, tmp_path: Path) -> None:
    build_all(ours)
    build_all(theirs)
    theirs.mark_used()

    assert removed(ours, tmp_path) == set()
    assert theirs.missing() == []
    assert len(removed(ours, tmp_path, days=0)) == 3


def test_only_what_was_built_under_a_key_is_looked_at(ours: Artifacts, tmp_path: Path) -> None:
    others = [ours.cache / name for name in ("signing", "logs", "sanity", "go", "ci-logs", "components")]
    for place in (*others, ours.cache / "etcd-0123456789ab.partial"):
        place.mkdir(parents=True)
        age(place)

    assert removed(ours, tmp_path) == {"etcd-0123456789ab.partial"}
    assert all(place.is_dir() for place in others)


def test_nothing_goes_while_a_lab_lives_on_it(ours: Artifacts, tmp_path: Path) -> None:
    former = ours.cache / "mirror-0123456789ab"
    former.mkdir(parents=True)
    age(former)
    record = tmp_path / "labs/molecule/lab.json"
    record.parent.mkdir(parents=True)
    record.touch()

    with pytest.raises(LabError, match=r"labs are up.*: molecule; take them down first"):
        removed(ours, tmp_path)
    assert former.is_dir()


def test_an_interrupted_removal_leaves_nothing_that_seems_whole(
    ours: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = ours.cache / "mirror-0123456789ab"
    former.mkdir(parents=True)
    age(former)

    def interrupt(_place: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            removed(ours, tmp_path)
    assert not former.exists()
    assert removed(ours, tmp_path) == {"mirror-0123456789ab.partial"}
