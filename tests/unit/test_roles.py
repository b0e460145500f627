"""Each role says all its variables in three places that agree: argument_specs, defaults and the README made of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import MARKER

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def _load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def _options(role: Path) -> dict[str, dict[str, Any]]:
    entry_points = _load(role / "meta/argument_specs.yml")["argument_specs"].values()
    return {name: option for spec in entry_points for name, option in (spec.get("options") or {}).items()}


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("roles", ROOT / "docs/roles.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


@every_role
def test_every_variable_has_a_default_or_is_required(role: Path) -> None:
    optional = {name for name, option in _options(role).items() if not option.get("required")}
    assert optional == set(_load(role / "defaults/main.yml"))


@every_role
def test_every_variable_carries_the_roles_name(role: Path) -> None:
    names = [*_options(role), *_load(role / "vars/main.yml")]
    assert [name for name in names if not name.removeprefix("_").startswith(f"{role.name}_")] == []


@every_role
def test_every_variable_says_whether_it_may_change_on_a_running_cluster(role: Path) -> None:
    meanings = {
        name: " ".join([option["description"]] if isinstance(option["description"], str) else option["description"])
        for name, option in _options(role).items()
    }
    assert [name for name, meaning in meanings.items() if "(live)" not in meaning and "(fixed)" not in meaning] == []


def test_roles_mark_their_files_as_groundworks_own() -> None:
    markers = {
        name: value
        for role in ROLES
        for name, value in _load(role / "vars/main.yml").items()
        if name.endswith("_marker")
    }
    assert markers == dict.fromkeys(["_api_lb_marker", "_containerd_marker", "_kubeadm_marker"], MARKER)


def test_no_readme_is_stale() -> None:
    assert _generator().stale(ROOT / "roles") == []


def test_a_readme_lists_type_default_and_meaning(tmp_path: Path) -> None:
    role = tmp_path / "sail"
    (role / "meta").mkdir(parents=True)
    (role / "defaults").mkdir()
    (role / "defaults/main.yml").write_text("sail_colours: [red, blue]\nsail_name: ''\n")
    (role / "meta/argument_specs.yml").write_text("""
argument_specs:
  main:
    short_description: Hoist the sail
    options:
      sail_colours: {type: list, elements: str, description: Which colours (live)., choices: [red, blue]}
      sail_name: {description: "Its name, a|b (fixed)."}
      sail_mast: {type: path, required: true, description: Where it hangs (fixed).}
  furl:
    short_description: Take it down
""")
    text = _generator().readme(role)
    assert "# groundwork.kube.sail\n\nHoist the sail\n" in text
    assert "| `sail_colours` | list of str | `[red, blue]` | Which colours (live). One of `red`, `blue`. |" in text
    assert r"| `sail_name` | str | `''` | Its name, a\|b (fixed). |" in text
    assert "| `sail_mast` | path | required | Where it hangs (fixed). |" in text
    assert "## `tasks_from: furl`\n\nTake it down\n" in text
    assert _generator().stale(tmp_path) == [role / "README.md"]
