# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart rendered by Helm itself, of whose values nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.groundwork.kube.plugins.lookup.helm_template import LookupModule
from tests.api.charts import lay_out

CANARY = "canary-of-the-chart"
TEMPLATE = """\
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data: {{ toJson .Values }}
---
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    parts = {
        "values.yaml": "{own: value, given: nothing}",
        "templates/thing.yaml": TEMPLATE,
        "crds/kind.yaml": "kind: CustomResourceDefinition\n",
    }
    return lay_out(tmp_path / "thing", parts)


def rendered(chart: Path, **options: object) -> list[dict[str, object]]:
    (found,) = LookupModule().run([str(chart)], release="mine", namespace="theirs", **options)
    return [each for each in yaml.safe_load_all(found) if each]


def test_what_is_given_differs_from_the_charts_own_and_is_left_nowhere(
    chart: Path, cluster_programs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    monkeypatch.setenv("TMPDIR", str(files))
    (found,) = rendered(chart, values={"given": CANARY})
    assert (found["metadata"], found["data"]) == (
        {"name": "mine", "namespace": "theirs"},
        {"own": "value", "given": CANARY},
    )
    assert [path for path in files.rglob("*") if path.is_file() and CANARY in path.read_text()] == []


def test_kinds_come_where_they_are_asked_for(chart: Path, cluster_programs: None) -> None:
    assert [each["kind"] for each in rendered(chart)] == ["ConfigMap"]
    assert [each["kind"] for each in rendered(chart, include_crds=True)] == ["CustomResourceDefinition", "ConfigMap"]


def test_a_chart_that_cannot_be_rendered_is_named_with_helms_reason(chart: Path, cluster_programs: None) -> None:
    (chart / "templates/thing.yaml").write_text('{{ fail "no region" }}')
    with pytest.raises(AnsibleError, match=r"helm cannot render the chart .*/thing: .*no region"):
        rendered(chart)


def test_without_helm_it_says_so(chart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AnsibleError, match="helm is not on the controller"):
        rendered(chart)
