#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: Try from this machine which ports of others are let through, and which URLs answer
version_added: 0.1.0
description:
  - Dials a list of ports, all at once. A TCP port is open when it accepts a connection, a UDP port when it sends a
    datagram back, as M(groundwork.kube.port_listen) does.
  - It only tells what it found. Whether that is a problem is for M(groundwork.kube.preflight) to say.
author: Groundwork founders (@groundwork)
options:
  targets:
    description: What to dial.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: The machine's name.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
      port:
        description: The port's number.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      why:
        description: What the port is for.
        type: str
        default: ""
  urls:
    description:
      - URLs to ask for. That somebody answers is all there is to know, so that certificates are not verified
        and redirections are not followed.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for each of them.
    type: float
    default: 5
attributes:
  check_mode:
    support: full
    description: Only looks.
  diff_mode:
    support: N/A
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Try the API's port
  groundwork.kube.port_probe:
    targets:
      - {host: k8s-master, address: 192.0.2.10, port: 6443, why: Kubernetes API}
"""

RETURN = r"""
open_ports:
  description: How many of the targets were reached.
  returned: success
  type: int
closed:
  description: The targets that were not reached, each with the C(reason).
  returned: success
  type: list
  elements: dict
  sample: [{host: k8s-master, address: 192.0.2.10, port: 6443, protocol: tcp, why: Kubernetes API, reason: timed out}]
answers:
  description: Of each of O(urls) the HTTP C(status), or 0 and the C(error).
  returned: success
  type: dict
  sample: {"https://registry.k8s.io/v2/": {status: 200, error: ""}}
"""

import contextlib
import http.client
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.port_checks import KNOCK

ATTEMPTS = 3
AT_ONCE = 64


def dial_tcp(address: str, port: int, timeout: float) -> None:
    with socket.create_connection((address, port), timeout) as dialer, contextlib.suppress(OSError):
        dialer.sendall(KNOCK)


def dial_udp(address: str, port: int, timeout: float) -> None:
    """Send the same datagram a few times, since any may get lost, until it comes back."""
    word = os.urandom(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dialer:
        dialer.settimeout(timeout / ATTEMPTS)
        dialer.connect((address, port))
        for attempt in range(ATTEMPTS):
            dialer.send(word)
            try:
                if dialer.recv(64) == word:
                    return
            except socket.timeout:
                if attempt == ATTEMPTS - 1:
                    raise


def reason(target: dict[str, Any], timeout: float) -> str:
    """Why a target was not reached; empty when it was."""
    dial = dial_tcp if target["protocol"] == "tcp" else dial_udp
    try:
        dial(target["address"], target["port"], timeout)
    except socket.timeout:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _connection(scheme: str, netloc: str, timeout: float) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(netloc, timeout=timeout)
    # The authority behind a mirror's certificate may be one that this machine is yet to be told of.
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(netloc, timeout=timeout, context=anyone)


def ask(url: str, timeout: float) -> dict[str, Any]:
    """What a server says to a URL."""
    parts = urlsplit(url)
    try:
        connection = _connection(parts.scheme, parts.netloc.rsplit("@", 1)[-1], timeout)
        try:
            connection.request("HEAD", parts.path or "/")
            return {"status": connection.getresponse().status, "error": ""}
        finally:
            connection.close()
    except socket.timeout:
        return {"status": 0, "error": "timed out"}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"status": 0, "error": getattr(error, "strerror", None) or str(error) or type(error).__name__}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "targets": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "host": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                    "why": {"type": "str", "default": ""},
                },
            },
            "urls": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    targets, urls, timeout = (module.params[name] for name in ("targets", "urls", "timeout"))
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        reasons = pool.map(lambda target: reason(target, timeout), targets)
        answers = dict(zip(urls, pool.map(lambda url: ask(url, timeout), urls)))
    closed = [{**target, "reason": why} for target, why in zip(targets, reasons) if why]
    module.exit_json(changed=False, open_ports=len(targets) - len(closed), closed=closed, answers=answers)


if __name__ == "__main__":
    main()
