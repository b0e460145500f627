#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_disk
short_description: Mount a disk of its own at a directory
version_added: 0.1.0
description:
  - Formats a blank disk and mounts it for good, by a systemd mount unit.
  - A disk that holds anything is never formatted. A file system is mounted as it is only if it is labelled
    C(groundwork), as those are that this module made.
author: Groundwork founders (@groundwork)
options:
  device:
    description: The block device. A name of C(/dev/disk/by-id) keeps its meaning when disks change places.
    type: path
    required: true
  path:
    description: The directory, which must be empty while the disk is not mounted.
    type: path
    required: true
  filesystem:
    description: The file system to make on a blank disk.
    type: str
    choices: [ext4, xfs]
    default: ext4
  mode:
    description: The mode that the root directory gets when the disk is mounted.
    type: str
    default: "0755"
attributes:
  check_mode:
    support: full
    description: Says what would be done.
  diff_mode:
    support: full
    description: Shows what is done to the disk.
"""

EXAMPLES = r"""
- name: A disk for images and containers
  groundwork.kube.data_disk:
    device: /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789
    path: /var/lib/containerd
"""

RETURN = r"""
actions:
  description: What was done, C(format), C(mount) and C(settle) (the root directory's mode and emptiness), or would be.
  returned: success
  type: list
  elements: str
"""

import os
import stat
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.host_disk import (
    FORMAT,
    LABEL,
    MOUNT,
    Disk,
    RefusedError,
    decide,
    unit_content,
    unit_name,
)
from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import MARKER
from ansible_collections.groundwork.kube.plugins.module_utils.lock import node_lock
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_or_fail, run_program

UNITS = "/etc/systemd/system"
# Where partition tables, file systems and encryption write what makes them known.
HEAD = 2**20
LOST_AND_FOUND = "lost+found"


def probe(module: AnsibleModule, device: str) -> dict[str, str]:
    """What blkid recognises on a device, read afresh from the device itself; nothing when it recognises nothing."""
    blkid = module.get_bin_path("blkid", required=True)
    status, out, err = run_program(module, [blkid, "--probe", "--output", "export", device])
    if status == 2:
        return {}
    if status != 0:
        module.fail_json(
            msg=f"blkid cannot tell what is on {device}: {(err or out).strip() or 'signatures of several kinds'}."
        )
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def observe(module: AnsibleModule, device: str, path: str) -> Disk:
    seen = probe(module, device)
    with open(device, "rb") as file:
        zeroed = not any(file.read(HEAD))
    there = os.path.isdir(path)
    mounted = there and os.stat(path).st_dev == os.stat(device).st_rdev
    return Disk(
        device=device,
        path=path,
        signature=seen.get("TYPE") or (seen.get("PTTYPE") and f"a partition table ({seen['PTTYPE']})") or "",
        label=seen.get("LABEL", ""),
        zeroed=zeroed,
        mounted=mounted,
        settled=is_settled(path),
        covered=os.path.ismount(path) and not mounted,
        occupied=there and bool(set(os.listdir(path)) - {LOST_AND_FOUND}),
    )


def make_filesystem(module: AnsibleModule, device: str, filesystem: str, lock: tuple[int, ...] = ()) -> None:
    mkfs = module.get_bin_path(f"mkfs.{filesystem}")
    if not mkfs:
        package = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}[filesystem]
        module.fail_json(msg=f"This machine has no mkfs.{filesystem} to format {device} with. Install {package}.")
    # Neither is told to force: they look once more themselves whether something is there.
    run_or_fail(module, [mkfs, "-q", "-L", LABEL, device], pass_fds=lock)


def settle(path: str, mode: str) -> None:
    """As empty as a new directory: kubeadm refuses lost+found in etcd's, and e2fsck makes one when it needs it."""
    os.chmod(path, int(mode, 8))
    with suppress(OSError):
        os.rmdir(os.path.join(path, LOST_AND_FOUND))


def is_settled(path: str) -> bool:
    """Whether there is nothing to take away: what e2fsck has found stays."""
    found = os.path.join(path, LOST_AND_FOUND)
    return not os.path.isdir(found) or bool(os.listdir(found))


def mount(module: AnsibleModule, device: str, path: str) -> None:
    seen = probe(module, device)
    unit = unit_name(path)
    os.makedirs(path, mode=0o755, exist_ok=True)
    with open(os.path.join(UNITS, unit), "w", encoding="utf-8") as file:
        file.write(unit_content(MARKER, seen["UUID"], path, seen["TYPE"]))
    os.chmod(file.name, 0o644)
    run_or_fail(module, ["udevadm", "settle"])
    run_or_fail(module, ["systemctl", "daemon-reload"])
    run_or_fail(module, ["systemctl", "enable", "--now", unit])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "filesystem": {"type": "str", "choices": ["ext4", "xfs"], "default": "ext4"},
            "mode": {"type": "str", "default": "0755"},
        },
        supports_check_mode=True,
    )
    device, path = module.params["device"], module.params["path"]
    if not os.path.exists(device) or not stat.S_ISBLK(os.stat(device).st_mode):
        module.fail_json(msg=f"{device} is no block device of this machine. lsblk lists those that are.")
    with node_lock(module, f"data_disk {path}") as lock:
        try:
            actions = decide(observe(module, device, path))
        except RefusedError as error:
            module.fail_json(msg=str(error))
        if actions and not module.check_mode:
            if FORMAT in actions:
                make_filesystem(module, device, module.params["filesystem"], lock)
            if MOUNT in actions:
                mount(module, device, path)
            settle(path, module.params["mode"])
    after = "".join(f"{action} {device}\n" for action in actions)
    module.exit_json(
        changed=bool(actions),
        actions=list(actions),
        diff={"before_header": path, "after_header": path, "before": "", "after": after},
    )


if __name__ == "__main__":
    main()
