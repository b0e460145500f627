"""Lab nodes are what the inventory says, and a wrong inventory is told all its faults at once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import access
from lab.errors import LabError
from lab.inventory import INSTANCE_TYPES, node_specs, parse_rows, read_nodes
from lab.state import CHECKOUT, Lab, NodeSpec

MEMORY = {"t3.micro": 1024, "t3.small": 2048}


def test_a_row_becomes_a_node_with_its_instance_types_memory() -> None:
    nodes = node_specs([["k8s-redis", "10.77.0.22", "t3.micro", None]], MEMORY, "10.77.0")
    assert nodes == {"k8s-redis": NodeSpec("k8s-redis", "10.77.0.22", "t3.micro", 1024, noexec_tmp=False)}


def test_every_problem_of_every_host_is_in_one_message() -> None:
    rows: list[list[object]] = [
        ["one", "10.78.0.11", "t3.micro", None],
        ["two", "10.77.0.12", "t3.mikro", None],
        ["three", None, None, 1],
    ]
    with pytest.raises(LabError) as refusal:
        node_specs(rows, MEMORY, "10.77.0")
    message = str(refusal.value)
    assert "one: ansible_host is 10.78.0.11" in message
    assert "two: instance_type is t3.mikro; did you mean t3.micro?" in message
    assert "three: ansible_host is None" in message


@pytest.mark.parametrize("address", ["10.77.0.0", "10.77.0.1", "10.77.0.255", "node.example.org"])
def test_no_node_takes_the_networks_or_the_hosts_address(address: str) -> None:
    with pytest.raises(LabError, match="ansible_host"):
        node_specs([["node", address, "t3.micro", None]], MEMORY, "10.77.0")


def test_answers_are_read_among_warnings_and_in_the_order_of_names() -> None:
    answer = json.dumps({"msg": ["10.77.0.12", "t3.micro", None]}, indent=4)
    other = json.dumps({"msg": ["10.77.0.11", "t3.large", True]}, indent=4)
    output = f"[WARNING]: something\nk8s-redis | SUCCESS => {answer}\nk8s-master | SUCCESS => {other}\n"
    assert parse_rows(output) == [
        ["k8s-master", "10.77.0.11", "t3.large", True],
        ["k8s-redis", "10.77.0.12", "t3.micro", None],
    ]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with secrets, which the lab's inventory opens, and nothing else."""
    lab = Lab(f"unit{os.getpid()}", data_root=tmp_path)
    access.prepare(lab)
    yield lab
    shutil.rmtree(lab.state)


def test_the_lab_inventory_is_fourteen_nodes_on_the_lab_network(lab: Lab) -> None:
    nodes = read_nodes(lab, "10.99.0", CHECKOUT / "inventories/lab")
    assert len(nodes) == 14
    assert {node.address.rpartition(".")[0] for node in nodes.values()} == {"10.99.0"}
    assert sum(node.noexec_tmp for node in nodes.values()) == 1


def test_a_limit_means_what_it_means_to_ansible(lab: Lab) -> None:
    assert list(read_nodes(lab, "10.77.0", CHECKOUT / "inventories/lab", "worker:!k8s-worker-storage")) == [
        "k8s-worker-ai"
    ]


def test_instance_types_grow_with_their_names() -> None:
    memory = yaml.safe_load(INSTANCE_TYPES.read_text())
    assert [memory[f"t3.{size}"] for size in ("micro", "small", "medium", "large")] == [1024, 2048, 4096, 8192]
