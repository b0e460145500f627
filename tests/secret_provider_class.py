# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind by which the Secrets Store driver is told what to mount, without the driver, and how a class is read."""

from __future__ import annotations

from typing import Any

import yaml

# As strict as the driver's own: what it does not name, a server that validates strictly refuses.
TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
SECRET_OBJECT = {
    "secretName": TEXT,
    "type": TEXT,
    "labels": TEXTS,
    "annotations": TEXTS,
    "data": {
        "type": "array",
        "items": {"type": "object", "properties": {"objectName": TEXT, "key": TEXT}},
    },
}
SPEC = {
    "provider": TEXT,
    "parameters": TEXTS,
    "secretObjects": {"type": "array", "items": {"type": "object", "properties": SECRET_OBJECT}},
}
CRD_NAME = "secretproviderclasses.secrets-store.csi.x-k8s.io"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": CRD_NAME},
    "spec": {
        "group": "secrets-store.csi.x-k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "SecretProviderClass", "plural": "secretproviderclasses"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": SPEC}},
                    }
                },
            }
        ],
    },
}


def rows(provided: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The table that a class was made of, read from the class as the driver and the provider read it."""
    objects = yaml.safe_load(provided["spec"]["parameters"]["objects"])["array"]
    targets = {
        item["objectName"]: (secret["secretName"], item["key"])
        for secret in provided["spec"]["secretObjects"]
        for item in secret["data"]
    }
    described = [yaml.safe_load(text) for text in objects]
    assert all(each["objectType"] == "secret" for each in described)
    return [(each["objectName"], *targets.pop(each["objectName"])) for each in described] + [
        ("", *target) for target in targets.values()
    ]
