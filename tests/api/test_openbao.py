# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenBao behind a real API server's proxy: initialised, unsealed, access kept, and no key told to anyone."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import OPENBAO_ARGUMENT_SPEC, OpenBao
from ansible_collections.groundwork.kube.plugins.module_utils.veil import unveiled
from lab.api import ApiServer, binary
from tests.api.conftest import Api, Play, ended

Call = Callable[..., dict[str, Any]]

POD = "openbao-0"
LABELS = {"app.kubernetes.io/name": "openbao", "component": "server"}
PATIENCE = 60


def own_address() -> str:
    """One that is not loopback, which the API server passes nothing on to; nothing is sent to find it."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
    return address


class Server:
    """OpenBao on this machine, and the Pod that stands for it."""

    def __init__(self, api: Api, directory: Path, seal: str = "") -> None:
        self._directory = directory
        address = own_address()
        with closing(socket.create_server((address, 0))) as free, closing(socket.create_server((address, 0))) as other:
            self.port, peers = free.getsockname()[1], other.getsockname()[1]
        (directory / "data").mkdir()
        (directory / "config.hcl").write_text(
            f"""
            listener "tcp" {{
              address = "{address}:{self.port}"
              tls_disable = 1
            }}
            storage "raft" {{
              path = "{directory}/data"
              node_id = "{POD}"
            }}
            api_addr = "http://{address}:{self.port}"
            cluster_addr = "http://{address}:{peers}"
            {seal}
            """
        )
        self.client = api.client
        self._plant(address)
        self.start()

    def _plant(self, address: str) -> None:
        if not self.client.get("/api/v1/namespaces/openbao"):
            self.client.create("/api/v1/namespaces", {"metadata": {"name": "openbao"}})
        self.client.delete("/api/v1/namespaces/openbao/pods", query={"gracePeriodSeconds": 0})
        pod = {"metadata": {"name": POD, "labels": LABELS}, "spec": {"containers": [{"name": "bao", "image": "bao"}]}}
        self.client.create("/api/v1/namespaces/openbao/pods", pod)
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        self.client.patch(f"/api/v1/namespaces/openbao/pods/{POD}/status", {"status": status})

    @property
    def options(self) -> dict[str, Any]:
        return {name: option.get("default") for name, option in OPENBAO_ARGUMENT_SPEC.items()} | {"port": self.port}

    def start(self) -> None:
        with (self._directory / "log").open("a") as log:
            command = [binary("openbao"), "server", f"-config={self._directory}/config.hcl"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait(lambda: self.bao().replica(POD))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def restart(self) -> None:
        self.stop()
        self.start()

    def bao(self, token: str = "") -> OpenBao:
        return OpenBao(self.client, self.options, token)

    def write(self, token: str, path: str, **values: str) -> None:
        # An engine that was just mounted prepares itself for a moment.
        self._wait(lambda: self.bao(token).request(POD, "POST", f"secret/data/{path}", {"data": values}))

    def _wait(self, attempt: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                attempt()
            except ApiError:
                assert time.monotonic() < deadline, (self._directory / "log").read_text()
                time.sleep(0.1)
            else:
                return


@pytest.fixture
def server(api: Api, tmp_path: Path) -> Iterator[Server]:
    server = Server(api, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def self_unsealing(api: Api, tmp_path: Path) -> Iterator[Server]:
    """With a stanza as a site gives it; its key is a file's, where others name a cloud or another OpenBao."""
    (tmp_path / "key").write_bytes(os.urandom(32))
    server = Server(
        api,
        tmp_path,
        f"""
        seal "static" {{
          current_key_id = "first"
          current_key = "file://{tmp_path}/key"
        }}
        """,
    )
    yield server
    server.stop()


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def initialise(server: Server, play: Play, keys_file: Path) -> Callable[..., str]:
    """Initialise as a play does, through the action plugin; return what was printed, as talkative as can be."""

    def initialise(*arguments: str, succeeds: bool = True, **options: Any) -> str:
        options = {"keys_file": str(keys_file), "shares": 3, "threshold": 2, "port": server.port} | options
        task = {"groundwork.kube.openbao_init": {name: value for name, value in options.items() if value is not None}}
        return ended(play([task], "-vvvv", "--diff", *arguments), succeeds=succeeds)

    return initialise


