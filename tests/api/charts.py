# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of drivers for roles that install them: their own where those were fetched, and stand-ins of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.ansible_playbook import REPOSITORY
from tests.gitops.rendering import chart_at_hand

PINS = yaml.safe_load((REPOSITORY / "versions.yml").read_text())


def lay_out(chart: Path, files: Mapping[str, str]) -> Path:
    """A chart of the directory's name, which holds these files by their paths within it."""
    described = yaml.safe_dump({"apiVersion": "v2", "name": chart.name, "version": "1.0.0"})
    for part, content in {"Chart.yaml": described, **files}.items():
        file = chart / part
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return chart


def chart_fixture(name: str, pin: str, stand_in: Mapping[str, str]) -> Callable[..., Path]:
    """A fixture: the path of chart ``name``, at the version that versions.yml has under ``pin``, and of one that holds
    the files of ``stand_in`` by their paths within it."""
    at_hand = chart_at_hand(name, PINS[pin])
    fetched = pytest.mark.skipif(at_hand is None, reason="make charts fetches the driver's chart")

    @pytest.fixture(params=["ours", pytest.param("its own", marks=fetched)])
    def chart(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        if request.param == "its own":
            return Path(str(at_hand))
        return lay_out(tmp_path / name, stand_in)

    return chart
