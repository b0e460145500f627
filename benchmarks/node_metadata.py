#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints of all Nodes: node_labels and node_taints against loops of kubernetes.core, on a real API server.

Plays are timed as a user runs them and compared above an empty play: seconds on the wall, and CPU seconds, which a busy
machine does not change. A loop over many nodes is timed on a sample and multiplied, which is said. Beside them stands
one bare LIST of the same Nodes, the least that any way must do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "collections")]

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient
from lab.api import ApiServer

NODES = "/api/v1/nodes"
LONGEST_LOOP = 14
# What a kubelet reports of a node that has run for a while: most of a Node is the list of its images.
IMAGES = [{"names": [f"registry.example.com/image-{n}@sha256:{n:064x}"], "sizeBytes": 10_000_000} for n in range(40)]

OURS = [
    {"groundwork.kube.node_labels": {"nodes": "{{ labels }}"}},
    {"groundwork.kube.node_taints": {"nodes": "{{ taints }}"}},
]
KUBERNETES_CORE = [
    {
        "kubernetes.core.k8s": {
            "state": "patched",
            "kind": "Node",
            "name": "{{ item.key }}",
            "definition": {"metadata": {"labels": "{{ item.value }}"}},
        },
        "loop": "{{ labels | dict2items }}",
        "loop_control": {"label": "{{ item.key }}"},
    },
    {
        "kubernetes.core.k8s_taint": {"name": "{{ item }}", "taints": "{{ taint_objects }}"},
        "loop": "{{ labels | list }}",
    },
]


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def __mul__(self, factor: float) -> Cost:
        return Cost(self.wall * factor, self.cpu * factor)

    def over(self, other: Cost) -> Cost:
        return Cost(self.wall / other.wall, self.cpu / other.cpu)


def cost_of(work: Callable[[], object]) -> Cost:
    """Of this process and of the children it waits for."""

    def spent() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    began, before = time.monotonic(), spent()
    work()
    return Cost(time.monotonic() - began, spent() - before)


class Bench:
    def __init__(self, server: ApiServer, directory: Path, size: int) -> None:
        self.directory = directory
        self.kubeconfig = server.kubeconfig
        self.client = ApiClient.from_options({"kubeconfig": str(server.kubeconfig)})
        self.names = [f"node-{number:04d}" for number in range(size)]

    def plant(self) -> None:
        self.client.delete(NODES)
        for name in self.names:
            self.client.create(NODES, {"metadata": {"name": name}})
            self.client.patch(f"{NODES}/{name}/status", {"status": {"images": IMAGES}})

    def play(self, tasks: list[dict[str, Any]], names: list[str], generation: str) -> Cost:
        """What a play costs that wants this generation of labels and taints on these Nodes."""
        variables = {
            "labels": {name: {"tier": "api", "domain": generation} for name in names},
            "taints": {name: [f"domain={generation}:NoSchedule"] for name in names},
            "taint_objects": [{"key": "domain", "value": generation, "effect": "NoSchedule"}],
        }
        playbook = self.directory / "play.json"
        hosts = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks, "vars": variables}
        playbook.write_text(json.dumps([hosts]))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "K8S_AUTH_KUBECONFIG": str(self.kubeconfig),
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(playbook)]

        def run() -> None:
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)

        return cost_of(run)

    def cheapest(self, tasks: list[dict[str, Any]]) -> Cost:
        return min((self.play(tasks, [], "none") for _repeat in range(3)), key=lambda cost: cost.cpu)

    def bare_list(self) -> Cost:
        return min((cost_of(self._list) for _repeat in range(5)), key=lambda cost: cost.wall)

    def _list(self) -> None:
        found = len(self.client.list(NODES))
        if found != len(self.names):
            raise SystemExit(f"expected {len(self.names)} Nodes, found {found}")

    def measure(self) -> dict[str, Cost]:
        self.plant()
        empty = self.cheapest([])
        start = self.cheapest([{"ansible.builtin.ping": {}}]) - empty
        bare_list = self.bare_list()
        sample = self.names[:LONGEST_LOOP]
        scale = len(self.names) / len(sample)
        costs = {
            "empty play": empty,
            "module start": start,
            "bare LIST": bare_list,
            "groundwork, all to change": self.play(OURS, self.names, "first") - empty,
            "groundwork, nothing to do": self.play(OURS, self.names, "first") - empty,
            "kubernetes.core, all to change": (self.play(KUBERNETES_CORE, sample, "second") - empty) * scale,
            "kubernetes.core, nothing to do": (self.play(KUBERNETES_CORE, sample, "second") - empty) * scale,
        }
        for case in ("all to change", "nothing to do"):
            costs[f"times faster, {case}"] = costs[f"kubernetes.core, {case}"].over(costs[f"groundwork, {case}"])
        # Each of the two modules may take its start and twice the LIST.
        allowed = (start + bare_list * 2) * 2
        costs["share of the budget, nothing to do"] = costs["groundwork, nothing to do"].over(allowed)
        return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[14, 1000], help="numbers of Nodes (default: 14 1000)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    results = {}
    for size in arguments.nodes:
        with tempfile.TemporaryDirectory() as directory, ApiServer() as server:
            costs = Bench(server, Path(directory), size).measure()
        results[size] = {name: {"wall": round(cost.wall, 3), "cpu": round(cost.cpu, 3)} for name, cost in costs.items()}
        print(f"{f'{size} Nodes':40}{'wall':>10}{'CPU':>10}")
        for name, cost in costs.items():
            print(f"{name:40}{cost.wall:10.2f}{cost.cpu:10.2f}")
        if size > LONGEST_LOOP:
            print(f"(kubernetes.core: timed on {LONGEST_LOOP} Nodes, multiplied)")
        print(flush=True)
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