@pytest.fixture
def unseal(server: Server, call: Call) -> Call:
    return lambda *keys, **options: call("openbao_unseal", keys=list(keys), port=server.port, **options)


def initialised(call: Call, keys_file: Path, **options: Any) -> dict[str, Any]:
    """The keys as the action plugin gets them, over a connection that may print them."""
    made = call("openbao_init", keys_file=str(keys_file), veil="a veil of one use", **options)
    keys: dict[str, Any] = unveiled(made["key_material"], "a veil of one use")
    told = json.dumps(made)
    assert [key for key in (*keys["unseal_keys_b64"], keys["root_token"], "a veil of one use") if key in told] == []
    return keys


@pytest.fixture
def keys(server: Server, call: Call, keys_file: Path) -> dict[str, Any]:
    return initialised(call, keys_file, shares=3, threshold=2, port=server.port)


@pytest.fixture
def root(keys: dict[str, Any], unseal: Call) -> str:
    """The first token of an OpenBao that is unsealed."""
    assert unseal(*keys["unseal_keys_b64"])["unsealed"] == [POD]
    token: str = keys["root_token"]
    return token


@pytest.fixture
def access(server: Server, call: Call, api_server: ApiServer, root: str) -> Call:
    """Keep access, and have OpenBao ask this API server about tokens."""

    def access(*namespaces: str, **options: Any) -> dict[str, Any]:
        where = {"kubernetes_host": api_server.url, "kubernetes_ca_cert": (api_server.pki / "ca.crt").read_text()}
        given = {"token": root, "port": server.port, "diff": True, **where, **options}
        result = call("openbao_access", namespaces=list(namespaces), **given)
        assert root not in json.dumps(result)
        return result

    return access


# --- initialise ---


def test_the_keys_are_in_the_file_that_was_named_and_nowhere_else(
    initialise: Callable[..., str], keys_file: Path
) -> None:
    printed = initialise()
    keys = json.loads(keys_file.read_text())
    assert (len(keys["unseal_keys_b64"]), keys["unseal_threshold"]) == (3, 2)
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    assert [key for key in (*keys["unseal_keys_b64"], keys["root_token"]) if key in printed] == []
    assert "changed=1 " in printed


def test_what_is_initialised_stays_so(initialise: Callable[..., str], keys_file: Path) -> None:
    initialise()
    before = keys_file.read_text()
    assert "changed=0 " in initialise()
    assert keys_file.read_text() == before


def test_check_mode_initialises_nothing_and_makes_no_file(
    initialise: Callable[..., str], server: Server, keys_file: Path
) -> None:
    assert "changed=1 " in initialise("--check")
    assert (server.bao().replica(POD).initialized, keys_file.exists()) == (False, False)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"keys_file": None}, "nobody would ever have the keys: set keys_file"),
        ({"keys_file": "/nowhere/keys.json"}, "keys_file /nowhere/keys.json cannot be written: No such file"),
        ({"threshold": 4}, "threshold 4: has to be between 1 and shares, which is 3"),
        ({"pgp_keys": ["b25l"]}, "pgp_keys: 1 for 3 shares; give one for each"),
    ],
)
def test_nothing_is_initialised_whose_keys_nobody_could_use(
    initialise: Callable[..., str], server: Server, options: dict[str, Any], reason: str
) -> None:
    assert reason in initialise(succeeds=False, **options)
    assert not server.bao().replica(POD).initialized


