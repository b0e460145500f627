"""etcd and kube-apiserver alone, on loopback, with certificates of their own: a real API, ready in seconds."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import yaml

from lab.artifacts import Artifacts, load_versions
from lab.errors import LabError
from lab.processes import Daemon

BINARIES_VARIABLE = "GROUNDWORK_BINARIES"
READY_TIMEOUT = 120
ROOM_NEEDED = 1 << 30
# Never dialled: kubeadm refuses a loopback address here (TEST-NET-1, RFC 5737).
ADVERTISED = "192.0.2.1"


def binary(name: str) -> Path:
    """A built component; GROUNDWORK_BINARIES names a directory to take them from instead of the lab's cache."""
    override = os.environ.get(BINARIES_VARIABLE)
    if override:
        return Path(override) / name
    return Artifacts(load_versions()).binary(name)


def ephemeral_directory() -> Path:
    """A private directory that lives in memory when there is room for etcd in it."""
    memory = Path("/dev/shm")  # noqa: S108
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_NEEDED
    return Path(tempfile.mkdtemp(prefix="groundwork-api-", dir=memory if roomy else "/var/tmp"))  # noqa: S108


class ApiServer:
    """One API server and its etcd, everything of theirs under one directory.

    As a context manager both die with the calling process, however it ends, and the directory goes with them::

        with ApiServer() as api:
            subprocess.run(["kubectl", "--kubeconfig", api.kubeconfig, "get", "namespaces"])
    """

    def __init__(self, directory: Path | None = None, find_binary: Callable[[str], Path] = binary) -> None:
        self.directory = directory or ephemeral_directory()
        self.kubeconfig = self.directory / "admin.conf"
        self.pki = self.directory / "pki"
        self._binary = find_binary
        self._etcd = self._daemon("etcd")
        self._apiserver = self._daemon("kube-apiserver")

    @property
    def url(self) -> str:
        server: str = yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        return server

    @property
    def running(self) -> bool:
        return self._etcd.pid is not None and self._apiserver.pid is not None

    def __enter__(self) -> ApiServer:
        try:
            self.start(die_with_parent=True)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def start(self, *, die_with_parent: bool = False) -> None:
        """Start both and return when the API says that it is ready."""
        port, etcd_port, peer_port = _free_ports(3)
        self.etcd_url = f"https://127.0.0.1:{etcd_port}"
        self._write_certificates(port)
        self._children = [
            self._etcd.start(self._etcd_argv(etcd_port, peer_port), die_with_parent=die_with_parent),
            self._apiserver.start(self._apiserver_argv(port, etcd_port), die_with_parent=die_with_parent),
        ]
        self._wait_ready(port)

    def stop(self) -> None:
        self._apiserver.stop()
        self._etcd.stop()
        for child in getattr(self, "_children", []):
            child.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _daemon(self, name: str) -> Daemon:
        return Daemon(self.directory / f"{name}.pid", self.directory / f"{name}.log")

    def _write_certificates(self, port: int) -> None:
        """kubeadm's own phases, so that names, groups and usages are a real control plane's."""
        configuration = self.directory / "kubeadm.yml"
        configuration.write_text(yaml.safe_dump_all(kubeadm_documents(self.pki, port, load_versions().kubernetes)))
        phases = (["certs", "all"], ["kubeconfig", "super-admin", "--kubeconfig-dir", str(self.directory)])
        for phase in phases:
            command: list[str | Path] = [self._binary("kubeadm"), "init", "phase", *phase, "--config", configuration]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise LabError(f"kubeadm init phase {phase[0]}: {done.stderr.strip()}")
        (self.directory / "super-admin.conf").replace(self.kubeconfig)

    def _etcd_argv(self, port: int, peer_port: int) -> list[str | Path]:
        client, peer = f"https://127.0.0.1:{port}", f"https://127.0.0.1:{peer_port}"
        certificates = self.pki / "etcd"
        return [
            self._binary("etcd"),
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--client-cert-auth",
            f"--trusted-ca-file={certificates / 'ca.crt'}",
            f"--cert-file={certificates / 'server.crt'}",
            f"--key-file={certificates / 'server.key'}",
            "--peer-client-cert-auth",
            f"--peer-trusted-ca-file={certificates / 'ca.crt'}",
            f"--peer-cert-file={certificates / 'peer.crt'}",
            f"--peer-key-file={certificates / 'peer.key'}",
        ]

    def _apiserver_argv(self, port: int, etcd_port: int) -> list[str | Path]:
        pki = self.pki
        return [
            self._binary("kube-apiserver"),
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--advertise-address={ADVERTISED}",
            "--endpoint-reconciler-type=none",
            f"--etcd-servers=https://127.0.0.1:{etcd_port}",
            f"--etcd-cafile={pki / 'etcd/ca.crt'}",
            f"--etcd-certfile={pki / 'apiserver-etcd-client.crt'}",
            f"--etcd-keyfile={pki / 'apiserver-etcd-client.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            "--service-cluster-ip-range=10.96.0.0/12",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            "--enable-admission-plugins=NodeRestriction",
            # Nothing here makes the service accounts that this plugin would ask of every pod.
            "--disable-admission-plugins=ServiceAccount",
        ]

    def _wait_ready(self, port: int) -> None:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        deadline = time.monotonic() + READY_TIMEOUT
        while not _answers_ready(port, context):
            for daemon in (self._etcd, self._apiserver):
                if daemon.pid is None:
                    raise LabError(f"{daemon.log.stem} ended while starting; the end of its log:\n{daemon.log_tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"the API was not ready within {READY_TIMEOUT} s:\n{self._apiserver.log_tail()}")
            time.sleep(0.1)


def kubeadm_documents(pki: Path, port: int, version: str) -> list[dict[str, object]]:
    """What kubeadm's certs and kubeconfig phases need to know."""
    api_version = "kubeadm.k8s.io/v1beta4"
    return [
        {
            "apiVersion": api_version,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": ADVERTISED, "bindPort": port},
        },
        {
            "apiVersion": api_version,
            "kind": "ClusterConfiguration",
            # Said only so that kubeadm does not ask the internet for the newest one.
            "kubernetesVersion": f"v{version}",
            "certificatesDir": str(pki),
            "controlPlaneEndpoint": f"127.0.0.1:{port}",
            "encryptionAlgorithm": "ECDSA-P256",
            "apiServer": {"certSANs": ["127.0.0.1", "localhost"]},
        },
    ]


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; held together while asking, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(listener.getsockname()[1]) for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def _answers_ready(port: int, context: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
