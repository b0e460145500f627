# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small server that answers as Harbor's API 2.0 does: a Harbor itself cannot be had here."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.groundwork.kube.plugins.modules.harbor_scan import REPORT

DIGEST = "sha256:" + 64 * "a"
WEB = f"plate/web:3f1c2ab@{DIGEST}"
PATH = f"/api/v2.0/projects/plate/repositories/web/artifacts/{DIGEST}"
USER, SECRET = "robot$releases", "canary-of-a-robot"

Overview = dict[str, Any]


def scanned(**counts: int) -> Overview:
    return {"scan_status": "Success", "severity": next(iter(counts), "None"), "summary": {"summary": counts}}


class FakeHarbor(ThreadingHTTPServer):
    """Artifacts by path, and the reports that each will show, one a request; the last one stays."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reports: dict[str, list[Overview | None]] = {}
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeHarbor

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        expected = "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
        if self.headers["Authorization"] != expected:
            self._say(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        elif path.removesuffix("/scan") not in self.server.reports:
            self._say(404, {"errors": [{"code": "NOT_FOUND"}]})
        elif self.command == "POST":
            self._say(202, {})
        else:
            reports = self.server.reports[path]
            current = reports.pop(0) if len(reports) > 1 else reports[0]
            self._say(200, {"digest": DIGEST, "scan_overview": {REPORT: current} if current else None})

    do_GET = do_POST = answer  # noqa: N815

    def _say(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[FakeHarbor]:
    with FakeHarbor() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()
