"""The inventories describe the clusters they say, and every one of them can be planned."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ansible_playbook

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

PLAN = {"name": "Plan", "groundwork.kube.cluster_plan": {}, "run_once": True}


def plan(inventory: str, directory: Path, **environment: str) -> dict[str, Any]:
    found: dict[str, Any] = run(inventory, directory, PLAN, **environment)["plan"]
    return found


def evaluated(inventory: str, directory: Path, names: list[str], **variables: str) -> dict[str, Any]:
    """These variables, as a play sees them that was given those."""
    task = {"name": "Evaluate", "ansible.builtin.set_fact": {name: f"{{{{ {name} }}}}" for name in names}}
    arguments = [f"--extra-vars={json.dumps(variables)}"]
    facts: dict[str, Any] = run(inventory, directory, {**task, "run_once": True}, *arguments)["ansible_facts"]
    return facts


def run(inventory: str, directory: Path, task: dict[str, Any], *arguments: str, **environment: str) -> dict[str, Any]:
    playbook = directory / "play.yml"
    # The sudo password is of no use here, and a lab that is down has none.
    variables = {"ansible_become_password": ""}
    playbook.write_text(
        json.dumps([{"name": "Play", "hosts": "all", "gather_facts": False, "vars": variables, "tasks": [task]}])
    )
    program = [ansible_playbook.PROGRAM, "-vv", "-i", ROOT / "inventories" / inventory]
    done = subprocess.run(
        [*program, *arguments, playbook],
        cwd=directory,
        env=ansible_playbook.environment(directory, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any]
    (result,) = json.loads(done.stdout[done.stdout.index("{") :])["plays"][0]["tasks"][0]["hosts"].values()
    return result


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


# What is read from AWS is planned where there is an account (tests/aws/test_inventory.py), and of a cluster of AKS the
# nodes are Azure's (tests/arm/test_playbook_aks.py).
WRITTEN = sorted({path.name for path in (ROOT / "inventories").iterdir()} - {"eco2_aws", "auto_builder", "agui"})


@pytest.mark.parametrize("inventory", WRITTEN)
def test_every_inventory_can_be_planned(inventory: str, tmp_path: Path) -> None:
    assert plan(inventory, tmp_path)["nodes"]


def test_cocdevs_control_planes_share_an_address_that_nothing_else_has(tmp_path: Path) -> None:
    planned = plan("cocdev", tmp_path)
    addresses = [node["address"] for node in planned["nodes"].values()]
    assert len([name for name in planned["nodes"] if name.startswith("cp-")]) == 3
    assert planned["cluster"]["endpoint"] == "api.cocdev.internal:8443"
    assert len(set(addresses)) == 6


@pytest.mark.parametrize(
    ("root", "name", "environment", "released"),
    [
        ("platform", "cocdev-platform-apps", "platform", False),
        ("staging", "cocdev-staging", "stg", False),
        ("production", "cocdev-production", "prod", True),
    ],
)
def test_cocdev_says_what_its_platform_needs_for_each_of_its_roots(
    root: str, name: str, environment: str, released: bool, tmp_path: Path
) -> None:
    variables = evaluated("cocdev", tmp_path, ["argocd_root_application", "argocd_root_values"], cocdev_root=root)
    application, values = variables["argocd_root_application"], variables["argocd_root_values"]
    wanted = yaml.safe_load((ROOT / "gitops/platforms/cocdev/platform.yaml").read_text())["values"]
    assert (application["name"], application["released"], values["environment"]) == (name, released, environment)
    assert {key for key, value in wanted.items() if value is None} <= values.keys()


def test_the_example_can_be_planned(tmp_path: Path) -> None:
    assert len(plan("example", tmp_path)["nodes"]) == 3


def test_what_only_a_lab_may_say_stays_in_the_labs_inventory() -> None:
    others = [
        path
        for path in (ROOT / "inventories").rglob("*.yml")
        if not path.relative_to(ROOT / "inventories").parts[0].startswith("lab")
    ]
    words = ("failCgroupV1", "KubeletInUserNamespace", "SystemVerification", "restrict_oom_score_adj", "cgroupfs")
    assert [path for path in others if any(word in path.read_text() for word in words)] == []
