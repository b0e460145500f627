# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import MARKER


def _content(name: str, certificate: str) -> str:
    if "-----BEGIN CERTIFICATE-----" not in str(certificate):
        raise AnsibleTemplatePluginError(
            f"containerd_extra_ca_certificates: {name} is no PEM certificate. "
            "Give its text, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----."
        )
    return f"{MARKER}\n{str(certificate).strip()}\n"


def certificate_files(certificates: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"path": f"/usr/local/share/ca-certificates/groundwork-{name}.crt", "content": _content(name, certificate)}
        for name, certificate in certificates.items()
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certificate_files": certificate_files}
