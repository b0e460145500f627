# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no API server does on request: throttle, hang up, stand behind a proxy. A small server does it here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils import api
from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    Access,
    ApiClient,
    ApiError,
    ApiUnreachableError,
)

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Gives the answers it was told to give, one a request, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.answers.pop(0)(self)

    do_GET = do_POST = do_PATCH = do_CONNECT = answer  # noqa: N815

    def log_message(self, *arguments: Any) -> None:
        pass


def says(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def opens_tunnel(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = False
    handler.send_response(200)
    handler.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def test_a_server_that_asks_for_patience_gets_it(server: Server) -> None:
    server.answers = [says(429, Retry_After="0"), says(429, Retry_After="0"), says(200, b'{"kind": "Node"}')]
    assert ApiClient(Access(server.url)).get("/n") == {"kind": "Node"}
    assert server.asked == ["GET /n"] * 3


def test_a_server_that_never_has_time_is_an_error(server: Server) -> None:
    server.answers = [says(429, Retry_After="0")] * 9
    with pytest.raises(ApiError) as refusal:
        ApiClient(Access(server.url)).get("/n")
    assert refusal.value.status == 429


def test_a_connection_that_was_closed_while_idle_is_opened_again(server: Server) -> None:
    client = ApiClient(Access(server.url))
    server.answers = [says(200), hangs_up, says(200, b'{"kind": "Node"}')]
    client.get("/a")
    assert client.get("/b") == {"kind": "Node"}
    assert server.asked == ["GET /a", "GET /b", "GET /b"]


def test_what_might_have_been_done_already_is_not_done_twice(server: Server) -> None:
    client = ApiClient(Access(server.url))
    server.answers = [says(200), hangs_up]
    client.get("/a")
    with pytest.raises(ApiUnreachableError):
        client.create("/b", {})
    assert len(server.asked) == 2


def test_a_server_that_is_restarted_is_asked_again_by_who_has_patience(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PAUSE", 0)
    server.answers = [hangs_up, hangs_up, says(200, b'{"kind": "Node"}'), hangs_up]
    client = ApiClient(Access(server.url), patience=60)
    assert client.get("/a") == {"kind": "Node"}
    client.close()
    with pytest.raises(ApiUnreachableError):
        client.create("/b", {})
    assert server.asked == ["GET /a", "GET /a", "GET /a", "POST /b?fieldManager=groundwork.kube"]


def test_a_load_balancer_without_a_server_is_asked_again_but_not_for_ever(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PAUSE", 0)
    server.answers = [hangs_up, hangs_up, says(200, b'{"kind": "Node"}'), hangs_up]
    assert ApiClient(Access(server.url)).get("/a") == {"kind": "Node"}
    monkeypatch.setattr(api, "_HUNG_UP_PATIENCE", 0)
    with pytest.raises(ApiUnreachableError):
        ApiClient(Access(server.url)).get("/b")
    assert server.asked == ["GET /a"] * 3 + ["GET /b"]


def test_what_a_server_forbids_before_it_is_ready_is_asked_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PAUSE", 0)
    unready, ready = [says(403), says(403)], [says(403), says(200)]
    server.answers = [*unready, *ready]
    with pytest.raises(ApiError, match="403"):
        ApiClient(Access(server.url), patience=60).get("/n")
    assert server.asked == ["GET /n", "GET /readyz"] * 2


def test_a_refusal_names_the_deed_and_the_reason(server: Server) -> None:
    server.answers = [
        says(403, b'{"reason": "Forbidden", "message": "no nodes for you"}'),
        says(502, b"bad gateway\n"),
    ]
    client = ApiClient(Access(server.url))
    with pytest.raises(ApiError, match=r"^GET /n: 403 Forbidden: no nodes for you$"):
        client.get("/n")
    with pytest.raises(ApiError, match=r"^GET /n: 502 Bad Gateway: bad gateway$"):
        client.get("/n")


def test_a_proxy_is_asked_for_a_way_to_the_api(server: Server) -> None:
    server.answers = [opens_tunnel, says(200, b'{"kind": "Node"}')]
    assert ApiClient(Access("http://api.internal:6443", proxy=server.url)).get("/n") == {"kind": "Node"}
    assert server.asked == ["CONNECT api.internal:6443", "GET /n"]


def test_an_api_below_a_path_is_asked_there(server: Server) -> None:
    server.answers = [says(200)]
    ApiClient(Access(server.url + "/k8s/clusters/c-1/")).get("/api/v1/nodes")
    assert server.asked == ["GET /k8s/clusters/c-1/api/v1/nodes"]
