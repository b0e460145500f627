# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Secrets Store CSI driver a cluster has, and whether what its classes promise has appeared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.volume_check import Finding

Object = Mapping[str, Any]

DRIVER = "secrets-store.csi.k8s.io"
# What the driver's own container is called, in its chart and in AKS' add-on.
_CONTAINER = "secrets-store"
_INSTALL = {
    "addon": "switch the add-on on (role aks, aks_keyvault_secrets: true)",
    "chart": "run the role keyvault_csi with keyvault_csi_driver: chart",
}
_MAKE_ROOM = {
    "addon": "set keyvault_csi_driver: addon, or switch the add-on off (role aks, aks_keyvault_secrets: false)",
    "chart": "set keyvault_csi_driver: chart, or delete it first (role keyvault_csi, tasks_from: remove)",
}

# What the kubelet, the driver, its Azure provider, the vault and Entra say of a pod whose volume does not come.
_TOLD = (
    (
        r"not found in the list of registered CSI drivers",
        "see why the driver's pod on that node does not run: kubectl -n kube-system get pods -o wide",
    ),
    (
        r"provider not found|error connecting to provider",
        "see why the provider's pod on that node does not run: kubectl -n kube-system get pods -o wide",
    ),
    (
        r"failed to get secretproviderclass|secretproviderclasses\S* \S+ not found",
        "make the class in the pod's own namespace (keyvault_csi_classes)",
    ),
    (
        r"(Secret|Key|Certificate)NotFound",
        "put the object into the Key Vault, or take its row out of the mapping",
    ),
    (
        r"ForbiddenByRbac|not authorized to perform action|does not have \w+ get permission",
        "give the identity the role Key Vault Secrets User on the vault; the vault heeds it some minutes later",
    ),
    (
        r"ForbiddenBy(Connection|Firewall)|[Pp]ublic network access is disabled|not a trusted service",
        "give the nodes' network a way to the vault, by a private endpoint and its zone or by the vault's firewall",
    ),
    (
        r"[Ii]dentity not found",
        "put the identity on the machines of each node pool, which AKS' add-on does with its own, or set "
        "keyvault_csi_client_id to one that is there",
    ),
    (
        r"AADSTS7002\d|federated identity",
        "give the identity a federated credential for the pod's service account, with the cluster's issuer as it is",
    ),
    (
        r"AADSTS7000\d|AADSTS700016|node publish secret|clientid|clientsecret",
        "let the volume name the Secret with the service principal's clientid and clientsecret (nodePublishSecretRef)",
    ),
)


def drivers(daemon_sets: Sequence[Object]) -> dict[str, str]:
    """How the driver was installed, C(addon) or C(chart), and its DaemonSet. More than one is one too many."""
    found = {}
    for each in daemon_sets:
        metadata, containers = each["metadata"], each["spec"]["template"]["spec"]["containers"]
        if any(container["name"] == _CONTAINER for container in containers):
            how = "addon" if metadata["name"].startswith("aks-") else "chart"
            found[how] = f"{metadata['namespace']}/{metadata['name']}"
    return found


def other_driver(wanted: str, there: Mapping[str, str]) -> Finding | None:
    """Two drivers of one name take each other's volumes."""
    for how, place in there.items():
        if how != wanted:
            what = "AKS' add-on" if how == "addon" else "a chart"
            return Finding("driver", f"there is one already, {place}, of {what}", _MAKE_ROOM[how])
    return None


def no_driver(wanted: str, there: Mapping[str, str], unregistered: Sequence[str]) -> Finding | None:
    if wanted not in there:
        return Finding("driver", "it was never installed", _INSTALL[wanted])
    if unregistered:
        return Finding("driver", f"{DRIVER} is not registered on {', '.join(unregistered)}", _TOLD[0][1])
    return None


def mounting(pods: Sequence[dict[str, Any]], name: str = "") -> list[dict[str, Any]]:
    """The pods that mount a class, or are about to; this one, if one is named."""
    return [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and any(
            (volume.get("csi") or {}).get("driver") == DRIVER
            and name in ("", (volume["csi"].get("volumeAttributes") or {}).get("secretProviderClass"))
            for volume in pod["spec"].get("volumes") or ()
        )
    ]


def lacking(provided: Object, secrets: Mapping[str, Object]) -> Iterator[tuple[str, str]]:
    """The Secrets that a class promises and that are not whole, and what they lack."""
    for promised in provided["spec"].get("secretObjects") or ():
        name = promised["secretName"]
        if name not in secrets:
            yield name, "is not there"
            continue
        missing = [item["key"] for item in promised["data"] if item["key"] not in (secrets[name].get("data") or {})]
        if missing:
            yield name, f"has no {', '.join(missing)}"


def diagnose(pods: Sequence[Object], messages: Sequence[str]) -> tuple[str, str]:
    """Why a Secret that pods wait for has not appeared, by what was said of them, oldest first; and the remedy."""
    for message in reversed(messages):
        for pattern, remedy in _TOLD:
            if re.search(pattern, message):
                return " ".join(message.split()), remedy
    running = [pod["metadata"]["name"] for pod in pods if pod.get("status", {}).get("phase") == "Running"]
    if running:
        return (
            f"{running[0]} runs with its volume",
            "let the driver copy into Secrets (secrets-store-csi-driver: {syncSecret: {enabled: true}}), and make "
            "the pod anew if its volume is older than the row",
        )
    names = ", ".join(pod["metadata"]["name"] for pod in pods)
    last = f": {' '.join(messages[-1].split())}" if messages else " and nothing was said of it"
    return f"{names} does not run{last}", "kubectl describe pod says more"
