# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.groundwork.kube.plugins.filter.to_toml import to_toml
from ansible_collections.groundwork.kube.plugins.module_utils.host_plan import MARKER


def _endpoint(registry: str, url: str) -> dict[str, Any]:
    parts = urlsplit(str(url))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise AnsibleTemplatePluginError(
            f"containerd_registry_mirrors: {url!r}, a mirror of {registry}, is no URL. Write it as https://HOST[:PORT][/PATH]."
        )
    endpoint: dict[str, Any] = {"capabilities": ["pull", "resolve"]}
    if parts.path.strip("/"):
        # containerd would put /v2 in front of a path, which is not where registries with projects have them.
        endpoint["override_path"] = True
    return endpoint


def _content(registry: str, endpoints: Sequence[str]) -> str:
    if isinstance(endpoints, str):
        raise AnsibleTemplatePluginError(
            f"containerd_registry_mirrors: {registry} has {endpoints!r} where a list of URLs belongs. "
            f"Write [{endpoints}]."
        )
    return f"{MARKER}\n" + to_toml({"host": {str(url): _endpoint(registry, url) for url in endpoints}})


def registry_hosts(mirrors: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    return [
        {"path": f"/etc/containerd/certs.d/{registry}/hosts.toml", "content": _content(registry, endpoints)}
        for registry, endpoints in mirrors.items()
        if endpoints
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_hosts": registry_hosts}
