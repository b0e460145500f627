#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_project
short_description: Projects of Argo CD, which say what applications may do
version_added: 0.1.0
description:
  - Creates, changes and deletes AppProjects of Argo CD, one or many in one call.
  - A project that applications still belong to is not deleted.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
  - groundwork.kube.argocd.writes
options:
  name:
    description: Name of the project. Either this or O(projects) is needed.
    type: str
  projects:
    description: Many projects, each with the options that one has.
    type: list
    elements: dict
    suboptions:
      name: {description: Name of the project., type: str, required: true}
      labels: &labels
        description: Labels. Values are text to Kubernetes, and whatever is given is made so.
        type: dict
      annotations: &annotations
        description: Annotations. Values are text to Kubernetes, and whatever is given is made so.
        type: dict
      description: &description
        description: What it is for.
        type: str
      source_repos: &source_repos
        description: URLs of the repositories that may be used, with C(*) for any part. One with C(!) may not.
        type: list
        elements: str
      source_namespaces: &source_namespaces
        description: Namespaces, besides Argo CD's own, in which its applications may be.
        type: list
        elements: str
      destinations: &destinations
        description: Where its applications may grow.
        type: list
        elements: dict
        suboptions:
          server: {description: "URL of the cluster's API, or C(*).", type: str}
          name: {description: "Name of the cluster, or C(*).", type: str}
          namespace: {description: "Namespace, with C(*) for any part.", type: str}
      destination_service_accounts: &destination_service_accounts
        description: As whom its applications are synced.
        type: list
        elements: dict
        suboptions:
          server: {description: "URL of the cluster's API, or C(*).", type: str, required: true}
          namespace: {description: "Namespace, with C(*) for any part.", type: str}
          default_service_account:
            description: Name of the service account, if need be after its namespace and a colon.
            type: str
            required: true
      cluster_resource_whitelist: &cluster_resource_whitelist
        description: Kinds without a namespace that are allowed. By default none.
        type: list
        elements: dict
        suboptions: &cluster_kinds
          group: {description: "API group, empty for the core, or C(*).", type: str, required: true}
          kind: {description: "Kind, or C(*).", type: str, required: true}
          name: {description: "Name, with C(*) for any part. By default all.", type: str}
      cluster_resource_blacklist: &cluster_resource_blacklist
        description: Kinds without a namespace that are refused.
        type: list
        elements: dict
        suboptions: *cluster_kinds
      namespace_resource_whitelist: &namespace_resource_whitelist
        description: Kinds in namespaces that are allowed. By default all.
        type: list
        elements: dict
        suboptions: &kinds
          group: {description: "API group, empty for the core, or C(*).", type: str, required: true}
          kind: {description: "Kind, or C(*).", type: str, required: true}
      namespace_resource_blacklist: &namespace_resource_blacklist
        description: Kinds in namespaces that are refused.
        type: list
        elements: dict
        suboptions: *kinds
      orphaned_resources: &orphaned_resources
        description: Watch for objects in its namespaces that no application has. An empty mapping does.
        type: dict
        suboptions:
          warn: {description: Whether applications show a warning., type: bool}
          ignore:
            description: Objects that are none of its business.
            type: list
            elements: dict
            suboptions:
              group: {description: API group., type: str}
              kind: {description: Kind., type: str}
              name: {description: "Name, with C(*) for any part.", type: str}
      permit_only_project_scoped_clusters: &permit_only_project_scoped_clusters
        description: Whether only clusters that are registered for this project may be used.
        type: bool
      roles: &roles
        description: What users and machines may do in it.
        type: list
        elements: dict
        suboptions:
          name: {description: Name., type: str, required: true}
          description: {description: What it is for., type: str}
          policies: {description: Policies of Casbin., type: list, elements: str}
          groups: {description: Groups of the identity provider., type: list, elements: str}
          jwt_tokens:
            description: When tokens were issued. The tokens themselves are nowhere.
            type: list
            elements: dict
            suboptions:
              iat: {description: Issued at., type: int, required: true}
              exp: {description: Expires at., type: int}
              id: {description: ID., type: str}
      signature_keys: &signature_keys
        description: GnuPG keys of which one must have signed what is synced.
        type: list
        elements: dict
        suboptions:
          key_id: {description: ID of the key., type: str, required: true}
      source_integrity: &source_integrity
        description: How what is synced must be signed.
        type: dict
        suboptions:
          git:
            description: For Git.
            type: dict
            required: true
            suboptions:
              policies:
                description: The first whose repositories fit applies.
                type: list
                elements: dict
                required: true
                suboptions:
                  repos:
                    description: Repositories.
                    type: list
                    elements: dict
                    required: true
                    suboptions:
                      url: {description: "URL, with C(*) for any part.", type: str, required: true}
                  gpg:
                    description: Signatures of GnuPG.
                    type: dict
                    required: true
                    suboptions:
                      mode: {description: "How strict, such as V(strict) or V(head).", type: str, required: true}
                      keys: {description: IDs of keys., type: list, elements: str, required: true}
      sync_windows: &sync_windows
        description: When its applications may be synced.
        type: list
        elements: dict
        suboptions:
          kind: {description: "V(allow) or V(deny).", type: str}
          schedule: {description: "Beginning, as in a crontab.", type: str}
          duration: {description: "How long, such as V(1h).", type: str}
          time_zone: {description: Time zone of the schedule., type: str}
          applications: {description: "Applications, with C(*) for any part.", type: list, elements: str}
          namespaces: {description: "Namespaces, with C(*) for any part.", type: list, elements: str}
          clusters: {description: "Clusters, with C(*) for any part.", type: list, elements: str}
          and_operator: {description: "Whether applications, namespaces and clusters must all fit.", type: bool}
          manual_sync: {description: Whether a sync by hand is allowed even so., type: bool}
          sync_overrun: {description: Whether a sync may go on past the end., type: bool}
          description: {description: What it is for., type: str}
  labels: *labels
  annotations: *annotations
  description: *description
  source_repos: *source_repos
  source_namespaces: *source_namespaces
  destinations: *destinations
  destination_service_accounts: *destination_service_accounts
  cluster_resource_whitelist: *cluster_resource_whitelist
  cluster_resource_blacklist: *cluster_resource_blacklist
  namespace_resource_whitelist: *namespace_resource_whitelist
  namespace_resource_blacklist: *namespace_resource_blacklist
  orphaned_resources: *orphaned_resources
  permit_only_project_scoped_clusters: *permit_only_project_scoped_clusters
  roles: *roles
  signature_keys: *signature_keys
  source_integrity: *source_integrity
  sync_windows: *sync_windows
