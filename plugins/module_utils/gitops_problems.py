# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that keeps Argo CD from growing a platform, found before a machine is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kube.plugins.module_utils import address_pools
from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import Inventory
from ansible_collections.groundwork.kube.plugins.module_utils.spelling import nearest
from ansible_collections.groundwork.kube.plugins.module_utils.topology import Problem, is_dns_name

CHOICES = {
    "groundwork_gitops": ("argocd", "none"),
    "argocd_mode": ("standard", "core", "ha"),
    "argocd_method": ("manifests", "chart"),
    "argocd_server_service_type": ("ClusterIP", "NodePort", "LoadBalancer"),
}
MAPS = ("argocd_ingress", "argocd_root_application", "argocd_root_values")
NODE_PORTS = range(30000, 32768)
ROOT_KEYS = ("name", "repository", "revision", "path", "project", "released")
INGRESS_KEYS = ("host", "class", "annotations", "tls_secret")
# What a repository's entry keeps secret.
SECRETS = ("password", "bearer_token", "ssh_private_key", "private_key", "tls_client_key")


def problems(inventory: Inventory) -> Iterator[Problem]:
    yield from _choices(inventory)
    yield from _version(inventory)
    yield from _server(inventory)
    yield from _ingress(inventory)
    yield from _root(inventory)
    yield from _secrets(inventory)
    yield from address_pools.problems(inventory)


def _choices(inventory: Inventory) -> Iterator[Problem]:
    for variable, choices in CHOICES.items():
        value = inventory.shared(variable)
        if value not in choices:
            meant = nearest(value, choices)
            remedy = f"write {meant}" if meant else f"choose one of {', '.join(choices)}"
            yield inventory.says(variable, f"{value!r} is not known", remedy)
    for variable in MAPS:
        if not isinstance(inventory.shared(variable), Mapping):
            yield inventory.says(variable, "is not a map", "write it as {key: value}")


def _version(inventory: Inventory) -> Iterator[Problem]:
    version = inventory.shared("argocd_version")
    if version is not None and not re.fullmatch(r"\d+\.\d+\.\d+", str(version)):
        yield inventory.says("argocd_version", f"{version!r} is no full version", 'write it like "3.6.1", without a v')


def _server(inventory: Inventory) -> Iterator[Problem]:
    port, service = inventory.shared("argocd_server_node_port"), inventory.shared("argocd_server_service_type")
    if not port:
        return
    if not str(port).isdecimal() or int(port) not in NODE_PORTS:
        yield inventory.says(
            "argocd_server_node_port",
            f"{port!r} is no node port",
            f"choose one of {NODE_PORTS.start} to {NODE_PORTS.stop - 1}",
        )
    elif service == "ClusterIP":
        yield inventory.says(
            "argocd_server_node_port", "is set, and the service has none", "set argocd_server_service_type: NodePort"
        )


def _ingress(inventory: Inventory) -> Iterator[Problem]:
    ingress = inventory.shared("argocd_ingress")
    if not isinstance(ingress, Mapping) or not ingress:
        return
    yield from _keys(inventory, "argocd_ingress", ingress, INGRESS_KEYS, ("host",))
    if inventory.shared("argocd_mode") == "core":
        yield inventory.says(
            "argocd_ingress", "core mode has no server to reach", "leave it out, or set argocd_mode: standard"
        )
    if "host" in ingress and not is_dns_name(ingress["host"]):
        yield inventory.says(
            "argocd_ingress", f"the host {ingress['host']!r} is no DNS name", "write it without scheme and path"
        )


def _root(inventory: Inventory) -> Iterator[Problem]:
    variable = "argocd_root_application"
    root = inventory.shared(variable)
    if not isinstance(root, Mapping):
        return
    if not root:
        if inventory.shared("argocd_root_values"):
            yield inventory.says(
                "argocd_root_values",
                "is set, and there is no root application to hear it",
                f"set {variable}: {{name: ..., repository: ..., revision: ..., path: ...}}",
            )
        return
    yield from _keys(inventory, variable, root, ROOT_KEYS, ROOT_KEYS[:4])
    if "name" in root and not is_dns_name(root["name"]):
        yield inventory.says(
            variable, f"{root['name']!r} is no name of an Application", "write lower-case letters, digits and '-'"
        )
    if not isinstance(root.get("revision", ""), str):
        yield inventory.says(
            variable,
            f"the revision is the number {root['revision']}: YAML reads 1.10 as 1.1",
            "quote the branch, tag or commit",
        )
    if _has_password(root.get("repository")):
        yield inventory.says(
            variable,
            "the repository's URL holds a password, which every reader of the Application would see",
            "take it out of the URL and into argocd_repositories",
        )


def _keys(
    inventory: Inventory, variable: str, given: Mapping[str, Any], known: tuple[str, ...], needed: tuple[str, ...]
) -> Iterator[Problem]:
    for key in given:
        if key not in known:
            meant = nearest(key, known)
            remedy = f"rename it to {meant}" if meant else f"choose of {', '.join(known)}"
            yield inventory.says(variable, f"{key} is not known", remedy)
    missing = [key for key in needed if not given.get(key)]
    if missing:
        yield inventory.says(variable, f"lacks {', '.join(missing)}", f"add {', '.join(missing)} to it")


def _has_password(url: Any) -> bool:
    try:
        return bool(urlsplit(str(url)).password)
    except ValueError:
        return False


def _secrets(inventory: Inventory) -> Iterator[Problem]:
    """Secrets that were written as they are; what a vault or a template holds is not, and is never repeated."""
    written = inventory.written.get(inventory.spokesman, {})
    found = []
    if _is_plain(written.get("argocd_admin_password")):
        found.append(("argocd_admin_password", "the password"))
    for variable in ("argocd_repositories", "argocd_clusters"):
        found += [(variable, f"a {key}") for key in _plain_secrets(written.get(variable))]
    for variable, what in found:
        yield inventory.says(
            variable,
            f"{what} stands in the inventory for everyone to read",
            "encrypt it with ansible-vault encrypt_string, or name a variable of an encrypted file in {{ }}",
        )


def _plain_secrets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key in (*SECRETS, "key") and _is_plain(each):
                yield key
            else:
                yield from _plain_secrets(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _plain_secrets(each)


def _is_plain(value: Any) -> bool:
    # What is encrypted is no text before it is asked for.
    return isinstance(value, str) and bool(value) and "{{" not in value
