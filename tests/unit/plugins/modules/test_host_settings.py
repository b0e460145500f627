"""host_settings: what it promises of files, the kernel, /etc/hosts, holds and secrets, on a real tree of files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import MARKER
from ansible_collections.groundwork.kube.plugins.module_utils.lock import LOCK_PATH

RunModule = Callable[..., dict[str, Any]]

DPKG_STATUS = """\
Package: kubelet
Status: install ok installed
Architecture: amd64
Version: 1.36.4-1.1
Maintainer: nobody
Description: agent
 of a node

Package: kubeadm
Status: deinstall ok config-files
Architecture: amd64
Version: 1.36.4-1.1
Maintainer: nobody
Description: gone
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's files: two sysctls, one built-in module, one loaded, a swap line, a host, two packages."""
    root = tmp_path / "root"
    for path, text in {
        "proc/sys/net/ipv4/ip_forward": "0\n",
        "proc/sys/net/ipv4/conf/eth0.5/rp_filter": "2\n",
        "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "proc/filesystems": "nodev\tproc\nnodev\toverlay\n",
        "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n",
        "sys/module/br_netfilter/initstate": "live\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/fstab": "/dev/vda1 / ext4 defaults 0 1\n/swapfile none swap sw 0 0\n# /old none swap sw 0 0\n",
        "var/lib/dpkg/status": DPKG_STATUS,
    }.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "var/lib/dpkg/updates").mkdir()
    return root


@pytest.fixture
def settings(run_module: RunModule, root: Path) -> RunModule:
    def run(check: bool = False, diff: bool = True, **options: Any) -> dict[str, Any]:
        return run_module("host_settings", {"root": str(root), **options}, check=check, diff=diff)

    return run


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (path.read_text(), path.stat().st_mode)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path != root / LOCK_PATH.lstrip("/")
    }


EVERYTHING: dict[str, Any] = {
    "name": "kubernetes",
    "sysctl": {"net.ipv4.ip_forward": 1, "net.ipv4.ip_local_port_range": "32768 60999"},
    "modules": ["overlay", "br_netfilter"],
    "swap": "absent",
    "files": [{"path": "/etc/containerd/config.toml", "content": "version = 3\n", "mode": "0640"}],
    "hosts": {"192.0.2.10": ["api.kubernetes.internal"]},
    "held_packages": ["kubelet"],
}


def test_one_call_brings_everything_to_its_value(settings: RunModule, root: Path) -> None:
    result = settings(**EVERYTHING)

    assert result["changed"], result
    assert (root / "proc/sys/net/ipv4/ip_forward").read_text().strip().startswith("1")
    sysctl = (root / "etc/sysctl.d/90-groundwork-kubernetes.conf").read_text()
    assert sysctl == f"{MARKER}\nnet.ipv4.ip_forward = 1\nnet.ipv4.ip_local_port_range = 32768 60999\n"
    assert (root / "etc/hosts").read_text().splitlines() == [
        "127.0.0.1 localhost",
        "# BEGIN Groundwork",
        "192.0.2.10 api.kubernetes.internal",
        "# END Groundwork",
    ]
    assert "Status: hold ok installed" in (root / "var/lib/dpkg/status").read_text()
    config = root / "etc/containerd/config.toml"
    assert config.read_text() == "version = 3\n"
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o755


def test_a_second_call_changes_nothing(settings: RunModule, root: Path) -> None:
    settings(**EVERYTHING)
    before = snapshot(root)

    result = settings(**EVERYTHING)

    assert not result["changed"], result
    assert result["diff"] == []
    assert snapshot(root) == before


def test_check_mode_tells_what_would_change_and_touches_nothing(settings: RunModule, root: Path) -> None:
    before = snapshot(root)

    planned = settings(check=True, **EVERYTHING)

    assert planned["changed"]
    assert snapshot(root) == before
    assert not (root / LOCK_PATH.lstrip("/")).exists()
    done = settings(**EVERYTHING)
    assert (planned["changed_files"], planned["settings"], planned["diff"]) == (
        done["changed_files"],
        done["settings"],
        done["diff"],
    )


def test_built_in_modules_are_not_asked_for_at_boot(settings: RunModule, root: Path) -> None:
    settings(modules=["overlay", "br_netfilter"])

    assert (root / "etc/modules-load.d/groundwork-host.conf").read_text() == f"{MARKER}\nbr_netfilter\n"


