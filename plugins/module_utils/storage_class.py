# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StorageClass that has one owner and is the only default: what would have to change, or why it must not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DEFAULT = "storageclass.kubernetes.io/is-default-class"
# How Argo CD marks what an Application of its own applies: by annotation, and before version 3 by label.
TRACKING_ANNOTATION = "argocd.argoproj.io/tracking-id"
TRACKING_LABEL = "argocd.argoproj.io/instance"

# Kubernetes changes none of these on a class that is there.
_FIXED = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")

Object = Mapping[str, Any]


def wanted(options: Mapping[str, Any]) -> dict[str, Any]:
    """The object that the options describe."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": options["name"],
            "annotations": {DEFAULT: "true"} if options["default"] else {},
        },
        "provisioner": options["provisioner"],
        "parameters": {key: str(value) for key, value in options["parameters"].items()},
        "reclaimPolicy": options["reclaim_policy"],
        "volumeBindingMode": options["volume_binding_mode"],
        "allowVolumeExpansion": options["allow_volume_expansion"],
    }


def change(live: Object | None, desired: Object) -> dict[str, Any] | None:
    """A merge patch for the class that is there; the whole object where there is none; None for nothing."""
    if live is None:
        return dict(desired)
    patch: dict[str, Any] = {}
    default = desired["metadata"]["annotations"].get(DEFAULT)
    if (_annotations(live).get(DEFAULT) == "true") != (default == "true"):
        patch["metadata"] = {"annotations": {DEFAULT: default}}
    if bool(live.get("allowVolumeExpansion")) != desired["allowVolumeExpansion"]:
        patch["allowVolumeExpansion"] = desired["allowVolumeExpansion"]
    return patch or None


def refusals(live: Object | None, desired: Object, classes: Sequence[Object]) -> Iterator[str]:
    """Why the class must not be made, or not be changed, so."""
    name = desired["metadata"]["name"]
    if live is not None:
        yield from _owned_by_git(live)
        differing = [field for field in _FIXED if (live.get(field) or {}) != (desired[field] or {})]
        if differing:
            told = "; ".join(f"{field} is {live.get(field)!r}, should be {desired[field]!r}" for field in differing)
            yield (
                f"StorageClass {name}: {told}. Kubernetes changes none of that. Remedy: kubectl delete storageclass "
                f"{name} (its volumes stay and go on working), and run this again."
            )
    if desired["metadata"]["annotations"]:
        for other in classes:
            called = other["metadata"]["name"]
            if called != name and _annotations(other).get(DEFAULT) == "true":
                yield (
                    f"StorageClass {called} is the default already, and of two Kubernetes takes the younger. Remedy: "
                    f"kubectl annotate storageclass {called} {DEFAULT}-, or let {name} be no default."
                )


def removal_refusals(
    name: str, provisioner: str, classes: Sequence[Object], volumes: Sequence[Object]
) -> Iterator[str]:
    """Why the class and its provisioner must not go."""
    for other in classes:
        if other.get("provisioner") != provisioner:
            continue
        if other["metadata"]["name"] == name:
            yield from _owned_by_git(other)
        else:
            yield (
                f"StorageClass {other['metadata']['name']} is made of {provisioner}, too. Remedy: let its owner "
                "remove it first."
            )
    using = sorted(map(_called, filter(lambda volume: _driver(volume) == provisioner, volumes)))
    if using:
        shown = ", ".join(using[:5]) + (f" and {len(using) - 5} more" if len(using) > 5 else "")
        yield (
            f"{len(using)} volumes of {provisioner} exist: {shown}. Nobody would detach or delete them any more. "
            "Remedy: back up what is needed and delete their claims first."
        )


def _owned_by_git(live: Object) -> Iterator[str]:
    name = live["metadata"]["name"]
    labels = live["metadata"].get("labels") or {}
    application = _annotations(live).get(TRACKING_ANNOTATION, "").partition(":")[0] or labels.get(TRACKING_LABEL)
    if application:
        yield (
            f"StorageClass {name} is the Argo CD Application {application}'s, and a class has one owner. Remedy: "
            'leave it to Git with ebs_csi_storage_class: "", or take it out of the platform.'
        )


def _annotations(item: Object) -> dict[str, str]:
    return dict(item["metadata"].get("annotations") or {})


def _driver(volume: Object) -> str:
    return str(((volume.get("spec") or {}).get("csi") or {}).get("driver", ""))


def _called(volume: Object) -> str:
    """A volume by its claim, which is what its user knows."""
    claim = (volume.get("spec") or {}).get("claimRef") or {}
    return f"{claim['namespace']}/{claim['name']}" if claim else str(volume["metadata"]["name"])
