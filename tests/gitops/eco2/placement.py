"""Where a platform's pods would run: its rendered objects on an inventory's node table, as the scheduler puts them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.metadata import Taint, parse_taints
from ansible_collections.groundwork.kube.plugins.module_utils.topology import CONTROL_PLANE_TAINT
from lab.inventory import INSTANCE_TYPES, ansible_command, parse_rows
from tests.gitops.rendering import GITOPS, Object, Rendered

ROOT = GITOPS.parent
# What the kubelet keeps free before it evicts (memory.available<100Mi); what the EBS driver asks for on every node.
EVICTION_MIB = 100
GROUND_MIB = 120
UNITS = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}


@dataclass(frozen=True)
class Pod:
    """What the scheduler looks at; `everywhere` is a DaemonSet's, one on each node that takes it."""

    name: str
    mib: float
    selector: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[Object, ...] = ()
    tolerations: tuple[Object, ...] = ()
    everywhere: bool = False


@dataclass
class Node:
    name: str
    labels: dict[str, str]
    taints: list[Taint]
    free: float
    pods: list[str] = field(default_factory=list)

    def suits(self, pod: Pod) -> bool:
        return (
            pod.selector.items() <= self.labels.items()
            and all(any(_tolerates(item, taint) for item in pod.tolerations) for taint in self.taints)
            and (not pod.terms or any(self._matches(term) for term in pod.terms))
        )

    def take(self, pod: Pod) -> None:
        self.free -= pod.mib
        self.pods.append(pod.name)

    def _matches(self, term: Object) -> bool:
        wanted = {"In": True, "NotIn": False}
        return all(
            (self.labels.get(expression["key"]) in expression["values"]) == wanted[expression["operator"]]
            for expression in term["matchExpressions"]
        )


def place(pods: Iterable[Pod], nodes: Iterable[Node]) -> tuple[dict[str, Node], list[str]]:
    """Put each pod somewhere, those with the fewest nodes to choose from first; and say what found no node, and why."""
    table = {node.name: node for node in nodes}
    refused = []
    waiting = sorted(pods, key=lambda pod: (not pod.everywhere, sum(node.suits(pod) for node in table.values())))
    for pod in waiting:
        suitable = [node for node in table.values() if node.suits(pod)]
        roomy = [node for node in suitable if node.free >= pod.mib]
        if not suitable:
            refused.append(f"{pod.name}: no node has its labels and none of other taints")
        elif not roomy or (pod.everywhere and roomy != suitable):
            full = sorted({node.name for node in suitable} - {node.name for node in roomy})
            refused.append(f"{pod.name}: {pod.mib:.0f} MiB do not fit on {', '.join(full)}")
        else:
            for node in roomy if pod.everywhere else [max(roomy, key=lambda node: node.free)]:
                node.take(pod)
    return table, refused


def node_table(inventory: Path = ROOT / "inventories" / "eco2") -> list[Node]:
    """The nodes with what the kubelet would leave to pods."""
    message = "{{ [node_labels, node_taints | default([]), instance_type, 'kube_control_plane' in group_names] }}"
    done = subprocess.run(
        [
            ansible_command("ansible"),
            "all",
            f"--inventory={inventory}",
            "--module-name=ansible.builtin.debug",
            f"--args={json.dumps({'msg': message})}",
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=True,
    )
    sizes = yaml.safe_load(INSTANCE_TYPES.read_text())
    reserved = yaml.safe_load((ROOT / "roles/kubeadm/defaults/main.yml").read_text())["kubeadm_reserved"]
    return [
        Node(
            name,
            {
                **labels,
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": name,
                **({"node-role.kubernetes.io/control-plane": ""} if control_plane else {}),
            },
            parse_taints([*taints, *([CONTROL_PLANE_TAINT] if control_plane else [])]),
            _allocatable(sizes[size], reserved) - GROUND_MIB,
        )
        for name, labels, taints, size, control_plane in parse_rows(done.stdout)
    ]


def pods_of(rendered: Rendered) -> Iterator[Pod]:
    """Every pod that is asked for, also through an operator or by the values of a chart that is not at hand."""
    for child, resources in rendered.children.items():
        for resource in resources:
            name = f"{child}: {resource['kind']} {resource['metadata']['name']}"
            yield from _operated(name, resource)
            if template := resource.get("spec", {}).get("template", {}).get("spec"):
                yield from _workload(name, resource, template)
    for child in rendered.not_at_hand:
        yield from _valued(child, rendered.applications[child]["spec"]["source"])


def _workload(name: str, resource: Object, spec: Object) -> Iterator[Pod]:
    affinity = spec.get("affinity", {}).get("nodeAffinity", {})
    pod = Pod(
        name,
        # A hook's Job is gone in a moment and may ask for nothing.
        sum(mib(item) for item in spec["containers"] if resource["kind"] != "Job" or "resources" in item),
        spec.get("nodeSelector", {}),
        _terms(affinity),
        tuple(spec.get("tolerations", ())),
        everywhere=resource["kind"] == "DaemonSet",
    )
    settings = resource["spec"]
    surge = settings.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 0)
    copies = settings.get("replicas", 1) + (surge if resource["kind"] == "Deployment" else 0)
    yield from [pod] * (1 if pod.everywhere else copies)


