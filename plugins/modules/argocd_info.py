#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_info
short_description: What Argo CD grows, and from where
version_added: 0.1.0
description:
  - Reads applications in the order of their waves, projects, repositories, clusters, and which Argo CD it is.
  - Every list is flat enough to be printed as a table, and none holds a secret.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
options:
  gather:
    description: What to read, a request each.
    type: list
    elements: str
    choices: [applications, projects, repositories, clusters, version]
    default: [applications, projects, repositories, clusters, version]
  names:
    description: Only these applications. A name that is not there is left out of the answer.
    type: list
    elements: str
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
seealso:
  - module: groundwork.kube.argocd_health
"""

EXAMPLES = r"""
- name: Read the applications
  groundwork.kube.argocd_info:
    gather: [applications]
  register: argocd

- name: Show what is not well
  ansible.builtin.debug:
    msg: "{{ argocd.applications | rejectattr('ready') | map(attribute='why') }}"
"""

RETURN = r"""
applications:
  description: The applications, those that no other one grows first, then in the order of their waves.
  returned: when gathered
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str}
    project: {description: Its project., type: str}
    wave: {description: Its sync wave., type: int}
    parent: {description: The application that grows it., type: str}
    sync: {description: Whether it is as Git says., type: str, sample: Synced}
    health: {description: How its objects are., type: str, sample: Healthy}
    phase: {description: How its last sync went., type: str, sample: Succeeded}
    revision: {description: The revision it was compared with., type: str}
    ready: {description: Whether it is Synced and Healthy and its last sync has not failed., type: bool}
    since: {description: Since when it is as it is., type: str, sample: "2026-11-21T13:05:00Z"}
    why: {description: Why it is not ready., type: str}
    source: {description: Repository and path or chart., type: str, sample: "https://git.example.com/a.git eco2/root"}
    target_revision: {description: The revision it says., type: str, sample: main}
    destination: {description: Cluster and namespace., type: str, sample: "https://kubernetes.default.svc argocd"}
projects:
  description: The projects.
  returned: when gathered
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str}
    description: {description: What it is for., type: str}
    source_repos: {description: Repositories that may be used., type: list, elements: str}
    destinations: {description: Clusters and namespaces where it may grow., type: list, elements: str}
repositories:
  description: The repositories and templates of credentials, without these.
  returned: when gathered
  type: list
  elements: dict
  contains:
    url: {description: Its URL., type: str}
    type: {description: What it is., type: str, sample: git}
    name: {description: Its name., type: str}
    project: {description: The only project that may use it., type: str}
    template: {description: Whether these are the credentials of all below the URL., type: bool}
    credentials: {description: Which kinds of secret it has., type: list, elements: str, sample: [password]}
    secret: {description: Name of its Secret., type: str}
clusters:
  description: The clusters that are registered, without credentials.
  returned: when gathered
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str}
    server: {description: URL of its API., type: str}
    project: {description: The only project that may use it., type: str}
    namespaces: {description: The only namespaces that are managed., type: list, elements: str}
    secret: {description: Name of its Secret., type: str}
version:
  description: The Argo CD that runs, by the image of its application controller. Empty if none does.
  returned: when gathered
  type: str
  sample: v3.6.1
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, PROJECT, SECRET, Argo, Kind
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_credentials import (
    CLUSTER,
    REPOSITORY,
    TEMPLATE,
    TYPE_LABEL,
    data_of,
    secret_keys,
    secret_type,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_health import all_states
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import NAMESPACE_ARGUMENT_SPEC

GATHERED = ["applications", "projects", "repositories", "clusters", "version"]
SHOWN = ("name", "wave", "parent", "sync", "health", "phase", "revision", "ready", "since", "why")
CONTROLLER = "app.kubernetes.io/name=argocd-application-controller"


def applications(argo: Argo, names: list[str] | None) -> list[dict[str, Any]]:
    apps = argo.read(APPLICATION)
    states = [state for state in all_states(apps) if names is None or state.name in names]
    return [{**{name: state.result()[name] for name in SHOWN}, **_declared(apps[state.name])} for state in states]


def _declared(app: Mapping[str, Any]) -> dict[str, Any]:
    spec = app["spec"]
    hydrated = (spec.get("sourceHydrator") or {}).get("drySource")
    sources = spec.get("sources") or [hydrated or spec.get("source") or {}]
    places = [" ".join(filter(None, (item.get("repoURL"), item.get("path") or item.get("chart")))) for item in sources]
    destination = spec["destination"]
    cluster = destination.get("server") or destination.get("name") or ""
    return {
        "project": spec.get("project") or "default",
        "source": ", ".join(places),
        "target_revision": ", ".join(item.get("targetRevision") or "HEAD" for item in sources),
        "destination": f"{cluster} {destination.get('namespace') or ''}".rstrip(),
    }


def projects(argo: Argo) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "description": project["spec"].get("description") or "",
            "source_repos": project["spec"].get("sourceRepos") or [],
            "destinations": [
                f"{item.get('server') or item.get('name') or ''} {item.get('namespace') or ''}".strip()
                for item in project["spec"].get("destinations") or []
            ],
        }
        for name, project in sorted(argo.read(PROJECT).items())
    ]


def repositories(argo: Argo) -> list[dict[str, Any]]:
    found = []
    for name, secret in _labelled(argo, REPOSITORY, TEMPLATE):
        data = data_of(secret)
        found.append(
            {
                "url": data.get("url", ""),
                "type": data.get("type") or "git",
                "name": data.get("name", ""),
                "project": data.get("project", ""),
                "template": secret_type(secret) == TEMPLATE,
                "credentials": sorted(secret_keys(data)),
                "secret": name,
            }
        )
    return sorted(found, key=lambda item: (item["url"], item["project"]))


def clusters(argo: Argo) -> list[dict[str, Any]]:
    found = []
    for name, secret in _labelled(argo, CLUSTER):
        data = data_of(secret)
        found.append(
            {
                "name": data.get("name", ""),
                "server": data.get("server", ""),
                "project": data.get("project", ""),
                "namespaces": [item.strip() for item in data.get("namespaces", "").split(",") if item.strip()],
                "secret": name,
            }
        )
    return sorted(found, key=lambda item: item["name"])


def version(argo: Argo) -> str:
    """What the application controller runs, which is a StatefulSet, or a Deployment where it shards dynamically."""
    for kind in (Kind("StatefulSet", "statefulsets", "apps/v1"), Kind("Deployment", "deployments", "apps/v1")):
        for workload in argo.read(kind, {"labelSelector": CONTROLLER}).values():
            image: str = workload["spec"]["template"]["spec"]["containers"][0]["image"]
            return image.partition("@")[0].rpartition(":")[2]
    return ""


def _labelled(argo: Argo, *types: str) -> list[tuple[str, Mapping[str, Any]]]:
    return list(argo.read(SECRET, {"labelSelector": f"{TYPE_LABEL} in ({', '.join(types)})"}).items())


def main() -> None:
    module = ApiModule(
        {
            **NAMESPACE_ARGUMENT_SPEC,
            "gather": {"type": "list", "elements": "str", "choices": GATHERED, "default": GATHERED},
            "names": {"type": "list", "elements": "str"},
        }
    )
    argo = Argo(module)
    readers = {
        "applications": lambda: applications(argo, module.params["names"]),
        "projects": lambda: projects(argo),
        "repositories": lambda: repositories(argo),
        "clusters": lambda: clusters(argo),
        "version": lambda: version(argo),
    }
    try:
        found = {part: readers[part]() for part in module.params["gather"]}
    except ApiError as error:
        module.fail_with(error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
