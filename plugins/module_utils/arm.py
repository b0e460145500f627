# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Resource Manager: logging in, asking, and waiting until what was asked for is done.

Logins, retries and long-running operations are those of Azure's own libraries azure-identity, azure-core and
azure-mgmt-core, which know every kind of them and weigh a hundredth of the service libraries. Those are not needed:
one body is as good as another to ARM. What is added here is patience with passing refusals, one throttle for all
requests of a task, and errors that say what was being done.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ansible_collections.groundwork.kube.plugins.module_utils.arm_plan import Body, spellings

try:
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from azure.core.pipeline import Pipeline
    from azure.core.pipeline.policies import CustomHookPolicy, RequestIdPolicy, RetryPolicy, UserAgentPolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.polling import LROPoller
    from azure.core.rest import HttpRequest
    from azure.identity import (
        AzureCliCredential,
        CertificateCredential,
        ClientAssertionCredential,
        ClientSecretCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
    from azure.mgmt.core.polling.arm_polling import ARMPolling
except ImportError:
    _MISSING = traceback.format_exc()
else:
    _MISSING = ""

# How long to wait between two looks at an operation, where Azure does not say.
POLL_SECONDS = 10
_CONNECT_SECONDS = 30
_READ_SECONDS = 120
_PROVIDERS_API = "2021-04-01"
_METADATA_API = "2022-09-01"

# What Azure refuses now and takes later, and for how many seconds it is asked again.
_PATIENCE = {
    "anotheroperationinprogress": 1800,
    "canceledandsupersededduetoanotheroperation": 1800,
    "concurrentfederatedidentitycredentialswritesforsinglemanagedidentity": 300,
    "requestconflict": 1800,
    "retryableerror": 600,
    # A new identity is not known everywhere at once.
    "principalnotfound": 300,
}
# What is asked for where it can never be.
_IMPOSSIBLE = {"invalidresourcenamespace", "invalidresourcetype", "subscriptionnotfound"}
# States in which a resource is about to become something else.
_UNSETTLED = {
    "accepted",
    "creating",
    "deleting",
    "inprogress",
    "pending",
    "provisioning",
    "running",
    "scaling",
    "starting",
    "stopping",
    "updating",
    "upgrading",
}


def _option(variables: str, **spec: Any) -> dict[str, Any]:
    return {"fallback": (env_fallback, variables.split()), **spec}


# The names, in options and in the environment, are those of azure.azcollection.
ARM_ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "auth_source": _option("ANSIBLE_AZURE_AUTH_SOURCE", type="str", choices=["auto", "cli", "env", "msi"]),
    "subscription_id": _option("AZURE_SUBSCRIPTION_ID", type="str", required=True),
    "tenant": _option("AZURE_TENANT AZURE_TENANT_ID", type="str"),
    "client_id": _option("AZURE_CLIENT_ID", type="str"),
    "secret": _option("AZURE_SECRET", type="str", no_log=True),
    "x509_certificate_path": _option("AZURE_X509_CERTIFICATE_PATH", type="path"),
    "oidc_token": _option("AZURE_FEDERATED_TOKEN", type="str", no_log=True),
    "oidc_token_file_path": _option("AZURE_FEDERATED_TOKEN_FILE", type="path", no_log=False),
    "cloud_environment": _option("AZURE_CLOUD_ENVIRONMENT", type="str"),
    "adfs_authority_url": _option("AZURE_ADFS_AUTHORITY_URL", type="str"),
    "cert_validation_mode": _option("AZURE_CERT_VALIDATION_MODE", type="str", choices=["ignore", "validate"]),
    "disable_instance_discovery": _option("AZURE_DISABLE_INSTANCE_DISCOVERY", type="bool"),
    "timeout": {"type": "int", "default": 3600},
}


class ArmError(Exception):
    """Azure refused or did not answer; ``str()`` says what was being done, and Azure's own reason."""

    def __init__(self, deed: str, message: str, status: int = 0, **reason: Any) -> None:
        self.code = reason.get("code") or ""
        self.target = reason.get("target") or ""
        self.correlation_id = reason.get("correlation_id") or ""
        told = [f"target {self.target}"] if self.target else []
        told += [f"correlation id {self.correlation_id}"] if self.correlation_id else []
        super().__init__(f"{deed}: {message}" + (f" ({', '.join(told)})" if told else ""))
        self.message = message
        self.status = status

    @property
    def says_absent(self) -> bool:
        """Whether what was asked for is not there, and could be."""
        if self.status == 404:
            return self.code.lower() not in _IMPOSSIBLE
        return self.code == "MissingSubscriptionRegistration"

    def told(self) -> dict[str, Any]:
        return {
            "msg": str(self),
            "status": self.status,
            "code": self.code,
            "target": self.target,
            "correlation_id": self.correlation_id,
        }


