"""What Debian itself serves: a node's root file system, and the packages that Kubernetes asks of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError
from lab.progress import Log

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# What a cloud provider's Debian image has and minbase lacks. No container runtime, nothing of Kubernetes.
ROOTFS_PACKAGES = (
    "ca-certificates",
    "dbus",
    "gpg",
    "gpgv",
    "iproute2",
    "iputils-ping",
    "kmod",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
)
# What nodes install from the mirror, with all that it depends on: what the container runtime, Kubernetes and the API's
# shared address need.
NODE_PACKAGES = (
    "chrony",
    "conntrack",
    "ethtool",
    "haproxy",
    "ipset",
    "iptables",
    "keepalived",
    "nftables",
    "runc",
    "socat",
)
UNREAD = ("usr/share/doc", "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/man")
# Each machine's own, or the building machine's.
NOT_SHARED = (
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/ssh/ssh_host_*_key*",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/lib/apt/lists/*Packages*",
    "var/lib/apt/lists/*Release*",
    "var/lib/dbus/machine-id",
    "var/log/*.log",
)


def nearby_archive() -> list[str]:
    """The Debian archive that this machine's apt uses; where it uses none, debootstrap knows one."""
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]
    targets = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for target in targets.splitlines():
        label, _, uri = target.partition(" ")
        if label == "Debian":
            return [uri.rstrip("/")]
    return []


def make_rootfs(suite: str, architecture: str, directory: Path, log: Log) -> str:
    """A node's root file system, made in namespaces: nothing stays mounted and nobody runs on, however this ends.

    Returns the archive it was made from.
    """
    if not KEYRING.exists():
        raise LabError(f"{KEYRING} is needed to verify Debian; type: apt-get install debian-archive-keyring")
    log.run(
        [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "debootstrap",
            "--variant=minbase",
            f"--arch={architecture}",
            f"--keyring={KEYRING}",
            f"--include={','.join(ROOTFS_PACKAGES)}",
            suite,
            directory,
            *nearby_archive(),
        ],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    archive = (directory / "etc/apt/sources.list").read_text().split()[1]
    leave_out_documentation(directory)
    for pattern in NOT_SHARED:
        for path in directory.glob(pattern):
            path.unlink()
    (directory / "etc/machine-id").touch()
    return archive


def leave_out_documentation(rootfs: Path) -> None:
    """Now, and from whatever is installed later."""
    for unread in UNREAD:
        shutil.rmtree(rootfs / unread)
        (rootfs / unread).mkdir()
    rules = "".join(f"path-exclude=/{unread}/*\n" for unread in UNREAD)
    (rootfs / "etc/dpkg/dpkg.cfg.d/no-documentation").write_text(rules)


def download_node_packages(archive: str, suite: str, rootfs: Path, directory: Path, log: Log) -> None:
    """NODE_PACKAGES and what the root file system lacks of their dependencies, verified by apt."""
    source = f"deb [signed-by={KEYRING}] {archive} {suite} main\n"
    apt = PrivateApt(directory.with_name("apt"), source, rootfs / "var/lib/dpkg/status")
    apt.download(NODE_PACKAGES, directory, log)
    apt.remove()


class PrivateApt:
    """This machine's apt with other sources and another machine's state."""

    def __init__(self, directory: Path, source: str, status: Path) -> None:
        self.directory = directory
        for needed in ("lists/partial", "cache/archives/partial"):
            (directory / needed).mkdir(parents=True)
        (directory / "sources.list").write_text(source)
        settings = {
            "APT::Sandbox::User": "root",
            "Dir::Cache": f"{directory}/cache",
            "Dir::Etc::PreferencesParts": "-",
            "Dir::Etc::SourceList": f"{directory}/sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": f"{directory}/lists",
            "Dir::State::Status": str(status),
        }
        self._command = ["apt-get", "--assume-yes", *(f"--option={name}={value}" for name, value in settings.items())]

    def download(self, packages: Sequence[str], directory: Path, log: Log) -> None:
        log.run([*self._command, "update"])
        log.run([*self._command, "install", "--download-only", "--no-install-recommends", *packages])
        directory.mkdir()
        for deb in (self.directory / "cache/archives").glob("*.deb"):
            # apt writes an epoch's colon as %3a, which a web server would decode.
            deb.rename(directory / deb.name.replace("%3a", "_"))

    def remove(self) -> None:
        shutil.rmtree(self.directory)
