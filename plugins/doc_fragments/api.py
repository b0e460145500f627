# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that talks to the Kubernetes API; names and variables as in kubernetes.core."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig, on the host the module runs on.
      - Without it and without O(host), the first of E(KUBECONFIG), C(/etc/kubernetes/admin.conf) and C(~/.kube/config)
        that exists. So on a control plane nothing need be said.
      - E(K8S_AUTH_KUBECONFIG) is used if it is set.
    type: path
  context:
    description: Name of a context in the kubeconfig. E(K8S_AUTH_CONTEXT) is used if it is set.
    type: str
  host:
    description: URL of the API. E(K8S_AUTH_HOST) is used if it is set.
    type: str
  api_key:
    description: Bearer token. E(K8S_AUTH_API_KEY) is used if it is set.
    type: str
  username:
    description: Name for HTTP basic authentication, as some proxies want it. E(K8S_AUTH_USERNAME) is used if it is set.
    type: str
  password:
    description: Password for O(username). E(K8S_AUTH_PASSWORD) is used if it is set.
    type: str
  validate_certs:
    description:
      - Whether the API's certificate must be valid. The default is what the kubeconfig says, and otherwise yes.
      - E(K8S_AUTH_VERIFY_SSL) is used if it is set.
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description: File with the CA that signed the API's certificate. E(K8S_AUTH_SSL_CA_CERT) is used if it is set.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: File with the client certificate. E(K8S_AUTH_CERT_FILE) is used if it is set.
    type: path
    aliases: [cert_file]
  client_key:
    description: File with the key of O(client_cert). E(K8S_AUTH_KEY_FILE) is used if it is set.
    type: path
    aliases: [key_file]
  proxy:
    description: URL of an HTTP proxy on the way to the API. E(K8S_AUTH_PROXY) is used if it is set.
    type: str
  impersonate_user:
    description: User to act as. E(K8S_AUTH_IMPERSONATE_USER) is used if it is set.
    type: str
  impersonate_groups:
    description: Groups to act as a member of. E(K8S_AUTH_IMPERSONATE_GROUPS) is used if it is set.
    type: list
    elements: str
  assume:
    description:
      - For check mode - what earlier phases of the same run would have made.
      - With V(api) in it, an API that does not answer and Nodes that do not exist count as about to be made. Without
        it they are an error, also in check mode. It means nothing outside check mode.
    type: list
    elements: str
    choices: [packages, runtime, api]
    default: []
attributes:
  action_group:
    description: Its API options can be set once, in C(module_defaults).
    support: full
    membership: [groundwork.kube.kube]
notes:
  - The module needs nothing but Python on the host it runs on. Only a kubeconfig that asks a program or an identity
    provider for credentials needs the C(kubernetes) library, and one that was not written by kubeadm or kubectl
    needs C(PyYAML).
"""
