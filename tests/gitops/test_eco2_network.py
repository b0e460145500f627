"""Who may speak to whom in Eco²: the rendered NetworkPolicies let through every cell of the table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from tests.gitops.rendering import GITOPS, Object, RenderError, helm_template, platform, render

CHART = GITOPS / "platforms/eco2/network-policies"
TABLE = yaml.safe_load((CHART / "values.yaml").read_text())
CELLS = [f"{name}.{port}" for name, party in TABLE["parties"].items() for port in party["ports"]]
# A customer, a machine of the VPC, a pod nobody spoke of, and where a node tells who it is.
ADDRESSES = {"customer": "203.0.113.7", "machine": "10.0.1.12", "pod": "192.168.7.7", "metadata": "169.254.169.254"}


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: Mapping[str, str]


@cache
def policies() -> list[Object]:
    return helm_template("network-policies", CHART, {}, namespace="default")


def party(name: str) -> Pod:
    found = TABLE["parties"][name]
    return Pod(found["namespace"], found["labels"])


DNS = Pod("kube-system", {"k8s-app": "kube-dns"})


def lets(direction: str, pod: Pod, peer: Pod | str, port: int, protocol: str = "TCP") -> bool:
    """Whether the policies of a pod let it speak to (Egress) or be spoken to by (Ingress) a pod or an address."""
    own = [
        policy["spec"]
        for policy in policies()
        if policy["metadata"]["namespace"] == pod.namespace
        and policy["spec"]["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()
        and direction in policy["spec"]["policyTypes"]
    ]
    side = {"Ingress": "from", "Egress": "to"}[direction]
    return not own or any(
        {"protocol": protocol, "port": port} in rule["ports"]
        and (side not in rule or any(is_peer(entry, peer) for entry in rule[side]))
        for policy in own
        for rule in policy.get(direction.lower(), [])
    )


def is_peer(entry: Object, peer: Pod | str) -> bool:
    if isinstance(peer, str):
        block = entry.get("ipBlock", {})
        return ip_address(peer) in ip_network(block.get("cidr", "255.255.255.255/32")) and not any(
            ip_address(peer) in ip_network(other) for other in block.get("except", [])
        )
    return (
        "ipBlock" not in entry
        and entry["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": peer.namespace}
        and entry["podSelector"]["matchLabels"].items() <= peer.labels.items()
    )


def speaks(origin: Pod, destination: Pod, port: int) -> bool:
    return lets("Egress", origin, destination, port) and lets("Ingress", destination, origin, port)


POLICED = [name for name, found in TABLE["parties"].items() if found["namespace"] in TABLE["namespaces"]]


@pytest.mark.parametrize("name", POLICED)
def test_a_party_speaks_to_its_cells_and_to_no_other(name: str) -> None:
    row = TABLE["rows"].get(name, [])
    for cell in CELLS:
        other, port = cell.split(".")
        allowed = speaks(party(name), party(other), TABLE["parties"][other]["ports"][port])
        assert allowed == (cell in row), f"{name} to {cell}: {allowed}"


@pytest.mark.parametrize("name", POLICED)
def test_a_party_goes_to_its_places_and_to_no_other(name: str) -> None:
    row = TABLE["rows"].get(name, [])
    for place, found in TABLE["places"].items():
        for port in found["ports"]:
            for address in ADDRESSES.values():
                allowed = lets("Egress", party(name), address, port)
                inside = "cidr" not in found or is_peer({"ipBlock": found}, address)
                assert allowed == (place in row and inside), f"{name} to {address}:{port}: {allowed}"


@pytest.mark.parametrize("name", POLICED)
def test_from_outside_only_open_doors_can_be_reached(name: str) -> None:
    for port, number in TABLE["parties"][name]["ports"].items():
        for address in ADDRESSES.values():
            assert lets("Ingress", party(name), address, number) == (f"{name}.{port}" in TABLE["open"])


@pytest.mark.parametrize("namespace", TABLE["namespaces"])
def test_a_pod_that_nobody_spoke_of_has_names_resolved_and_no_more(namespace: str) -> None:
    stranger = Pod(namespace, {"app": "stranger"})
    assert lets("Egress", stranger, DNS, 53, "UDP")
    assert lets("Egress", stranger, DNS, 53)
    assert not lets("Egress", stranger, DNS, 8080)
    assert not any(lets("Egress", stranger, address, 443) for address in ADDRESSES.values())
    assert not any(lets("Ingress", stranger, party(name), 8080) for name in TABLE["parties"])


def test_the_table_is_of_all_thirteen_namespaces() -> None:
    made = {found["metadata"]["name"] for found in render("eco2", "prod").children["namespaces"]}
    assert set(TABLE["namespaces"]) == made


@pytest.mark.parametrize("environment", platform("eco2")["environments"])
def test_every_pod_of_the_trees_is_one_party(environment: str) -> None:
    parties = {name: party(name) for name in TABLE["parties"]}
    for child, resources in render("eco2", environment).children.items():
        for resource in resources:
            if resource["kind"] in ("Deployment", "StatefulSet") and child.startswith("apis-"):
                labels = resource["spec"]["template"]["metadata"]["labels"]
                found = [
                    name
                    for name, pod in parties.items()
                    if pod.namespace == resource["metadata"]["namespace"] and pod.labels.items() <= labels.items()
                ]
                assert found == [resource["metadata"]["name"]]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"rows": {"auth": ["nobody.http"]}}, "nobody.http: no such party and port"),
        ({"rows": {"auth": ["redis.sql"]}}, "redis.sql: no such party and port"),
        ({"rows": {"nobody": ["redis.redis"]}}, "rows.nobody: no such party"),
        ({"open": ["auth.https"]}, "auth.https: no such party and port"),
    ],
)
def test_a_slip_in_the_table_is_refused_by_name(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RenderError, match=complaint):
        helm_template("network-policies", CHART, change, namespace="default")
