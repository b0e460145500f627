# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories and clusters of Argo CD: Secrets with a label, of which everything is shown but the secrets.

A repository is known by its URL, a cluster by its server, each within its project. So what somebody else has registered
under another name of Secret is changed instead of registered twice.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import (
    SECRET,
    Argo,
    Change,
    Object,
    declared_part,
    outcome,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import (
    ARGOCD_ARGUMENT_SPEC,
    METADATA_SPEC,
    RequestError,
    Spec,
    field_name,
    fields,
)

TYPE_LABEL = "argocd.argoproj.io/secret-type"
REPOSITORY, TEMPLATE, CLUSTER = "repository", "repo-creds", "cluster"

_TEXT: dict[str, Any] = {"type": "str"}
_SECRET: dict[str, Any] = {"type": "str", "no_log": True}
_FLAG: dict[str, Any] = {"type": "bool"}
_NUMBER: dict[str, Any] = {"type": "int"}

REPOSITORY_SPEC: Spec = {
    "url": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["git", "helm", "oci"], "default": "git"},
    "template": {"type": "bool", "default": False},
    "name": _TEXT,
    "project": _TEXT,
    "secret_name": {"type": "str", "no_log": False},
    "username": _TEXT,
    "password": _SECRET,
    "bearer_token": _SECRET,
    "ssh_private_key": _SECRET,
    "github_app": {
        "type": "dict",
        "options": {
            "id": {"type": "int", "required": True},
            "installation_id": _NUMBER,
            "private_key": {"type": "str", "required": True, "no_log": True},
            "enterprise_base_url": _TEXT,
        },
    },
    "gcp_service_account_key": _SECRET,
    "azure_service_principal": {
        "type": "dict",
        "options": {
            "client_id": {"type": "str", "required": True},
            "client_secret": {"type": "str", "required": True, "no_log": True},
            "tenant_id": {"type": "str", "required": True},
            "active_directory_endpoint": _TEXT,
        },
    },
    "use_azure_workload_identity": _FLAG,
    "tls_client_cert": _TEXT,
    "tls_client_key": _SECRET,
    "force_http_basic_auth": _FLAG,
    "insecure": _FLAG,
    "insecure_ignore_host_key": _FLAG,
    "insecure_oci_force_http": _FLAG,
    "enable_oci": _FLAG,
    "enable_lfs": _FLAG,
    "depth": _NUMBER,
    "proxy": _SECRET,
    "no_proxy": _TEXT,
}

CLUSTER_CONFIG_SPEC: Spec = {
    "username": _TEXT,
    "password": _SECRET,
    "bearer_token": _SECRET,
    "aws_auth_config": {"type": "dict", "options": {"cluster_name": _TEXT, "role_arn": _TEXT, "profile": _TEXT}},
    "exec_provider_config": {
        "type": "dict",
        "options": {
            "command": {"type": "str", "required": True},
            "args": {"type": "list", "elements": "str"},
            "env": {"type": "dict", "no_log": True},
            "api_version": {"type": "str", "required": True},
            "install_hint": _TEXT,
            "provide_cluster_info": _FLAG,
        },
    },
    "tls_client_config": {
        "type": "dict",
        "options": {
            "insecure": _FLAG,
            "server_name": _TEXT,
            "ca_data": _TEXT,
            "cert_data": _TEXT,
            "key_data": _SECRET,
        },
    },
    "disable_compression": _FLAG,
    "proxy_url": _SECRET,
}

CLUSTER_SPEC: Spec = {
    "server": {"type": "str", "required": True},
    "name": _TEXT,
    "project": _TEXT,
    "secret_name": {"type": "str", "no_log": False},
    "namespaces": {"type": "list", "elements": "str"},
    "cluster_resources": _FLAG,
    "shard": _NUMBER,
    **METADATA_SPEC,
    "config": {"type": "dict", "options": CLUSTER_CONFIG_SPEC},
}

REPOSITORIES_ARGUMENT_SPEC: Spec = {
    **ARGOCD_ARGUMENT_SPEC,
    "repositories": {"type": "list", "elements": "dict", "required": True, "options": REPOSITORY_SPEC},
}
CLUSTERS_ARGUMENT_SPEC: Spec = {
    **ARGOCD_ARGUMENT_SPEC,
    "clusters": {"type": "list", "elements": "dict", "required": True, "options": CLUSTER_SPEC},
}

# Where options have other names in the Secret than their own in camel case.
_REPOSITORY_KEYS = {
    "tls_client_cert": "tlsClientCertData",
    "tls_client_key": "tlsClientCertKey",
    "enable_oci": "enableOCI",
    "github_app.id": "githubAppID",
    "github_app.installation_id": "githubAppInstallationID",
    "github_app.private_key": "githubAppPrivateKey",
    "github_app.enterprise_base_url": "githubAppEnterpriseBaseUrl",
    "azure_service_principal.active_directory_endpoint": "azureActiveDirectoryEndpoint",
}


