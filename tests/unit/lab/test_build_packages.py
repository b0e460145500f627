"""The lab's Debian packages and repositories are what pkgs.k8s.io's are."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.apt import Signer, publish, release_text
from lab.artifacts import LAB, load_versions
from lab.packages import Package, pack, packages
from lab.progress import Log

BY_NAME = {package.name: package for package in packages(load_versions())}
# Deeper than the path of a socket can be.
DEEP = "cache" * 20


def test_packages_are_versioned_and_placed_as_upstream() -> None:
    kubelet = BY_NAME["kubelet"]
    assert kubelet.version == f"{load_versions().kubernetes}-1.1"
    assert kubelet.repository == "kubernetes/v1.36"


def test_control_text_names_relations_only_where_there_are_some() -> None:
    assert BY_NAME["kubelet"].control("amd64") == (
        "Package: kubelet\n"
        f"Version: {load_versions().kubernetes}-1.1\n"
        "Architecture: amd64\n"
        "Maintainer: Groundwork lab <lab@groundwork.invalid>\n"
        "Section: net\n"
        "Priority: optional\n"
        "Depends: kubernetes-cni (>= 1.2.0), mount, util-linux\n"
        "Recommends: iptables (>= 1.8.4)\n"
        "Description: Node agent for Kubernetes clusters\n"
    )
    assert "Depends" not in BY_NAME["kubectl"].control("amd64")


def test_kubelet_keeps_what_the_administrator_wrote() -> None:
    assert BY_NAME["kubelet"].configuration_files == ("/etc/default/kubelet",)
    assert "EnvironmentFile=-/etc/default/kubelet" in (LAB / "files/10-kubeadm.conf").read_text()


def test_kubeadm_brings_the_drop_in_that_starts_kubelet_with_its_configuration() -> None:
    assert "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf" in BY_NAME["kubeadm"].files


def test_kubelet_is_enabled_but_not_started() -> None:
    script = BY_NAME["kubelet"].scripts["postinst"]
    assert "deb-systemd-helper enable kubelet.service" in script
    assert "restart" not in script
    assert "restart containerd.service" in BY_NAME["containerd"].scripts["postinst"]


@pytest.mark.parametrize("package", BY_NAME.values(), ids=BY_NAME)
def test_maintainer_scripts_are_shell(package: Package) -> None:
    for script in package.scripts.values():
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("package", BY_NAME.values(), ids=BY_NAME)
def test_every_file_of_a_package_has_a_source(package: Package) -> None:
    names = [source.removeprefix("file:") for source in package.files.values() if source.startswith("file:")]
    assert all((LAB / "files" / name).is_file() for name in names)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    package = Package(
        name="tool",
        version="1-1",
        description="A tool",
        repository="tools",
        files={"usr/bin/tool": "binary:tool", "etc/default/tool": "file:kubelet.default"},
        configuration_files=("/etc/default/tool",),
        directories=("var/lib/tool",),
    )
    directory = tmp_path / "apt"
    pack(package, "amd64", lambda name: tmp_path / name, tmp_path / "workshop", directory, Log(tmp_path / "log"))
    publish(directory, Signer(tmp_path / DEEP / "signing"), "Test", "amd64")
    return directory


def test_a_package_is_uncompressed_and_owned_by_root(repository: Path) -> None:
    deb = repository / "tool_1-1_amd64.deb"
    members = subprocess.run(["ar", "t", deb], capture_output=True, text=True, check=True).stdout.split()
    assert "data.tar" in members
    listing = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
    assert all(line.split()[1] == "root/root" for line in listing.splitlines())
    assert "-rwxr-xr-x" in next(line for line in listing.splitlines() if line.endswith("usr/bin/tool"))
    assert "./var/lib/tool/" in listing


def test_the_index_has_each_package_with_its_checksum(repository: Path) -> None:
    checksum = hashlib.sha256((repository / "tool_1-1_amd64.deb").read_bytes()).hexdigest()
    index = (repository / "Packages").read_text()
    assert "Package: tool\n" in index
    assert f"Filename: ./tool_1-1_amd64.deb\nSize: {(repository / 'tool_1-1_amd64.deb').stat().st_size}\n" in index
    assert f"SHA256: {checksum}\n" in index


def test_the_published_key_verifies_the_release(repository: Path, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.gpg"
    subprocess.run(["gpg", "--dearmor", "--output", keyring, repository / "Release.key"], check=True)
    subprocess.run(["gpgv", "--keyring", keyring, repository / "InRelease"], check=True)


def test_the_signing_key_is_for_its_owner_alone(repository: Path, tmp_path: Path) -> None:
    assert (tmp_path / DEEP / "signing").stat().st_mode & 0o777 == 0o700


def test_a_release_lists_its_indexes() -> None:
    text = release_text("Lab", "arm64", datetime(2026, 11, 21, tzinfo=UTC), {"Packages": b"x"})
    assert text == (
        "Origin: Lab\n"
        "Label: Lab\n"
        "Architectures: arm64\n"
        "Date: Sat, 21 Nov 2026 00:00:00 GMT\n"
        "SHA256:\n"
        f" {hashlib.sha256(b'x').hexdigest()} 1 Packages\n"
    )
