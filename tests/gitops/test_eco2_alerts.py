"""The alert rules of Eco², judged by promtool: each has a case that fires it and one that does not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gitops.rendering import GITOPS, kustomize_build, tool

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "eco2" / "alerts.yml").read_text())
GROUPS = [
    group
    for resource in kustomize_build(GITOPS / "platforms/eco2/monitoring", {})
    if resource["kind"] == "PrometheusRule"
    for group in resource["spec"]["groups"]
]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}


def unit_test(alert: str, case: dict[str, Any], fires: bool) -> dict[str, Any]:
    expected = [
        {
            "exp_labels": {**RULES[alert]["labels"], **found.get("labels", {})},
            "exp_annotations": {"summary": found["says"]},
        }
        for found in ([case] if fires else [])
    ]
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case["series"].items()],
        "alert_rule_test": [{"eval_time": case["at"], "alertname": alert, "exp_alerts": expected}],
    }


def promtool(directory: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    (directory / "rules.yml").write_text(yaml.safe_dump({"groups": GROUPS}))
    (directory / "tests.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": tests}))
    return subprocess.run(
        [tool("promtool"), "test", "rules", "tests.yml"], cwd=directory, capture_output=True, text=True, check=False
    )


def test_there_are_twenty_six_rules_and_a_pair_of_cases_for_each() -> None:
    assert len(RULES) == 26
    assert sum(len(group["rules"]) for group in GROUPS) == 26
    assert set(CASES) == set(RULES)
    assert {frozenset(pair) for pair in CASES.values()} == {frozenset({"fires", "quiet"})}


def test_every_rule_says_how_grave_it_is_and_what_happened() -> None:
    for alert, rule in RULES.items():
        assert rule["labels"]["severity"] in ("critical", "warning"), alert
        assert rule["annotations"]["summary"], alert


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_fires_when_it_should_and_only_then(alert: str, tmp_path: Path) -> None:
    pair = CASES[alert]
    done = promtool(tmp_path, [unit_test(alert, pair["fires"], True), unit_test(alert, pair["quiet"], False)])
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_does_not_fire_is_found(tmp_path: Path) -> None:
    done = promtool(tmp_path, [unit_test("ServiceDown", {**CASES["ServiceDown"]["quiet"], "says": "down"}, True)])
    assert done.returncode != 0
