# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services asked through the API's proxy, which here is a server that answers in its stead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

Ask = Callable[..., dict[str, Any]]

WEB = {"namespace": "shop", "service": "web", "port": "80", "path": "/readyz"}


@pytest.fixture
def answers() -> list[tuple[int, str]]:
    """What the service answers, one after the other, the last one for good."""
    return [(200, "open")]


@pytest.fixture
def ask(answers: list[tuple[int, str]], run_module: Callable[..., dict[str, Any]]) -> Iterator[Ask]:
    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers.pop(0) if len(answers) > 1 else answers[0]
            if self.path != "/api/v1/namespaces/shop/services/http%3Aweb%3A80/proxy/readyz":
                status, text = 404, self.path
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = f"http://127.0.0.1:{server.server_port}"

        def call(check: bool = False, timeout: int = 0, **wanted: Any) -> dict[str, Any]:
            options = {"host": host, "services": [{**WEB, **wanted}], "timeout": timeout}
            return run_module("service_check", options, check=check)

        yield call
        server.shutdown()
        thread.join()


def test_a_service_that_answers_is_well(ask: Ask) -> None:
    assert ask()["answers"] == [{"service": "shop/web", "right": True, "answer": ""}]


def test_what_an_answer_has_to_contain_is_looked_for(ask: Ask) -> None:
    assert not ask(contains="open")["failed"]
    refused = ask(contains="closed")
    assert refused["failed"]
    assert 'shop/web: does not contain "closed"' in refused["msg"]


@pytest.mark.parametrize("answers", [[(503, "no endpoints"), (200, "open")]])
def test_it_is_asked_again_until_it_answers(ask: Ask) -> None:
    assert not ask(timeout=60)["failed"]


@pytest.mark.parametrize("answers", [[(500, '["a list"]')], [(503, "no endpoints")], [(500, '"a text"')]])
def test_a_service_that_does_not_answer_is_named_with_what_it_said(ask: Ask, answers: list[tuple[int, str]]) -> None:
    refused = ask()
    assert refused["failed"]
    assert "shop/web: 50" in refused["msg"]
    assert answers[0][1] in refused["msg"]


@pytest.mark.parametrize("answers", [[(503, "no endpoints")]])
def test_check_mode_tells_and_does_not_fail(ask: Ask) -> None:
    told = ask(check=True, timeout=60)
    assert not told["failed"]
    assert not told["answers"][0]["right"]
