"""host_state: what it tells of a tree of files, and of the very machine that the tests run on."""

from __future__ import annotations

import http.server
import ipaddress
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RunModule = Callable[..., dict[str, Any]]

KUBELET_CONF = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: AAAA
    server: https://api.kubernetes.internal:6443
  name: default-cluster
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for path, text in {
        "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n',
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/resolv.conf": "# made by hand\nnameserver 127.0.0.53\noptions edns0\n",
        "proc/meminfo": "MemTotal:        1048576 kB\nMemFree: 1 kB\n",
        "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/dev/vda2 partition 1 0 -2\n",
        "proc/filesystems": "nodev\toverlay\n",
        "proc/sys/kernel/osrelease": "6.12.0\n",
        "proc/sys/kernel/hostname": "k8s-redis\n",
        "proc/sys/fs/inotify/max_user_instances": "128\n",
        "proc/sys/fs/inotify/max_user_watches": "65536\n",
        "lib/modules/6.12.0/modules.dep": "kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\n",
        "lib/modules/6.12.0/modules.builtin": "kernel/net/ipv4/ip-tables.ko\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
        "etc/kubernetes/kubelet.conf": KUBELET_CONF,
        "etc/kubernetes/manifests/etcd.yaml": "",
        "etc/kubernetes/manifests/.hidden": "",
        "var/lib/kubelet/config.yaml": "kind: KubeletConfiguration\ncgroupDriver: cgroupfs\nproviderID: aws:///ap-northeast-2a/i-0a\n",
        "var/lib/kubelet/kubeadm-flags.env": 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1"\n',
        "etc/containerd/config.toml": "version = 3\n  SystemdCgroup = true\n",
        "var/lib/dpkg/status": "Package: kubelet\nStatus: hold ok installed\nVersion: 1.36.4-1.1\n\n"
        "Package: kubectl\nStatus: deinstall ok config-files\nVersion: 1.35.0-1.1\n",
    }.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_a_machine_is_told_from_its_files(run_module: RunModule, root: Path) -> None:
    state = run_module("host_state", {"root": str(root), "modules": ["overlay", "br_netfilter", "ip_tables", "ip_vs"]})

    assert not state["changed"]
    assert state["os"]["id"] == "debian"
    assert state["os"]["version"] == "13"
    assert state["memory_mib"] == 1024
    assert state["hostname"] == "k8s-redis"
    assert state["swap"] == ["/dev/vda2"]
    assert state["cgroup"] == {"version": 2}
    assert state["inotify"] == {"max_user_instances": 128, "max_user_watches": 65536}
    assert state["resolver"] == {"nameservers": ["127.0.0.53"], "upstream_file": False}
    assert state["modules"] == {
        "overlay": "built-in",
        "br_netfilter": "available",
        "ip_tables": "built-in",
        "ip_vs": "missing",
    }
    assert state["packages"] == {"kubelet": "1.36.4-1.1"}
    assert state["holds"] == ["kubelet"]
    assert state["containerd"]["cgroup_driver"] == "systemd"


def test_kubeadm_is_told_from_its_traces(run_module: RunModule, root: Path) -> None:
    kubeadm = run_module("host_state", {"root": str(root)})["kubeadm"]

    assert kubeadm["kubelet_conf"]
    assert not kubeadm["admin_conf"]
    assert not kubeadm["etcd_data"]
    assert kubeadm["manifests"] == ["etcd"]
    assert kubeadm["server"] == "https://api.kubernetes.internal:6443"
    assert kubeadm["kubelet_flags"] == 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1"'
    assert kubeadm["kubelet_cgroup_driver"] == "cgroupfs"
    assert kubeadm["kubelet_provider_id"] == "aws:///ap-northeast-2a/i-0a"
    assert len(kubeadm["kubelet_config_digest"]) == 64


def test_an_empty_tree_is_a_bare_machine_and_no_error(run_module: RunModule, tmp_path: Path) -> None:
    state = run_module("host_state", {"root": str(tmp_path)})

    assert not state["failed"]
    assert state["packages"] == {}
    assert state["containerd"]["cgroup_driver"] == ""
    assert not any(state["kubeadm"].values())


def test_this_machine_is_read_for_real(run_module: RunModule) -> None:
    state = run_module("host_state", {})

    assert state["kernel"] == os.uname().release
    assert {"interface": "lo", "address": "127.0.0.1", "prefix": 8} in state["addresses"]
    assert state["cpus"] >= 1
    assert state["memory_mib"] > 100
    for route in state["routes"]:
        ipaddress.ip_network(route["destination"])


class Metadata(http.server.BaseHTTPRequestHandler):
    """AWS' metadata service, as far as it is asked: nothing without a token."""

    document = {"instanceId": "i-0123456789abcdef0", "availabilityZone": "ap-northeast-2a", "accountId": "1"}

    def do_PUT(self) -> None:
        self.answer("the token" if self.path == "/latest/api/token" else "")

    def do_GET(self) -> None:
        known = self.path == "/latest/dynamic/instance-identity/document"
        authorised = self.headers["X-aws-ec2-metadata-token"] == "the token"
        self.answer(json.dumps(self.document) if known and authorised else "")

    def answer(self, text: str) -> None:
        self.send_response(200 if text else 401)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    yield
    server.shutdown()
    server.server_close()


def test_a_machine_of_aws_tells_which_it_is(run_module: RunModule, root: Path, metadata: None) -> None:
    state = run_module("host_state", {"root": str(root), "provider_id": True})

    assert state["cloud"] == {"provider_id": "aws:///ap-northeast-2a/i-0123456789abcdef0", "error": ""}


def test_a_machine_that_cannot_ask_says_why(run_module: RunModule, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")

    cloud = run_module("host_state", {"root": str(root), "provider_id": True})["cloud"]

    assert cloud["provider_id"] == ""
    assert "http://127.0.0.1:1" in cloud["error"]
    assert "refused" in cloud["error"]


def test_nobody_is_asked_unless_told(run_module: RunModule, root: Path, metadata: None) -> None:
    assert run_module("host_state", {"root": str(root)})["cloud"] == {"provider_id": "", "error": ""}
