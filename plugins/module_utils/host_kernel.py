# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel of a machine is set to: modules, parameters, swap, read from /proc and /sys."""

from __future__ import annotations

from ansible_collections.groundwork.kube.plugins.module_utils.host_root import Root

BUILT_IN = "built-in"
LOADED = "loaded"
AVAILABLE = "available"
MISSING = "missing"


def _is_built_in_feature(root: Root, name: str) -> bool:
    """A kernel without /lib/modules (a container's view, a monolithic kernel) shows a feature only by what it does."""
    if name == "br_netfilter":
        return root.exists("/proc/sys/net/bridge")
    return any(line.split()[-1] == name for line in root.lines("/proc/filesystems") if line.split())


def _module_name(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_")


def module_state(root: Root, name: str) -> str:
    """Say whether a kernel module is built-in, loaded, available to be loaded, or missing."""
    name = name.replace("-", "_")
    if root.exists(f"/sys/module/{name}"):
        return LOADED if root.exists(f"/sys/module/{name}/initstate") else BUILT_IN
    if _is_built_in_feature(root, name):
        return BUILT_IN
    modules = "/lib/modules/" + (root.text("/proc/sys/kernel/osrelease") or "").strip()
    if name in (_module_name(line) for line in root.lines(f"{modules}/modules.builtin")):
        return BUILT_IN
    if name in (_module_name(line.split(":", 1)[0]) for line in root.lines(f"{modules}/modules.dep")):
        return AVAILABLE
    return MISSING


def parameter_path(name: str) -> str:
    """Where a sysctl lives. As in sysctl.d(5): when a slash comes first, dots are part of names."""
    first = next((character for character in name if character in "./"), ".")
    return "/proc/sys/" + (name if first == "/" else name.translate(str.maketrans("./", "/.")))


def parameter(root: Root, name: str) -> str | None:
    """The running value of a sysctl with its whitespace made single, None where this kernel has no such parameter."""
    text = root.text(parameter_path(name))
    return None if text is None else " ".join(text.split())


def swaps(root: Root) -> list[str]:
    """The devices and files swapped to."""
    return [line.split()[0] for line in root.lines("/proc/swaps")[1:] if line.split()]
