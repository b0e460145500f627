"""What stands in for the internet on the lab's bridge: files and Git, a read-only registry, DNS, an ACME server."""

from __future__ import annotations

import argparse
import ipaddress
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from lab.acme import DIRECTORY_PORT, AcmeServer
from lab.errors import LabError
from lab.git import PREFIX, GitServer, Request
from lab.processes import Daemon
from lab.state import Lab

FILES_PORT = 80
REGISTRY_PORT = 5000
NAMES_PORT = 53
DNS_HEADER = 12
# Without a zone: the name says the address, and whatever stands before it.
ADDRESS_IN_NAME = re.compile(r"(?:.+\.)?(\d+-\d+-\d+-\d+)\.lab\.test", re.IGNORECASE)
A_RECORD = b"\0\1\0\1"
START_TIMEOUT = 20


class Mirror:
    """The servers of a lab; they outlive the command that started them."""

    def __init__(self, lab: Lab, address: str) -> None:
        self.address = address
        self._lab = lab
        self._files = Daemon(lab.run / "mirror.pid", lab.logs / "mirror.log")
        self._registry = Daemon(lab.run / "registry.pid", lab.logs / "registry.log")
        self._acme = AcmeServer(lab, address)

    def start(self, content: Path, docker_registry: Path, pebble: Path) -> None:
        """Start what does not run."""
        if self._files.pid is None:
            self._files.start(
                [
                    *(sys.executable, "-m", "lab.mirror", self.address, content),
                    *(self._lab.git, self._lab.git_credentials),
                ],
                environment={"PYTHONPATH": str(self._lab.checkout)},
            )
        if self._registry.pid is None:
            configuration = self._lab.run / "registry.yml"
            configuration.write_text(yaml.safe_dump(registry_configuration(self.address, content / "registry")))
            self._registry.start([docker_registry, "serve", configuration])
        if self._acme.daemon.pid is None:
            self._acme.start(pebble, f"{self.address}:{NAMES_PORT}")
        for daemon, port in (
            (self._files, FILES_PORT),
            (self._registry, REGISTRY_PORT),
            (self._acme.daemon, DIRECTORY_PORT),
        ):
            _wait_listening(daemon, self.address, port)

    def stop(self) -> None:
        for daemon in (self._files, self._registry):
            daemon.stop()
        self._acme.stop()
        (self._lab.run / "registry.yml").unlink(missing_ok=True)

    def services(self) -> list[tuple[str, bool]]:
        """Each server's address, and whether it runs."""
        return [
            (f"http://{self.address}/", self._files.pid is not None),
            (f"http://{self.address}:{REGISTRY_PORT}/", self._registry.pid is not None),
            (self._acme.url, self._acme.daemon.pid is not None),
        ]


def registry_configuration(address: str, storage: Path) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage), "maxthreads": 100},
            "cache": {"blobdescriptor": "inmemory"},
            "maintenance": {"readonly": {"enabled": True}, "uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"{address}:{REGISTRY_PORT}"},
    }


class Handler(SimpleHTTPRequestHandler):
    """Keeps connections open, as apt likes it; logs go to the mirror's log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, *arguments: Any, git: GitServer, **options: Any) -> None:
        self._git = git
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if self.path.startswith(PREFIX):
            self._answer_git()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._answer_git()

    def _answer_git(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self._git.answer(Request(self.command, self.path, headers, self._body(headers)))
        self.send_response(response.status)
        for name, value in (*response.headers, ("Content-Length", str(len(response.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)


class Names(socketserver.BaseRequestHandler):
    """Tells nodes at once that a name is unknown, unless it holds its address; silence would cost five seconds."""

    def handle(self) -> None:
        query, reply = self.request
        if len(query) > DNS_HEADER:
            reply.sendto(name_answer(query), self.client_address)


class FileServer(ThreadingHTTPServer):
    # Fourteen nodes come at once.
    request_queue_size = 128


def serve(address: str, directory: Path, git: GitServer) -> None:
    try:
        names = socketserver.ThreadingUDPServer((address, NAMES_PORT), Names)
    except OSError as error:
        print(f"port {NAMES_PORT}: {error}; whoever listens there answers the nodes' lookups", file=sys.stderr)
    else:
        threading.Thread(target=names.serve_forever, daemon=True).start()
    handler = partial(Handler, directory=str(directory), git=git)
    FileServer((address, FILES_PORT), handler).serve_forever()


def name_answer(query: bytes) -> bytes:
    """The DNS answer to a query: its id, its question, and the address that the name holds, or NXDOMAIN."""
    question = query[DNS_HEADER : query.index(b"\0", DNS_HEADER) + 5]
    held = ADDRESS_IN_NAME.fullmatch(name_in(question))
    if not held:
        return query[:2] + b"\x81\x83" + b"\0\1" + bytes(6) + question
    if question[-4:] != A_RECORD:
        return query[:2] + b"\x81\x80" + b"\0\1" + bytes(6) + question
    address = ipaddress.IPv4Address(held[1].replace("-", ".")).packed
    record = b"\xc0\x0c" + A_RECORD + (60).to_bytes(4, "big") + b"\0\4" + address
    return query[:2] + b"\x81\x80" + b"\0\1\0\1" + bytes(4) + question + record


def name_in(question: bytes) -> str:
    labels, at = [], 0
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels)


def _wait_listening(daemon: Daemon, address: str, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            if daemon.pid is None or time.monotonic() > deadline:
                raise LabError(f"the mirror does not listen on {address}:{port}:\n{daemon.log_tail()}") from None
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("directory", type=Path)
    parser.add_argument("git", type=Path)
    parser.add_argument("credentials", type=Path)
    arguments = parser.parse_args()
    serve(arguments.address, arguments.directory, GitServer(arguments.git, arguments.credentials))