def test_a_file_that_is_there_is_not_written_over(
    initialise: Callable[..., str], server: Server, keys_file: Path
) -> None:
    keys_file.write_text("another's keys")
    assert "is there already" in initialise(succeeds=False)
    assert (keys_file.read_text(), server.bao().replica(POD).initialized) == ("another's keys", False)


def test_what_openbao_refuses_is_told_and_leaves_no_file(initialise: Callable[..., str], keys_file: Path) -> None:
    printed = initialise(succeeds=False, pgp_keys=3 * ["bm8ga2V5"])
    assert "400 Bad Request" in printed
    assert not keys_file.exists()


@pytest.fixture
def gpg_home(tmp_path: Path) -> Iterator[Path]:
    """A holder's own keyring; its agent goes with it."""
    home = tmp_path / "holder"
    home.mkdir(mode=0o700)
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


def test_a_share_that_is_encrypted_for_its_holder_is_told_and_is_of_use_to_them_alone(
    server: Server, initialise: Callable[..., str], unseal: Call, keys_file: Path, gpg_home: Path
) -> None:
    def gpg(*arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(gpg_home), "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase="]
        return subprocess.run([*command, *arguments], input=given, capture_output=True, check=True).stdout

    gpg("--quick-generate-key", "holder@example.org", "rsa2048", "encrypt", "never")
    key = base64.b64encode(gpg("--export")).decode()
    printed = initialise(keys_file=None, shares=1, threshold=1, pgp_keys=[key], root_token_pgp_key=key)

    share = re.search(r"unseal_keys_b64:\s+- (\S+)", printed)
    assert share, printed
    assert not keys_file.exists()
    decrypted = gpg("--decrypt", given=base64.b64decode(share[1])).decode()
    assert decrypted not in printed
    assert unseal(decrypted)["unsealed"] == [POD]


# --- unseal ---


def test_a_restarted_replica_is_sealed_until_it_has_its_shares(
    root: str, server: Server, unseal: Call, call: Call, keys: dict[str, Any]
) -> None:
    shares = keys["unseal_keys_b64"]
    server.restart()
    assert call("openbao_info", port=server.port)["sealed"] == [POD]

    would = unseal(*shares, check=True, diff=True)
    one = unseal(shares[0])
    assert (would["changed"], would["diff"]["after"], would["unsealed"]) == (True, f"{POD}: unsealed\n", [POD])
    assert (one["changed"], one["sealed"], one["missing"]) == (True, [POD], 1)

    other = unseal(shares[2])
    again = unseal(*shares)
    assert (other["unsealed"], other["missing"], again["changed"]) == ([POD], 0, False)
    told = json.dumps([would, one, other, again])
    assert [share for share in shares if share in told] == []


def test_without_shares_the_sealed_are_named(keys: dict[str, Any], unseal: Call) -> None:
    assert unseal()["msg"] == f"{POD}: sealed, and there are no keys (groundwork_openbao_keys)"


def test_what_was_never_initialised_cannot_be_unsealed(server: Server, unseal: Call) -> None:
    assert "run playbooks/openbao_initialize.yml first" in unseal("c29tZXRoaW5n")["msg"]


