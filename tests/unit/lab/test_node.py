"""What a node is given before its first instruction."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from lab import layer, network
from lab.access import known_hosts, ssh_config
from lab.node import nspawn_arguments, overlay_options
from lab.state import Lab, NodeSpec

LAB = Lab("unit")
NODE = NodeSpec("k8s-redis", "10.77.0.22", "t3.micro", 1024)
ROOTFS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\n",
    "etc/pam.d/common-session": "session optional\t\t\tpam_umask.so\n",
    "etc/pam.d/common-session-noninteractive": "session optional\t\t\tpam_umask.so\n",
}


@pytest.fixture
def lab_files(tmp_path: Path) -> dict[str, layer.File]:
    for path, content in ROOTFS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    files = layer.lab_files(
        tmp_path,
        public_key="ssh-ed25519 AAAA ops@unit\n",
        password_hash="$6$salt$hash",
        host_address="10.77.0.1",
        repository="http://10.77.0.1/apt/trixie/debian/",
        repository_key="-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
    )
    return {file.path: file for file in files}


def test_meminfo_is_the_instance_types_with_no_swap() -> None:
    values = dict(re.findall(r"^(\w+):\s+(\d+) kB$", layer.meminfo(1024), re.MULTILINE))
    assert values["MemTotal"] == str(1024 * 1024)
    assert values["SwapTotal"] == "0"
    assert int(values["MemFree"]) < int(values["MemAvailable"]) < int(values["MemTotal"])


def test_machine_ids_are_32_hexadecimal_digits_and_differ() -> None:
    ids = {layer.machine_id(lab, node) for lab in ("one", "other") for node in ("a", "b")}
    assert len(ids) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", identity) for identity in ids)


def test_the_user_has_a_key_and_a_password_only_for_sudo(lab_files: dict[str, layer.File]) -> None:
    assert lab_files["etc/passwd"].content.startswith(ROOTFS["etc/passwd"])
    assert lab_files["etc/passwd"].content.endswith("ops:x:1000:1000::/home/ops:/bin/bash\n")
    assert "ops:$6$salt$hash:" in lab_files["etc/shadow"].content
    assert lab_files["etc/shadow"].mode == 0o640
    assert "NOPASSWD" not in lab_files["etc/sudoers.d/ops"].content
    for refusal in ("PasswordAuthentication no", "PermitRootLogin no"):
        assert refusal in lab_files["etc/ssh/sshd_config.d/10-lab.conf"].content


def test_every_session_has_umask_027(lab_files: dict[str, layer.File]) -> None:
    for path in layer.SESSIONS:
        assert lab_files[path].content.endswith("pam_umask.so umask=027 nousergroups\n")


def test_resolv_conf_is_no_loop_for_coredns(lab_files: dict[str, layer.File]) -> None:
    assert "nameserver 10.77.0.1\n" in lab_files["etc/resolv.conf"].content


def test_packages_come_only_from_the_mirror_and_signed(lab_files: dict[str, layer.File]) -> None:
    source = "deb [signed-by=/etc/apt/keyrings/groundwork-lab.asc] http://10.77.0.1/apt/trixie/debian/ /\n"
    assert lab_files["etc/apt/sources.list"].content == source
    assert lab_files["etc/apt/keyrings/groundwork-lab.asc"].mode == 0o644


def test_a_layer_is_written_with_modes_and_links_and_again(tmp_path: Path) -> None:
    files = [layer.File("etc/secret", "s", 0o600), layer.File("etc/systemd/unit", link="/dev/null")]
    for _ in range(2):
        layer.write(tmp_path, files)
    assert stat.S_IMODE((tmp_path / "etc/secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "etc").stat().st_mode) == 0o755
    assert (tmp_path / "etc/systemd/unit").readlink() == Path("/dev/null")


def test_node_files_are_not_below_usr() -> None:
    """A /usr newer than /etc/.updated would make systemd do its first-boot updates on every boot."""
    assert layer.INIT.startswith("/opt/")
    assert layer.OWN_PROC.startswith("opt/")


def test_nspawn_boots_the_node_in_its_own_network_and_directories() -> None:
    arguments = [str(argument) for argument in nspawn_arguments(LAB, NODE)]
    assert "--network-namespace-path=/run/netns/gw-unit-k8s-redis" in arguments
    assert "--machine=gw-unit-k8s-redis" in arguments
    assert "--hostname=k8s-redis" in arguments
    assert f"--bind={LAB.node_data('k8s-redis')}/containerd:/var/lib/containerd" in arguments
    assert arguments[-1] == layer.INIT
    assert not any("noexec" in argument for argument in arguments)


def test_a_hardened_node_has_tmp_without_execution() -> None:
    hardened = NodeSpec("k8s-worker-ai", "10.77.0.20", "t3.small", 2048, noexec_tmp=True)
    assert "--tmpfs=/tmp:mode=1777,nosuid,nodev,noexec" in nspawn_arguments(LAB, hardened)


def test_the_labs_layer_lies_above_the_root_file_system() -> None:
    options = overlay_options([Path("/layer"), Path("/rootfs")], Path("/node"))
    assert options == "lowerdir=/layer:/rootfs,upperdir=/node/upper,workdir=/node/work"


def test_a_hardware_address_is_the_nodes_for_life_and_no_vendors() -> None:
    assert network.hardware_address("10.77.0.22") == "02:47:0a:4d:00:16"


def test_a_link_joins_the_bridge_and_the_nodes_namespace() -> None:
    commands = network.link_commands(LAB, NODE)
    assert commands[0] == "netns add gw-unit-k8s-redis"
    assert commands[1].endswith("address 02:47:0a:4d:00:16 netns gw-unit-k8s-redis")
    assert commands[2] == f"link set {LAB.link('k8s-redis')} master gw-unit up"
    assert network.inside_commands(NODE, "10.77.0.1")[-1] == "route add default via 10.77.0.1"


def test_known_hosts_knows_a_node_by_name_and_address() -> None:
    assert known_hosts([NODE], {"k8s-redis": "ssh-ed25519 AAAA k8s-redis\n"}) == (
        "k8s-redis,10.77.0.22 ssh-ed25519 AAAA\n"
    )


def test_ssh_uses_only_the_labs_own_files() -> None:
    configuration = ssh_config(LAB, [NODE])
    assert "Host k8s-redis\n  HostName 10.77.0.22\n" in configuration
    assert f'UserKnownHostsFile "{LAB.state}/known_hosts"' in configuration
    for setting in ("StrictHostKeyChecking yes", "IdentitiesOnly yes", "GlobalKnownHostsFile /dev/null"):
        assert setting in configuration
