"""Git repositories of a lab: pushed to on this machine by path, read by the cluster over smart HTTP.

Those below private/ ask for a user and a password, which lie in a file that is read at every request.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.errors import LabError
from lab.state import Lab

PREFIX = "/git/"
PRIVATE = "private/"
NAME = re.compile(rf"(?:{PRIVATE})?[A-Za-z0-9][A-Za-z0-9_.-]*")
BACKEND = ("git", "http-backend")


@dataclass(frozen=True)
class Repository:
    """A bare repository of a lab."""

    lab: Lab
    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise LabError(f"{self.name!r} cannot name a repository: use NAME or {PRIVATE}NAME, without .git")

    @property
    def path(self) -> Path:
        return self.lab.git / f"{self.name}.git"

    @property
    def private(self) -> bool:
        return self.name.startswith(PRIVATE)

    def url(self, address: str) -> str:
        return f"http://{address}{PREFIX}{self.name}.git"

    def create(self) -> None:
        """Empty, unless it is there; with the password file that a private one is read by."""
        if not self.path.exists():
            command = ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"git init: {done.stderr.strip()}")
        if self.private and not self.lab.git_credentials.exists():
            write_credentials(self.lab.git_credentials, "groundwork", secrets.token_urlsafe(24))


def write_credentials(file: Path, user: str, password: str) -> None:
    """From the next request on they are the only ones."""
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(f"{user}:{password}\n")
    partial.replace(file)


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class GitServer:
    """git's own CGI program behind the mirror; it is never told who asks, so it lets nobody push."""

    root: Path
    credentials: Path

    def answer(self, request: Request) -> Response:
        path = urlsplit(request.target).path.removeprefix(PREFIX)
        if path.startswith(PRIVATE) and not self.admits(request.headers.get("authorization", "")):
            return Response(401, (("WWW-Authenticate", 'Basic realm="lab"'),), b"")
        done = subprocess.run(
            BACKEND,
            input=request.body,
            env={**os.environ, **self.environment(request)},
            capture_output=True,
            check=False,
        )
        return parse_cgi(done.stdout)

    def admits(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        try:
            offered = base64.b64decode(encoded, validate=True)
            expected = self.credentials.read_bytes().strip()
        except (binascii.Error, FileNotFoundError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(offered, expected)

    def environment(self, request: Request) -> dict[str, str]:
        target = urlsplit(request.target)
        return {
            "CONTENT_LENGTH": str(len(request.body)),
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "PATH_INFO": "/" + target.path.removeprefix(PREFIX),
            "QUERY_STRING": target.query,
            "REQUEST_METHOD": request.method,
        }


def parse_cgi(output: bytes) -> Response:
    head, found, body = output.partition(b"\r\n\r\n")
    if not found:
        return Response(500, (), b"")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return Response(status, tuple(headers.items()), body)
