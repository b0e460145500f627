"""A real node: up, cut, up again, down, and nothing left. Needs root, a built lab, and a minute."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from lab import access, cgroups, lifecycle, network
from lab.node import Node
from lab.state import CHECKOUT, Lab, NodeSpec, Record
from tests.lab.conftest import fresh_lab

pytestmark = pytest.mark.lab

NETWORK = "10.199.0"
NODE = "k8s-redis"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with fresh_lab("lifecycle", NETWORK, CHECKOUT / "inventories/lab", NODE) as lab:
        yield lab


@pytest.fixture
def node(lab: Lab) -> Node:
    record = lab.require_record()
    return Node(lab, record, record.node(NODE))


def on_node(node: Node, command: str) -> str:
    arguments = [*access.ssh_command(node.lab, node.name), command]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()


def test_a_node_is_its_instance_type(node: Node) -> None:
    assert on_node(node, "hostname") == NODE
    assert on_node(node, "awk '/MemTotal/ {print $2}' /proc/meminfo") == str(1024 * 1024)
    assert on_node(node, "tail -n +2 /proc/swaps") == ""
    assert on_node(node, "umask") == "0027"
    assert node.problem(access.sudo_password(node.lab)) == ""


def test_an_unknown_name_is_answered_at_once_and_the_own_name_is_known(node: Node) -> None:
    assert on_node(node, "getent hosts example.org || echo unknown") == "unknown"
    assert on_node(node, f"getent hosts {NODE}").split()[0] == "127.0.1.1"


def test_apt_reads_the_mirror(node: Node) -> None:
    command = "apt-get update -qq && apt-cache policy iptables | grep -c http://10.199.0.1/"
    answer = subprocess.run(
        [*access.ssh_command(node.lab, node.name), "sudo -S -p '' sh -s"],
        input=f"{access.sudo_password(node.lab)}\n{command}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() not in ("", "0"), (command, answer)


def test_up_leaves_a_running_node_alone(lab: Lab, node: Node) -> None:
    pid = node.daemon.pid
    lifecycle.up(lab, NETWORK, {NODE: node.spec}, "", print)
    assert node.daemon.pid == pid


def test_a_node_whose_power_was_cut_comes_back_with_its_data(lab: Lab, node: Node) -> None:
    on_node(node, "echo here > data && sync")
    lifecycle.stop(lab, [NODE])
    assert not node.running
    lifecycle.start(lab, [NODE], print)
    assert on_node(node, "cat data") == "here"


def test_a_snapshot_brings_back_what_was(lab: Lab, node: Node) -> None:
    on_node(node, "echo before > state && sync")
    lifecycle.snapshot(lab, "before", print)
    on_node(node, "echo after > state")
    lifecycle.restore(lab, "before", print)
    assert on_node(node, "cat state") == "before"


def test_down_leaves_nothing_and_says_so_of_what_is_left() -> None:
    lab = Lab("lifecycle2")
    spec = NodeSpec("k8s-redis", "10.198.0.22", "t3.micro", 1024)
    record = Record(str(CHECKOUT), "10.198.0", "", {spec.name: spec})
    network.create_bridge(lab, record.host_address)
    network.create_link(lab, spec, record.host_address)
    cgroups.Cgroup.of(lab.name, spec.name).create(64)
    left = lifecycle.leftovers(lab, record)
    assert f"interface {lab.bridge}" in left
    assert f"network namespace {lab.network_namespace(spec.name)}" in left
    assert any(line.startswith("cgroup ") for line in left)
    lab.write_record(record)
    lifecycle.down(lab, print)
    assert lifecycle.leftovers(lab, record) == []
    assert not lab.data.exists()