@dataclass(frozen=True)
class Cloud:
    """Where a cloud's ARM is, what a token for it is asked for, who gives it, and what for vaults it is asked for."""

    arm: str
    scope: str
    authority: str
    vaults: str


CLOUDS = {
    "AzureCloud": Cloud(
        "https://management.azure.com",
        "https://management.azure.com/.default",
        "https://login.microsoftonline.com",
        "https://vault.azure.net/.default",
    ),
    "AzureChinaCloud": Cloud(
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "https://login.chinacloudapi.cn",
        "https://vault.azure.cn/.default",
    ),
    "AzureUSGovernment": Cloud(
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
        "https://login.microsoftonline.us",
        "https://vault.usgovcloudapi.net/.default",
    ),
}


class Throttle:
    """Once Azure has asked one request to wait, all wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def wait(self, _request: Any) -> None:
        with self._lock:
            seconds = self._until - time.monotonic()
        if seconds > 0:
            time.sleep(seconds)

    def note(self, answer: Any) -> None:
        if answer.http_response.status_code == 429:
            with self._lock:
                self._until = max(self._until, time.monotonic() + _retry_after(answer.http_response, 0))


class ArmClient:
    """Requests to one subscription's ARM, each waited for until it is done."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.subscription: str = options["subscription_id"]
        self._timeout: float = options["timeout"]
        self._verify = options["cert_validation_mode"] != "ignore"
        self._pipeline = self._new_pipeline()
        cloud = self._cloud(options)
        self._vaults = cloud.vaults
        self._credential = _credential(options, cloud, self._verify)
        self._speak_to(cloud.arm, cloud.scope)

    def key_vault(self, address: str) -> ArmClient:
        """The same login to a Key Vault, which is asked for its objects as ARM is for resources."""
        vault = copy.copy(self)
        vault._speak_to(address, self._vaults)
        return vault

    def token(self, deed: str, scope: str) -> str:
        """The same login to something else that asks Entra who comes."""
        try:
            given: str = self._credential.get_token(scope).token
        except AzureError as error:
            raise _failure(deed, error) from error
        return given

    def _speak_to(self, address: str, scope: str) -> None:
        throttle = Throttle()
        self._pipeline = self._new_pipeline(
            ARMChallengeAuthenticationPolicy(self._credential, scope),
            CustomHookPolicy(raw_request_hook=throttle.wait, raw_response_hook=throttle.note),
        )
        self._client = PipelineClient(address, pipeline=self._pipeline)
        self._arm = address

    def get(self, deed: str, path: str, api_version: str, settled: bool = False) -> Body | None:
        """A resource, None where there is none; if it is to be ``settled``, once nothing is under way with it."""
        deadline = time.monotonic() + self._timeout
        version = {"api-version": api_version}
        while True:
            try:
                answer = self._send(deed, "GET", self._url(path), version).http_response
            except ArmError as error:
                if error.says_absent:
                    return None
                raise
            resource: Body = answer.json()
            state = str((resource.get("properties") or {}).get("provisioningState"))
            if not settled or state.lower() not in _UNSETTLED:
                return resource
            if time.monotonic() > deadline:
                raise ArmError(deed, f"is still {state} after {self._timeout} seconds")
            time.sleep(_retry_after(answer, POLL_SECONDS))

    def list(self, deed: str, path: str, api_version: str, query: Mapping[str, str] | None = None) -> list[Body]:
        url, found = self._url(path), []
        asked = {"api-version": api_version, **(query or {})}
        while url:
            try:
                page = self._send(deed, "GET", url, asked).http_response.json()
            except ArmError as error:
                if error.says_absent:
                    break
                raise
            found += page["value"]
            # The next page's address has all of it already.
            url, asked = page.get("nextLink"), {}
        return found

    def write(self, deed: str, method: str, path: str, api_version: str, body: Any = None) -> Any:
        """Send what changes something, again while the refusal is a passing one, and wait until it is done."""
        begun = time.monotonic()
        version = {"api-version": api_version}
        while True:
            try:
                return self._finished(deed, self._send(deed, method, self._url(path), version, body))
            except ArmError as error:
                if method == "DELETE" and error.status == 404:
                    return None
                if time.monotonic() - begun >= _PATIENCE.get(error.code.lower(), 0):
                    raise
                time.sleep(POLL_SECONDS)

    def is_registered(self, namespace: str) -> bool:
        """Whether the subscription may use a provider; one who may not know is taken at his word by ARM later."""
        deed = f"read provider {namespace}"
        try:
            provider = self.get(deed, self.provider(namespace), _PROVIDERS_API)
        except ArmError as error:
            if error.status == 403:
                return True
            raise
        return provider is not None and provider.get("registrationState") == "Registered"

    def register(self, namespace: str) -> None:
        deed = f"register provider {namespace}"
        self.write(deed, "POST", self.provider(namespace) + "/register", _PROVIDERS_API)
        deadline = time.monotonic() + self._timeout
        while not self.is_registered(namespace):
            if time.monotonic() > deadline:
                raise ArmError(deed, f"is not done after {self._timeout} seconds")
            time.sleep(POLL_SECONDS)

    def provider(self, namespace: str) -> str:
        return f"/subscriptions/{self.subscription}/providers/{namespace}"

    def _url(self, path: str) -> str:
        return self._arm.rstrip("/") + quote(path, safe="/@:()!,'")

    def _new_pipeline(self, *policies: Any) -> Any:
        retry = RetryPolicy(retry_status=8, retry_backoff_max=30)
        transport = RequestsTransport(
            connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, connection_verify=self._verify
        )
        return Pipeline(transport, [RequestIdPolicy(), UserAgentPolicy("groundwork.kube"), retry, *policies])

    def _cloud(self, options: Mapping[str, Any]) -> Cloud:
        name = options["cloud_environment"] or "AzureCloud"
        found = CLOUDS.get(name) or self._cloud_at(name)
        return replace(found, authority=options["adfs_authority_url"] or found.authority)

    def _cloud_at(self, address: str) -> Cloud:
        """What a cloud that is not one of Microsoft's says of itself."""
        deed = f"read cloud_environment {address}"
        if not address.startswith("https://"):
            raise ArmError(deed, f"write one of {', '.join(CLOUDS)}, or a metadata endpoint's address, https://…")
        base = address.partition("/metadata/")[0].rstrip("/")
        version = {"api-version": _METADATA_API}
        metadata = self._send(deed, "GET", f"{base}/metadata/endpoints", version).http_response.json()
        described = metadata[0] if isinstance(metadata, list) else metadata
        login = described["authentication"]
        scope = login["audiences"][0].rstrip("/") + "/.default"
        vaults = described["suffixes"]["keyVaultDns"].lstrip(".")
        return Cloud(
            described["resourceManager"].rstrip("/"), scope, login["loginEndpoint"], f"https://{vaults}/.default"
        )

    def _send(self, deed: str, method: str, url: str, query: Mapping[str, str], body: Any = None) -> Any:
        """What Azure answers to one request, unless it refuses."""
        try:
            answer = self._pipeline.run(HttpRequest(method, url, params=query, json=body))
            # The token of a refused login is forgotten by then: one that had expired is asked for anew.
            if answer.http_response.status_code == 401:
                answer = self._pipeline.run(HttpRequest(method, url, params=query, json=body))
        except AzureError as error:
            raise _failure(deed, error) from error
        if answer.http_response.status_code >= 400:
            raise _refusal(deed, answer.http_response)
        return answer

    def _finished(self, deed: str, answer: Any) -> Any:
        """What an operation ends with, however long it takes and in whichever way Azure tells."""
        try:
            poller = LROPoller(self._client, answer, lambda last: last.http_response.json(), ARMPolling(POLL_SECONDS))
            poller.wait(self._timeout)
            if poller.done():
                return poller.result()
        except AzureError as error:
            raise _failure(deed, error) from error
        raise ArmError(
            deed, f"Azure is not done after {self._timeout} seconds (timeout) and goes on; run again to wait"
        )


