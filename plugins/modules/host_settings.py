#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_settings
short_description: Sysctls, kernel modules, swap, files, host names and package holds in one round trip
version_added: 0.1.0
description:
  - Brings everything that a role wants to be set on a machine to its value in a single call.
  - It touches only what it is told about. Sysctls and kernel modules are kept in files of its own, named after O(name);
    in C(/etc/hosts) it owns the lines between its markers.
  - Files are replaced atomically, and with the right mode from their first moment.
  - It holds the node's lock (C(/run/groundwork.lock)) while it changes something, so that two runs never mix.
author: Groundwork founders (@groundwork)
options:
  name:
    description:
      - Names the files that keep the sysctls and kernel modules, C(/etc/sysctl.d/90-groundwork-NAME.conf) and
        C(/etc/modules-load.d/groundwork-NAME.conf). Two callers with different settings use two names.
    type: str
    default: host
  sysctl:
    description:
      - Kernel parameters and their values, now and after a reboot.
      - An empty map removes what an earlier call of the same O(name) kept in its file. The running values stay.
    type: dict
  modules:
    description:
      - Kernel modules to load, now and after a reboot. One that is built into the kernel counts as loaded.
    type: list
    elements: str
  swap:
    description:
      - With V(absent), swapping stops and the swap lines of C(/etc/fstab) become remarks.
      - With V(ignore), nothing is done about swap.
    type: str
    choices: [absent, ignore]
    default: ignore
  files:
    description: Files with their whole content.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file is. Missing parents are made, with mode 0755.
        type: path
        required: true
      content:
        description: Its whole content. Required unless O(files[].state=absent).
        type: str
      mode:
        description: Its mode, in octal with a leading zero.
        type: str
        default: "0644"
      owner:
        description: Its owner. Left alone when not given.
        type: str
      group:
        description: Its group. Left alone when not given.
        type: str
      validate:
        description: A command that has to succeed before the file is put in place; C(%s) stands for the new file.
        type: str
      sensitive:
        description: Keeps the content out of diffs, results and logs.
        type: bool
        default: false
      state:
        description: Whether the file shall exist.
        type: str
        choices: [present, absent]
        default: present
  prune:
    description:
      - Patterns of files. One that matches and is not in O(files) is removed, if its first line says that
        Groundwork wrote it, and with it a directory that a wildcard stands for and that is empty then.
    type: list
    elements: str
    default: []
  hosts:
    description:
      - Addresses and their names for C(/etc/hosts). An empty map removes the block.
    type: dict
  held_packages:
    description: Packages that an upgrade of the machine must not touch. No hold is ever taken away.
    type: list
    elements: str
    default: []
  assume:
    description:
      - What earlier phases of this run would have made, for check mode.
      - With V(packages), a package that is not installed yet can be held.
    type: list
    elements: str
    default: []
  root:
    description:
      - The tree to work on. One without C(/proc/sys) is an image and gets the files only.
    type: path
    default: /
attributes:
  check_mode:
    support: full
    description: Says what would change and changes nothing.
  diff_mode:
    support: full
    description: Shows each file and each running setting, sensitive content masked.
"""

EXAMPLES = r"""
- name: Make the machine fit for a kubelet
  groundwork.kube.host_settings:
    name: kubernetes
    modules: [overlay, br_netfilter]
    sysctl:
      net.ipv4.ip_forward: 1
    swap: absent
    hosts:
      192.0.2.10: [api.kubernetes.internal]
    files:
      - path: /etc/default/kubelet
        content: "KUBELET_EXTRA_ARGS=--node-ip=192.0.2.11\n"
    held_packages: [kubelet, kubeadm, kubectl]
"""

RETURN = r"""
changed_files:
  description: Paths of the files that were written, removed, or given another owner or mode.
  returned: always
  type: list
  elements: str
  sample: [/etc/sysctl.d/90-groundwork-kubernetes.conf]
