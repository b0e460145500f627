"""A wrong inventory is refused on the controller: every problem with its cure, and no machine is called."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.ansible_playbook import PROGRAM

ROOT = Path(__file__).resolve().parents[3]
CASES = yaml.safe_load(Path(__file__).with_name("refusals.yml").read_text())
EXAMPLE = yaml.safe_load((ROOT / "inventories/example/hosts.yml").read_text())

# Every playbook of the collection begins with this one.
PLAN = {"name": "Plan", "import_playbook": str(ROOT / "playbooks/plan.yml")}
REACH = {
    "name": "Reach",
    "hosts": "all",
    "gather_facts": False,
    "tasks": [{"name": "Reach", "ansible.builtin.ping": {}}],
}


class Run(NamedTuple):
    returncode: int
    lines: list[str]
    called: list[str]


def inventory_of(case: dict[str, Any]) -> dict[str, Any]:
    """The example's inventory with the case's change."""
    addresses = {
        host: variables
        for group in ("kube_control_plane", "kube_node")
        for host, variables in EXAMPLE[group]["hosts"].items()
    }
    addresses |= {f"control-plane-{number}": {"ansible_host": f"192.0.2.1{number}"} for number in (2, 3)}
    members = {group: list(EXAMPLE[group]["hosts"]) for group in ("kube_control_plane", "kube_node")}
    members.update(case.get("groups", {}))
    changes = case.get("set", {})
    hosts = {host: {**addresses.get(host, {}), **changes.get(host, {})} for group in members.values() for host in group}
    ungrouped = {"ungrouped": members.pop("ungrouped", [])}
    groups = {group: {"hosts": {host: {} for host in names}} for group, names in {**members, **ungrouped}.items()}
    return {**groups, "all": {"hosts": hosts, "vars": {**EXAMPLE["all"]["vars"], **changes.get("all", {})}}}


@pytest.fixture
def play(tmp_path: Path) -> Callable[[dict[str, Any]], Run]:
    """Run the playbook with an ssh that only writes down whom it was asked to call."""
    called, ssh = tmp_path / "called", tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {called}\nexit 255\n')
    ssh.chmod(0o755)
    playbook, hosts = tmp_path / "plan.yml", tmp_path / "hosts.yml"
    playbook.write_text(json.dumps([PLAN, REACH]))
    settings = tmp_path / "ansible.cfg"
    settings.write_text(
        f"[defaults]\ncollections_path = {ROOT / 'collections'}\nlocal_tmp = {tmp_path / 'local'}\nnocolor = true\n"
        f"[ssh_connection]\nssh_executable = {ssh}\n"
    )

    def run(inventory: dict[str, Any]) -> Run:
        hosts.write_text(json.dumps(inventory))
        done = subprocess.run(
            [PROGRAM, "--inventory", hosts, playbook],
            capture_output=True,
            text=True,
            env={**os.environ, "ANSIBLE_CONFIG": str(settings)},
            check=False,
        )
        lines = (done.stdout + done.stderr).splitlines()
        return Run(done.returncode, lines, called.read_text().splitlines() if called.exists() else [])

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_wrong_inventory_is_refused_by_host_variable_and_remedy(
    case: dict[str, Any], play: Callable[[dict[str, Any]], Run]
) -> None:
    refused = play(inventory_of(case))
    problems = [line[2:] for line in refused.lines if line.startswith("- ")]
    for expected in case["refused"]:
        assert any(
            expected["host"] in line.split(": ")[0].split(", ")
            and line.split(": ")[1] == expected["variable"]
            and expected["remedy"] in line.partition("Remedy: ")[2]
            for line in problems
        ), problems
    assert len(problems) == len({(each["variable"], each["remedy"]) for each in case["refused"]})
    assert refused.returncode != 0
    assert refused.called == []


def test_a_sound_inventory_goes_on_to_its_machines(play: Callable[[dict[str, Any]], Run]) -> None:
    assert len(play(inventory_of({})).called) == 3


def test_all_problems_are_told_at_once(play: Callable[[dict[str, Any]], Run]) -> None:
    several = [
        case
        for case in CASES
        if case["name"].startswith(("a typing mistake", "a version that kubeadm", "an endpoint without"))
    ]
    merged = {"set": {host: variables for case in several for host, variables in case["set"].items() if host != "all"}}
    merged["set"]["all"] = {name: value for case in several for name, value in case["set"].get("all", {}).items()}
    assert sum(line.startswith("- ") for line in play(inventory_of(merged)).lines) == len(several) == 3


def test_a_secret_is_not_repeated(play: Callable[[dict[str, Any]], Run]) -> None:
    wrong = play(inventory_of({"set": {"worker-1": {"containerd_http_proxy": "user:S3cret-of-the-proxy@proxy:3128"}}}))
    assert wrong.returncode != 0
    assert not [line for line in wrong.lines if "S3cret" in line]
