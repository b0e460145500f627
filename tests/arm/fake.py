"""A stand-in for Azure's Resource Manager, its Key Vaults and what gives tokens, on loopback and for tests alone.

It is our reading of Azure, not Azure: it keeps what it is sent, adds what a service would, and answers, waits and fails
as it is told to. What only Azure can prove (quotas, policies, names, what a type refuses) it cannot.
"""

from __future__ import annotations

import base64
import copy
import datetime
import ipaddress
import json
import re
import secrets
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

TENANT = "7d1c3f5e-0000-4000-8000-000000000001"
SUBSCRIPTION = "7d1c3f5e-0000-4000-8000-000000000002"
CLIENT = "7d1c3f5e-0000-4000-8000-000000000003"

# Where its Key Vaults are, which on Azure have a name of their own each.
VAULTS = "/vaults/"
# The list of what is in a resource group.
ALL_OF_A_GROUP = "/resources"
# What says of itself neither that it is ready nor, while it is being made, that it is not.
STATELESS = {
    "microsoft.authorization/roleassignments",
    "microsoft.authorization/roledefinitions",
    "microsoft.containerservice/managedclusters/agentpools/upgradeprofiles",
    "microsoft.dbforpostgresql/flexibleservers",
    "microsoft.dbforpostgresql/flexibleservers/databases",
    "microsoft.dbforpostgresql/flexibleservers/firewallrules",
    "microsoft.keyvault/vaults",
    "microsoft.keyvault/vaults/secrets",
    "microsoft.managedidentity/userassignedidentities",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials",
    "microsoft.monitor/accounts",
}

Json = dict[str, Any]


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str] = field(repr=False)
    answer: Answer | None = field(default=None, repr=False)


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        error = {"code": code, "message": message, **more}
        self.answer = Answer(status, {"error": error}, {"x-ms-correlation-request-id": "c0ffee"})


