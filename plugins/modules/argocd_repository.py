#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_repository
short_description: Register Git, Helm and OCI repositories with Argo CD
version_added: 0.1.0
description:
  - Writes the Secrets from which Argo CD knows its repositories, and the credentials for all below a URL.
  - A repository is known by its URL and project. One that is registered already, under whatever name of Secret, is
    changed and not registered twice, and a credential that is no longer wanted is taken out of its Secret.
  - A secret that was rotated is found by comparing. None is ever shown, and diffs say V((a value\)) and
    V((another value\)).
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
  - groundwork.kube.argocd.writes
options:
  repositories:
    description: The repositories.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description: Its URL, without credentials. For GitLab it ends in C(.git).
        type: str
        required: true
      type:
        description: What it is. A Helm repository in an OCI registry is V(helm) with O(repositories[].enable_oci).
        type: str
        choices: [git, helm, oci]
        default: git
      template:
        description: Whether these are the credentials of all repositories whose URLs begin with this one.
        type: bool
        default: false
      name: {description: Name that Argo CD shows., type: str}
      project: {description: The only project that may use it., type: str}
      secret_name: {description: Name of the Secret where there is none yet. By default made of the URL., type: str}
      username: {description: For https. With a token any will do., type: str}
      password: {description: Password or token for https., type: str}
      bearer_token: {description: Token for Bitbucket Data Center., type: str}
      ssh_private_key: {description: Private key for ssh., type: str}
      github_app:
        description: A GitHub App.
        type: dict
        suboptions:
          id: {description: Its ID., type: int, required: true}
          installation_id: {description: ID of its installation. By default Argo CD finds it., type: int}
          private_key: {description: Its private key., type: str, required: true}
          enterprise_base_url: {description: URL of the API of a GitHub of your own., type: str}
      gcp_service_account_key: {description: JSON key of a Google service account., type: str}
      azure_service_principal:
        description: A service principal of Azure.
        type: dict
        suboptions:
          client_id: {description: Its client ID., type: str, required: true}
          client_secret: {description: Its secret., type: str, required: true}
          tenant_id: {description: Its tenant., type: str, required: true}
          active_directory_endpoint: {description: Endpoint of a cloud of its own., type: str}
      use_azure_workload_identity: {description: Whether Argo CD's own identity in Azure is used., type: bool}
      tls_client_cert: {description: Client certificate for https., type: str}
      tls_client_key: {description: Its key., type: str}
      force_http_basic_auth: {description: "Whether credentials are sent unasked, for Helm and OCI.", type: bool}
      insecure: {description: Whether any certificate of the server will do., type: bool}
      insecure_ignore_host_key: {description: Whether any host key of the server will do., type: bool}
      insecure_oci_force_http: {description: Whether an OCI registry is reached by plain http., type: bool}
      enable_oci: {description: Whether a Helm repository is in an OCI registry., type: bool}
      enable_lfs: {description: Whether large files of Git are fetched., type: bool}
      depth: {description: How many commits are fetched. By default all., type: int}
      proxy: {description: "URL of a proxy on the way, which may hold a password.", type: str}
      no_proxy: {description: "Hosts that are reached without it, separated by commas.", type: str}
seealso:
  - module: groundwork.kube.argocd_info
"""

EXAMPLES = r"""
- name: The repository of the platforms
  groundwork.kube.argocd_repository:
    repositories:
      - url: https://git.example.com/platforms.git
        username: argocd
        password: "{{ vault_platforms_token }}"

- name: A GitHub App for all repositories of an organisation, and a chart repository
  groundwork.kube.argocd_repository:
    repositories:
      - url: https://github.com/example
        template: true
        github_app: {id: 12345, installation_id: 67890, private_key: "{{ vault_github_app_key }}"}
      - url: registry.example.com/charts
        name: charts
        type: helm
        enable_oci: true

- name: Forget one
  groundwork.kube.argocd_repository:
    state: absent
    repositories:
      - url: https://git.example.com/platforms.git
"""

RETURN = r"""
created:
  description: URLs of the repositories that were not registered before.
  returned: success
  type: list
  elements: str
updated:
  description: URLs of the repositories that were changed.
  returned: success
  type: list
  elements: str
deleted:
  description: URLs of the repositories that were forgotten.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.groundwork.kube.plugins.module_utils.argocd_credentials import (
    REPOSITORIES_ARGUMENT_SPEC,
    CredentialModule,
    password_in,
    reconcile,
    repository,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import RequestError


def main() -> None:
    module = CredentialModule(REPOSITORIES_ARGUMENT_SPEC)
    repositories = module.params["repositories"]
    open_passwords = {password for item in repositories if (password := password_in(item["url"]))}
    module.no_log_values.update(open_passwords)
    if open_passwords:
        module.fail_json(msg="a URL holds a password, where all can read it; say username and password apart")
    try:
        wishes = [repository(item) for item in repositories]
    except RequestError as error:
        module.fail_json(msg=str(error))
    reconcile(module, wishes)


if __name__ == "__main__":
    main()