def test_a_module_that_the_kernel_lacks_is_refused_by_name(settings: RunModule) -> None:
    result = settings(modules=["overlay", "ip_vs"])

    assert result["failed"]
    assert "ip_vs" in result["msg"]
    assert "overlay" not in result["msg"]


def test_a_sysctl_that_the_kernel_lacks_is_refused_by_name(settings: RunModule, root: Path) -> None:
    before = snapshot(root)

    result = settings(sysctl={"net.ipv4.ip_foward": 1})

    assert result["failed"]
    assert "net.ipv4.ip_foward" in result["msg"]
    assert snapshot(root) == before


def test_a_sysctl_with_slashes_may_name_an_interface_with_a_dot(settings: RunModule, root: Path) -> None:
    settings(sysctl={"net/ipv4/conf/eth0.5/rp_filter": 0})

    assert (root / "proc/sys/net/ipv4/conf/eth0.5/rp_filter").read_text().startswith("0")


def test_an_image_without_a_kernel_gets_the_files_only(settings: RunModule, root: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir()

    result = settings(root=str(image), sysctl={"net.ipv4.ip_forward": 1}, modules=["overlay"])

    assert result["changed_files"] == [
        "/etc/sysctl.d/90-groundwork-host.conf",
        "/etc/modules-load.d/groundwork-host.conf",
    ]
    assert result["settings"] == []


def test_empty_maps_take_back_what_an_earlier_call_kept(settings: RunModule, root: Path) -> None:
    settings(sysctl={"net.ipv4.ip_forward": 1}, hosts={"192.0.2.1": "a b"})

    result = settings(sysctl={}, hosts={})

    assert result["changed_files"] == ["/etc/sysctl.d/90-groundwork-host.conf", "/etc/hosts"]
    assert (root / "etc/hosts").read_text() == "127.0.0.1 localhost\n"
    assert not (root / "etc/sysctl.d/90-groundwork-host.conf").exists()


def test_lines_that_others_write_into_etc_hosts_stay(settings: RunModule, root: Path) -> None:
    settings(hosts={"192.0.2.1": ["a"]})
    with (root / "etc/hosts").open("a") as file:
        file.write("192.0.2.99 theirs\n")

    settings(hosts={"192.0.2.2": ["b"]})

    assert (root / "etc/hosts").read_text().splitlines() == [
        "127.0.0.1 localhost",
        "# BEGIN Groundwork",
        "192.0.2.2 b",
        "# END Groundwork",
        "192.0.2.99 theirs",
    ]


def test_swap_lines_of_fstab_become_remarks(settings: RunModule, root: Path) -> None:
    result = settings(swap="absent")

    assert result["changed_files"] == ["/etc/fstab"]
    lines = (root / "etc/fstab").read_text().splitlines()
    assert lines[0] == "/dev/vda1 / ext4 defaults 0 1"
    assert lines[1] == "# switched off by Groundwork: /swapfile none swap sw 0 0"
    assert lines[2] == "# /old none swap sw 0 0"
    assert not settings(swap="absent")["changed"]


def test_a_mode_alone_is_mended_and_shown(settings: RunModule, root: Path) -> None:
    file = root / "etc/secret"
    file.write_text("x\n")
    file.chmod(0o644)

    result = settings(files=[{"path": "/etc/secret", "content": "x\n", "mode": "0600"}])

    assert result["changed_files"] == ["/etc/secret"]
    assert result["diff"] == [
        {
            "before_header": "/etc/secret (owner and mode)",
            "after_header": "/etc/secret (owner and mode)",
            "before": "mode: 0644\n",
            "after": "mode: 0600\n",
        }
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_sensitive_file_is_nowhere_in_the_result(settings: RunModule, root: Path) -> None:
    password = "correct-horse-battery-staple"
    files = [
        {"path": "/etc/containerd/conf.d/credentials.toml", "content": password, "mode": "0600", "sensitive": True}
    ]

    for check in (True, False):
        result = settings(check=check, files=files)
        assert result["changed"]
        assert password not in json.dumps(result)
    removed = settings(check=True, files=[{"path": files[0]["path"], "sensitive": True, "state": "absent"}])
    assert removed["changed"]
    assert password not in json.dumps(removed)
    failed = settings(files=files, held_packages=["no-such-package"])
    assert failed["failed"]
    assert password not in json.dumps(failed)
    file = root / "etc/containerd/conf.d/credentials.toml"
    assert file.read_text() == password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_file_reaches_the_nodes_journal(settings: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    journal: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _module, message, **_more: journal.append(str(message)))
    password = "correct-horse-battery-staple"

    settings(files=[{"path": "/etc/x", "content": f"# a file\npassword = '{password}'\n", "sensitive": True}])

    assert any("host_settings" in line or "Invoked" in line for line in journal), "the call itself is logged"
    assert password not in "".join(journal)


def test_a_sensitive_file_that_shall_be_absent_masks_nothing_else(settings: RunModule) -> None:
    files = [
        {"path": "/etc/config", "content": "version = 3\nroot = '/'\n"},
        {"path": "/etc/credentials", "content": "version = 3\n", "sensitive": True, "state": "absent"},
    ]

    assert settings(files=files)["diff"][0]["after"] == "version = 3\nroot = '/'\n"


def test_a_file_that_does_not_pass_its_validation_is_not_written(settings: RunModule, root: Path) -> None:
    result = settings(files=[{"path": "/etc/x", "content": "bad", "validate": "grep -q good %s"}])

    assert result["failed"]
    assert not (root / "etc/x").exists()
    assert settings(files=[{"path": "/etc/x", "content": "good", "validate": "grep -q good %s"}])["changed"]


def test_absent_files_are_removed_once(settings: RunModule, root: Path) -> None:
    (root / "etc/old").write_text("old\n")

    assert settings(files=[{"path": "/etc/old", "state": "absent"}])["changed_files"] == ["/etc/old"]
    assert not (root / "etc/old").exists()
    assert not settings(files=[{"path": "/etc/old", "state": "absent"}])["changed"]


def test_prune_removes_only_what_groundwork_wrote_and_no_longer_wants(settings: RunModule, root: Path) -> None:
    certs = root / "etc/containerd/certs.d"
    for name, text in {"kept": f"{MARKER}\n", "gone": f"{MARKER}\n", "foreign": "server = 'x'\n"}.items():
        (certs / name).mkdir(parents=True)
        (certs / name / "hosts.toml").write_text(text)
    (certs / "gone/hosts.toml").chmod(0o600)

    result = settings(
        files=[{"path": "/etc/containerd/certs.d/kept/hosts.toml", "content": f"{MARKER}\n"}],
        prune=["/etc/containerd/certs.d/*/hosts.toml"],
    )

    assert result["changed_files"] == ["/etc/containerd/certs.d/gone/hosts.toml"]
    assert not (certs / "gone").exists(), "containerd takes an empty directory for a registry without mirrors"
    assert (certs / "foreign/hosts.toml").exists()
    assert result["diff"][0]["before"] == "(sensitive content)\n", "what only root could read is not shown"


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ({"path": "/etc/x", "content": "", "mode": "420"}, "'0644'"),
        ({"path": "etc/x", "content": ""}, "absolute"),
        ({"path": "/etc/x"}, "content"),
        ({"path": "/etc", "content": ""}, "directory"),
    ],
)
def test_a_malformed_file_is_refused(settings: RunModule, file: dict[str, Any], named: str) -> None:
    result = settings(files=[file])

    assert result["failed"]
    assert named in result["msg"]


def test_a_package_to_come_can_be_held_in_check_mode_only(settings: RunModule) -> None:
    planned = settings(check=True, held_packages=["kubeadm"], assume=["packages"])
    assert [setting["name"] for setting in planned["settings"]] == ["kubeadm"]

    assert "kubeadm" in settings(check=True, held_packages=["kubeadm"])["msg"]
    assert settings(held_packages=["kubeadm"], assume=["packages"])["failed"]


HOLD_LOCK = """
import sys, time
from ansible_collections.groundwork.kube.plugins.module_utils.lock import hold
with hold("kubeadm_join", sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
    time.sleep(1)
"""


def test_a_second_run_waits_and_says_who_it_waited_for(settings: RunModule, root: Path) -> None:
    lock = root / LOCK_PATH.lstrip("/")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.stdin.write("go\n")
    holder.stdin.flush()

    result = settings(files=[{"path": "/etc/x", "content": "x\n"}])

    assert holder.wait() == 0
    assert result["changed"]
    said = json.dumps(result["warnings"])
    assert "kubeadm_join" in said
    assert f"process {holder.pid}" in said
