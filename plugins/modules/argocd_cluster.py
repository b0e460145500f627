#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_cluster
short_description: Register clusters with Argo CD
version_added: 0.1.0
description:
  - Writes the Secrets from which Argo CD knows the clusters that it grows applications on. The cluster it runs in needs
    none.
  - A cluster is known by its server and project. One that is registered already, under whatever name of Secret, is
    changed and not registered twice.
  - A secret that was rotated is found by comparing. None is ever shown, and diffs say V((a value\)) and
    V((another value\)).
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
  - groundwork.kube.argocd.writes
options:
  clusters:
    description: The clusters.
    type: list
    elements: dict
    required: true
    suboptions:
      server: {description: URL of its API., type: str, required: true}
      name: {description: Name by which applications say it. By default the URL., type: str}
      project: {description: The only project that may use it., type: str}
      secret_name: {description: Name of the Secret where there is none yet. By default made of the URL., type: str}
      namespaces: {description: The only namespaces that are managed. By default all., type: list, elements: str}
      cluster_resources:
        description: Whether objects that are in no namespace are managed even so.
        type: bool
      shard: {description: Number of the application controller that manages it. By default Argo CD decides., type: int}
      labels: {description: "Labels, by which ApplicationSets choose it.", type: dict}
      annotations: {description: Annotations., type: dict}
      config:
        description: How its API is reached.
        type: dict
        suboptions:
          username: {description: For basic authentication., type: str}
          password: {description: For basic authentication., type: str}
          bearer_token: {description: Token of a service account., type: str}
          aws_auth_config:
            description: For EKS.
            type: dict
            suboptions:
              cluster_name: {description: Name of the cluster in EKS., type: str}
              role_arn: {description: The role to assume., type: str}
              profile: {description: The profile to use., type: str}
          exec_provider_config:
            description: A program that knows the credentials.
            type: dict
            suboptions:
              command: {description: The program., type: str, required: true}
              args: {description: Its arguments. No place for secrets., type: list, elements: str}
              env: {description: "Its environment, which is kept secret.", type: dict}
              api_version:
                description: "API version of its answer, such as V(client.authentication.k8s.io/v1)."
                type: str
                required: true
              install_hint: {description: What to say where it is missing., type: str}
              provide_cluster_info: {description: Whether it is told about the cluster., type: bool}
          tls_client_config:
            description: For TLS.
            type: dict
            suboptions:
              insecure: {description: Whether any certificate of the API will do., type: bool}
              server_name: {description: Name that the API's certificate has., type: str}
              ca_data: {description: "The CA, as PEM or as a kubeconfig holds it.", type: str}
              cert_data: {description: "The client certificate, as PEM or as a kubeconfig holds it.", type: str}
              key_data: {description: "Its key, as PEM or as a kubeconfig holds it.", type: str}
          disable_compression: {description: Whether answers are not compressed., type: bool}
          proxy_url: {description: "URL of a proxy on the way, which may hold a password.", type: str}
seealso:
  - module: groundwork.kube.argocd_info
"""

EXAMPLES = r"""
- name: A cluster by the token of a service account
  groundwork.kube.argocd_cluster:
    clusters:
      - name: production
        server: https://api.production.example.com:6443
        labels: {environment: production}
        config:
          bearer_token: "{{ vault_production_token }}"
          tls_client_config:
            ca_data: "{{ lookup('ansible.builtin.file', 'production-ca.crt') }}"
"""

RETURN = r"""
created:
  description: Names of the clusters that were not registered before.
  returned: success
  type: list
  elements: str
updated:
  description: Names of the clusters that were changed.
  returned: success
  type: list
  elements: str
deleted:
  description: Names of the clusters that were forgotten.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.groundwork.kube.plugins.module_utils.argocd_credentials import (
    CLUSTERS_ARGUMENT_SPEC,
    CredentialModule,
    cluster,
    reconcile,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import RequestError


def main() -> None:
    module = CredentialModule(CLUSTERS_ARGUMENT_SPEC)
    try:
        wishes = [cluster(item) for item in module.params["clusters"]]
    except RequestError as error:
        module.fail_json(msg=str(error))
    reconcile(module, wishes)


if __name__ == "__main__":
    main()
