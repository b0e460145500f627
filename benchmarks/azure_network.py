#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small network in Azure: arm_resource against azure.azcollection, on the tests' stand-in for Azure.

Both make the same resources and log in alike, by way of a proxy that leads every host of Azure's to the stand-in. Plays
are timed above an empty play: seconds on the wall, CPU seconds of all that they start, and requests. First there is
nothing, then all is there. What a dry run of an empty subscription says is told, too, and what either has to install.

azure.azcollection runs with the libraries that it asks for, in an environment of its own, which is kept in
~/.cache/groundwork and takes minutes to make.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "collections")]

import ansible_collections
from measuring import add_output, cost_of, tell

from lab.artifacts import cache_directory
from tests.ansible_playbook import environment, play_here
from tests.arm.conftest import environment as login
from tests.arm.fake import FakeArm, fake_arm

GROUP, LOCATION = "network", "koreacentral"
SUBNETS = {"nodes": "10.20.0.0/22", "database": "10.20.4.0/28", "endpoints": "10.20.5.0/24"}
ZONE = "cloudtr.private.postgres.database.azure.com"
# Azure's hosts, as the certificate of the stand-in has to name them.
HOSTS = ("management.azure.com", "login.microsoftonline.com")
COLLECTION = "azure.azcollection"

_NETWORK = {"resource_group": GROUP, "api_version": "2024-05-01"}
OURS: list[dict[str, Any]] = [
    {
        "groundwork.kube.arm_resource": {
            "resources": [
                {
                    "type": "Microsoft.Resources/resourceGroups",
                    "name": GROUP,
                    "api_version": "2022-09-01",
                    "body": {"location": LOCATION},
                },
                {
                    "type": "Microsoft.Network/virtualNetworks",
                    "name": "hub",
                    **_NETWORK,
                    "body": {
                        "location": LOCATION,
                        "properties": {"addressSpace": {"addressPrefixes": ["10.20.0.0/16"]}},
                    },
                },
                *(
                    {
                        "type": "Microsoft.Network/virtualNetworks/subnets",
                        "name": f"hub/{name}",
                        **_NETWORK,
                        "body": {"properties": {"addressPrefix": prefix}},
                    }
                    for name, prefix in SUBNETS.items()
                ),
                {
                    "type": "Microsoft.Network/privateDnsZones",
                    "name": ZONE,
                    "resource_group": GROUP,
                    "api_version": "2024-06-01",
                    "body": {"location": "global"},
                },
            ]
        }
    }
]
THEIRS: list[dict[str, Any]] = [
    {f"{COLLECTION}.azure_rm_resourcegroup": {"name": GROUP, "location": LOCATION}},
    {
        f"{COLLECTION}.azure_rm_virtualnetwork": {
            "resource_group": GROUP,
            "name": "hub",
            "location": LOCATION,
            "address_prefixes": ["10.20.0.0/16"],
        }
    },
    *(
        {
            f"{COLLECTION}.azure_rm_subnet": {
                "resource_group": GROUP,
                "virtual_network": "hub",
                "name": name,
                "address_prefix_cidr": prefix,
            }
        }
        for name, prefix in SUBNETS.items()
    ),
    {f"{COLLECTION}.azure_rm_privatednszone": {"resource_group": GROUP, "name": ZONE}},
]
# What the modules import is in the environment of the developers already.
OUR_LIBRARIES = ("azure-identity", "azure-mgmt-core")


WEIGH = """
import json, re, sys
from importlib import metadata

found, left = {}, sys.argv[1:]
while left:
    name = re.sub(r"[-_.]+", "-", left.pop()).lower()
    if name in found:
        continue
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        continue  # What another system or version of Python would need.
    files = [file.locate() for file in package.files or []]
    found[name] = sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())
    needs = (each for each in package.requires or [] if "extra ==" not in each)
    left += [re.match(r"[A-Za-z0-9._-]+", each)[0] for each in needs]
json.dump({"packages": len(found), "mib": round(sum(found.values()) / 2**20)}, sys.stdout)
"""


