#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long one control plane's API is away while a name and a flag of it change, beside two bare restarts of its pod.

One restart edits a flag in the static pod's manifest, as everybody does: that makes a new pod, for which the kubelet
looks every ten seconds or more whether the old one has ended. The other moves the manifest away and, once the container
has ended, back; a node that loses its power in between comes back without an API server. A new name alone restarts
nothing: the API server reads its certificate anew by itself. Needs root and a built lab; GROUNDWORK_LAB names it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("GROUNDWORK_LAB", "gap")
REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "collections")]

from measuring import add_output, tell

from tests.lab.conftest import CONTROL_PLANE, NAME, NETWORK, Machines, fresh_lab

ROUNDS = 3
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
EDIT = f"""
flag=--min-request-timeout edited=/etc/kubernetes/edited.yaml
sed -e "/$flag=/d" -e "s/- kube-apiserver$/&\\n    - $flag=%d/" {MANIFEST} > $edited
mv $edited {MANIFEST}
"""
MOVE = f"""
mv {MANIFEST} /etc/kubernetes/kube-apiserver.yaml
while pgrep -x kube-apiserver > /dev/null; do sleep 0.1; done
mv /etc/kubernetes/kube-apiserver.yaml {MANIFEST}
"""


@contextmanager
def cluster() -> Iterator[Machines]:
    with tempfile.TemporaryDirectory() as directory, fresh_lab(NAME, NETWORK) as lab:
        machines = Machines(lab, Path(directory) / "edited.json")
        if machines.playbook("site").rc:
            raise SystemExit("site.yml failed")
        yield machines


def settle(machines: Machines) -> None:
    """Controllers that missed the API elect anew; let that not weigh on the next figure."""
    machines.kubectl("wait", "--for=condition=Ready", "pods", "--all", "--namespace=kube-system", "--timeout=300s")
    time.sleep(30)


def gap(machines: Machines, change: Any) -> float:
    settle(machines)
    with machines.watched_api() as api:
        change()
        deadline = time.monotonic() + 180
        while not api.answers or api.longest_gap < 1:
            if time.monotonic() > deadline:
                raise SystemExit(f"the API was not away, or did not come back: {api}")
            time.sleep(0.1)
        time.sleep(5)
    return round(api.longest_gap, 1)


def edit(machines: Machines, **settings: Any) -> None:
    if machines.playbook("site", "--tags=join", extra_vars=settings).rc:
        raise SystemExit("site.yml failed")


def measure(machines: Machines) -> dict[str, Any]:
    rounds: dict[str, list[float]] = {"manifest edited": [], "manifest moved": [], "site.yml, name and flag": []}
    for number in range(ROUNDS):
        rounds["manifest edited"].append(
            gap(machines, lambda n=number: machines.node(CONTROL_PLANE, EDIT % (1801 + n)))
        )
        rounds["manifest moved"].append(gap(machines, lambda: machines.node(CONTROL_PLANE, MOVE)))
        settings = {
            "kubeadm_apiserver_cert_sans": [f"api-{number}.example.org"],
            "kubeadm_apiserver_extra_args": [{"name": "event-ttl", "value": f"{number + 2}h0m0s"}],
        }
        rounds["site.yml, name and flag"].append(gap(machines, lambda wanted=settings: edit(machines, **wanted)))
    return {**rounds, "load average": round(os.getloadavg()[1], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_output(parser)
    arguments = parser.parse_args()
    with cluster() as machines:
        figures = measure(machines)
    tell(figures, arguments.json)


if __name__ == "__main__":
    main()
