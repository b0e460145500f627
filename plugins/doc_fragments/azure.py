# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to log in to Azure, for the modules that speak to its Resource Manager."""

    DOCUMENTATION = r"""
options:
  auth_source:
    description:
      - Where the login comes from. V(msi) is the managed identity of the machine that the module runs on, V(cli) that
        of C(az login), and V(env) a service principal by the options below or their variables. V(auto), which is meant
        if nothing is said, is V(env) where there is such a login, and V(cli) where there is none.
      - E(ANSIBLE_AZURE_AUTH_SOURCE) says it, too.
    type: str
    choices: [auto, cli, env, msi]
  subscription_id:
    description: The subscription. E(AZURE_SUBSCRIPTION_ID) says it, too.
    type: str
    required: true
  tenant:
    description: The tenant. E(AZURE_TENANT) or E(AZURE_TENANT_ID) says it, too.
    type: str
  client_id:
    description:
      - The client id of the service principal, or of the identity that O(auth_source=msi) is to use if there are
        several. E(AZURE_CLIENT_ID) says it, too.
    type: str
  secret:
    description: The service principal's secret. E(AZURE_SECRET) says it, too.
    type: str
  x509_certificate_path:
    description:
      - The service principal's certificate, with its key, in one PEM file. E(AZURE_X509_CERTIFICATE_PATH) says it, too.
    type: path
  oidc_token:
    description:
      - A token of another identity provider that the application trusts (workload identity federation).
        E(AZURE_FEDERATED_TOKEN) says it, too.
    type: str
  oidc_token_file_path:
    description: A file with such a token, read anew at each login. E(AZURE_FEDERATED_TOKEN_FILE) says it, too.
    type: path
  cloud_environment:
    description:
      - V(AzureCloud), which is meant if nothing is said, V(AzureChinaCloud), V(AzureUSGovernment), or the address of
        another cloud's metadata endpoint. E(AZURE_CLOUD_ENVIRONMENT) says it, too.
    type: str
  adfs_authority_url:
    description: Who gives tokens, if not the cloud's own authority. E(AZURE_ADFS_AUTHORITY_URL) says it, too.
    type: str
  cert_validation_mode:
    description:
      - Whether certificates are checked, which is meant if nothing is said. E(AZURE_CERT_VALIDATION_MODE) says it, too.
        A certificate authority of one's own is better named by E(REQUESTS_CA_BUNDLE).
    type: str
    choices: [ignore, validate]
  disable_instance_discovery:
    description:
      - Not to ask Microsoft whether the authority is a known one. E(AZURE_DISABLE_INSTANCE_DISCOVERY) says it, too.
    type: bool
  timeout:
    description: For how many seconds to wait for one resource.
    type: int
    default: 3600
requirements:
  - azure-identity >= 1.19.0
  - azure-mgmt-core >= 1.4.0
attributes:
  action_group:
    description: Use C(group/groundwork.kube.azure) in C(module_defaults) to set the login once.
    support: full
    membership: [groundwork.kube.azure]
notes:
  - Options and variables are called as in azure.azcollection, whose libraries are not needed.
  - Run it where Azure can be reached, which is most often the controller (C(delegate_to=localhost)).
"""
