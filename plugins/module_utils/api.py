# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes API over Python's own http.client, so that a node needs nothing installed to talk to it.

Options and environment variables are those of kubernetes.core. The official client is imported only to
resolve credentials that a kubeconfig asks a program (exec) or an identity provider for.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ansible_collections.groundwork.kube.plugins.module_utils import block_yaml

ADMIN_KUBECONFIG = "/etc/kubernetes/admin.conf"
USER_KUBECONFIG = "~/.kube/config"
FIELD_MANAGER = "groundwork.kube"

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_TIMEOUT = 30
_THROTTLED_ATTEMPTS = 5
_PAUSE = 1
# A load balancer takes connections while none of its servers is there, and hangs up; the next one is there in seconds.
_HUNG_UP_PATIENCE = 20
# A new kubelet restarts its static pods, which on a busy machine takes a minute.
RESTART_PATIENCE = 120


def _option(variable: str, **spec: Any) -> dict[str, Any]:
    return {"fallback": (env_fallback, ["K8S_AUTH_" + variable]), **spec}


# What check mode is told that earlier phases of its run would have made.
ASSUME_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "assume": {"type": "list", "elements": "str", "choices": ["packages", "runtime", "api"], "default": []},
}

API_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "kubeconfig": _option("KUBECONFIG", type="path"),
    "context": _option("CONTEXT", type="str"),
    "host": _option("HOST", type="str"),
    "api_key": _option("API_KEY", type="str", no_log=True),
    "username": _option("USERNAME", type="str"),
    "password": _option("PASSWORD", type="str", no_log=True),
    "validate_certs": _option("VERIFY_SSL", type="bool", aliases=["verify_ssl"]),
    "ca_cert": _option("SSL_CA_CERT", type="path", aliases=["ssl_ca_cert"]),
    "client_cert": _option("CERT_FILE", type="path", aliases=["cert_file"]),
    "client_key": _option("KEY_FILE", type="path", aliases=["key_file"], no_log=False),
    "proxy": _option("PROXY", type="str"),
    "impersonate_user": _option("IMPERSONATE_USER", type="str"),
    "impersonate_groups": _option("IMPERSONATE_GROUPS", type="list", elements="str"),
    **ASSUME_ARGUMENT_SPEC,
}


class ApiError(Exception):
    """The API refused a request; ``str()`` names the deed and the API's own reason."""

    def __init__(self, deed: str, status: int, reason: str, message: str) -> None:
        super().__init__(f"{deed}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class ApiUnreachableError(ApiError):
    """Nobody answered, or there is nothing yet that says where to ask."""

    def __init__(self, deed: str, message: str) -> None:
        super().__init__(deed, 0, "Unreachable", message)


@dataclass(frozen=True)
class Access:
    """Where the API is and who we are to it. Certificates and keys are PEM text, not paths."""

    host: str
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    token: str | None = None
    username: str | None = None
    password: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.host if "://" in self.host else "https://" + self.host)

    def secrets(self) -> set[str]:
        return {secret for secret in (self.key, self.token, self.password) if secret}

    def headers(self) -> list[tuple[str, str]]:
        headers = []
        if self.token:
            headers.append(("Authorization", "Bearer " + self.token))
        elif self.username:
            pair = f"{self.username}:{self.password or ''}".encode()
            headers.append(("Authorization", "Basic " + base64.b64encode(pair).decode()))
        if self.impersonate_user:
            headers.append(("Impersonate-User", self.impersonate_user))
        headers.extend(("Impersonate-Group", group) for group in self.impersonate_groups)
        return headers


def resolve_access(options: Mapping[str, Any]) -> Access:
    """Module options first, then what the kubeconfig says for what they leave open."""
    found: dict[str, Any] = {}
    path = _kubeconfig_path(options)
    if path:
        found = _from_kubeconfig(path, options.get("context"))
    given = {
        "host": options.get("host"),
        "ca": _file(options.get("ca_cert")),
        "certificate": _file(options.get("client_cert")),
        "key": _file(options.get("client_key")),
        "token": options.get("api_key"),
        "username": options.get("username"),
        "password": options.get("password"),
        "verify": options.get("validate_certs"),
        "proxy": options.get("proxy"),
        "impersonate_user": options.get("impersonate_user"),
        "impersonate_groups": tuple(options.get("impersonate_groups") or ()) or None,
    }
    found.update({name: value for name, value in given.items() if value is not None})
    if not found.get("host"):
        raise ApiUnreachableError(
            "Finding the Kubernetes API",
            f"there is no {ADMIN_KUBECONFIG} and no {USER_KUBECONFIG} on this host, and neither kubeconfig nor host is "
            "set; run on an initialised control plane, or set one of them",
        )
    return Access(**found)


