"""The table of phases and the playbooks say the same."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TABLE = yaml.safe_load((ROOT / "playbooks/vars/phases.yml").read_text())["phases"]
PHASES = [phase["name"] for phase in TABLE]


def tags_of_tasks(playbook: Path) -> list[set[str]]:
    """The tags of each task of a playbook and of those it imports, its play's included, in the order they run."""
    found = []
    for play in yaml.safe_load(playbook.read_text()):
        imported = play.get("ansible.builtin.import_playbook")
        if imported:
            found.extend(tags_of_tasks(playbook.parent / imported))
        found.extend({*play.get("tags", []), *task.get("tags", [])} for task in play.get("tasks", []))
    return found


def test_site_runs_the_phases_in_their_order() -> None:
    tags = [tag for task in tags_of_tasks(ROOT / "playbooks/site.yml") for tag in task if tag in PHASES]
    assert tags == sorted(tags, key=PHASES.index)


def test_every_task_of_site_belongs_to_one_phase_or_runs_always() -> None:
    for tags in tags_of_tasks(ROOT / "playbooks/site.yml"):
        assert len(tags & {*PHASES, "always"}) == 1


def test_a_phase_says_what_it_is() -> None:
    for phase in TABLE:
        assert (
            {"name", "title", "hosts", "description"}
            <= set(phase)
            <= {"name", "title", "hosts", "description", "makes"}
        )


def test_only_what_modules_may_assume_is_made() -> None:
    assert {thing for phase in TABLE for thing in phase.get("makes", [])} == {"packages", "runtime", "api"}
