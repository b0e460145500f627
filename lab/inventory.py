"""The nodes an Ansible inventory asks for, read by Ansible itself: templates and patterns mean what they mean there."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import Any

import yaml

from lab.errors import LabError
from lab.state import Lab, NodeSpec

INSTANCE_TYPES = Path(__file__).with_name("instance_types.yml")
# What a node's row holds beside its name, null where the inventory says nothing.
VARIABLES = ("ansible_host", "instance_type", "lab_noexec_tmp")
ROW = "{{ [" + ", ".join(f"{name} | default(none)" for name in VARIABLES) + "] }}"
ANSWER = re.compile(r"^(\S+) \| SUCCESS => ", re.MULTILINE)


def ansible_command(name: str) -> Path:
    """An Ansible program of the environment that runs this tool, else of the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = beside if beside.exists() else which(name)
    if found is None:
        raise LabError(f"{name} is not installed here; type: make venv")
    return Path(found)


def read_nodes(lab: Lab, network: str, inventory: Path, pattern: str = "all") -> dict[str, NodeSpec]:
    """The nodes that match the pattern, by name."""
    done = subprocess.run(
        [
            ansible_command("ansible"),
            pattern,
            f"--inventory={inventory}",
            "--module-name=ansible.builtin.debug",
            f"--args={json.dumps({'msg': ROW})}",
        ],
        cwd=lab.checkout,
        env={
            **os.environ,
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "GROUNDWORK_LAB": lab.name,
            "GROUNDWORK_LAB_NETWORK": network,
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LabError(f"Ansible cannot read {inventory}:\n{(done.stderr or done.stdout).strip()}")
    rows = parse_rows(done.stdout)
    if not rows:
        raise LabError(f"no host of {inventory} matches {pattern!r}")
    return node_specs(rows, yaml.safe_load(INSTANCE_TYPES.read_text()), network)


def parse_rows(output: str) -> list[list[Any]]:
    """Name and VARIABLES of each host, from what `ansible -m debug` prints, in the order of names."""
    decoder = json.JSONDecoder()
    answers = {match[1]: decoder.raw_decode(output, match.end())[0] for match in ANSWER.finditer(output)}
    return [[name, *answer["msg"]] for name, answer in sorted(answers.items())]


def node_specs(rows: Sequence[Sequence[Any]], memory: Mapping[str, int], network: str) -> dict[str, NodeSpec]:
    """Nodes from inventory rows; every problem of every host in one message."""
    problems = [problem for row in rows for problem in _problems(row, memory, network)]
    if problems:
        raise LabError("the inventory's hosts cannot be lab nodes:\n" + "\n".join(f"  {line}" for line in problems))
    return {
        name: NodeSpec(name, address, instance_type, memory[instance_type], bool(noexec_tmp))
        for name, address, instance_type, noexec_tmp in rows
    }


def _problems(row: Sequence[Any], memory: Mapping[str, int], network: str) -> list[str]:
    name, address, instance_type, _ = row
    problems = []
    if not _is_node_address(address, network):
        problems.append(f"{name}: ansible_host is {address}, but the lab's nodes live in {network}.2 to {network}.254")
    if instance_type not in memory:
        near = difflib.get_close_matches(str(instance_type), memory, 1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(memory)}"
        problems.append(f"{name}: instance_type is {instance_type}; {hint}")
    return problems


def _is_node_address(address: object, network: str) -> bool:
    try:
        parsed = ipaddress.IPv4Address(str(address))
    except ValueError:
        return False
    subnet = ipaddress.IPv4Network(f"{network}.0/24")
    return parsed in subnet and parsed not in (subnet[0], subnet[1], subnet[255])
