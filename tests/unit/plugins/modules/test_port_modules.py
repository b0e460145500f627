"""port_listen and port_probe against each other, for real, on loopback."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules.port_listen import identity

RunModule = Callable[..., dict[str, Any]]


@pytest.fixture
def pid_file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "listen.pid"
    yield file
    pid = listener(file)
    if pid:
        os.kill(pid, signal.SIGKILL)


def listener(pid_file: Path) -> int:
    """The listening process, 0 when it has ended."""
    written = pid_file.read_text() if pid_file.exists() else ""
    pid = int(written.split()[0]) if written else 0
    return pid if pid and identity(pid) == written else 0


def wait_until_ended(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        assert select.select([descriptor], [], [], 30)[0], "the listener lives on"
        os.close(descriptor)


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def tcp() -> int:
    return free_port(socket.SOCK_STREAM)


@pytest.fixture
def udp() -> int:
    return free_port(socket.SOCK_DGRAM)


def target(port: int, protocol: str, address: str = "127.0.0.1") -> dict[str, Any]:
    return {"host": "here", "address": address, "port": port, "protocol": protocol, "why": "a test"}


def test_free_ports_are_listened_on_and_found_open(run_module: RunModule, pid_file: Path, tcp: int, udp: int) -> None:
    ports = [{"port": tcp, "protocol": "tcp", "dialers": 2}, {"port": udp, "protocol": "udp", "dialers": 2}]

    listened = run_module("port_listen", {"ports": ports, "pid_file": str(pid_file)})
    probed = run_module("port_probe", {"targets": [target(tcp, "tcp"), target(udp, "udp")]})

    assert listened["listening"] == [{"port": tcp, "protocol": "tcp"}, {"port": udp, "protocol": "udp"}]
    assert not listened["changed"]
    assert probed["closed"] == []
    assert probed["open_ports"] == 2


def test_a_port_is_let_go_as_soon_as_everybody_came(run_module: RunModule, pid_file: Path, tcp: int) -> None:
    run_module("port_listen", {"ports": [{"port": tcp}], "pid_file": str(pid_file), "seconds": 600})
    pid = listener(pid_file)

    run_module("port_probe", {"targets": [target(tcp, "tcp")]})

    wait_until_ended(pid)
    with socket.socket() as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        owner.bind(("", tcp))


def test_a_balancer_that_knocks_is_not_taken_for_a_machine_that_tries(
    run_module: RunModule, pid_file: Path, tcp: int
) -> None:
    run_module("port_listen", {"ports": [{"port": tcp}], "pid_file": str(pid_file), "seconds": 600})
    for hello in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", b""):
        with socket.create_connection(("127.0.0.1", tcp)) as balancer:
            balancer.sendall(hello)
            balancer.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                assert balancer.recv(1) == b""

    assert run_module("port_probe", {"targets": [target(tcp, "tcp")]})["closed"] == []


def test_the_listener_dies_by_itself_when_nobody_comes(run_module: RunModule, pid_file: Path, tcp: int) -> None:
    run_module("port_listen", {"ports": [{"port": tcp}], "pid_file": str(pid_file), "seconds": 1})
    pid = listener(pid_file)

    wait_until_ended(pid)


def test_a_port_that_is_served_is_left_to_its_owner(run_module: RunModule, pid_file: Path) -> None:
    with socket.create_server(("", 0)) as owner:
        port = owner.getsockname()[1]
        listened = run_module("port_listen", {"ports": [{"port": port}], "pid_file": str(pid_file)})
        probed = run_module("port_probe", {"targets": [target(port, "tcp")]})

    assert listened["served"] == [{"port": port, "protocol": "tcp"}]
    assert listened["listening"] == []
    assert not pid_file.exists()
    assert probed["open_ports"] == 1


def test_a_second_call_takes_the_ports_from_the_first(run_module: RunModule, pid_file: Path, tcp: int) -> None:
    arguments = {"ports": [{"port": tcp, "dialers": 2}], "pid_file": str(pid_file)}
    run_module("port_listen", arguments)
    first = listener(pid_file)

    again = run_module("port_listen", arguments)

    assert again["listening"] == [{"port": tcp, "protocol": "tcp"}]
    wait_until_ended(first)
    assert listener(pid_file)


def test_closed_ports_are_told_with_the_reason(run_module: RunModule, tcp: int, udp: int) -> None:
    probed = run_module("port_probe", {"targets": [target(tcp, "tcp"), target(udp, "udp")], "timeout": 0.3})

    assert [(one["port"], one["reason"]) for one in probed["closed"]] == [(tcp, "refused"), (udp, "refused")]
    assert probed["closed"][0]["why"] == "a test"


def test_a_datagram_that_nobody_sends_back_times_out(run_module: RunModule) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        probed = run_module("port_probe", {"targets": [target(mute.getsockname()[1], "udp")], "timeout": 0.3})

    assert probed["closed"][0]["reason"] == "timed out"


class Answer(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/v2/" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_mirror_that_answers_is_told_from_one_that_does_not(run_module: RunModule, mirror: str, tcp: int) -> None:
    closed = f"https://127.0.0.1:{tcp}/"

    answers = run_module("port_probe", {"urls": [f"{mirror}/v2/", f"{mirror}/gone", closed]})["answers"]

    assert answers[f"{mirror}/v2/"] == {"status": 200, "error": ""}
    assert answers[f"{mirror}/gone"]["status"] == 404
    assert answers[closed] == {"status": 0, "error": "Connection refused"}
