"""What roles work out of the machine's reading and their variables, as Ansible's own templating does."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.api import binary

ROLES = Path(__file__).resolve().parents[2] / "roles"

Value = Callable[..., Any]


def _value(role: str, name: str, given: dict[str, Any]) -> str:
    """A variable of a role where the play knows ``given``, as JSON."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader = DataLoader()
    variables: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        variables.update(loader.load_from_file(str(ROLES / role / part / "main.yml"), trusted_as_template=True))
    return json.dumps(Templar(loader, {**variables, **given}).template(variables[name]))


@pytest.fixture(scope="module")
def value() -> Iterator[Value]:
    """In a process of its own: Ansible's templating makes a controller of the whole process, and modules see it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda role, name, **given: json.loads(pool.submit(_value, role, name, given).result())


def state(*services: str) -> dict[str, Any]:
    return {"services": dict.fromkeys(("containerd", *services), "active")}


@pytest.mark.parametrize(
    ("wanted", "present", "installed", "file"),
    [
        ("chrony", [], ["chrony"], "/etc/chrony/sources.d/groundwork.sources"),
        ("systemd-timesyncd", [], ["systemd-timesyncd"], "/etc/systemd/timesyncd.conf.d/groundwork.conf"),
        ("chrony", ["systemd-timesyncd"], [], "/etc/systemd/timesyncd.conf.d/groundwork.conf"),
        ("systemd-timesyncd", ["chrony"], [], "/etc/chrony/sources.d/groundwork.sources"),
        ("chrony", ["ntpsec"], [], None),
        ("none", [], [], None),
        ("none", ["chrony"], [], None),
    ],
)
def test_a_time_service_is_installed_where_there_is_none(
    value: Value, wanted: str, present: list[str], installed: list[str], file: str | None
) -> None:
    given = {
        "kubeadm_time_synchronisation": wanted,
        "kubeadm_time_servers": ["192.0.2.123", "time.example"],
        "host_state": state(*present),
    }

    assert value("kubeadm", "kubeadm_time_packages", **given) == installed
    files = value("kubeadm", "_kubeadm_time_files", **given)
    assert [each["path"] for each in files] == ([file] if file else [])
    if wanted == "chrony" and not present:
        assert files[0]["content"].splitlines()[1:] == ["server 192.0.2.123 iburst", "server time.example iburst"]


def test_without_servers_none_are_written(value: Value) -> None:
    files = value("kubeadm", "_kubeadm_time_files", host_state=state("chrony"), kubeadm_time_servers=[])

    assert [each["state"] for each in files] == ["absent"]


def test_apt_takes_the_proxy_and_its_password_stays_roots(value: Value) -> None:
    given = {
        "groundwork_http_proxy": "http://ops:secret@proxy:3128",
        "groundwork_no_proxy": ["mirror", ".local", "10.0.0.0/8"],
    }

    (file,) = value("containerd", "_containerd_apt_proxy_files", **given)

    assert file["content"].splitlines()[1:] == [
        'Acquire::http::Proxy "http://ops:secret@proxy:3128";',
        'Acquire::http::Proxy::mirror "DIRECT";',
    ]
    assert (file["state"], file["mode"], file["sensitive"]) == ("present", "0600", True)


def test_without_a_proxy_apt_keeps_none(value: Value) -> None:
    assert value("containerd", "_containerd_apt_proxy_files")[0]["state"] == "absent"


def test_what_goes_without_the_proxy_comes_from_the_plan(value: Value) -> None:
    plan = {
        "cluster": {
            "dns_domain": "cluster.local",
            "endpoint_host": "api.kubernetes.internal",
            "pod_subnet": "192.168.0.0/16",
            "service_subnet": "10.96.0.0/12",
        },
        "nodes": {"master": {"address": "192.0.2.11"}, "worker": {"address": None}},
    }

    exceptions = value("containerd", "containerd_no_proxy", groundwork=plan, groundwork_no_proxy=[".example"])

    assert {"api.kubernetes.internal", "192.168.0.0/16", "192.0.2.11", ".example"} < set(exceptions)
    assert None not in exceptions


def test_a_key_that_was_fetched_for_another_host_is_not_fetched_again(value: Value) -> None:
    address = "http://192.0.2.1/Release.key"
    given = {"kubeadm_apt_key_url": address, "groundwork_keys": {address: "the key"}}

    assert value("kubeadm", "kubeadm_apt_key", **given) == "the key"


def test_an_etcd_elsewhere_is_one_that_kubeadm_takes(value: Value, tmp_path: Path) -> None:
    etcd = {
        "endpoints": ["https://192.0.2.201:2379", "https://192.0.2.202:2379"],
        "ca": "a",
        "certificate": "b",
        "key": "c",
    }
    cluster = {
        "name": "kubernetes",
        "endpoint": "api.kubernetes.internal:6443",
        "pod_subnet": "192.168.0.0/16",
        "service_subnet": "10.96.0.0/12",
        "dns_domain": "cluster.local",
    }
    document = value(
        "kubeadm", "_kubeadm_cluster_configuration", groundwork={"cluster": cluster}, kubeadm_external_etcd=etcd
    )
    init = {"apiVersion": document["apiVersion"], "kind": "InitConfiguration"}
    init["localAPIEndpoint"] = {"advertiseAddress": "192.0.2.11"}
    (tmp_path / "kubeadm.yaml").write_text(yaml.safe_dump_all([init, document]))

    command = [binary("kubeadm"), "init", "phase", "control-plane", "apiserver", "--dry-run"]
    made = {**os.environ, "KUBEADM_INIT_DRYRUN_DIR": str(tmp_path)}
    done = subprocess.run(
        [*command, "--config", tmp_path / "kubeadm.yaml"], env=made, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    flags = yaml.safe_load((tmp_path / "kube-apiserver.yaml").read_text())["spec"]["containers"][0]["command"]
    assert "--etcd-servers=https://192.0.2.201:2379,https://192.0.2.202:2379" in flags
    files = {
        file["path"]: file for file in value("kubeadm", "_kubeadm_external_etcd_files", kubeadm_external_etcd=etcd)
    }
    for flag in ("--etcd-cafile", "--etcd-certfile", "--etcd-keyfile"):
        assert [path for path in files if f"{flag}={path}" in flags]
    key = files["/etc/kubernetes/pki/apiserver-etcd-client.key"]
    assert (key["content"], key["mode"], key["sensitive"]) == ("c", "0600", True)


FIVE = [f"cp-{number}" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("serving", "joining"),
    [([], FIVE[1:]), (FIVE[2:3], ["cp-1", "cp-2", "cp-4", "cp-5"]), (FIVE[1:], FIVE[:1])],
    ids=["a new cluster", "one is left of it", "the first is replaced"],
)
def test_of_five_control_planes_those_join_that_do_not_serve_in_the_inventorys_order(
    value: Value, serving: list[str], joining: list[str]
) -> None:
    def machine(name: str) -> dict[str, Any]:
        serves = name in serving
        of_kubeadm = {"admin_conf": serves, "kubelet_conf": serves, "bootstrap_conf": False}
        observed = {**of_kubeadm, "manifests": ["etcd", "kube-apiserver"] if serves else []}
        return {"inventory_hostname": name, "host_state": {"kubeadm": observed}}

    found = value(
        "kubeadm",
        "_kubeadm_newcomers",
        groups={"kube_control_plane": FIVE},
        ansible_play_hosts=FIVE,
        hostvars={name: machine(name) for name in FIVE},
        groundwork={"nodes": {name: {"first": name == "cp-1", "etcd": True} for name in FIVE}},
    )
    assert found == joining


MACHINE = "aws:///us-west-2-lax-1a/i-0123456789abcdef0"


def of_cloud(choice: str) -> dict[str, Any]:
    node = {"address": "192.0.2.12", "registration": {"labels": {"tier": "api"}, "taints": ["domain=auth:NoSchedule"]}}
    return {
        "groundwork": {"cluster": {"cloud": choice}, "nodes": {"api-auth": node}},
        "inventory_hostname": "api-auth",
        "_kubeadm_address": "192.0.2.12",
        "host_state": {"memory_mib": 1024, "cloud": {"provider_id": MACHINE, "error": ""}},
    }


@pytest.mark.parametrize(
    ("choice", "provider", "place"),
    [
        ("none", None, {}),
        (
            "provider_id",
            None,
            {"topology.kubernetes.io/region": "us-west-2", "topology.kubernetes.io/zone": "us-west-2-lax-1a"},
        ),
        ("aws_ccm", "external", {}),
    ],
)
def test_a_kubelet_registers_as_the_cloud_asks(
    value: Value, choice: str, provider: str | None, place: dict[str, str]
) -> None:
    flags = {flag["name"]: flag["value"] for flag in value("kubeadm", "_kubeadm_kubelet_flags", **of_cloud(choice))}
    patch = value("kubeadm", "_kubeadm_patches", **of_cloud(choice))["kubeletconfiguration0+strategic.yaml"]

    assert flags.get("cloud-provider") == provider
    assert dict(label.split("=") for label in flags["node-labels"].split(",")) == {"tier": "api", **place}
    assert flags["register-with-taints"] == "domain=auth:NoSchedule"
    assert yaml.safe_load(patch).get("providerID") == (MACHINE if choice != "none" else None)
    assert yaml.safe_load(patch)["kubeReserved"]["memory"] == "100Mi"