seealso:
  - module: groundwork.kube.argocd_application
"""

EXAMPLES = r"""
- name: Staging and production share nothing
  groundwork.kube.argocd_project:
    projects:
      - name: staging
        source_repos: [https://git.example.com/staging.git]
        destinations: [{server: https://kubernetes.default.svc, namespace: staging}]
      - name: production
        source_repos: [https://git.example.com/production.git]
        destinations: [{server: https://kubernetes.default.svc, namespace: production}]
        sync_windows:
          - {kind: deny, schedule: 0 18 * * 5, duration: 62h, applications: ["*"], manual_sync: true}
"""

RETURN = r"""
created:
  description: Names of the projects that were not there before.
  returned: success
  type: list
  elements: str
updated:
  description: Names of the projects that were changed.
  returned: success
  type: list
  elements: str
deleted:
  description: Names of the projects that were deleted.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, PROJECT, Argo, outcome
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import (
    PROJECT_ARGUMENT_SPEC,
    PROJECT_OPTIONS,
    PROJECT_SPEC,
    RequestError,
    exclusive,
    fields,
    wanted,
)


def refuse_needed(names: Sequence[str], applications: Mapping[str, Mapping[str, Any]]) -> None:
    problems = []
    for name in names:
        members = sorted(key for key, app in applications.items() if app["spec"].get("project") == name)
        if members:
            problems.append(
                f"AppProject {name} still has applications: {', '.join(members)}; delete or move them first"
            )
    if problems:
        raise RequestError("\n".join(problems))


def run(module: ApiModule) -> None:
    argo = Argo(module)
    projects = wanted(module.params, "projects", PROJECT_OPTIONS)
    live = argo.read(PROJECT)
    if module.params["state"] == "absent":
        names = [item["name"] for item in projects if item["name"] in live]
        refuse_needed(names, argo.read(APPLICATION) if names else {})
        changes = [change for name in names for change in argo.delete(PROJECT, name, live)]
    else:
        manifests = [PROJECT.manifest(argo.namespace, item, spec=fields(PROJECT_SPEC, item)) for item in projects]
        changes = argo.apply(PROJECT, manifests, live)
    result = outcome(changes)
    if argo.errors:
        module.fail_json(msg="\n".join(map(str, argo.errors)), **result)
    module.exit_json(**result)


def main() -> None:
    module = ApiModule(
        PROJECT_ARGUMENT_SPEC,
        mutually_exclusive=exclusive("projects", PROJECT_OPTIONS),
        required_one_of=[("name", "projects")],
    )
    try:
        run(module)
    except RequestError as error:
        module.fail_json(msg=str(error))
    except ApiError as error:
        module.fail_with(error)


if __name__ == "__main__":
    main()
