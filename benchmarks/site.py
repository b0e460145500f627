#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml against the bare parallel script, on the same bare lab nodes, in one run; then again with nothing to do.

Prints seconds, ratios and executed tasks a worker as JSON. Seconds depend on the machine; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import add_output, tell

REPOSITORY = Path(__file__).resolve().parents[1]
BIN = REPOSITORY / ".venv/bin"
RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


def run(*command: str | Path) -> str:
    """Run a command in the repository; its output is returned, and printed when it fails."""
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
    done.check_returncode()
    return done.stdout


def fresh_lab(inventory: str) -> None:
    run(BIN / "lab", "down")
    run(BIN / "lab", "up", "--inventory", inventory)


def plan(inventory: str) -> dict[str, Any]:
    """The nodes of the plan, by name."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as playbook:
        playbook.write(
            f"- ansible.builtin.import_playbook: {REPOSITORY}/playbooks/plan.yml\n"
            "- {hosts: all, gather_facts: false, tasks: [{run_once: true, ansible.builtin.debug: "
            '{msg: "PLAN{{ groundwork.nodes | to_json }}PLAN"}}]}\n'
        )
        playbook.flush()
        os.environ["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
        answer = run(BIN / "ansible-playbook", "-i", inventory, playbook.name)
    return dict(json.loads(json.loads('"' + answer.split("PLAN")[1] + '"')))


def node_lines(nodes: dict[str, Any]) -> str:
    def words(values: list[str]) -> str:
        return ",".join(values) or "-"

    return "".join(
        f"{name} {node['address']} {words([f'{key}={value}' for key, value in node['labels'].items()])}"
        f" {words(node['taints'])}\n"
        for name, node in sorted(nodes.items(), key=lambda item: not item[1]["control_plane"])
    )


def bare(inventory: str, state: Path, network: str, nodes: dict[str, Any]) -> dict[str, float]:
    """Seconds after which the bare script had reached each of its marks."""
    fresh_lab(inventory)
    with tempfile.NamedTemporaryFile("w") as lines:
        lines.write(node_lines(nodes))
        lines.flush()
        answer = run(REPOSITORY / "benchmarks/bare_cluster.sh", state, network, lines.name)
    return {mark: float(seconds) for mark, seconds in (line.split() for line in answer.splitlines())}


def site(inventory: str, workers: set[str]) -> dict[str, float]:
    began = time.monotonic()
    # As far as the script goes: it knows no Argo CD.
    answer = run(BIN / "ansible-playbook", "-i", inventory, "-e", "groundwork_gitops=none", "site.yml")
    seconds = time.monotonic() - began
    recap = {host: (int(ok), int(changed)) for host, ok, changed, _, _ in RECAP.findall(answer)}
    return {
        "seconds": round(seconds, 1),
        "executed_tasks_a_worker": max(ok for host, (ok, _) in recap.items() if host in workers),
        "changed": sum(changed for _, changed in recap.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inventory", default="inventories/lab")
    add_output(parser)
    arguments = parser.parse_args()
    name = os.environ.setdefault("GROUNDWORK_LAB", "benchmark")
    network = os.environ.setdefault("GROUNDWORK_LAB_NETWORK", "10.90.0")
    state = REPOSITORY / ".lab" if name == "lab" else REPOSITORY / ".lab" / name
    try:
        fresh_lab(arguments.inventory)
        nodes = plan(arguments.inventory)
        workers = {name for name, node in nodes.items() if not node["control_plane"]}
        floor = bare(arguments.inventory, state, network, nodes)
        fresh_lab(arguments.inventory)
        first = site(arguments.inventory, workers)
        second = site(arguments.inventory, workers)
    finally:
        run(BIN / "lab", "down")
    figures = {
        "nodes": len(nodes),
        "bare_script": floor,
        "first_run": first,
        "second_run": second,
        "first_run_by_bare_script": round(first["seconds"] / floor["ready"], 2),
        "second_run_by_first_run": round(second["seconds"] / first["seconds"], 2),
    }
    tell(figures, arguments.json)


if __name__ == "__main__":
    main()
