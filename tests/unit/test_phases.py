"""The table of phases and the playbooks say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PHASES = [phase["name"] for phase in yaml.safe_load((ROOT / "playbooks/vars/phases.yml").read_text())["phases"]]


def plays(playbook: Path) -> list[dict[str, Any]]:
    found = []
    for play in yaml.safe_load(playbook.read_text()):
        imported = play.get("ansible.builtin.import_playbook")
        found.extend(plays(playbook.parent / imported) if imported else [play])
    return found


def test_site_runs_the_phases_in_their_order() -> None:
    tags = [tag for play in plays(ROOT / "playbooks/site.yml") for tag in play.get("tags", []) if tag in PHASES]
    assert tags == sorted(tags, key=PHASES.index)


def test_every_play_of_site_belongs_to_a_phase_or_runs_always() -> None:
    known = {*PHASES, "always"}
    assert [play["name"] for play in plays(ROOT / "playbooks/site.yml") if not known & set(play.get("tags", []))] == []


def test_a_phase_says_what_it_is() -> None:
    for phase in yaml.safe_load((ROOT / "playbooks/vars/phases.yml").read_text())["phases"]:
        assert set(phase) == {"name", "title", "hosts", "description"}