class ApiClient:
    """One keep-alive connection to the API. A read of what is missing is None, a deletion of it False."""

    def __init__(self, access: Access, timeout: float = _TIMEOUT, patience: float = 0) -> None:
        """For ``patience`` seconds, a server that does not answer yet is asked again what it may be asked twice."""
        self._access = access
        self._timeout = timeout
        self._patience = patience
        self._connection: http.client.HTTPConnection | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ApiClient:
        return cls(resolve_access(options))

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        try:
            return self.request("GET", path, query=query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self.request("GET", path, query=query).get("items") or []

    def create(self, path: str, body: Mapping[str, Any], query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self.request("POST", path, body, {"fieldManager": FIELD_MANAGER, **(query or {})})

    def patch(
        self,
        path: str,
        body: Mapping[str, Any],
        query: Mapping[str, Any] | None = None,
        content_type: str = MERGE_PATCH,
    ) -> dict[str, Any]:
        return self.request("PATCH", path, body, {"fieldManager": FIELD_MANAGER, **(query or {})}, content_type)

    def delete(self, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None) -> bool:
        try:
            self.request("DELETE", path, body, query)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        attempts: int = _THROTTLED_ATTEMPTS,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send one request, again where the server asks for patience; return the decoded answer."""
        answer = self._send(method, path, body, query, content_type, attempts, headers)
        return json.loads(answer) if answer else {}

    def text(self, path: str) -> str:
        """What a pod or a service answers through the API server's proxy, which need not be JSON."""
        return self._send("GET", path).decode(errors="replace")

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        attempts: int = _THROTTLED_ATTEMPTS,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        deed = f"{method} {path}"
        target = self._access.url.path.rstrip("/") + path + ("?" + urlencode(query, doseq=True) if query else "")
        content = None if body is None else json.dumps(body).encode()
        for attempt in range(1, attempts + 1):
            status, retry_after, answer = self._patiently(deed, method, target, content, content_type, headers or {})
            if status != 429 or attempt == attempts:
                break
            time.sleep(retry_after)
        if status >= 400:
            raise _refusal(deed, status, answer)
        return answer

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _patiently(self, deed: str, method: str, *exchange: Any) -> tuple[int, float, bytes]:
        began = time.monotonic()
        while True:
            try:
                answer = self._exchange(deed, method, *exchange)
                # One that has just started knows no roles, and forbids everything.
                if answer[0] != 403 or time.monotonic() >= began + self._patience or self._is_ready():
                    return answer
            except ApiUnreachableError as error:
                patience = max(self._patience, _HUNG_UP_PATIENCE if _hung_up(error) else 0)
                if method == "POST" or time.monotonic() >= began + patience:
                    raise
            time.sleep(_PAUSE)

    def _is_ready(self) -> bool:
        return self._exchange("GET /readyz", "GET", "/readyz", None, "", {})[0] == 200

    def _exchange(
        self,
        deed: str,
        method: str,
        target: str,
        content: bytes | None,
        content_type: str,
        headers: Mapping[str, str],
    ) -> tuple[int, float, bytes]:
        reused = self._connection is not None
        try:
            connection = self._connection = self._connection or _connect(self._access, self._timeout)
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (*self._access.headers(), *headers.items()):
                connection.putheader(name, value)
            connection.putheader("Accept", "application/json")
            if content is not None:
                connection.putheader("Content-Type", content_type)
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            response = connection.getresponse()
            return response.status, float(response.getheader("Retry-After") or 1), response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # The server may have closed a connection that was idle: nothing was lost, but a POST might have been done.
            if reused and method != "POST" and not isinstance(error, socket.timeout):
                return self._exchange(deed, method, target, content, content_type, headers)
            raise ApiUnreachableError(deed, f"the API at {self._access.host} does not answer: {error}") from error


class ApiModule(AnsibleModule):
    """A module that talks to the API: its options, its secrets kept out of what is printed, its errors put plainly."""

    def __init__(self, argument_spec: dict[str, dict[str, Any]], **rules: Any) -> None:
        super().__init__(argument_spec={**API_ARGUMENT_SPEC, **argument_spec}, supports_check_mode=True, **rules)

    @property
    def assumes_api(self) -> bool:
        """Whether an earlier phase of this run would have made what cannot be found in check mode."""
        return bool(self.check_mode and "api" in self.params["assume"])

    def connect(self, patience: float = 0) -> ApiClient:
        try:
            access = resolve_access(self.params)
        except ImportError:
            self.fail_json(msg=missing_required_lib("kubernetes"), exception=traceback.format_exc())
        self.no_log_values.update(access.secrets())
        return ApiClient(access, patience=patience)

    def fail_with(self, error: ApiError) -> None:
        self.fail_json(msg=str(error), reason=error.reason, status=error.status)

    def fail_unless_assumed(self, error: ApiError) -> None:
        """End the module, unless what is missing is an API that an earlier phase of this run would have made."""
        if not (self.assumes_api and isinstance(error, ApiUnreachableError)):
            self.fail_with(error)


def path_segment(name: str) -> str:
    return quote(name, safe="")


def _hung_up(error: ApiUnreachableError) -> bool:
    return isinstance(error.__cause__, (ConnectionResetError, ssl.SSLEOFError))


def _refusal(deed: str, status: int, answer: bytes) -> ApiError:
    try:
        details = json.loads(answer)
    except ValueError:
        details = None
    # What a service answers through the proxy is not Kubernetes' own.
    if not isinstance(details, dict):
        details = {"message": answer.decode(errors="replace").strip()}
    reason = details.get("reason") or http.client.responses.get(status, "Unknown")
    message = details.get("message") or "; ".join(details.get("errors") or []) or "no reason given"
    # Most messages hold their causes already; that of a refused eviction keeps the budget's name to its cause.
    causes = (cause.get("message") or "" for cause in (details.get("details") or {}).get("causes") or [])
    told = " ".join([message, *(cause for cause in causes if cause not in message)])
    return ApiError(deed, status, reason, f"{status} {reason}: {told}")


def _connect(access: Access, timeout: float) -> http.client.HTTPConnection:
    url = access.url
    if not url.hostname:
        raise ApiUnreachableError("Finding the Kubernetes API", f"host {access.host!r} is not a URL")
    port = url.port or (443 if url.scheme == "https" else 80)
    if access.proxy:
        proxy = urlsplit(access.proxy)
        endpoint = (proxy.hostname or access.proxy, proxy.port or 3128)
    else:
        endpoint = (url.hostname, port)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = _TlsConnection(*endpoint, timeout, _tls(access), access.server_name or url.hostname)
    else:
        connection = http.client.HTTPConnection(*endpoint, timeout=timeout)
    if access.proxy:
        connection.set_tunnel(url.hostname, port)
    connection.connect()
    # Requests are small and each waits for its answer: do not let the kernel hold the last packet back.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class _TlsConnection(http.client.HTTPConnection):
    """HTTPS to a server that may be known by another name than the one dialled (kubeconfig's tls-server-name)."""

    def __init__(self, host: str, port: int, timeout: float, tls: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout=timeout)
        self._tls = tls
        self._server_name = server_name

    def connect(self) -> None:
        super().connect()
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def _tls(access: Access) -> ssl.SSLContext:
    tls = ssl.create_default_context(cadata=access.ca)
    if not access.verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if access.certificate:
        # ssl loads a certificate and its key from a file only; this one is ours alone (0600) and gone at once.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
            pair.write(access.certificate + "\n" + (access.key or ""))
            pair.flush()
            tls.load_cert_chain(pair.name)
    return tls


def _kubeconfig_path(options: Mapping[str, Any]) -> str | None:
    """The kubeconfig to read: the one that was named; else, unless a host was, the admin's or the user's."""
    if options.get("kubeconfig"):
        return str(options["kubeconfig"])
    if options.get("host"):
        return None
    usual = (os.environ.get("KUBECONFIG"), ADMIN_KUBECONFIG, os.path.expanduser(USER_KUBECONFIG))
    return next((path for path in usual if path and os.path.exists(path)), None)


def _from_kubeconfig(path: str, context_name: str | None) -> dict[str, Any]:
    config = _read_kubeconfig(path)
    context = _named(config, "contexts", context_name or config.get("current-context"), path)
    cluster = _named(config, "clusters", context.get("cluster"), path)
    user = _named(config, "users", context.get("user"), path)
    if "exec" in user or "auth-provider" in user:
        return _from_official_client(path, context_name)
    folder = os.path.dirname(os.path.abspath(path))
    return {
        "host": cluster.get("server"),
        "ca": _inline_or_file(cluster, "certificate-authority", folder),
        "certificate": _inline_or_file(user, "client-certificate", folder),
        "key": _inline_or_file(user, "client-key", folder),
        "token": user.get("token") or (_file(user.get("tokenFile"), folder) or "").strip() or None,
        "username": user.get("username"),
        "password": user.get("password"),
        "verify": not cluster.get("insecure-skip-tls-verify", False),
        "server_name": cluster.get("tls-server-name"),
        "proxy": cluster.get("proxy-url"),
        "impersonate_user": user.get("as"),
        "impersonate_groups": tuple(user.get("as-groups") or ()),
    }


def _from_official_client(path: str, context_name: str | None) -> dict[str, Any]:
    from kubernetes import client, config

    resolved = client.Configuration()
    config.load_kube_config(config_file=path, context=context_name, client_configuration=resolved)
    bearer: str = resolved.auth_settings().get("BearerToken", {}).get("value") or ""
    return {
        "host": resolved.host,
        "ca": _file(resolved.ssl_ca_cert),
        "certificate": _file(resolved.cert_file),
        "key": _file(resolved.key_file),
        "token": bearer.removeprefix("Bearer ") or None,
        "verify": resolved.verify_ssl,
        "server_name": resolved.tls_server_name,
        "proxy": resolved.proxy,
    }


def _read_kubeconfig(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError as error:
        raise ApiUnreachableError("Reading the kubeconfig", f"{path} does not exist on this host") from error
    except PermissionError as error:
        raise ApiUnreachableError(
            "Reading the kubeconfig", f"{path} may not be read by this user; set become"
        ) from error
    config = _parse(text, path)
    if not isinstance(config, dict):
        raise ApiUnreachableError("Reading the kubeconfig", f"{path} is not a kubeconfig")
    return config


def _parse(text: str, path: str) -> Any:
    """What kubeadm and kubectl wrote needs no PyYAML, which a node may lack and which takes its time to import."""
    try:
        return block_yaml.load(text)
    except ValueError:
        pass
    try:
        import yaml
    except ImportError as error:
        raise ApiUnreachableError(
            "Reading the kubeconfig",
            f"{path} is not as kubeadm or kubectl write it: install python3-yaml here",
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ApiUnreachableError("Reading the kubeconfig", f"{path} is not YAML") from error


def _named(config: Mapping[str, Any], section: str, name: str | None, path: str) -> dict[str, Any]:
    entries = {entry.get("name"): entry for entry in config.get(section) or []}
    if name not in entries:
        known = ", ".join(sorted(map(str, entries))) or "none"
        raise ApiUnreachableError("Reading the kubeconfig", f"{path} has no {section[:-1]} {name!r}; it has: {known}")
    return entries[name].get(section[:-1]) or {}


def _inline_or_file(entry: Mapping[str, Any], name: str, folder: str) -> str | None:
    inline = entry.get(name + "-data")
    return base64.b64decode(inline).decode() if inline else _file(entry.get(name), folder)


def _file(path: str | None, folder: str = "") -> str | None:
    if not path:
        return None
    full = os.path.join(folder, os.path.expanduser(path))
    try:
        with open(full, encoding="utf-8") as stream:
            return stream.read()
    except OSError as error:
        raise ApiUnreachableError("Reading credentials", f"{full}: {error.strerror}") from error
