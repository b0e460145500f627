# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is stopped by what Harbor found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules import harbor_scan
from tests.fake_harbor import DIGEST, PATH, SECRET, USER, WEB, FakeHarbor, running, scanned


@pytest.fixture
def harbor(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHarbor]:
    monkeypatch.setattr(harbor_scan, "INTERVAL", 0.01)
    with running() as server:
        yield server


@pytest.fixture
def judge(harbor: FakeHarbor, run_module: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def judge(*images: str, check: bool = False, **options: Any) -> dict[str, Any]:
        named = [image if "." in image.split("/")[0] else f"{harbor.host}/{image}" for image in images]
        where = {"url": f"http://{harbor.host}", "username": USER, "password": SECRET}
        result = run_module("harbor_scan", {**where, "images": named, **options}, check=check)
        assert SECRET not in json.dumps(result)
        return result

    return judge


@pytest.mark.parametrize(
    ("severity", "counts", "stopped_by"),
    [
        ("Critical", {"High": 3, "Low": 1}, None),
        ("High", {"High": 3, "Low": 1}, "3 High"),
        ("High", {"Critical": 1, "High": 3}, "1 Critical, 3 High"),
        ("Low", {"Unknown": 2, "Negligible": 5}, None),
        ("Low", {"Medium": 1}, "1 Medium"),
        ("Critical", {}, None),
    ],
)
def test_what_is_as_severe_as_was_said_stops(
    harbor: FakeHarbor, judge: Callable[..., Any], severity: str, counts: dict[str, int], stopped_by: str | None
) -> None:
    harbor.reports[PATH] = [scanned(**counts)]
    result = judge(WEB, severity=severity)
    assert result["failed"] == bool(stopped_by)
    if stopped_by:
        assert result["msg"] == f"{harbor.host}/{WEB}: {stopped_by}"
    assert result["findings"] == {f"{harbor.host}/{WEB}": counts}


def test_an_image_that_was_never_scanned_is_scanned_and_waited_for(
    harbor: FakeHarbor, judge: Callable[..., Any]
) -> None:
    harbor.reports[PATH] = [None, {"scan_status": "Running"}, scanned(Low=1)]
    assert not judge(WEB)["failed"]
    assert harbor.asked.count(f"POST {PATH}/scan") == 1


def test_check_mode_has_nothing_scanned_and_trusts_nothing_unscanned(
    harbor: FakeHarbor, judge: Callable[..., Any]
) -> None:
    harbor.reports[PATH] = [None]
    assert judge(WEB, check=True)["msg"].endswith("no result of a scan (not scanned)")
    assert harbor.asked == [f"GET {PATH}"]


def test_a_scan_that_failed_stops_as_a_finding_does(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    harbor.reports[PATH] = [{"scan_status": "Error"}]
    assert judge(WEB)["msg"].endswith("no result of a scan (Error)")


def test_a_scan_that_does_not_end_is_not_waited_for_forever(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    harbor.reports[PATH] = [{"scan_status": "Running"}]
    assert judge(WEB, timeout=0)["msg"].endswith("no result of a scan (Running)")


def test_a_repository_with_a_slash_is_escaped_as_harbor_wants_it(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    harbor.reports[f"/api/v2.0/projects/plate/repositories/web%252Fserver/artifacts/{DIGEST}"] = [scanned()]
    assert not judge(f"plate/web/server:1@{DIGEST}")["failed"]


def test_images_of_other_registries_are_named_and_not_judged(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    result = judge("quay.io/some/thing:1")
    assert (result["failed"], result["unjudged"], harbor.asked) == (False, ["quay.io/some/thing:1"], [])


def test_a_tag_alone_is_not_judged(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    assert "only a digest says which image is meant" in judge("plate/web:3f1c2ab")["msg"]


def test_what_harbor_refuses_or_does_not_know_stops(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    assert "Harbor answers 404" in judge(WEB)["msg"]
    assert "Harbor answers 401" in judge(WEB, password="another")["msg"]


def test_every_image_that_stops_is_named_at_once(harbor: FakeHarbor, judge: Callable[..., Any]) -> None:
    harbor.reports[PATH] = [scanned(Critical=1)]
    harbor.reports[PATH.replace("/web/", "/api/")] = [scanned(Critical=2)]
    assert len(judge(WEB, WEB.replace("web", "api"))["msg"].splitlines()) == 2