class Tunnel(socketserver.BaseRequestHandler):
    """Whatever host is asked for, the stand-in answers."""

    port = 0

    def handle(self) -> None:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += self.request.recv(1)
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            ends = {self.request: server, server: self.request}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)


@contextmanager
def proxy(azure: FakeArm) -> Iterator[str]:
    handler = type("TunnelToAzure", (Tunnel,), {"port": int(azure.url.rpartition(":")[2])})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def environment_of_user(azure: FakeArm, proxy: str) -> dict[str, str]:
    """Both name the public cloud, whose hosts the proxy leads to the stand-in."""
    return {**login(azure), "AZURE_CLOUD_ENVIRONMENT": "AzureCloud", "HTTPS_PROXY": proxy}


class Bench:
    def __init__(self, azure: FakeArm, directory: Path, variables: Mapping[str, str]) -> None:
        self.azure = azure
        self.directory = directory
        self.variables = variables

    def play(self, tasks: list[dict[str, Any]], python: Path, *arguments: str) -> str:
        """What a play said."""
        command = play_here(self.directory, tasks, *arguments, ansible_python_interpreter=str(python))
        variables = environment(self.directory, **self.variables)
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if "--check" not in arguments and done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    def of(self, tasks: list[dict[str, Any]], python: Path) -> dict[str, Any]:
        """What the tasks cost above an empty play."""
        self.azure.store.clear()
        empty = cost_of(lambda: self.play([], python))

        def figures(tasks: list[dict[str, Any]], *arguments: str) -> dict[str, Any]:
            said: list[str] = []
            asked = len(self.azure.log)
            cost = cost_of(lambda: said.append(self.play(tasks, python, *arguments))) - empty
            return {
                "cpu_seconds": round(cost.cpu, 2),
                "wall_seconds": round(cost.wall, 2),
                "requests": len(self.azure.log) - asked,
                **{name: int(count) for name, count in re.findall(r"(ok|changed|ignored)=(\d+)", said[0])},
            }

        # One that stops at its first failure would say less than it could.
        tolerant = [{**task, "ignore_errors": True} for task in tasks]
        return {
            "tasks": len(tasks),
            "dry_run_of_nothing": figures(tolerant, "--check"),
            "first": figures(tasks),
            "second": figures(tasks),
        }


def their_python(requirements: Path) -> Path:
    """An interpreter with the libraries that azure.azcollection asks for."""
    home = cache_directory() / "azure-azcollection"
    python = home / "bin/python"
    if not (home / "complete").exists():
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
        (home / "complete").touch()
    return python


def requirements_of_theirs() -> Path:
    places = (Path(place) / COLLECTION.replace(".", "/") for place in ansible_collections.__path__)
    return next(place / "requirements.txt" for place in places if place.is_dir())


def installed(python: Path, names: list[str]) -> dict[str, Any]:
    """How many packages these are with all that they need, and how large."""
    done = subprocess.run([python, "-c", WEIGH, *names], capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def measure() -> dict[str, Any]:
    requirements = requirements_of_theirs()
    theirs = their_python(requirements)
    names = [re.split(r"[=<>]", line)[0].strip() for line in requirements.read_text().splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with fake_arm(place, *HOSTS) as azure, proxy(azure) as address:
            bench = Bench(azure, place, environment_of_user(azure, address))
            return {
                "resources": 3 + len(SUBNETS),
                "groundwork.kube": {
                    **bench.of(OURS, Path(sys.executable)),
                    "install": installed(Path(sys.executable), list(OUR_LIBRARIES)),
                },
                COLLECTION: {**bench.of(THEIRS, theirs), "install": installed(theirs, names)},
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_output(parser)
    arguments = parser.parse_args()
    tell(measure(), arguments.json)


if __name__ == "__main__":
    main()
