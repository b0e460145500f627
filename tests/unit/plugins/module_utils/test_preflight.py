"""What preflight catches: one machine changed at a time, and the problem, its host and its remedy expected."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.preflight import (
    Settings,
    amount,
    budget,
    port_problems,
    problems,
    url_problems,
)

RESERVED: list[dict[str, Any]] = [
    {"below_mib": 1536, "kube": {"cpu": "50m", "memory": "100Mi"}, "system": {"cpu": "50m", "memory": "80Mi"}},
    {"below_mib": 10**9, "kube": {"cpu": "70m", "memory": "250Mi"}, "system": {"cpu": "80m", "memory": "150Mi"}},
]

PLAN: dict[str, Any] = {
    "cluster": {
        "pod_subnet": "192.168.0.0/16",
        "service_subnet": "10.96.0.0/12",
        "encapsulation": "VXLAN",
        "cloud": "none",
        "version": "1.36.4",
        "endpoint": "api.kubernetes.internal:6443",
    },
    "nodes": {
        "master": {"address": "198.51.100.1", "control_plane": True, "etcd": True, "provider_id": ""},
        "worker": {"address": "198.51.100.2", "control_plane": False, "etcd": False, "provider_id": ""},
        "redis": {"address": "198.51.100.3", "control_plane": False, "etcd": False, "provider_id": ""},
    },
    "ports": [
        {"port": 6443, "protocol": "tcp", "from": "kube_node", "to": "kube_control_plane", "why": "Kubernetes API"},
        {"port": 4789, "protocol": "udp", "from": "kube_node", "to": "kube_node", "why": "Calico's VXLAN"},
    ],
    "address_pools": [{"name": "default", "addresses": ["198.51.100.200-198.51.100.220"]}],
}


def machine(number: int, name: str) -> dict[str, Any]:
    """A bare machine with nothing wrong."""
    return {
        "os": {"id": "debian", "version": "13", "codename": "trixie", "pretty": "Debian GNU/Linux 13 (trixie)"},
        "architecture": "x86_64",
        "kernel": "6.12.0",
        "hostname": name,
        "machine_id": f"{number:032x}",
        "clock": {"ahead_at_least": -0.5, "ahead_at_most": 0.5},
        "memory_mib": 2048,
        "cpus": 2,
        "swap": [],
        "cgroup": {"version": 2},
        "modules": {"overlay": "built-in", "br_netfilter": "available", "ipip": "missing"},
        "inotify": {"max_user_instances": 128, "max_user_watches": 65536},
        "resolver": {"nameservers": ["198.51.100.53"], "upstream_file": False},
        "addresses": [
            {"interface": "lo", "address": "127.0.0.1", "prefix": 8},
            {"interface": "eth0", "address": f"198.51.100.{number}", "prefix": 24},
            {"interface": "eth0", "address": f"fe80::{number}", "prefix": 64},
        ],
        "routes": [
            {"destination": "0.0.0.0/0", "gateway": "198.51.100.254", "interface": "eth0"},
            {"destination": "198.51.100.0/24", "gateway": "", "interface": "eth0"},
        ],
        "packages": {},
        "kubeadm": {
            "admin_conf": False,
            "kubelet_conf": False,
            "server": "",
            "ca_digest": "",
            "kubelet_provider_id": "",
        },
        "containerd": {"cgroup_driver": ""},
        "cloud": {"provider_id": "", "error": ""},
    }


@pytest.fixture
def states() -> dict[str, dict[str, Any]]:
    return {name: machine(number, name) for number, name in enumerate(PLAN["nodes"], start=1)}


def settings(**changes: Any) -> Settings:
    return Settings(reserved=dict.fromkeys(PLAN["nodes"], RESERVED), **changes)


def join(state: dict[str, Any], authority: str = "ours") -> None:
    state["kubeadm"].update(kubelet_conf=True, server="https://api.kubernetes.internal:6443", ca_digest=authority)


def test_good_machines_have_no_problem(states: dict[str, Any]) -> None:
    assert problems(PLAN, states, settings()) == []


def test_a_machine_that_does_not_answer_is_not_judged(states: dict[str, Any]) -> None:
    del states["redis"]

    assert problems(PLAN, states, settings()) == []


def test_a_worker_may_be_smaller_than_a_control_plane(states: dict[str, Any]) -> None:
    states["redis"].update(memory_mib=1024, cpus=1)

    assert problems(PLAN, states, settings()) == []


Change = Callable[[dict[str, Any]], None]


def put(path: str, value: Any) -> Change:
    """Change one value of a reading."""

    def change(state: dict[str, Any]) -> None:
        *tables, last = path.split("/")
        for table in tables:
            state = state[table]
        state[last] = value

    return change


WRONG: dict[str, tuple[str, Change, str, str]] = {
    "an old Debian": (
        "worker",
        put("os", {"id": "debian", "version": "11", "codename": "bullseye", "pretty": "Debian GNU/Linux 11"}),
        "Debian GNU/Linux 11 is not supported",
        "preflight_allow_unsupported_os",
    ),
    "a strange architecture": ("worker", put("architecture", "riscv64"), "riscv64", "x86_64 or aarch64"),
    "one CPU": ("master", put("cpus", 1), "needs 2, and this has 1", "larger"),
    "too little memory": ("master", put("memory_mib", 1699), "needs 1700 MiB, and this has 1699", "larger"),
    "no memory left": ("worker", put("memory_mib", 256), "24 too few", "preflight_daemonsets"),
    "a kernel without modules": (
        "worker",
        put("modules", {"overlay": "missing", "br_netfilter": "missing"}),
        "kernel 6.12.0 has no overlay, br_netfilter",
        "linux-modules-extra",
    ),
    "cgroup v1": ("worker", put("cgroup", {"version": 1}), "cgroup v1", "failCgroupV1: false"),
    "few inotify instances": ("worker", put("inotify/max_user_instances", 64), "is 64", "sysctl -w fs.inotify"),
    "few inotify watches": ("worker", put("inotify/max_user_watches", 1024), "is 1024", "524288"),
    "a resolver loop": ("worker", put("resolver/nameservers", ["127.0.0.53"]), "127.0.0.53", "resolvConf"),
    "an address elsewhere": (
        "worker",
        put("addresses", [{"interface": "eth0", "address": "203.0.113.9", "prefix": 24}]),
        "198.51.100.2 is on no interface of this machine (203.0.113.9 on eth0)",
        "kubeadm_node_address",
    ),
    "a route into the pods": (
        "worker",
        put("routes", [{"destination": "192.168.7.0/24", "gateway": "", "interface": "docker0"}]),
        "192.168.0.0/16 overlaps the route to 192.168.7.0/24 by docker0",
        "give kubeadm_pod_subnet a network that no machine uses",
    ),
    "a newer kubelet": (
        "worker",
        put("packages", {"kubelet": "1.37.1-1.1"}),
        "kubelet 1.37.1-1.1 is installed, newer than the 1.36.4",
        "set kubeadm_version to 1.37 or newer",
    ),
    "an old containerd": ("worker", put("packages", {"containerd": "1.7.24~ds1-6"}), "Kubernetes wants 2", "vendor"),
    "a clock ahead": (
        "worker",
        put("clock", {"ahead_at_least": 59.0, "ahead_at_most": 61.0}),
        "at least 59 s ahead",
        "kubeadm_time_synchronisation",
    ),
    "a clock behind": (
        "worker",
        put("clock", {"ahead_at_least": -61.0, "ahead_at_most": -30.0}),
        "at least 30 s behind",
        "kubeadm_time_synchronisation",
    ),
    "a foreign node": (
        "worker",
        join,
        "a node of https://api.kubernetes.internal:6443",
        "reset.yml with --limit worker",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_it_is_caught_on_its_host_with_a_remedy(states: dict[str, Any], what: str) -> None:
    host, change, said, remedy = WRONG[what]
    change(states[host])

    found = problems(PLAN, states, settings())

    assert [problem.host for problem in found] == [host], found
    assert said in found[0].problem
    assert remedy in found[0].remedy


def of_a_cloud(**provider_ids: str) -> dict[str, Any]:
    plan = copy.deepcopy(PLAN)
    plan["cluster"]["cloud"] = "provider_id"
    for host, provider_id in provider_ids.items():
        plan["nodes"][host]["provider_id"] = provider_id
    return plan


def test_a_machine_that_its_cloud_tells_nothing_is_caught_before_it_joins(states: dict[str, Any]) -> None:
    plan = of_a_cloud(master="aws:///ap-northeast-2a/i-0a")
    states["worker"]["cloud"]["provider_id"] = "aws:///ap-northeast-2a/i-0b"
    states["redis"]["cloud"]["error"] = "http://169.254.169.254: timed out"

    (found,) = problems(plan, states, settings())

    assert (found.host, found.variable) == ("redis", "kubeadm_provider_id")
    assert "timed out" in found.problem
    assert "metadata service" in found.remedy


def test_a_member_keeps_the_name_that_its_cloud_has_for_it(states: dict[str, Any]) -> None:
    plan = of_a_cloud(**{host: f"aws:///ap-northeast-2a/i-0{host[0]}" for host in PLAN["nodes"]})
    for host, found in states.items():
        found["kubeadm"].update(kubelet_conf=True, kubelet_provider_id=plan["nodes"][host]["provider_id"])
    states["worker"]["kubeadm"]["kubelet_provider_id"] = "aws:///ap-northeast-2a/i-0a"
    # One of a time when nobody was told; it is given one.
    states["redis"]["kubeadm"]["kubelet_provider_id"] = ""

    (found,) = (each for each in problems(plan, states, settings()) if each.variable == "kubeadm_provider_id")

    assert found.host == "worker"
    assert "has joined as aws:///ap-northeast-2a/i-0a" in found.problem
    assert "playbooks/reset.yml --limit worker" in found.remedy


@pytest.mark.parametrize(
    ("pool", "host", "said"),
    [
        ({"addresses": ["203.0.113.16/28"]}, "master", "in no network that the machines reach"),
        ({"addresses": ["198.51.100.240/29", "198.51.101.0/28"]}, "master", "198.51.101.0/28 is in no network"),
        ({"addresses": ["198.51.100.240-198.51.100.254"]}, "redis", "holds its gateway 198.51.100.254"),
        ({"addresses": ["192.0.2.0/24"], "interfaces": ["eth1"]}, "redis", "own address 192.0.2.3 on eth1"),
        ({"addresses": ["192.0.2.32/28"], "interfaces": ["eth0"]}, "master", "by eth0 (198.51.100.0/24)"),
    ],
)
def test_a_pool_is_of_a_network_that_the_machines_are_in_and_of_nobody_elses(
    states: dict[str, Any], pool: dict[str, Any], host: str, said: str
) -> None:
    states["redis"]["addresses"].append({"interface": "eth1", "address": "192.0.2.3", "prefix": 24})
    states["master"]["routes"] = states["worker"]["routes"] = []

    found = problems({**PLAN, "address_pools": [{"name": "default", **pool}]}, states, settings())

    assert [problem.host for problem in found] == [host], found
    assert said in found[0].problem


def test_an_address_that_kube_proxy_holds_for_a_service_is_no_machines_own(states: dict[str, Any]) -> None:
    states["worker"]["addresses"].append({"interface": "kube-ipvs0", "address": "198.51.100.200", "prefix": 32})

    assert problems(PLAN, states, settings()) == []


def test_everything_wrong_is_told_at_once(states: dict[str, Any]) -> None:
    for host, change, _said, _remedy in WRONG.values():
        change(states[host])

    assert len(problems(PLAN, states, settings())) >= 14


def test_clones_name_each_other(states: dict[str, Any]) -> None:
    states["redis"]["machine_id"] = states["worker"]["machine_id"]
    states["redis"]["hostname"] = states["worker"]["hostname"]

    found = problems(PLAN, states, settings())

    assert [(problem.host, problem.variable) for problem in found] == [
        ("worker", "host name"),
        ("redis", "host name"),
        ("worker", "machine-id"),
        ("redis", "machine-id"),
    ]
    assert "also that of redis" in found[0].problem


def test_a_slow_reading_is_no_skew(states: dict[str, Any]) -> None:
    states["worker"]["clock"] = {"ahead_at_least": -20.0, "ahead_at_most": 0.1}

    assert problems(PLAN, states, settings()) == []


def test_all_clocks_may_differ_from_the_controllers(states: dict[str, Any]) -> None:
    for state in states.values():
        state["clock"] = {"ahead_at_least": 299.0, "ahead_at_most": 300.0}

    assert problems(PLAN, states, settings()) == []


def test_a_member_may_have_the_clusters_own_routes(states: dict[str, Any]) -> None:
    for state in states.values():
        join(state)
        state["routes"].append({"destination": "192.168.7.0/26", "gateway": "", "interface": "vxlan.calico"})
    states["master"]["kubeadm"]["admin_conf"] = True

    assert problems(PLAN, states, settings()) == []


def test_what_a_reset_left_of_the_pod_network_is_no_overlap(states: dict[str, Any]) -> None:
    for state in states.values():
        state["addresses"].append({"interface": "vxlan.calico", "address": "192.168.7.0", "prefix": 32})
        state["routes"].append({"destination": "192.168.9.0/26", "gateway": "", "interface": "vxlan.calico"})

    assert problems(PLAN, states, settings()) == []


def test_a_node_of_another_cluster_is_told_by_its_authority(states: dict[str, Any]) -> None:
    for state in states.values():
        join(state)
    states["master"]["kubeadm"]["admin_conf"] = True
    join(states["redis"], "theirs")

    assert [(problem.host, problem.variable) for problem in problems(PLAN, states, settings())] == [
        ("redis", "/etc/kubernetes/pki/ca.crt")
    ]


def test_a_member_two_minors_behind_is_told_the_next_step(states: dict[str, Any]) -> None:
    join(states["master"])
    states["master"]["kubeadm"]["admin_conf"] = True
    states["master"]["packages"] = {"kubelet": "1.34.2-1.1"}

    assert "set kubeadm_version to a version of 1.35 first" in problems(PLAN, states, settings())[0].remedy


def test_kubelet_settings_of_the_inventory_are_respected(states: dict[str, Any]) -> None:
    states["worker"].update(swap=["/dev/vda2"], cgroup={"version": 1})
    states["worker"]["resolver"]["nameservers"] = ["127.0.0.1"]
    kubelet = {"failSwapOn": False, "failCgroupV1": False, "resolvConf": "/etc/upstream.conf"}
    worker = {"kubeadm_kubelet_configuration": kubelet, "kubeadm_swap": "ignore"}

    assert problems(PLAN, states, settings(hosts={"worker": worker})) == []


def test_swap_that_nobody_switches_off_is_told(states: dict[str, Any]) -> None:
    states["worker"]["swap"] = ["/dev/vda2"]

    assert problems(PLAN, states, settings()) == []
    found = problems(PLAN, states, settings(hosts={"worker": {"kubeadm_swap": "ignore"}}))
    assert "/dev/vda2 is in use" in found[0].problem
    assert "kubeadm_swap: absent" in found[0].remedy


def test_cgroup_drivers_that_disagree_are_told(states: dict[str, Any]) -> None:
    kubelet = {"cgroupDriver": "cgroupfs"}

    found = problems(PLAN, states, settings(hosts={"worker": {"kubeadm_kubelet_configuration": kubelet}}))

    assert found[0].problem == "containerd would use systemd and the kubelet cgroupfs"


def encapsulated(encapsulation: str) -> dict[str, Any]:
    return {**PLAN, "cluster": {**PLAN["cluster"], "encapsulation": encapsulation}}


@pytest.mark.parametrize("encapsulation", ["IPIP", "IPIPCrossSubnet"])
def test_ipip_needs_its_kernel_module(states: dict[str, Any], encapsulation: str) -> None:
    states["master"]["modules"]["ipip"] = "available"
    states["redis"]["modules"]["ipip"] = "loaded"

    found = problems(encapsulated(encapsulation), states, settings())

    assert [(problem.host, problem.variable) for problem in found] == [("worker", "calico_encapsulation")]
    assert f"{encapsulation} needs the kernel module ipip, which kernel 6.12.0 has not" in found[0].problem


@pytest.mark.parametrize(("encapsulation", "refused"), [("None", ["worker"]), ("VXLANCrossSubnet", [])])
def test_without_encapsulation_all_machines_are_neighbours(
    states: dict[str, Any], encapsulation: str, refused: list[str]
) -> None:
    plan = copy.deepcopy(encapsulated(encapsulation))
    plan["nodes"]["worker"]["address"] = "203.0.113.9"
    states["worker"]["addresses"] = [{"interface": "eth0", "address": "203.0.113.9", "prefix": 24}]

    found = problems(plan, states, settings())

    assert [problem.host for problem in found] == refused
    assert all("203.0.113.0/24, others in 198.51.100.0/24" in problem.problem for problem in found)


def test_debians_own_containerd_is_refused_before_it_is_installed(states: dict[str, Any]) -> None:
    found = problems(PLAN, states, settings(hosts={"worker": {"containerd_package_source": "distribution"}}))

    assert "has containerd 1.7" in found[0].problem


@pytest.mark.parametrize("described", ["eth0", "198.51.100.0/24"])
def test_an_address_may_be_described(states: dict[str, Any], described: str) -> None:
    plan = copy.deepcopy(PLAN)
    plan["nodes"]["worker"]["address"] = None

    assert problems(plan, states, settings(hosts={"worker": {"kubeadm_node_address": described}})) == []
    found = problems(plan, states, settings(hosts={"worker": {"kubeadm_node_address": "eth7"}}))
    assert "eth7 matches no address" in found[0].problem


def test_the_budget_adds_up(states: dict[str, Any]) -> None:
    states["redis"]["memory_mib"] = 1024
    daemonsets = ({"name": "calico-node", "cpu": "250m"}, {"name": "logs", "cpu": 0.1, "memory": "64Mi"})

    rows = {row["host"]: row for row in budget(PLAN, states, settings(daemonsets=daemonsets))}

    assert rows["redis"] == {
        "host": "redis",
        "memory_mib": 1024,
        "reserved_mib": 280,
        "daemonsets_mib": 64,
        "left_mib": 680,
        "cpu_millicores": 2000,
        "reserved_millicores": 100,
        "daemonsets_millicores": 350,
        "left_millicores": 1550,
    }
    assert rows["worker"]["reserved_mib"] == 500


@pytest.mark.parametrize(("text", "value"), [("250m", 0.25), ("100Mi", 100 * 2**20), ("2", 2), (1.5, 1.5), ("1G", 1e9)])
def test_quantities_are_read_as_kubernetes_does(text: Any, value: float) -> None:
    assert amount(text) == value


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="100MB"):
        amount("100MB")


def closed(host: str, port: int, protocol: str, reason: str) -> dict[str, Any]:
    why = next(row["why"] for row in PLAN["ports"] if row["port"] == port)
    return {"host": host, "address": "198.51.100.1", "port": port, "protocol": protocol, "why": why, "reason": reason}


def test_a_shut_port_is_told_with_the_rule_to_add() -> None:
    found = port_problems(PLAN, {"worker": [closed("master", 6443, "tcp", "timed out")]}, {}, frozenset())

    assert str(found[0]) == (
        "worker: port 6443/tcp: of master (198.51.100.1) cannot be reached: timed out; it is for Kubernetes API. "
        "Remedy: let 6443/tcp in from the group kube_node to the group kube_control_plane, "
        "in the machines' firewall and in the security group."
    )


def test_a_security_group_without_typhas_port_is_told_with_the_rule_to_add() -> None:
    typha = {"port": 5473, "protocol": "tcp", "from": "kube_node", "to": "kube_node", "why": "Calico's Typha"}
    dialled = {**typha, "host": "redis", "address": "198.51.100.3", "reason": "timed out"}

    (found,) = port_problems({**PLAN, "ports": [typha]}, {"worker": [dialled]}, {}, frozenset({"redis"}))

    assert (found.host, found.variable) == ("worker", "port 5473/tcp")
    assert "it is for Calico's Typha" in found.problem
    assert "let 5473/tcp in from the group kube_node to the group kube_node" in found.remedy
    assert "security group" in found.remedy


def test_a_member_that_refuses_was_reached() -> None:
    refused = {"worker": [closed("master", 6443, "tcp", "refused")]}

    assert port_problems(PLAN, refused, {}, frozenset({"master"})) == []
    assert len(port_problems(PLAN, refused, {}, frozenset())) == 1


def test_a_datagram_port_with_an_owner_proves_nothing() -> None:
    silent = {"worker": [closed("redis", 4789, "udp", "timed out")]}

    assert port_problems(PLAN, silent, {"redis": [{"port": 4789, "protocol": "udp"}]}, frozenset()) == []
    assert len(port_problems(PLAN, silent, {"redis": []}, frozenset())) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 0, "error": "timed out"}, "timed out"),
        ({"status": 404, "error": ""}, "status 404"),
        ({"status": 503, "error": ""}, "status 503"),
    ],
)
def test_a_mirror_that_cannot_serve_is_told(answer: dict[str, Any], said: str) -> None:
    found = url_problems({"worker": {"http://mirror.example/v2/": answer}, "redis": {}})

    assert [(problem.host, problem.variable) for problem in found] == [("worker", "http://mirror.example/v2/")]
    assert said in found[0].problem


@pytest.mark.parametrize("status", [200, 302, 401, 403])
def test_a_mirror_that_greets_is_enough(status: int) -> None:
    assert url_problems({"worker": {"http://mirror.example/v2/": {"status": status, "error": ""}}}) == []
