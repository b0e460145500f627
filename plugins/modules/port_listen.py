#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_listen
short_description: Listen on ports for some seconds, so that others can try whether they are let through
version_added: 0.1.0
description:
  - Starts a process that listens on those of the given ports that are free, and returns. TCP connections are accepted
    and closed; datagrams are sent back.
  - The process lets go of a TCP port as soon as all O(ports[].dialers) have come, ends when none is left to come,
    and ends after O(seconds) in any case. A later call ends the process of an earlier one first.
author: Groundwork founders (@groundwork)
options:
  ports:
    description: The ports to listen on.
    type: list
    elements: dict
    required: true
    suboptions:
      port:
        description: The port's number.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      dialers:
        description: How many machines are going to try it.
        type: int
        default: 1
  seconds:
    description: How long to listen at most.
    type: int
    default: 60
  pid_file:
    description: Where the process writes its number.
    type: path
    default: /run/groundwork-port-listen.pid
attributes:
  check_mode:
    support: full
    description: Listens in check mode as well, since nothing of it lasts.
  diff_mode:
    support: N/A
    description: Changes nothing that lasts.
"""

EXAMPLES = r"""
- name: Let the others try the API's port
  groundwork.kube.port_listen:
    ports:
      - port: 6443
        dialers: 13
"""

RETURN = r"""
listening:
  description: The ports that are now listened on.
  returned: success
  type: list
  elements: dict
  sample: [{port: 6443, protocol: tcp}]
served:
  description: The ports that somebody else serves already.
  returned: success
  type: list
  elements: dict
  sample: [{port: 10250, protocol: tcp}]
"""

import contextlib
import errno
import os
import selectors
import signal
import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.port_checks import KNOCK

# A reply to a datagram may get lost; whoever asks again shall find us.
LINGER = 3.0
# A dialer speaks at once; who does not, or says something else, is another.
HEARING = 0.5


class Listener:
    """One port, and which machines have tried it."""

    def __init__(self, port: int, protocol: str, dialers: int) -> None:
        self.port = port
        self.protocol = protocol
        self.dialers = dialers
        self.seen: set[str] = set()
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        try:
            if protocol == "tcp":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("", port))
            if protocol == "tcp":
                self.socket.listen(1024)
        except OSError:
            self.socket.close()
            raise

    @property
    def done(self) -> bool:
        return len(self.seen) >= self.dialers

    def answer(self) -> None:
        with contextlib.suppress(OSError):
            if self.protocol == "tcp":
                connection, peer = self.socket.accept()
                with connection:
                    connection.settimeout(HEARING)
                    if connection.recv(len(KNOCK)) != KNOCK:
                        return
            else:
                data, peer = self.socket.recvfrom(512)
                self.socket.sendto(data, peer)
            self.seen.add(peer[0])


def serve(listeners: list[Listener], seconds: float) -> None:
    """Answer until everybody has come, or the time is over."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for listener in listeners:
            selector.register(listener.socket, selectors.EVENT_READ, listener)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _events in selector.select(max(0.0, deadline - time.monotonic())):
                listener = key.data
                listener.answer()
                if listener.done and listener.protocol == "tcp":
                    # At once: the next phase wants the port for its real owner.
                    selector.unregister(listener.socket)
                    listener.socket.close()
            if all(key.data.done for key in selector.get_map().values()):
                deadline = min(deadline, time.monotonic() + LINGER)


def identity(pid: int) -> str:
    """A process's number and start, which together no other process ever has; empty when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] == "Z" else f"{pid} {fields[19]}"


def end_previous(pid_file: str) -> None:
    """End the process that an earlier call left, if it is still there and still that process."""
    try:
        with open(pid_file, encoding="ascii") as file:
            written = file.read().strip()
        pid = int(written.split()[0])
    except (OSError, ValueError, IndexError):
        return
    if identity(pid) != written:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while identity(pid) == written:
        time.sleep(0.01)


def detach(listeners: list[Listener], seconds: float, pid_file: str) -> None:
    """Leave a process behind that serves the listeners, with no tie to us or to the connection we came by."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        for listener in listeners:
            listener.socket.close()
        return
    try:
        os.setsid()
        server = os.fork()
        if server:
            with open(pid_file, "w", encoding="ascii") as file:
                file.write(identity(server))
        else:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(nowhere, descriptor)
            serve(listeners, seconds)
    finally:
        # Not exit(): what our parent has begun is not ours to clean up.
        os._exit(0)


def open_listeners(ports: list[dict[str, Any]]) -> tuple[list[Listener], list[dict[str, Any]]]:
    """Listeners on the free ports, and the ports that are taken."""
    listeners, taken = [], []
    for port in ports:
        try:
            listeners.append(Listener(port["port"], port["protocol"], port["dialers"]))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            taken.append({"port": port["port"], "protocol": port["protocol"]})
    return listeners, taken


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "ports": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                    "dialers": {"type": "int", "default": 1},
                },
            },
            "seconds": {"type": "int", "default": 60},
            "pid_file": {"type": "path", "default": "/run/groundwork-port-listen.pid"},
        },
        supports_check_mode=True,
    )
    end_previous(module.params["pid_file"])
    try:
        listeners, taken = open_listeners(module.params["ports"])
    except OSError as error:
        module.fail_json(msg=f"Cannot listen: {error.strerror}. A port below 1024 needs root (become).")
    if listeners:
        detach(listeners, module.params["seconds"], module.params["pid_file"])
    module.exit_json(
        changed=False,
        listening=[{"port": listener.port, "protocol": listener.protocol} for listener in listeners],
        served=taken,
    )


if __name__ == "__main__":
    main()