@dataclass(frozen=True)
class Credential:
    """A repository or cluster as it should be, or for its deletion what it is known by."""

    kind: str
    title: str
    secret_name: str
    data: Mapping[str, str] = field(repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str]:
        return identity(self.kind, self.data)

    def manifest(self, namespace: str, live: Mapping[str, Any] | None) -> Object:
        """The Secret; a text that differs from the live one in nothing but its layout is kept."""
        present = data_of(live)
        data = {key: present[key] if _same(value, present.get(key)) else value for key, value in self.data.items()}
        name = live["metadata"]["name"] if live else self.secret_name
        manifest = SECRET.manifest(namespace, {"name": name, **self.metadata})
        manifest["metadata"].setdefault("labels", {})[TYPE_LABEL] = self.kind
        return {**manifest, "type": "Opaque", "data": {key: _encoded(value) for key, value in data.items()}}


class CredentialModule(ApiModule):
    """Keeps secrets out of the system's log too."""

    def _log_invocation(self) -> None:
        # Nested options are logged as Python prints them: a key of many lines would not be found in that by its value.
        self.no_log_values.update([repr(value)[1:-1] for value in self.no_log_values])
        super()._log_invocation()


def reconcile(module: CredentialModule, wishes: Sequence[Credential]) -> None:
    """Bring the Secrets to what is wished, and say so without their values."""
    try:
        _refuse_doubles(wishes)
        argo = Argo(module)
        live = argo.read(SECRET, {"labelSelector": f"{TYPE_LABEL} in ({REPOSITORY}, {TEMPLATE}, {CLUSTER})"})
        known = {identity(secret_type(secret), data_of(secret)): secret for secret in live.values()}
        changes = []
        for wish in wishes:
            secret = known.get(wish.identity)
            if module.params["state"] == "absent":
                changes += [_hidden(wish.title, secret, None)] if secret and _deleted(argo, secret) else []
            else:
                changes += _written(argo, wish, secret)
    except RequestError as error:
        module.fail_json(msg=str(error))
    except ApiError as error:
        module.fail_with(error)
    result = outcome(changes)
    if argo.errors:
        module.fail_json(msg="\n".join(map(str, argo.errors)), **result)
    module.exit_json(**result)


def repository(options: Mapping[str, Any]) -> Credential:
    """The repository, or the template for all repositories below a URL, that these options declare."""
    _refuse_repository(options)
    kind = TEMPLATE if options["template"] else REPOSITORY
    data = dict(_repository_data(options))
    if "sshPrivateKey" in data:
        # ssh takes no key whose last line has no end, which is how templates like to leave it.
        data["sshPrivateKey"] = data["sshPrivateKey"].rstrip("\n") + "\n"
    prefix = "creds" if options["template"] else "repo"
    return Credential(kind, options["url"], options["secret_name"] or _named(prefix, data, "url"), data)


def cluster(options: Mapping[str, Any]) -> Credential:
    config = fields(CLUSTER_CONFIG_SPEC, options["config"] or {})
    tls = config.setdefault("tlsClientConfig", {})
    tls.setdefault("insecure", False)
    if tls["insecure"] and tls.get("caData"):
        raise RequestError(f"cluster {options['server']}: tls_client_config takes insecure or ca_data, not both")
    for key in ("caData", "certData", "keyData"):
        if tls.get(key, "").startswith("-----BEGIN"):
            tls[key] = _encoded(tls[key])
    server = options["server"].rstrip("/")
    data = {
        "server": server,
        "name": options["name"] or server,
        "project": options["project"],
        "namespaces": ",".join(options["namespaces"] or []),
        "clusterResources": "true" if options["cluster_resources"] else "",
        "shard": "" if options["shard"] is None else str(options["shard"]),
        "config": json.dumps(config, sort_keys=True),
    }
    said = {key: value for key, value in data.items() if value}
    name = options["secret_name"] or _named("cluster", said, "server")
    return Credential(CLUSTER, said["name"], name, said, {key: options[key] for key in METADATA_SPEC})


def secret_type(secret: Mapping[str, Any]) -> str:
    label: str = secret["metadata"]["labels"][TYPE_LABEL]
    return label


def identity(kind: str, data: Mapping[str, str]) -> tuple[str, str, str]:
    place = data.get("server") if kind == CLUSTER else data.get("url")
    return kind, (place or "").rstrip("/"), data.get("project") or ""


