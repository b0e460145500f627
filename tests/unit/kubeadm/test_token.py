# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bootstrap token: made by kubeadm, given to those that join, and seen by nobody."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.veil import unveiled
from ansible_collections.groundwork.kube.plugins.modules.kubeadm_token import for_this_machine
from tests import ansible_playbook

from .conftest import Node

RunModule = Callable[..., dict[str, Any]]

VEIL = "a veil of one use"
TOKEN = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
KEY = secrets.token_hex(32)
# /etc is this machine's, with the node's before it.
ON_THE_NODE = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec "$@"'


@pytest.fixture
def control_plane(node: Node) -> Node:
    node.phase("certs", "ca")
    node.program(
        "kubeadm",
        f"""#!/bin/sh
echo "$@" >> {node.root}/calls
case "$*" in
  "token create "*) echo {TOKEN};;
  *upload-certs*) printf '%s\\n' '[upload-certs] Using certificate key:' {KEY};;
esac
if [ -f {node.failure} ]; then cat {node.failure} >&2; exit 1; fi
""",
    )
    return node


@pytest.fixture
def play(control_plane: Node) -> Callable[..., str]:
    """Run tasks as a role would on this node; return all that is printed at the highest verbosity."""

    def play(*tasks: dict[str, Any], succeeds: bool = True) -> str:
        playbook = control_plane.write(
            "play.json", json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
        )
        on_the_node = ["unshare", "--mount", "--map-root-user", "sh", "-c", ON_THE_NODE, control_plane.root / "etc"]
        ansible = [ansible_playbook.PROGRAM, "-vvvvv", "--diff", "-i", "localhost,"]
        done = subprocess.run(
            [*on_the_node, *ansible, "--connection=local", playbook],
            # With DEBUG Ansible prints what it reads from any connection, as ssh's own -vvv does.
            env=ansible_playbook.environment(
                control_plane.root, ANSIBLE_DEBUG="true", ANSIBLE_PYTHON_INTERPRETER=sys.executable
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode == 0) == succeeds, done.stdout
        return done.stdout

    return play


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def test_kubeadm_invents_the_token(run_module: RunModule, control_plane: Node) -> None:
    result = run_module("kubeadm_token", {"ttl": "5m", "veil": VEIL})
    assert unveiled(result["join_material"], VEIL) == {"token": TOKEN, "certificate_key": ""}
    assert result["ca_cert_hashes"] == [k.public_key_hash((control_plane.kubernetes / "pki/ca.crt").read_text())]
    assert control_plane.calls() == [f"token create --ttl 5m --kubeconfig {k.ADMIN_CONF}"]


def test_check_mode_makes_no_token(run_module: RunModule, node: Node) -> None:
    result = run_module("kubeadm_token", {"certificate_key": True, "config": "x", "veil": VEIL}, check=True)
    assert result["changed"]
    assert len(unveiled(result["join_material"], VEIL)["certificate_key"]) == 64
    assert node.calls() == []


def test_later_tasks_have_the_secrets_that_nothing_prints(play: Callable[..., str]) -> None:
    known = [f"_join.token | hash('sha256') == '{digest(TOKEN)}'"]
    known += [f"_join.certificate_key | hash('sha256') == '{digest(KEY)}'"]
    token = {"certificate_key": True, "config": "x"}
    told = play(
        {"groundwork.kube.kubeadm_token": token, "register": "_join"},
        {"ansible.builtin.assert": {"that": known}},
    )
    # What would have printed them has printed what stands for them.
    assert "join_material" in told
    assert TOKEN not in told
    assert KEY not in told


def test_why_kubeadm_made_no_token_is_told(play: Callable[..., str], control_plane: Node) -> None:
    control_plane.failure.write_text(f"timed out waiting for the condition, token {TOKEN}\n")
    told = play({"groundwork.kube.kubeadm_token": {}}, succeeds=False)
    assert "failed: timed out waiting for the condition, token ********" in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    "written", ["{{advertiseAddress: {}, bindPort: 6443}}", "\n  advertiseAddress: {}\n  bindPort: 6443"]
)
def test_certificates_are_uploaded_by_the_machines_own_api_server(written: str) -> None:
    manifest = "    - --advertise-address=10.77.0.12\n    - --secure-port=6443\n"
    document = "localAPIEndpoint: " + written

    assert for_this_machine(document.format("10.77.0.11"), manifest) == document.format("10.77.0.12")
    assert for_this_machine(document.format("10.77.0.11"), "") == document.format("10.77.0.11")
