# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pods get volumes, as objects to create, and what is missing if they do not. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.storage_class import DEFAULT

Object = Mapping[str, Any]

NAME = "volume"
_MOUNT = "/data"

_HOP_LIMIT = (
    "let the metadata service answer pods: http-put-response-hop-limit 2 on every instance (3 behind some overlays), "
    "or the driver on the host's network (ebs_csi_chart_values: {node: {hostNetwork: true}})"
)
_POLICY = (
    "give the machines of the driver's controller an instance profile with AmazonEBSCSIDriverPolicyV2, and with the "
    "use of the key where volumes have a KMS key of their own; what was made outside of the driver needs the tag "
    "ebs.csi.aws.com/cluster: true"
)

# What is told of claims and pods, in the words of the driver, AWS' Go client, external-provisioner and the kubelet.
_TOLD: tuple[tuple[str, str, str], ...] = (
    (
        r"no EC2 IMDS role found.*(deadline exceeded|request canceled|dial tcp|send request failed)",
        "metadata",
        _HOP_LIMIT,
    ),
    (r"no EC2 IMDS role found|failed to refresh cached credentials|NoCredentialProviders", "IAM", _POLICY),
    (r"UnauthorizedOperation|not authorized to perform|AccessDenied", "IAM", _POLICY),
    (r"KMSKey|InvalidKmsKey|KMS key", "IAM", _POLICY),
    (
        r"no topology key found on CSINode|no available topology found|volume node affinity conflict",
        "topology",
        "let a node that the pod may run on be in the volume's zone: the driver's pod on each node gives it the label "
        "topology.ebs.csi.aws.com/zone, for which it needs the metadata service or the Node's providerID",
    ),
    (
        r"not found in the list of registered CSI drivers|does not contain driver",
        "driver",
        "see why its pod on that node does not run: kubectl -n kube-system get pods -l app=ebs-csi-node -o wide",
    ),
)
_NOBODY_PROVISIONS = re.compile(r"Waiting for a volume to be created either by the external provisioner")


@dataclass(frozen=True)
class Finding:
    """Which of driver, IAM, metadata and topology is missing; nothing, if ``what`` is empty."""

    what: str = ""
    problem: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what or 'unknown'}: {self.problem}. Remedy: {self.remedy}."


@dataclass(frozen=True)
class Observed:
    """What the cluster has and says of a volume that is waited for."""

    provisioner: str = ""
    drivers: frozenset[str] = frozenset()
    nodes: Mapping[str, Object] = field(default_factory=dict)
    csi_nodes: Mapping[str, Object] = field(default_factory=dict)
    messages: Sequence[str] = ()
    """Of the claim's and the pod's events, oldest first."""


def by_name(items: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in items}


def messages(events: Sequence[Object]) -> list[str]:
    """What events say, oldest first."""
    ordered = sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [str(event.get("message", "")) for event in ordered]


def default_class(classes: Sequence[Object]) -> Object | None:
    """The class of a claim that names none: the youngest default."""
    marked = [each for each in classes if (each["metadata"].get("annotations") or {}).get(DEFAULT) == "true"]
    return max(marked, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), default=None)


def unregistered(observed: Observed) -> list[str]:
    """The Nodes on which the driver has not said that it is there."""
    return [name for name in observed.nodes if _registration(observed, name) is None]


def registration_problem(observed: Observed) -> Finding | None:
    """What keeps the driver from being on every Node; None if nothing does."""
    if observed.provisioner not in observed.drivers:
        return Finding(
            "driver",
            f"there is no CSIDriver {observed.provisioner}: the driver was never installed",
            "set groundwork_storage: ebs_csi and run site.yml --tags storage",
        )
    missing = unregistered(observed)
    nameless = [name for name in missing if not (observed.nodes[name].get("spec") or {}).get("providerID")]
    if nameless:
        return Finding(
            "metadata",
            f"{_several(nameless)} have no providerID, and the driver is not registered there: it knows no machine "
            "without the metadata service or a providerID",
            f"set groundwork_cloud: provider_id and run site.yml; or {_HOP_LIMIT}",
        )
    if missing:
        return Finding(
            "driver",
            f"{observed.provisioner} is not registered on {_several(missing)}",
            "see why its pod there does not run: kubectl -n kube-system get pods -l app=ebs-csi-node -o wide",
        )
    placeless = [name for name in observed.nodes if not (_registration(observed, name) or {}).get("topologyKeys")]
    if placeless:
        return Finding(
            "topology",
            f"{observed.provisioner} does not know in which zone {_several(placeless)} are",
            _HOP_LIMIT,
        )
    return None


def diagnose(observed: Observed) -> Finding:
    """Why a claim was not bound or its pod not started. What is said of the claim itself weighs most."""
    for message in reversed(observed.messages):
        for pattern, what, remedy in _TOLD:
            if re.search(pattern, message, re.DOTALL):
                return Finding(what, _shortened(message), remedy)
    # What is no name of an object is that of no CSI driver: rancher.io/local-path registers nowhere.
    found = None if "/" in observed.provisioner else registration_problem(observed)
    if found:
        return found
    if any(_NOBODY_PROVISIONS.search(message) for message in observed.messages):
        return Finding(
            "driver",
            f"nobody answers for {observed.provisioner}: its controller does not run",
            "see what keeps its Deployment (EBS' is kube-system/ebs-csi-controller): where all nodes are tainted it "
            "needs tolerations (ebs_csi_tolerations)",
        )
    last = _shortened(observed.messages[-1]) if observed.messages else "nothing was said of it"
    return Finding("", last, "kubectl get events and the log of the driver's controller say more")


def claim(storage_class: str) -> dict[str, Any]:
    return {
        "metadata": {"name": NAME},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": storage_class,
        },
    }


def pod(image: str) -> dict[str, Any]:
    """A pod that needs the volume. It is scheduled, not placed: a volume is made where the scheduler puts its pod."""
    return {
        "metadata": {"name": NAME},
        "spec": {
            "tolerations": [{"operator": "Exists"}],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "agnhost",
                    "image": image,
                    "args": ["pause"],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                    "volumeMounts": [{"name": NAME, "mountPath": _MOUNT}],
                }
            ],
            "volumes": [{"name": NAME, "persistentVolumeClaim": {"claimName": NAME}}],
        },
    }


def _registration(observed: Observed, name: str) -> Object | None:
    drivers = (observed.csi_nodes.get(name, {}).get("spec") or {}).get("drivers") or ()
    return next((driver for driver in drivers if driver["name"] == observed.provisioner), None)


def _several(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _shortened(message: str, longest: int = 400) -> str:
    # AWS adds a long ciphertext that only its owner can read.
    text = re.sub(r"Encoded authorization failure message: \S+", "", " ".join(message.split())).strip().rstrip(".")
    return text if len(text) <= longest else text[: longest - 1] + "…"