class ArmModule(AnsibleModule):
    """A module that talks to ARM: its options, its secrets kept out of what is printed, its errors put plainly."""

    def __init__(self, argument_spec: dict[str, dict[str, Any]], **rules: Any) -> None:
        super().__init__(argument_spec={**ARM_ARGUMENT_SPEC, **argument_spec}, supports_check_mode=True, **rules)

    def connect(self) -> ArmClient:
        if _MISSING:
            self.fail_json(msg=missing_required_lib("azure-identity and azure-mgmt-core"), exception=_MISSING)
        # Without a handler, Python prints the libraries' warnings.
        for library in ("azure", "msal"):
            logging.getLogger(library).addHandler(logging.NullHandler())
        return ArmClient(self.params)

    def keep_secret(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            self.no_log_values.update(spellings(secret))

    def fail_with(self, error: ArmError) -> None:
        self.fail_json(**error.told())


def side_by_side(
    prerequisites: Mapping[str, Iterable[str]], family: Callable[[str], str], do: Callable[[str], None], width: int
) -> dict[str, ArmError]:
    """Do each thing once all that it waits for is done, those of one family one at a time; return what failed.

    What waits for something that failed is not begun; all else is done.
    """
    order = TopologicalSorter(prerequisites)
    order.prepare()
    failed: dict[str, ArmError] = {}
    ready: list[str] = []
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(width) as pool:
        while order.is_active():
            ready += order.get_ready()
            for key in _one_of_each(ready, family, running.values()):
                ready.remove(key)
                running[pool.submit(do, key)] = key
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                try:
                    future.result()
                    order.done(key)
                except ArmError as error:
                    failed[key] = error
    return failed


def _one_of_each(keys: Iterable[str], family: Callable[[str], str], running: Iterable[str]) -> Iterator[str]:
    busy = {family(key) for key in running}
    for key in list(keys):
        if family(key) not in busy:
            busy.add(family(key))
            yield key


def _credential(options: Mapping[str, Any], cloud: Cloud, verify: bool) -> Any:
    """The login that the options and the environment say, in azure.azcollection's order."""
    source = options["auth_source"] or "auto"
    tenant, client = options["tenant"], options["client_id"]
    application = {
        "authority": cloud.authority,
        "disable_instance_discovery": bool(options["disable_instance_discovery"]),
        "connection_verify": verify,
    }
    if source == "msi":
        return ManagedIdentityCredential(client_id=client)
    given = next(
        (each for each in ("secret", "x509_certificate_path", "oidc_token", "oidc_token_file_path") if options[each]),
        "",
    )
    if source == "cli" or (source == "auto" and not given):
        return AzureCliCredential(tenant_id=tenant or "")
    missing = [name for name in ("tenant", "client_id") if not options[name]]
    if missing or not given:
        missing += [] if given else ["one of secret, x509_certificate_path and oidc_token_file_path"]
        raise ArmError("log in to Azure", f"{' and '.join(missing)} missing; set it, or its AZURE_* variable")
    if given == "secret":
        return ClientSecretCredential(tenant, client, options[given], **application)
    if given == "oidc_token":
        return ClientAssertionCredential(tenant, client, lambda: str(options[given]), **application)
    if given == "oidc_token_file_path":
        return WorkloadIdentityCredential(
            tenant_id=tenant, client_id=client, token_file_path=options[given], **application
        )
    try:
        return CertificateCredential(tenant, client, options[given], **application)
    except (OSError, ValueError) as error:
        raise ArmError("log in to Azure", f"x509_certificate_path {options[given]}: {error}") from error


def _failure(deed: str, error: AzureError) -> ArmError:
    """What the libraries raise, put as an error of ours."""
    if isinstance(error, ClientAuthenticationError):
        return ArmError(f"{deed}: log in to Azure", error.message, 401, code="AuthenticationFailed")
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _refusal(deed, error.response)
    return ArmError(deed, f"Azure does not answer: {error.message}")


def _refusal(deed: str, answer: Any) -> ArmError:
    try:
        content = answer.json()
    except ValueError:
        content = {}
    content = content if isinstance(content, dict) else {}
    error = content.get("error") or {}
    state = content.get("status") or (content.get("properties") or {}).get("provisioningState")
    code = error.get("code") or (state if answer.status_code < 400 else "") or answer.reason
    said = error.get("message") or (f"ended as {state}" if state else "Azure gave no reason")
    told = " ".join([said, *(each for each in _details(error) if each not in said)])
    headers = answer.headers
    return ArmError(
        deed,
        f"{answer.status_code} {code}: {told}" if answer.status_code >= 400 else f"{code}: {told}",
        answer.status_code,
        code=code,
        target=error.get("target"),
        correlation_id=headers.get("x-ms-correlation-request-id") or headers.get("x-ms-request-id"),
    )


def _details(error: Mapping[str, Any]) -> Iterator[str]:
    for detail in error.get("details") or []:
        yield ": ".join(part for part in (detail.get("code"), detail.get("message")) if part)
        yield from _details(detail)


def _retry_after(answer: Any, otherwise: float) -> float:
    for header, unit in (("retry-after", 1), ("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000)):
        try:
            return float(answer.headers[header]) / unit or otherwise
        except (KeyError, ValueError):
            continue
    return otherwise