def _operated(name: str, resource: Object) -> Iterator[Pod]:
    """The pods that operators make of their custom resources."""
    spec = resource.get("spec", {})
    tolerations = tuple(spec.get("tolerations", ()))
    if resource["kind"] == "postgresql":
        needs = mib(spec) + sum(mib(sidecar) for sidecar in spec["sidecars"])
        pod = Pod(name, needs, {}, _terms(spec["nodeAffinity"]), tolerations)
        yield from [pod] * spec["numberOfInstances"]
    elif resource["kind"] in ("RedisReplication", "RedisSentinel"):
        needs = mib(spec["kubernetesConfig"]) + (mib(spec["redisExporter"]) if "redisExporter" in spec else 0)
        yield from [Pod(name, needs, spec["nodeSelector"], (), tolerations)] * spec["clusterSize"]
    elif resource["kind"] in ("Prometheus", "Alertmanager"):
        yield from [Pod(name, mib(spec), spec["nodeSelector"], (), tolerations)] * spec["replicas"]
    elif resource["kind"] == "RabbitmqCluster":
        pod = Pod(name, mib(spec), {}, _terms(spec["affinity"]["nodeAffinity"]), tolerations)
        yield from [pod] * spec["replicas"]


def _valued(child: str, source: Object) -> Iterator[Pod]:
    """The catalogue says where a chart's values place its pods; their requests stand beside it or further down."""
    file = GITOPS / "addons" / source.get("chart", "") / "addon.yaml"
    if not file.is_file():
        return
    for path in yaml.safe_load(file.read_text())["tolerations"]:
        values = source["helm"]["valuesObject"]
        scope = values
        for key in path.split(".")[:-1]:
            scope = scope[key]
        tolerations = tuple(scope["tolerations"] or ())
        needs = mib(scope) if "resources" in scope else sum(_all_requests(values))
        everywhere = {"operator": "Exists"} in tolerations
        yield Pod(f"{child}: {path}", needs, scope.get("nodeSelector") or {}, (), tolerations, everywhere)


def _all_requests(values: Any) -> Iterator[float]:
    if isinstance(values, dict):
        if "resources" in values:
            yield mib(values)
        for value in values.values():
            yield from _all_requests(value)


def _terms(affinity: Object) -> tuple[Object, ...]:
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    return tuple(required.get("nodeSelectorTerms", ()))


def mib(container: Object) -> float:
    """What a container asks for; one that asks for nothing would be the first to go, and nobody would know."""
    quantity = container["resources"]["requests"]["memory"]
    return float(quantity[:-2]) * UNITS[quantity[-2:]]


def _allocatable(size: int, reserved: Iterable[Object]) -> float:
    row = next(row for row in reserved if size < row["below_mib"])
    kept = sum(float(row[part]["memory"].removesuffix("Mi")) for part in ("kube", "system"))
    return size - kept - EVICTION_MIB


def _tolerates(toleration: Object, taint: Taint) -> bool:
    if toleration.get("effect") not in (None, taint.effect):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, taint.key)
    return toleration.get("key") == taint.key and toleration.get("value", "") == taint.value
