# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moto's server, which answers for AWS: `python -m tests.aws.server ADDRESS PORT`, until it or ADDRESS is ended."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.cloudfront.models import Origin
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.server import ThreadedMotoServer


def _remembering(make: Callable[..., None]) -> Callable[..., None]:
    def remember(origin: Any, configuration: dict[str, Any]) -> None:
        make(origin, configuration)
        origin.origin_access_control_id = configuration.get("OriginAccessControlId", "")
        origin.s3_origin_config = configuration.get("S3OriginConfig")

    return remember


@contextmanager
def serve(address: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The server's endpoint, for as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        # Roles attach policies that AWS itself keeps.
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        # Their tags have this type in AWS, and another in moto.
        patch.setitem(EC2_PREFIX_TO_RESOURCE, "nat", "natgateway")
        # How CloudFront comes to its bucket, moto forgets.
        patch.setattr(Origin, "__init__", _remembering(Origin.__init__))
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address=address, port=port, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


def is_ours(address: str) -> bool:
    """Whether this machine has the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    with serve(sys.argv[1], int(sys.argv[2])):
        # A lab's address goes with the lab, and so does this, whoever takes the lab down.
        while is_ours(sys.argv[1]):
            time.sleep(2)
