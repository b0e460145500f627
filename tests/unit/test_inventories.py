"""The inventories describe the clusters they say, and every one of them can be planned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

API = {
    "auth": "micro",
    "my": "micro",
    "scan": "small",
    "character": "micro",
    "location": "micro",
    "info": "micro",
    "chat": "small",
}
WORKERS = {"storage": "small", "ai": "small"}
INFRASTRUCTURE = {"postgresql": "small", "redis": "micro", "rabbitmq": "small", "monitoring": "small"}
TAINTED = {"api", "infra"}

PLAY = [
    {
        "name": "Plan",
        "hosts": "all",
        "gather_facts": False,
        # The sudo password is of no use to a plan, and a lab that is down has none.
        "vars": {"ansible_become_password": ""},
        "tasks": [{"name": "Plan", "groundwork.kube.cluster_plan": {}, "run_once": True}],
    }
]


def plan(inventory: str, directory: Path, **environment: str) -> dict[str, Any]:
    playbook = directory / "plan.yml"
    playbook.write_text(json.dumps(PLAY))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-vv", "-i", ROOT / "inventories" / inventory, playbook],
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads(done.stdout[done.stdout.index("{") :])["plays"][0]["tasks"][0]["hosts"].values()
    return result["plan"]


def eco2() -> dict[str, tuple[str, str | None, str]]:
    """Issue 3's table: node, tier, domain, instance type."""
    return {
        "k8s-master": ("control-plane", None, "t3.large"),
        **{f"k8s-api-{domain}": ("api", domain, f"t3.{size}") for domain, size in API.items()},
        **{f"k8s-worker-{domain}": ("worker", domain, f"t3.{size}") for domain, size in WORKERS.items()},
        **{f"k8s-{domain}": ("infra", domain, f"t3.{size}") for domain, size in INFRASTRUCTURE.items()},
    }


@pytest.mark.parametrize("inventory", ["eco2", "lab"])
def test_eco2_has_the_fourteen_nodes_of_its_table(inventory: str, tmp_path: Path) -> None:
    nodes = plan(inventory, tmp_path)["nodes"]
    assert set(nodes) == set(eco2())
    for name, (tier, domain, instance_type) in eco2().items():
        labels = {"tier": tier, "node.kubernetes.io/instance-type": instance_type}
        if domain:
            labels.update({"domain": domain, f"node-role.kubernetes.io/{tier}": ""})
        assert nodes[name]["labels"] == labels
        assert nodes[name]["taints"] == ([f"domain={domain}:NoSchedule"] if tier in TAINTED else [])
        assert nodes[name]["instance_type"] == instance_type


def test_a_labs_network_is_where_the_environment_says(tmp_path: Path) -> None:
    nodes = plan("lab", tmp_path, GROUNDWORK_LAB_NETWORK="10.78.3")["nodes"]
    assert (nodes["k8s-master"]["address"], nodes["k8s-monitoring"]["address"]) == ("10.78.3.11", "10.78.3.24")


def test_the_example_can_be_planned(tmp_path: Path) -> None:
    assert len(plan("example", tmp_path)["nodes"]) == 3


def test_what_only_a_lab_may_say_stays_in_the_labs_inventory() -> None:
    others = [
        path
        for path in (ROOT / "inventories").rglob("*.yml")
        if path.parts[-2:][0] != "lab" and "lab" not in path.parts
    ]
    words = ("failCgroupV1", "KubeletInUserNamespace", "SystemVerification", "restrict_oom_score_adj", "cgroupfs")
    assert [path for path in others if any(word in path.read_text() for word in words)] == []
