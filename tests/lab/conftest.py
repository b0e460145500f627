# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three real nodes (molecule/inventory), and the playbooks run on them as an operator runs them.

Needs root, a built lab and minutes. GROUNDWORK_LAB and GROUNDWORK_LAB_NETWORK choose another lab than the tests' own.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import access, lifecycle
from lab.inventory import read_nodes
from lab.state import CHECKOUT, Lab, Record
from tests.ansible_playbook import PROGRAM

NAME = os.environ.get("GROUNDWORK_LAB") or "tests"
NETWORK = os.environ.get("GROUNDWORK_LAB_NETWORK") or "10.84.0"
INVENTORY = CHECKOUT / "molecule/inventory"
CONTROL_PLANE = "k8s-master"
SYSTEM = "kube-system"


def until(true: Callable[[], Any], timeout: float = 240, pause: float = 0.5) -> Any:
    """What ``true`` finds in the end; asked again after ``pause`` seconds, for ``timeout`` of them."""
    deadline = time.monotonic() + timeout
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(pause)
    return found


@dataclass(frozen=True)
class Run:
    """What a playbook printed, and its recap: host to count by outcome."""

    rc: int
    stdout: str
    recap: dict[str, dict[str, int]]

    @property
    def changed(self) -> dict[str, int]:
        return {host: counts["changed"] for host, counts in self.recap.items() if counts["changed"]}


@dataclass(frozen=True)
class WorkingTree:
    """Where the owner of a platform changes it; what is pushed, the cluster grows."""

    path: Path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=owner", "-c", "user.email=owner@example.org")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def push(self, message: str) -> str:
        """Commit and push what there is to commit; return the commit."""
        self.git("add", ".")
        if self.git("status", "--porcelain"):
            self.git("commit", "--quiet", f"--message={message}")
            self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")


@dataclass
class Availability:
    """How long, at most, nobody answered; in seconds."""

    longest_gap: float = 0
    answers: bool = True


