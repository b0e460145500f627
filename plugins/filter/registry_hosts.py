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

Headers = Mapping[str, Mapping[str, str]]


def _endpoint(registry: str, url: str, headers: Headers) -> dict[str, Any]:
    parts = urlsplit(str(url))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise AnsibleTemplatePluginError(
            f"containerd_registry_mirrors: {url!r}, a mirror of {registry}, is no URL. Write it as https://HOST[:PORT][/PATH]."
        )
    endpoint: dict[str, Any] = {"capabilities": ["pull", "resolve"]}
    if parts.path.strip("/"):
        # containerd would put /v2 in front of a path, which is not where registries with projects have them.
        endpoint["override_path"] = True
    if parts.netloc in headers:
        endpoint["header"] = _header(headers[parts.netloc])
    return endpoint


def _file(registry: str, endpoints: Sequence[str], headers: Headers) -> dict[str, Any]:
    if isinstance(endpoints, str):
        raise AnsibleTemplatePluginError(
            f"containerd_registry_mirrors: {registry} has {endpoints!r} where a list of URLs belongs. "
            f"Write [{endpoints}]."
        )
    document: dict[str, Any] = {"host": {str(url): _endpoint(registry, url, headers) for url in endpoints}}
    if registry in headers:
        document = {"server": f"https://{registry}", "header": _header(headers[registry]), **document}
    file = {
        "path": f"/etc/containerd/certs.d/{registry}/hosts.toml",
        "content": f"{MARKER}\n" + to_toml({part: content for part, content in document.items() if content}),
    }
    # What is sent with each request is as good as a password.
    is_secret = registry in headers or any("header" in host for host in document["host"].values())
    return {**file, "mode": "0600", "sensitive": True} if is_secret else file


def _header(headers: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}


def registry_hosts(mirrors: Mapping[str, Sequence[str]], headers: Headers | None = None) -> list[dict[str, Any]]:
    headers = headers or {}
    return [
        _file(registry, endpoints, headers)
        for registry, endpoints in {**dict.fromkeys(headers, ()), **mirrors}.items()
        if endpoints or registry in headers
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_hosts": registry_hosts}