settings:
  description: The running settings that were changed.
  returned: always
  type: list
  elements: dict
  sample: [{kind: sysctl, name: net.ipv4.ip_forward, before: "0", after: "1"}]
"""

import fnmatch
import glob
import grp
import os
import pwd
import re
import shlex
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import host_kernel, host_plan
from ansible_collections.groundwork.kube.plugins.module_utils.host_packages import DPKG, installed_packages
from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import FileChange, SeenFile, Setting, WantedFile
from ansible_collections.groundwork.kube.plugins.module_utils.host_root import Root
from ansible_collections.groundwork.kube.plugins.module_utils.lock import LOCK_PATH, node_lock
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_or_fail, run_program

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "default": "host"},
    "sysctl": {"type": "dict"},
    "modules": {"type": "list", "elements": "str"},
    "swap": {"type": "str", "choices": ["absent", "ignore"], "default": "ignore"},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": True,
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str"},
            "mode": {"type": "str", "default": "0644"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "validate": {"type": "str"},
            "sensitive": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        "required_if": [("state", "present", ["content"])],
    },
    "prune": {"type": "list", "elements": "str", "default": []},
    "hosts": {"type": "dict"},
    "held_packages": {"type": "list", "elements": "str", "default": []},
    "assume": {"type": "list", "elements": "str", "default": []},
    "root": {"type": "path", "default": "/"},
}


class HostSettings:
    """Observes a machine, plans by M(host_plan), then acts."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wanted: dict[str, Any] = module.params
        self.root = Root(self.wanted["root"])
        self.has_kernel = self.root.exists("/proc/sys")
        self.lock: tuple[int, ...] = ()

    # What is wanted

    def wanted_files(self) -> list[WantedFile]:
        files = [self._wanted_file(file) for file in self.wanted["files"]]
        paths = [file.path for file in files]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            self.module.fail_json(msg=f"files: {', '.join(twice)} is given more than once. Give each path once.")
        return files + self._pruned_files(set(paths)) + self._own_files()

    def _wanted_file(self, file: dict[str, Any]) -> WantedFile:
        path: str = file["path"]
        if not path.startswith("/"):
            self.module.fail_json(msg=f"files: {path} is not an absolute path.")
        if not re.fullmatch(r"0[0-7]{3}", file["mode"]):
            self.module.fail_json(
                msg=f"files: mode {file['mode']} of {path} is not octal. Write it in quotes, as in '0644'."
            )
        if file["state"] == "absent":
            return WantedFile(path, None, sensitive=file["sensitive"])
        return WantedFile(
            path,
            file["content"],
            int(file["mode"], 8),
            file["owner"],
            file["group"],
            file["validate"],
            file["sensitive"],
        )

    def _pruned_files(self, keep: set[str]) -> list[WantedFile]:
        found = {
            path[len(self.root.prefix) :]
            for pattern in self.wanted["prune"]
            for path in glob.glob(self.root.path(pattern))
        }
        return [
            WantedFile(path, None, sensitive=self._is_private(path))
            for path in sorted(found - keep)
            if host_plan.is_ours(self.root.text(path))
        ]

    def _is_private(self, path: str) -> bool:
        return not os.stat(self.root.path(path)).st_mode & stat.S_IROTH

    def _own_files(self) -> list[WantedFile]:
        """The files behind the other options."""
        name = self.wanted["name"]
        files = []
        if self.wanted["sysctl"] is not None:
            content = host_plan.sysctl_content(self._sysctl())
            files.append(WantedFile(f"/etc/sysctl.d/90-groundwork-{name}.conf", content, 0o644))
        if self.wanted["modules"] is not None:
            loadable = [one for one, state in self._module_states().items() if state != host_kernel.BUILT_IN]
            content = host_plan.modules_content(loadable)
            files.append(WantedFile(f"/etc/modules-load.d/groundwork-{name}.conf", content, 0o644))
        if self.wanted["hosts"] is not None:
            addresses = {address: _as_list(names) for address, names in self.wanted["hosts"].items()}
            content = host_plan.hosts_content(self.root.text("/etc/hosts") or "", addresses)
            files.append(WantedFile("/etc/hosts", content))
        fstab = self.root.text("/etc/fstab")
        if self.wanted["swap"] == "absent" and fstab is not None:
            files.append(WantedFile("/etc/fstab", host_plan.fstab_without_swap(fstab)))
        return files

    def _sysctl(self) -> dict[str, str]:
        return {name: " ".join(_as_text(value).split()) for name, value in self.wanted["sysctl"].items()}

    def _module_states(self) -> dict[str, str]:
        return {name: host_kernel.module_state(self.root, name) for name in self.wanted["modules"]}

    # What is there

    def seen_file(self, path: str) -> SeenFile:
        place = self.root.path(path)
        if os.path.isdir(place):
            self.module.fail_json(msg=f"{path} is a directory, and a file is wanted there. Move it away.")
        content = self.root.text(path)
        if content is None:
            return SeenFile()
        status = os.stat(place)
        return SeenFile(content, stat.S_IMODE(status.st_mode), _user(status.st_uid), _group(status.st_gid))

    # The plan

    def plan_settings(self) -> list[Setting]:
        modules = self._plan_modules()
        return modules + self._plan_sysctl(bool(modules)) + self._plan_swap() + self._plan_holds()

    def _plan_modules(self) -> list[Setting]:
        if not self.has_kernel or self.wanted["modules"] is None:
            return []
        states = self._module_states()
        missing = sorted(name for name, state in states.items() if state == host_kernel.MISSING)
        if missing:
            self.module.fail_json(
                msg=f"modules: this kernel has no {', '.join(missing)}, neither built in nor as a module. "
                "Install the kernel's modules package (linux-image-*, linux-modules-extra-*) and reboot into it."
            )
        seen = {name: "loaded" for name, state in states.items() if state != host_kernel.AVAILABLE}
        return host_plan.plan_settings("kernel module", dict.fromkeys(states, "loaded"), seen)

    def _plan_sysctl(self, modules_to_come: bool) -> list[Setting]:
        if not self.has_kernel or self.wanted["sysctl"] is None:
            return []
        wanted = self._sysctl()
        values = {name: host_kernel.parameter(self.root, name) for name in wanted}
        seen = {name: value for name, value in values.items() if value is not None}
        unknown = sorted(set(wanted) - set(seen))
        if unknown and not modules_to_come:
            self.module.fail_json(
                msg=f"sysctl: this kernel has no {', '.join(unknown)}. "
                "A parameter of net.bridge needs the kernel module br_netfilter; any other may be misspelt."
            )
        return host_plan.plan_settings("sysctl", wanted, seen)

    def _plan_swap(self) -> list[Setting]:
        if self.wanted["swap"] != "absent":
            return []
        devices = host_kernel.swaps(self.root)
        return host_plan.plan_settings("swap", dict.fromkeys(devices, "off"), dict.fromkeys(devices, "on"))

    def _plan_holds(self) -> list[Setting]:
        names = self.wanted["held_packages"]
        installed = installed_packages(self.root, names)
        missing = [name for name in names if name not in installed]
        if missing and not (self.module.check_mode and "packages" in self.wanted["assume"]):
            self.module.fail_json(
                msg=f"held_packages: {', '.join(missing)} is not installed, so it cannot be held. Install it first."
            )
        seen = {name: "hold" if package.held else "install" for name, package in installed.items()}
        return host_plan.plan_settings("package", dict.fromkeys(names, "hold"), seen)

    # The acts

    def write(self, change: FileChange) -> None:
        wanted = change.wanted
        place = self.root.path(wanted.path)
        if wanted.content is None:
            os.unlink(place)
            self._remove_emptied(os.path.dirname(wanted.path))
            return
        _make_parents(place)
        if change.seen.content is not None:
            # Before the content: what is secret must not pass through a file that was readable.
            self._set_attributes(place, wanted)
        if change.rewrites:
            self._replace(place, wanted)
            self._set_attributes(place, wanted, new=change.seen.content is None)

    def _remove_emptied(self, directory: str) -> None:
        """What a pattern knows by wildcard goes with its file: to containerd an empty directory is a registry, too."""
        patterns = [os.path.dirname(pattern) for pattern in self.wanted["prune"]]
        known = any(glob.has_magic(pattern) and fnmatch.fnmatchcase(directory, pattern) for pattern in patterns)
        if known and not os.listdir(self.root.path(directory)):
            os.rmdir(self.root.path(directory))

    def _replace(self, place: str, wanted: WantedFile) -> None:
        descriptor, new = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(wanted.content or "")
        if wanted.validate:
            status, out, err = run_program(self.module, shlex.split(wanted.validate.replace("%s", new)))
            if status != 0:
                os.unlink(new)
                self.module.fail_json(
                    msg=f"{wanted.path} was not written, because it is not valid: {(err or out).strip()}"
                )
        self.module.atomic_move(new, place)

    def _set_attributes(self, place: str, wanted: WantedFile, new: bool = False) -> None:
        if wanted.owner or wanted.group:
            user = pwd.getpwnam(wanted.owner).pw_uid if wanted.owner else -1
            group = grp.getgrnam(wanted.group).gr_gid if wanted.group else -1
            os.chown(place, user, group)
        mode = wanted.mode if wanted.mode is not None else (0o644 if new else None)
        if mode is not None:
            os.chmod(place, mode)

    def apply(self, setting: Setting) -> None:
        if setting.kind == "kernel module":
            self._run(["modprobe", setting.name])
        elif setting.kind == "sysctl":
            self._write_parameter(setting)
        elif setting.kind == "swap":
            self._run(["swapoff", setting.name])
        else:
            admindir = self.root.path(DPKG)
            self._run(["dpkg", f"--admindir={admindir}", "--set-selections"], f"{setting.name} {setting.after}\n")

    def _write_parameter(self, setting: Setting) -> None:
        try:
            with open(self.root.path(host_kernel.parameter_path(setting.name)), "r+", encoding="utf-8") as file:
                file.write(setting.after + "\n")
        except OSError as error:
            self.module.fail_json(
                msg=f"sysctl: {setting.name} cannot be set to {setting.after}: {error.strerror}. "
                "Either the kernel does not take this value, or /proc/sys is read-only here (a container)."
            )

    def _run(self, command: list[str], data: str = "") -> None:
        run_or_fail(self.module, command, data, self.lock)

    def run(self) -> None:
        with node_lock(self.module, f"host_settings {self.wanted['name']}", self.root.path(LOCK_PATH)) as self.lock:
            wanted = self.wanted_files()
            files = host_plan.plan_files(wanted, {file.path: self.seen_file(file.path) for file in wanted})
            settings = self.plan_settings()
            if not self.module.check_mode:
                for change in files:
                    self.write(change)
                for setting in settings:
                    self.apply(setting)
        diffs = [diff for change in files for diff in host_plan.file_diffs(change)] + host_plan.setting_diffs(settings)
        self.module.exit_json(
            changed=bool(files or settings),
            changed_files=[change.wanted.path for change in files],
            settings=[vars(setting) for setting in settings],
            diff=diffs,
        )


def _as_list(names: Any) -> list[str]:
    return names.split() if isinstance(names, str) else list(names)


def _as_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _make_parents(path: str) -> None:
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make_parents(parent)
        os.mkdir(parent)
        os.chmod(parent, 0o755)  # noqa: S103 - whatever the umask, as every package makes them


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    # Nothing of the files went into the node's journal; in the result and its diff only what is sensitive is hidden.
    module.no_log_values = {
        file["content"] for file in module.params["files"] if file["sensitive"] and file["state"] == "present"
    }
    # A new file must not be readable for a moment, whatever umask the login brings.
    login_umask = os.umask(0o077)
    try:
        HostSettings(module).run()
    finally:
        os.umask(login_umask)


if __name__ == "__main__":
    main()