def test_a_wrong_share_is_openbaos_own_error(keys: dict[str, Any], unseal: Call) -> None:
    result = unseal(keys["unseal_keys_b64"][0], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert result["failed"]
    assert "400 Bad Request" in result["msg"]


def test_where_no_replica_runs_that_is_said(server: Server, call: Call) -> None:
    result = call("openbao_info", port=server.port, namespace="elsewhere")
    assert "runs in namespace elsewhere: wait until Argo CD has synced OpenBao" in result["msg"]


def test_one_that_unseals_itself_has_recovery_keys_and_needs_nobody(
    self_unsealing: Server, call: Call, keys_file: Path
) -> None:
    where = {"port": self_unsealing.port}
    keys = initialised(call, keys_file, shares=2, threshold=2, **where)
    self_unsealing.restart()
    result = call("openbao_unseal", **where)
    assert (keys["unseal_keys_b64"], len(keys["recovery_keys_b64"])) == ([], 2)
    assert (result["failed"], result["sealed"]) == (False, [])
    assert call("openbao_info", **where)["replicas"][0]["seal"] == "static"


# --- access ---


def test_access_is_made_once_and_follows_the_list(access: Call) -> None:
    would = access("plate-stg", "plate-prod", check=True)
    first = access("plate-stg", "plate-prod")
    again = access("plate-stg", "plate-prod")
    assert (would["changes"], again["changes"]) == (first["changes"], [])
    assert first["changes"][:2] == ["sys/mounts/secret: created", "sys/auth/kubernetes: created"]
    assert access("plate-prod")["changes"] == [
        "auth/kubernetes/role/plate-stg: deleted",
        "sys/policies/acl/plate-stg: deleted",
    ]
    assert access("plate-prod")["changed"] is False


def test_what_somebody_changed_is_set_right_and_what_is_theirs_stays(access: Call, server: Server, root: str) -> None:
    access("plate-stg")
    bao = server.bao(root)
    everything = {"policy": 'path "*" { capabilities = ["read"] }'}
    bao.request(POD, "POST", "sys/policies/acl/plate-stg", everything)
    bao.request(POD, "POST", "sys/policies/acl/theirs", everything)
    result = access("plate-stg")
    assert result["changes"] == ["sys/policies/acl/plate-stg: changed"]
    assert everything["policy"].replace('"', '\\"') in result["diff"][0]["before"]
    assert bao.get(POD, "sys/policies/acl/theirs")


def test_a_mount_of_another_type_is_not_taken_over(access: Call, server: Server, root: str) -> None:
    server.bao(root).request(POD, "POST", "sys/mounts/secret", {"type": "transit"})
    assert "sys/mounts/secret is of the type transit, not kv" in access("plate-stg")["msg"]


def test_a_sealed_openbao_is_not_configured(access: Call, server: Server) -> None:
    server.restart()
    assert "run playbooks/openbao_unseal.yml first" in access("plate-stg")["msg"]


def test_a_wrong_token_is_refused(access: Call) -> None:
    assert "403 Forbidden: permission denied" in access("plate-stg", token="nobody's")["msg"]


def test_each_namespace_reads_its_own_secrets_and_no_others(access: Call, server: Server, root: str) -> None:
    access("plate-stg", "plate-prod")
    server.write(root, "plate-stg/web", colour="green")
    server.write(root, "plate-prod/web", colour="blue")
    jwt = service_account_token(server, "plate-stg", "secrets-reader")
    reader = server.bao(login(server, jwt, "plate-stg"))

    read = reader.get(POD, "secret/data/plate-stg/web")
    assert read
    assert read["data"] == {"colour": "green"}
    for path in ("secret/data/plate-prod/web", "sys/policies/acl/plate-stg"):
        with pytest.raises(ApiError, match="permission denied"):
            reader.get(POD, path)
    another = service_account_token(server, "plate-stg", "another")
    for token, role in ((jwt, "plate-prod"), (another, "plate-stg")):
        with pytest.raises(ApiError, match="not authorized"):
            login(server, token, role)


def service_account_token(server: Server, namespace: str, name: str) -> str:
    """One that may itself be asked about tokens, as OpenBao outside of a pod has no service account of its own."""
    client = server.client
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    if not client.get(f"/api/v1/namespaces/{namespace}"):
        client.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    if not client.get(f"{accounts}/{name}"):
        client.create(accounts, {"metadata": {"name": name}})
        binding = {
            "metadata": {"name": f"{namespace}-{name}"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
        }
        client.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token: str = client.request("POST", f"{accounts}/{name}/token", request)["status"]["token"]
    return token


def login(server: Server, jwt: str, role: str) -> str:
    answer = server.bao().request(POD, "POST", "auth/kubernetes/login", {"jwt": jwt, "role": role})
    token: str = answer["auth"]["client_token"]
    return token