def data_of(secret: Mapping[str, Any] | None) -> dict[str, str]:
    data = (secret or {}).get("data") or {}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def _written(argo: Argo, wish: Credential, secret: Object | None) -> list[Change]:
    manifest = wish.manifest(argo.namespace, secret)
    name = manifest["metadata"]["name"]
    live = {name: secret} if secret else {}
    refused = len(argo.errors)
    applied = argo.apply(SECRET, [manifest], live)
    if len(argo.errors) > refused:
        return []
    # A key that somebody else once wrote, such as the password before there was an ssh key.
    stale = set(data_of(secret)) - set(wish.data)
    if secret and stale:
        live[name] = argo.amend(SECRET, live[name], lambda _found: {"data": dict.fromkeys(stale)})
    if not applied and not stale:
        return []
    metadata = {**(applied[0].after["metadata"] if applied else declared_part(secret)["metadata"])}
    return [_hidden(wish.title, secret, {**manifest, "metadata": metadata})]


def _deleted(argo: Argo, secret: Object) -> bool:
    name = secret["metadata"]["name"]
    return bool(argo.delete(SECRET, name, {name: secret}))


def _hidden(title: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Change:
    """The change with texts decoded and secrets told apart, but not told."""
    old, new = _readable(before), _readable(after)
    return Change(
        title,
        {**declared_part(before), "data": _told(old, {}, "(a value)")} if before else {},
        {**declared_part(after), "data": _told(new, old, "(another value)" if old else "(a value)")} if after else {},
    )


def _readable(secret: Mapping[str, Any] | None) -> dict[str, Any]:
    data: dict[str, Any] = data_of(secret)
    if "config" in data:
        data["config"] = _parsed(data["config"])
    return data


def _told(values: Mapping[str, Any], before: Mapping[str, Any], news: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, value in values.items():
        other = before.get(key)
        if key not in _shown_keys():
            told[key] = "(a value)" if other == value else news
        elif isinstance(value, Mapping):
            told[key] = _told(value, other if isinstance(other, Mapping) else {}, news)
        else:
            told[key] = value
    return told


def secret_keys(data: Mapping[str, str]) -> set[str]:
    return set(data) - _shown_keys()


def _shown_keys() -> set[str]:
    """The keys that options say are no secret; a key that no option has may well be one."""
    keys = {_repository_key(option, template) for option in _open(REPOSITORY_SPEC) for template in (False, True)}
    return keys | {field_name(option.rpartition(".")[2]) for option in _open(CLUSTER_SPEC)}


def _open(spec: Mapping[str, Mapping[str, Any]], prefix: str = "") -> Iterator[str]:
    for option, said in spec.items():
        if not said.get("no_log"):
            yield prefix + option
            yield from _open(said.get("options", {}), f"{prefix}{option}.")


def _repository_data(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    flat = {name: value for name, value in options.items() if name not in ("template", "secret_name")}
    for group in ("github_app", "azure_service_principal"):
        flat.update({f"{group}.{name}": value for name, value in (flat.pop(group) or {}).items()})
    for option, value in flat.items():
        if value not in (None, "", False):
            text = value if isinstance(value, str) else json.dumps(value)
            yield _repository_key(option, options["template"]), text


def _repository_key(option: str, template: bool) -> str:
    if option in _REPOSITORY_KEYS:
        return _REPOSITORY_KEYS[option]
    head, *rest = option.replace(".", "_").split("_")
    key = head + "".join(word.capitalize() for word in rest)
    # Argo CD spells two of them differently in templates.
    return key.replace("ClientId", "ClientID").replace("TenantId", "TenantID") if template else key


def _refuse_repository(options: Mapping[str, Any]) -> None:
    url = options["url"]
    web = url.startswith(("http://", "https://"))
    problems = []
    if web and options["ssh_private_key"]:
        problems.append("ssh_private_key is for ssh URLs; this one takes username and password")
    if not web and options["password"] and url.startswith(("ssh://", "git@")):
        problems.append("password is for https URLs; this one takes ssh_private_key")
    if options["password"] and not options["username"]:
        problems.append("password needs a username; with a token any will do")
    if options["template"] and (options["name"] or options["project"]):
        problems.append("a template has no name and no project")
    if problems:
        raise RequestError("\n".join(f"repository {url}: {problem}" for problem in problems))


def password_in(url: str) -> str | None:
    return urlsplit(url).password if "://" in url else None


def _refuse_doubles(wishes: Sequence[Credential]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for wish in wishes:
        if wish.identity in seen:
            raise RequestError(f"{wish.title} is there twice")
        seen.add(wish.identity)


def _named(prefix: str, data: Mapping[str, str], place: str) -> str:
    text = f"{data[place]} {data.get('project', '')}"
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def _same(value: str, live: str | None) -> bool:
    parsed = _parsed(value)
    return live is not None and isinstance(parsed, Mapping) and parsed == _parsed(live)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
