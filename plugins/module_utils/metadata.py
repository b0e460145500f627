# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a label, a taint and an annotation may look like, and who else writes which of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

# The kubelet writes these at each of its starts. The first group it learns by itself ...
_KUBELET_WRITES = {
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "node.kubernetes.io/windows-build",
}
# ... and these it is told, by --node-labels or by the cloud.
_CLOUD_WRITES = {
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
}
_KUBEADM_WRITES = {
    "node-role.kubernetes.io/control-plane",
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "kubeadm.alpha.kubernetes.io/cri-socket",
}
_CONTROLLER_MANAGER_WRITES = {
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/network-unavailable",
    "node.alpha.kubernetes.io/ttl",
    "volumes.kubernetes.io/controller-managed-attach-detach",
}


class MetadataError(ValueError):
    """A label, taint or annotation Kubernetes would refuse; the text says what would be right."""


class Taint(NamedTuple):
    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


def parse_taint(text: Any) -> Taint:
    """Read ``key=value:Effect`` (or ``key:Effect``), as kubectl writes it."""
    if isinstance(text, dict) and len(text) == 1:
        ((left, right),) = text.items()
        raise MetadataError(f"is a map to YAML; write it without a space after the colon: {left}:{right}")
    if not isinstance(text, str):
        raise MetadataError(f"{text!r} is not a taint; write key=value:Effect")
    left, colon, effect = text.rpartition(":")
    if not colon:
        raise MetadataError(f"taint {text!r} has no effect; write {text}:{_either(TAINT_EFFECTS)}")
    if effect not in TAINT_EFFECTS:
        raise MetadataError(f"taint {text!r} has the unknown effect {effect!r}; {_suggestion(effect)}")
    key, _equals, value = left.partition("=")
    check_label_key(key)
    check_label_value(value)
    return Taint(key, value, effect)


def parse_taints(texts: Iterable[Any]) -> list[Taint]:
    """Read a node's taints; Kubernetes tells them apart by key and effect."""
    taints: dict[tuple[str, str], Taint] = {}
    for text in texts:
        taint = parse_taint(text)
        earlier = taints.setdefault((taint.key, taint.effect), taint)
        if earlier is not taint:
            raise MetadataError(f"taints {str(earlier)!r} and {text!r} have the same key and effect; keep one of them")
    return list(taints.values())


def check_label_key(key: Any) -> None:
    """Refuse what Kubernetes does not take as the key of a label, taint or annotation."""
    if not isinstance(key, str):
        raise MetadataError(f"key {key!r} is {_kind(key)}, not a string; quote it")
    prefix, slash, name = key.rpartition("/")
    if slash and not (_SUBDOMAIN.fullmatch(prefix) and len(prefix) <= 253):
        raise MetadataError(f"key {key!r}: what stands before the slash must be a DNS name in lower case")
    if not _NAME.fullmatch(name) or len(name) > 63:
        raise MetadataError(
            f"key {key!r}: the name must be 1 to 63 letters, digits, '-', '_' or '.', "
            "and begin and end with a letter or digit"
        )


def check_label_value(value: Any) -> None:
    """Refuse what Kubernetes does not take as the value of a label or taint."""
    check_annotation_value(value)
    if value and (not _NAME.fullmatch(value) or len(value) > 63):
        raise MetadataError(
            f"value {value!r} must be empty or at most 63 letters, digits, '-', '_' or '.', "
            "and begin and end with a letter or digit"
        )


def check_annotation_value(value: Any) -> None:
    """An annotation's value is any string; YAML likes to make something else of it."""
    if value is None:
        raise MetadataError('value is null, not a string; write "" for an empty value')
    if not isinstance(value, str):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        raise MetadataError(f'value {text} is {_kind(value)}, not a string; quote it: "{text}"')


def kubelet_may_set(key: str) -> bool:
    """Whether the kubelet accepts this label in --node-labels: it may not give itself any of Kubernetes' own."""
    namespace = key.rpartition("/")[0]
    if not _in_domain(namespace, "kubernetes.io", "k8s.io"):
        return True
    return key in _KUBELET_WRITES | _CLOUD_WRITES or _in_domain(
        namespace, "kubelet.kubernetes.io", "node.kubernetes.io"
    )


def writer(key: str, cloud: bool = False) -> str | None:
    """Who keeps writing this key, so that nobody else should: None means that the inventory may.

    ``cloud``: the node is known to a cloud controller, which then owns zone, region and instance type.
    """
    if key in _KUBELET_WRITES:
        return "the kubelet"
    if key in _KUBEADM_WRITES:
        return "kubeadm"
    if key in _CONTROLLER_MANAGER_WRITES:
        return "the controller manager"
    if key.startswith("node.cloudprovider.kubernetes.io/") or (cloud and key in _CLOUD_WRITES):
        return "the cloud controller"
    return None


def protected_key(key: str) -> bool:
    """Whether a component of Kubernetes writes this key on every kind of cluster."""
    return writer(key) is not None


def _in_domain(namespace: str, *domains: str) -> bool:
    return any(namespace == domain or namespace.endswith("." + domain) for domain in domains)


def _suggestion(effect: str) -> str:
    meant = nearest(effect, TAINT_EFFECTS, cutoff=0.5)
    return f"did you mean {meant}?" if meant else f"write {_either(TAINT_EFFECTS)}"


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return f"a {type(value).__name__}"
