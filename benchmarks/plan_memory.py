#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's memory while it plans a cluster of 500 hosts from its inventory; no host is asked anything."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import add_output, tell

REPOSITORY = Path(__file__).resolve().parents[1]
HOSTS = 500
CONTROL_PLANES = 3


def inventory() -> dict[str, Any]:
    """Hosts with variables of their own, as a site with domains and tiers writes them."""
    workers = {
        f"node-{number:03d}": {
            "ansible_host": f"10.130.{number // 250}.{number % 250 + 1}",
            "node_labels": {"tier": "api", "domain": f"domain-{number % 10}"},
            "node_taints": [f"domain=domain-{number % 10}:NoSchedule"],
        }
        for number in range(HOSTS - CONTROL_PLANES)
    }
    shared = {
        "ansible_user": "ops",
        "kubeadm_control_plane_endpoint": "api.example.internal:6443",
        "kubeadm_control_plane_endpoint_address": "10.140.0.200",
        "kubeadm_pod_subnet": "172.16.0.0/15",
    }
    return {
        "all": {"vars": shared},
        "kube_control_plane": {
            "hosts": {
                f"master-{number}": {"ansible_host": f"10.140.0.{10 + number}"} for number in range(CONTROL_PLANES)
            }
        },
        "etcd": {"children": {"kube_control_plane": {}}},
        "kube_node": {"hosts": workers},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_output(parser)
    arguments = parser.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(inventory(), file)
        file.flush()
        began = time.monotonic()
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", file.name, "playbooks/plan.yml"]
        done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(done.stdout)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "hosts": HOSTS,
        "largest process, MiB": round(used.ru_maxrss / 1024),
        "wall": round(time.monotonic() - began, 1),
        "cpu": round(used.ru_utime + used.ru_stime, 1),
    }
    tell(figures, arguments.json)


if __name__ == "__main__":
    main()
