"""The files that make a bare root file system a lab's node: one layer for the lab, a few files for each node.

They are written below the overlay before it is mounted, so a node finds them at its first instruction.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.access import USER
from lab.state import NodeSpec

USER_ID = 1000
# Not below /usr: a newer /usr makes systemd do its first-boot updates, on fourteen nodes at once.
INIT = "/opt/groundwork-lab/init"
OWN_PROC = "opt/groundwork-lab/proc"
UPDATED = ("etc/.updated", "var/.updated")
SESSIONS = ("etc/pam.d/common-session", "etc/pam.d/common-session-noninteractive")
REPOSITORY_KEY = "etc/apt/keyrings/groundwork-lab.asc"
# A node that has it has all of its files.
LAST_FILE = "etc/hostname"
KIB_PER_MIB = 1024
# udev would wake for the host's devices, the mounts and modules are the host's too, the timers would reach for the
# internet, nobody sits at a console.
MASKED_UNITS = (
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-varlink.socket",
    "systemd-udev-trigger.service",
    "systemd-udev-settle.service",
    "systemd-pstore.service",
    "modprobe@.service",
    "dev-hugepages.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "fstrim.timer",
    "console-getty.service",
    "getty@tty1.service",
)
# A container's first process, for an instant: what nspawn mounts read-only and a Kubernetes node writes becomes
# writable before systemd starts, so no later step can race with it.
INIT_SCRIPT = f"""#!/bin/sh
set -e
mount --make-rshared /
for directory in /sys /proc/sys /sys/fs/cgroup /sys/fs/cgroup/*/; do
    mount -o remount,bind,rw "$directory" 2>/dev/null || mount -o remount,rw "$directory" 2>/dev/null || true
done
for file in /{OWN_PROC}/*; do
    mount --bind "$file" "/proc/${{file##*/}}"
done
exec /sbin/init
"""
SSH_SERVER = f"""# The lab: {USER} by key, nobody by password, root not at all.
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
"""


@dataclass(frozen=True)
class File:
    """A file of a layer, its path relative to the node's root; `link` makes it a symbolic link."""

    path: str
    content: str = ""
    mode: int = 0o644
    owner: int = 0
    link: str = ""


def lab_files(
    rootfs: Path, *, public_key: str, password_hash: str, host_address: str, repository: str, repository_key: str
) -> list[File]:
    """What every node of a lab has."""

    def shipped(path: str) -> str:
        return (rootfs / path).read_text()

    home = f"home/{USER}"
    return [
        File("etc/passwd", shipped("etc/passwd") + f"{USER}:x:{USER_ID}:{USER_ID}::/{home}:/bin/bash\n"),
        File("etc/group", shipped("etc/group") + f"{USER}:x:{USER_ID}:\n"),
        File("etc/shadow", shipped("etc/shadow") + f"{USER}:{password_hash}:20000:0:99999:7:::\n", 0o640),
        File(f"etc/sudoers.d/{USER}", f"{USER} ALL=(ALL:ALL) ALL\n", 0o440),
        File(f"{home}/.ssh/authorized_keys", public_key, 0o600, USER_ID),
        *(File(path, strict_umask(shipped(path))) for path in SESSIONS),
        File("etc/ssh/sshd_config.d/10-lab.conf", SSH_SERVER),
        File("etc/resolv.conf", f"# Knows no name: a lab node has no internet.\nnameserver {host_address}\n"),
        File(REPOSITORY_KEY, repository_key),
        File("etc/apt/sources.list", f"deb [signed-by=/{REPOSITORY_KEY}] {repository} /\n"),
        File(INIT.lstrip("/"), INIT_SCRIPT, 0o755),
        *(File(stamp) for stamp in UPDATED),
        *(File(f"etc/systemd/system/{unit}", link="/dev/null") for unit in MASKED_UNITS),
    ]


def node_files(lab: str, node: NodeSpec, host_key: Path) -> list[File]:
    """What one node has for itself."""
    return [
        File("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {node.name}\n::1 localhost ip6-localhost ip6-loopback\n"),
        File("etc/machine-id", f"{machine_id(lab, node.name)}\n", 0o444),
        File("etc/ssh/ssh_host_ed25519_key", host_key.read_text(), 0o600),
        File("etc/ssh/ssh_host_ed25519_key.pub", host_key.with_suffix(".pub").read_text()),
        File(f"{OWN_PROC}/meminfo", meminfo(node.memory_mib)),
        File(f"{OWN_PROC}/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
        File(LAST_FILE, f"{node.name}\n"),
    ]


def machine_id(lab: str, node: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{node}.{lab}.groundwork").hex


def meminfo(memory_mib: int) -> str:
    """A /proc/meminfo of a machine this big, no swap; the kernel's own tells of the whole host."""
    total = memory_mib * KIB_PER_MIB
    used = total // 10
    values = {
        "MemTotal": total,
        "MemFree": total - 2 * used,
        "MemAvailable": total - used,
        "Buffers": 0,
        "Cached": used,
        "SwapCached": 0,
        "Active": used,
        "Inactive": used // 2,
        "SwapTotal": 0,
        "SwapFree": 0,
        "Dirty": 0,
        "Shmem": 0,
        "Slab": used // 4,
        "SReclaimable": used // 8,
        "SUnreclaim": used // 8,
    }
    pages = "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n"
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in values.items()) + pages


def strict_umask(session: str) -> str:
    """umask 027 at every login, as hardened machines have it; a user's own group is no reason for 007."""
    without = re.sub(r"(?m)^.*\bpam_umask\.so.*\n", "", session)
    return without + "session optional pam_umask.so umask=027 nousergroups\n"


def write(layer: Path, files: Iterable[File]) -> None:
    layer.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = layer / file.path
        _make_directories(layer, Path(file.path).parent, file.owner)
        target.unlink(missing_ok=True)
        if file.link:
            target.symlink_to(file.link)
            continue
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(file.content)
            os.fchown(handle.fileno(), file.owner, file.owner)
            os.fchmod(handle.fileno(), file.mode)


def _make_directories(layer: Path, relative: Path, owner: int) -> None:
    """Parents as Debian has them; those that are a user's own, as in /home/ops, belong to that user alone."""
    for directory in [*reversed(relative.parents), relative]:
        place = layer / directory
        if not place.exists():
            place.mkdir(mode=0o755)
            if owner and directory != Path("home"):
                os.chown(place, owner, owner)
                place.chmod(0o700)