class Machines:
    """The nodes: their power, a shell as root on each, and playbooks."""

    def __init__(self, lab: Lab, overlay: Path, inventory: Path = INVENTORY, spokesman: str = CONTROL_PLANE) -> None:
        self.lab = lab
        self.inventory = inventory
        # The control plane that is asked; a test that stops it names another.
        self.spokesman = spokesman
        self._overlay = overlay
        self._password = access.sudo_password(lab)

    @property
    def record(self) -> Record:
        return self.lab.require_record()

    @property
    def names(self) -> list[str]:
        return list(self.record.nodes)

    @property
    def settings(self) -> dict[str, Any]:
        """The inventory's variables for all hosts, as written."""
        return yaml.safe_load((self.inventory / "group_vars/all.yml").read_text())

    @property
    def environment(self) -> dict[str, str]:
        """What programs need to know to mean this lab."""
        ours = {
            "GROUNDWORK_LAB": self.lab.name,
            "GROUNDWORK_LAB_NETWORK": self.record.network,
            "ANSIBLE_FORCE_COLOR": "0",
        }
        return {**os.environ, **ours}

    @property
    def mirror(self) -> str:
        return f"http://{self.record.host_address}:5000"

    def stop(self, *names: str) -> None:
        lifecycle.stop(self.lab, names)

    def start(self, *names: str) -> None:
        lifecycle.start(self.lab, names, print)

    def node(self, name: str, command: str) -> str:
        """Run a command as root on a node."""
        done = subprocess.run(
            [*access.ssh_command(self.lab, name), "sudo -S -p '' sh -s"],
            input=f"{self._password}\n{command}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def kubectl(self, *arguments: str) -> str:
        return self.node(self.spokesman, shlex.join(["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *arguments]))

    def read(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def playbook(
        self,
        name: str,
        *arguments: str,
        extra_vars: Mapping[str, Any] | None = None,
        host_vars: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Run:
        """Run a playbook; ``host_vars`` is what somebody has just edited in the inventory."""
        self._overlay.write_text(json.dumps({"kube_node": {"hosts": dict(host_vars or {})}}))
        command = [PROGRAM, f"--inventory={self.inventory}"]
        command += [f"--inventory={self._overlay}", f"--extra-vars={json.dumps(extra_vars or {})}", *arguments]
        # A file, so that a run of minutes can be followed; one a playbook, since two may run at once.
        log = self.lab.logs / f"{name}.log"
        with log.open("w") as output:
            done = subprocess.run(
                [*command, CHECKOUT / "playbooks" / f"{name}.yml"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        printed = log.read_text()
        print(printed)  # what pytest shows when the promise is broken
        recap = {
            host: {outcome: int(count) for outcome, count in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(\S+) +: (ok=.*)$", printed.partition("PLAY RECAP")[2], re.MULTILINE)
        }
        return Run(done.returncode, printed, recap)

    def labels(self, node: str) -> dict[str, str]:
        return self.read("node", node)["metadata"]["labels"]

    def taints(self, node: str) -> list[str]:
        """Without those that the node's condition comes and goes with."""
        taints = self.read("node", node)["spec"].get("taints", [])
        ours = (taint for taint in taints if not taint["key"].startswith("node.kubernetes.io/"))
        return sorted(f"{taint['key']}={taint.get('value', '')}:{taint['effect']}" for taint in ours)

    def ready(self) -> list[str]:
        """The names of the Ready nodes."""
        return sorted(
            node["metadata"]["name"]
            for node in self.read("nodes")["items"]
            for condition in node["status"]["conditions"]
            if (condition["type"], condition["status"]) == ("Ready", "True")
        )

    def pods(self) -> dict[str, tuple[str, int]]:
        """Each pod's identity and how often its containers were restarted: what a restart of any kind changes."""
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(container["restartCount"] for container in pod["status"].get("containerStatuses", [])),
            )
            for pod in self.read("pods", "--all-namespaces")["items"]
        }

    @contextmanager
    def watched_api(self) -> Iterator[Availability]:
        """Ask the API server whether it lives, ten times a second, for as long as the block runs."""
        seen, done = Availability(), threading.Event()
        watcher = threading.Thread(target=self._watch, args=(seen, done), daemon=True)
        watcher.start()
        try:
            yield seen
        finally:
            done.set()
            watcher.join()

    @property
    def api(self) -> str:
        return f"https://{self.record.node(self.spokesman).address}:6443"

    def _watch(self, seen: Availability, done: threading.Event) -> None:
        url = f"{self.api}/livez"
        trusting = ssl._create_unverified_context()
        last_answer = time.monotonic()
        while not (done.wait(0.1) and seen.answers):
            try:
                with urllib.request.urlopen(url, timeout=2, context=trusting):
                    seen.answers = True
            except OSError:
                seen.answers = False
            now = time.monotonic()
            seen.longest_gap = max(seen.longest_gap, now - last_answer)
            if seen.answers:
                last_answer = now
            elif now - last_answer > 120:
                return


class Ledger:
    """The session's machines, and what is on them: nothing, the inventory's cluster, or what a test has left."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self._holds = "nothing"

    def bare(self) -> Machines:
        if self._holds != "nothing":
            lifecycle.restore(self.machines.lab, "bare", print)
        self._holds = "what a test has left"
        return self.machines

    def cluster(self) -> Machines:
        if self._holds != "the cluster":
            run = self.bare().playbook("site")
            assert run.rc == 0, run.stdout
            self._holds = "the cluster"
        return self.machines


@contextmanager
def fresh_lab(name: str, network: str, inventory: Path = INVENTORY, pattern: str = "all") -> Iterator[Lab]:
    """Nodes as they come from their vendor, and nothing left of them afterwards."""
    lab = Lab(name)
    access.prepare(lab)
    try:
        lifecycle.down(lab, print)
        lifecycle.up(lab, network, read_nodes(lab, network, inventory, pattern), "", print)
        yield lab
    finally:
        lifecycle.down(lab, print)


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with fresh_lab(NAME, NETWORK) as lab:
        lifecycle.snapshot(lab, "bare", print)
        yield Ledger(Machines(lab, tmp_path_factory.mktemp("inventory") / "edited.json"))


@pytest.fixture(scope="module")
def bare_machines(ledger: Ledger) -> Machines:
    """Three nodes as they come from their vendor."""
    return ledger.bare()


@pytest.fixture(scope="module")
def cluster(ledger: Ledger) -> Machines:
    """Three nodes that site.yml has made a cluster of. A test that changes it brings it back to the inventory."""
    return ledger.cluster()