class FakeArm:
    """The store, the log, and how it is to behave."""

    def __init__(self, directory: Path, *hosts: str) -> None:
        self.ca = directory / "ca.pem"
        key = directory / "key.pem"
        key.write_bytes(private_key := new_key())
        self.ca.write_bytes(new_certificate(private_key, *hosts))
        self._server = _serve(self, (self.ca, key))
        self._plain = _serve(self, None)
        self._lock = threading.RLock()
        self.forget()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_port}"

    @property
    def metadata_service(self) -> str:
        """Where a machine asks for its own identity's token, without TLS, as on Azure."""
        return f"http://127.0.0.1:{self._plain.server_port}"

    def forget(self) -> None:
        self.store: dict[str, Json] = {}
        self.log: list[Request] = []
        self.tokens: set[str] = set()
        self.vault_tokens: set[str] = set()
        self.grants: list[dict[str, str]] = []
        self.trusted_secret = secrets.token_urlsafe()
        # How it behaves. Operations: at once, or told by one of the headers, or by the resource's state alone.
        self.operations = ""
        self.polls_until_done = 2
        self.operation_error: Json | None = None
        self.faults: list[tuple[str, str, Callable[[], Answer]]] = []
        self.unregistered: set[str] = set()
        self.never_returned: set[str] = set()
        self.adds: Callable[[Json], None] = lambda resource: None
        self.actions: dict[str, Callable[[Json, Any], Any]] = {}
        self.meeting: threading.Barrier | None = None
        # What becomes of the first write of each resource, told how to carry it out.
        self.stumble: Callable[[Callable[[], Answer]], Answer] | None = None
        self._stumbled: set[str] = set()
        self._operations: dict[str, Json] = {}
        self._busy: set[str] = set()

    def close(self) -> None:
        for server in (self._server, self._plain):
            server.shutdown()
            server.server_close()

    # --- what a test says and asks ---

    def plant(self, path: str, **content: Any) -> Json:
        """A resource that somebody else has made."""
        return self._keep(path, {"properties": {}, **content})

    def resource(self, path: str) -> Json:
        return self.store[path.lower()]

    def fault(self, method: str, ending: str, *answers: Answer | Refusal) -> None:
        """What the next such requests are answered."""
        for each in answers:
            answer = each.answer if isinstance(each, Refusal) else each
            self.faults.append((method, ending.lower(), lambda answer=answer: answer))

    def sent(self, *methods: str) -> list[str]:
        """The requests for resources, those of the methods if any are said."""
        return [
            f"{request.method} {request.path}"
            for request in self.log
            if request.path.startswith("/subscriptions/")
            and "/operations/" not in request.path
            and (not methods or request.method in methods)
        ]

    @property
    def written(self) -> list[str]:
        return self.sent("PUT", "PATCH", "POST", "DELETE")

    # --- what a client sees ---

    def answer(self, request: Request, tls: bool) -> Answer:
        with self._lock:
            self.log.append(request)
        request.answer = self._answer(request, tls)
        return request.answer

    def _answer(self, request: Request, tls: bool) -> Answer:
        try:
            if request.path == "/metadata/identity/oauth2/token":
                return self._identity_of_the_machine(request)
            if not tls:
                raise Refusal(404, "NotFound", "Only the metadata service is here.")
            if request.path == "/metadata/endpoints":
                login = {"loginEndpoint": self.url, "audiences": [self.url]}
                suffixes = {"keyVaultDns": ".vault.azure.net"}
                return Answer(200, [{"resourceManager": self.url, "authentication": login, "suffixes": suffixes}])
            if request.path.endswith("/openid-configuration"):
                tenant = self.url + "/" + request.path.split("/")[1]
                endpoints = {
                    "authorization_endpoint": "/authorize",
                    "token_endpoint": "/oauth2/v2.0/token",
                    "issuer": "",
                }
                return Answer(200, {name: tenant + path for name, path in endpoints.items()})
            if request.path.endswith("/token"):
                return self._token(request)
            if request.path.startswith(VAULTS):
                return self._key_vault(request)
            return self._resource_manager(request)
        except Refusal as refusal:
            return refusal.answer

    def _identity_of_the_machine(self, request: Request) -> Answer:
        if request.headers.get("metadata") != "true":
            raise Refusal(400, "BadRequest", "The header Metadata is missing.")
        return self._issue(request.query)

    def _token(self, request: Request) -> Answer:
        grant = {name: values[0] for name, values in parse_qs(request.body).items()}
        if grant.get("client_secret", self.trusted_secret) != self.trusted_secret:
            return Answer(
                401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
            )
        return self._issue(grant)

    def _issue(self, grant: dict[str, str]) -> Answer:
        with self._lock:
            self.grants.append(grant)
            token = secrets.token_urlsafe()
            (self.vault_tokens if "vault.azure.net" in grant.get("scope", "") else self.tokens).add(token)
        return Answer(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": token, "resource": self.url})

    def _key_vault(self, request: Request) -> Answer:
        """A vault holds what ARM's children of it are; it lists names, and shows a value to who asks for one."""
        self._check_token(request, self.vault_tokens)
        if fault := self._fault(request):
            return fault
        name, kind, *rest = request.path.removeprefix(VAULTS).rstrip("/").lower().split("/")
        with self._lock:
            held = [
                {"id": f"{self.url}{VAULTS}{name}/{kind}/{each['name']}", **each["properties"]}
                for path, each in self.store.items()
                if f"/vaults/{name}/{kind}/" in path
            ]
        if not rest:
            return self._pages(request, [self._without_value(each) for each in held])
        found = [each for each in held if each["id"].lower().endswith(f"/{rest[0]}")]
        if rest[1:] == ["versions"]:
            versions = [each["id"] + "/" + version for each in found for version in each.get("versions", [])]
            return Answer(200, {"value": [{"id": version} for version in versions]})
        if not found:
            raise Refusal(404, "SecretNotFound", f"A secret with (name/id) {rest[0]} was not found in this key vault.")
        return Answer(200, found[0])

    @staticmethod
    def _without_value(held: Json) -> Json:
        return {name: value for name, value in held.items() if name in ("id", "attributes")}

    def _check_token(self, request: Request, trusted: set[str]) -> None:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in trusted:
            raise Refusal(401, "AuthenticationFailed", "The access token is missing or not ours.")

    def _fault(self, request: Request) -> Answer | None:
        with self._lock:
            for fault in self.faults:
                method, ending, answer = fault
                if request.method == method and request.path.lower().endswith(ending):
                    self.faults.remove(fault)
                    return answer()
        return None

    def _resource_manager(self, request: Request) -> Answer:
        self._check_token(request, self.tokens)
        if fault := self._fault(request):
            return fault
        if "/operations/" in request.path:
            return self._poll(request)
        with self._lock:
            stumbles = self.stumble and request.method != "GET" and request.path not in self._stumbled
            self._stumbled |= {request.path} if stumbles else set()
        if self.stumble and stumbles:
            return self.stumble(lambda: self._carried_out(request))
        return self._carried_out(request)

    def _carried_out(self, request: Request) -> Answer:
        self._check_address(request.path)
        if "api-version" not in request.query:
            raise Refusal(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if provider := re.fullmatch(r"/subscriptions/[^/]+/providers/([^/]+)(/register)?", request.path):
            return self._provider(request, provider.group(1))
        deeds = {
            "GET": self._get,
            "HEAD": self._head,
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": self._delete,
            "POST": self._post,
        }
        return deeds[request.method](request)

    def _check_address(self, path: str) -> None:
        if path.split("/")[2].lower() != SUBSCRIPTION:
            raise Refusal(404, "SubscriptionNotFound", f"The subscription '{path.split('/')[2]}' could not be found.")
        namespace = path.rpartition("/providers/")[2].split("/")[0]
        if "/providers/" in path and not namespace.lower().startswith("microsoft."):
            raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")

    def _provider(self, request: Request, namespace: str) -> Answer:
        if request.method == "POST":
            self.unregistered.discard(namespace)
            return Answer(200, {"registrationState": "Registering"})
        state = "NotRegistered" if namespace in self.unregistered else "Registered"
        return Answer(200, {"namespace": namespace, "registrationState": state})

    def _get(self, request: Request) -> Answer:
        path = request.path.lower()
        with self._lock:
            if is_collection(path):
                found = [self._shown(each) for key, each in self.store.items() if is_within(key, path)]
                if assigned := re.fullmatch(r"assignedTo\('(.*)'\)", request.query.get("$filter", "")):
                    found = [each for each in found if each["properties"].get("principalId") == assigned.group(1)]
                return self._pages(request, found)
            if path not in self.store:
                raise Refusal(404, "ResourceNotFound", f"The Resource '{request.path}' was not found.")
            resource = self.store[path]
            shown = self._shown(resource)
            if resource.get("_polls", 0) > 0:
                resource["_polls"] -= 1
            elif "_state" in resource:
                resource["properties"]["provisioningState"] = resource.pop("_state")
                self._busy.discard(outermost(path))
                shown = self._shown(resource)
        return Answer(200, shown)

    def _head(self, request: Request) -> Answer:
        """Whether it is there."""
        self._get(request)
        return Answer(204)

    def _pages(self, request: Request, found: list[Json]) -> Answer:
        """Two, so that nobody forgets the second."""
        if len(found) > 1 and "page" not in request.query:
            following = f"{self.url}{request.path}?{urlencode({**request.query, 'page': 2})}"
            return Answer(200, {"value": found[:1], "nextLink": following})
        return Answer(200, {"value": found[1:] if "page" in request.query else found})

    def _put(self, request: Request) -> Answer:
        return self._written(request, request.body)

    def _patch(self, request: Request) -> Answer:
        if request.path.lower() not in self.store:
            raise Refusal(404, "ResourceNotFound", f"The Resource '{request.path}' was not found.")
        return self._written(request, merge_patch(self.store[request.path.lower()], request.body))

    def _written(self, request: Request, body: Json) -> Answer:
        if self.meeting:
            self.meeting.wait(30)
        path = request.path.lower()
        with self._lock:
            self._check_place(path)
            status = 200 if path in self.store else 201
            resource = self._keep(request.path, body)
            self._forget_unlisted_subnets(path, resource)
            return self._operation(status, path, resource, "Creating" if status == 201 else "Updating")

    def _forget_unlisted_subnets(self, path: str, resource: Json) -> None:
        """A virtual network holds its subnets as a list, too: one that a PUT leaves out is gone."""
        if resource["type"].lower() == "microsoft.network/virtualnetworks":
            listed = {subnet["name"].lower() for subnet in resource["properties"].pop("subnets", None) or []}
            for subnet in self._subnets(path):
                if subnet.rpartition("/")[2] not in listed:
                    del self.store[subnet]

    def _subnets(self, path: str) -> list[str]:
        return [key for key in self.store if key.rpartition("/")[0] == f"{path}/subnets"]

    def _delete(self, request: Request) -> Answer:
        path = request.path.lower()
        with self._lock:
            self._check_place(path)
            gone = [key for key in self.store if key == path or key.startswith(path + "/")]
            if not gone:
                return Answer(204)
            for key in gone:
                del self.store[key]
            return self._operation(200, path, None, "Deleting")

    def _post(self, request: Request) -> Answer:
        target, _slash, action = request.path.rpartition("/")
        if target.lower() not in self.store:
            raise Refusal(404, "ResourceNotFound", f"The Resource '{target}' was not found.")
        said = self.actions[action](self.store[target.lower()], request.body)
        if not self.operations:
            return Answer(200, said)
        return self._operation(202, target.lower(), None, "", said)

    def _check_place(self, path: str) -> None:
        group = re.match(r"(/subscriptions/[^/]+/resourcegroups/[^/]+)/", path)
        if group and group.group(1) not in self.store:
            raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{group.group(1)}' could not be found.")
        parent = path.rpartition("/")[0].rpartition("/")[0]
        _before, providers, within = path.rpartition("/providers/")
        if providers and within.count("/") > 2 and parent not in self.store:
            raise Refusal(404, "ParentResourceNotFound", f"The parent resource '{parent}' could not be found.")
        if outermost(path) in self._busy:
            raise Refusal(
                409, "AnotherOperationInProgress", "Another operation on this or a dependent resource is going on."
            )

    def _keep(self, path: str, body: Json) -> Json:
        with self._lock:
            old = self.store.get(path.lower(), {})
            resource = {
                **copy.deepcopy(body),
                # Azure keeps the spelling in which a resource was first written.
                "id": old.get("id", path),
                "name": old.get("name", path.rpartition("/")[2]),
                "type": type_of(path),
            }
            kind = resource["type"].lower()
            if kind.startswith("microsoft.network/"):
                resource["etag"] = str(uuid.uuid4())
            properties = resource.setdefault("properties", {})
            for name in self.never_returned:
                properties.pop(name, None)
            if kind not in STATELESS:
                properties.setdefault("provisioningState", "Succeeded")
            if kind == "microsoft.keyvault/vaults":
                properties["vaultUri"] = f"{self.url}{VAULTS}{resource['name']}/"
            self.adds(resource)
            self.store[path.lower()] = resource
            return resource

    def _shown(self, resource: Json) -> Json:
        shown = {name: copy.deepcopy(value) for name, value in resource.items() if not name.startswith("_")}
        subnets = [self._shown(self.store[key]) for key in self._subnets(resource["id"].lower())]
        if subnets:
            shown["properties"]["subnets"] = subnets
        return shown

    # --- operations ---

    def _operation(self, status: int, path: str, resource: Json | None, state: str, said: Any = None) -> Answer:
        if not self.operations:
            return Answer(status, self._shown(resource) if resource else None)
        self._busy.add(outermost(path))
        end = "Succeeded" if self.operation_error is None else "Failed"
        if resource is not None and resource["type"].lower() not in STATELESS:
            resource["properties"]["provisioningState"] = state
            resource["_state"] = end
        if self.operations == "state":
            if resource is None:
                self._busy.discard(outermost(path))
                return Answer(200)
            resource["_polls"] = self.polls_until_done
            return Answer(status, self._shown(resource))
        operation = str(uuid.uuid4())
        going = {"path": path, "polls": self.polls_until_done, "said": said}
        self._operations[operation] = {**going, "end": end, "error": self.operation_error}
        address = f"{self.url}/subscriptions/{SUBSCRIPTION}/operations/{operation}?api-version=2022-09-01&t=x"
        headers = {"retry-after-ms": "1", self.operations: address}
        return Answer(202 if resource is None else status, self._shown(resource) if resource else None, headers)

    def _poll(self, request: Request) -> Answer:
        with self._lock:
            operation = self._operations[request.path.rpartition("/")[2]]
            by_location = self.operations == "Location"
            if operation["polls"] > 0:
                operation["polls"] -= 1
                going = Answer(202) if by_location else Answer(200, {"status": "InProgress"})
                going.headers = {"retry-after-ms": "1"}
                return going
            self._busy.discard(outermost(operation["path"]))
            resource = self.store.get(operation["path"])
            if resource and "_state" in resource:
                resource["properties"]["provisioningState"] = resource.pop("_state")
            if operation["end"] == "Failed":
                headers = {"x-ms-correlation-request-id": "c0ffee"}
                failed = {"status": "Failed", "error": operation["error"]}
                return Answer(409 if by_location else 200, failed, headers)
            if by_location:
                return Answer(200, operation["said"]) if operation["said"] else Answer(204)
            return Answer(200, {"status": "Succeeded"})


def is_collection(path: str) -> bool:
    _before, providers, within = path.rpartition("/providers/")
    if providers:
        return len(within.split("/")) % 2 == 0
    return path.endswith(("/resourcegroups", ALL_OF_A_GROUP))


def is_within(path: str, collection: str) -> bool:
    """Whether a list has it: of one parent, of a whole subscription or group, or of all that is assigned at a place."""
    if path.rpartition("/")[0] == collection:
        return True
    if collection.endswith(ALL_OF_A_GROUP):
        return path == outermost(path) and path.startswith(collection.removesuffix(ALL_OF_A_GROUP) + "/providers/")
    scope, _providers, kind = collection.rpartition("/providers/")
    its_scope, _its_providers, its_kind = path.rpartition("/")[0].rpartition("/providers/")
    if kind != its_kind:
        return False
    if kind == "microsoft.authorization/roleassignments":
        return f"{scope}/".startswith(f"{its_scope}/") or its_scope.startswith(f"{scope}/")
    return scope.count("/") == 2 and its_scope.startswith(f"{scope}/")


def outermost(path: str) -> str:
    before, providers, within = path.rpartition("/providers/")
    return before + providers + "/".join(within.split("/")[:3]) if providers else within


def type_of(path: str) -> str:
    _before, providers, within = path.rpartition("/providers/")
    if not providers:
        return "Microsoft.Resources/resourceGroups"
    namespace, *rest = within.split("/")
    return "/".join([namespace, *rest[::2]])


def merge_patch(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_certificate(key: bytes, *hosts: str) -> bytes:
    """One that vouches for itself, for this machine under both of its names, and for others that it stands in for."""
    private = serialization.load_pem_private_key(key, password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    names = [*map(x509.DNSName, ("localhost", *hosts)), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def assertion_of(grant: dict[str, str]) -> Json:
    """What a signed assertion says."""
    claims = grant["client_assertion"].split(".")[1]
    content: Json = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return content


def _serve(fake: FakeArm, identity: tuple[Path, Path] | None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer leaves in one piece: in two, the second waits for the client's word.
        wbufsize = -1

        def log_message(self, *_what: Any) -> None:
            pass

        def _any(self) -> None:
            address = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = "json" in (self.headers.get("Content-Type") or "")
            answer = fake.answer(
                Request(
                    self.command,
                    unquote(address.path),
                    {name: values[0] for name, values in parse_qs(address.query).items()},
                    json.loads(content) if is_json and content else content.decode() or None,
                    {name.lower(): value for name, value in self.headers.items()},
                ),
                tls=identity is not None,
            )
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = _any  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if identity:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextmanager
def fake_arm(directory: Path, *hosts: str) -> Iterator[FakeArm]:
    fake = FakeArm(directory, *hosts)
    try:
        yield fake
    finally:
        fake.close()
