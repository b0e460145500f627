# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Kubernetes, and which of them may stand beside which: its version skew policy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# How many minor versions a kubelet may be older than the API servers it talks to.
KUBELET_MAY_TRAIL = 3


class Version(NamedTuple):
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def release(self) -> str:
        """Such as 1.36: what packages are served by."""
        return f"{self.major}.{self.minor}"

    def minors_since(self, other: Version) -> int:
        """Another major version is farther away than any minor."""
        return 1000 * (self.major - other.major) + self.minor - other.minor


def parse(text: str) -> Version:
    """Of ``v1.36.4``, ``1.36.4``, a package's ``1.36.4-1.1``, or the tag of an image."""
    found = re.fullmatch(r"(?:\d+:)?v?(\d+)\.(\d+)\.(\d+)(?:[-+~].*)?", text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a version such as 1.36.4")
    return Version(*(int(number) for number in found.groups()))


def step_refusal(current: Version, wanted: Version) -> str | None:
    """Why kubeadm cannot take a cluster from one version to the other, with the remedy; None if it can."""
    step = wanted.minors_since(current)
    if wanted < current:
        return (
            f"the cluster has {current} and kubeadm_version says {wanted}, and kubeadm never goes back: "
            f"set kubeadm_version to {current} or newer"
        )
    if step > 1:
        return (
            f"the cluster has {current} and kubeadm_version says {wanted}, and kubeadm goes one minor version at a "
            f"time: set kubeadm_version to a version of {current.major}.{current.minor + 1} first"
        )
    return None


def skew_refusals(
    wanted: Version, kubelets: Mapping[str, Version], api_servers: Mapping[str, Version]
) -> Iterator[str]:
    """What other nodes run that an API server of the wanted version could not stand beside."""
    for name, version in sorted(kubelets.items()):
        if version > wanted and version.minor != wanted.minor:
            yield f"the kubelet of {name} has {version}: set kubeadm_version to a version of {version.release} or newer"
        elif wanted.minors_since(version) > KUBELET_MAY_TRAIL:
            yield (
                f"the kubelet of {name} has {version}, and an API server of {wanted.release} serves none older than "
                f"{wanted.major}.{wanted.minor - KUBELET_MAY_TRAIL}: upgrade that kubelet first, or remove the node"
            )
    for name, version in sorted(api_servers.items()):
        if wanted.minors_since(version) > 1:
            yield (
                f"the API server of {name} still has {version}: finish the upgrade to "
                f"{version.major}.{version.minor + 1} there first, with kubeadm_version set to a version of it"
            )


def strangers(installed: Mapping[str, str], wanted: str) -> Iterator[str]:
    """A sentence for each other version than the inventory wants that members of a cluster have."""
    target = parse(wanted)
    members: dict[Version, list[str]] = {}
    for name, version in installed.items():
        # Without one it is from no package; its control plane says what it has.
        if version and parse(version) != target:
            members.setdefault(parse(version), []).append(name)
    for found, names in members.items():
        remedy = f"set kubeadm_version to {found}, or newer: Kubernetes never goes back"
        if found < target:
            remedy = "ansible-playbook playbooks/upgrade.yml takes the cluster there"
        yield f"{', '.join(names)}: {found} is installed and kubeadm_version says {target}: {remedy}"
