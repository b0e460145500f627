"""A certificate authority that speaks ACME: Pebble, Let's Encrypt's own small server. It forgets all when it stops."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.processes import Daemon
from lab.state import Lab

DIRECTORY_PORT = 14000
# Where its roots and intermediates are, which are new each time it starts.
MANAGEMENT_PORT = 15000
# As the world outside would have them.
CHALLENGE_PORTS = {"httpPort": 80, "tlsPort": 443}
# Else it would wait before validations, trust earlier ones and refuse some requests, to try its clients.
STRAIGHT = {"PEBBLE_AUTHZREUSE": "0", "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}


class AcmeServer:
    """Its own certificate is kept, so that an inventory can name it before the server runs."""

    def __init__(self, lab: Lab, address: str) -> None:
        self.daemon = Daemon(lab.run / "pebble.pid", lab.logs / "pebble.log")
        self._address = address
        self._certificate = lab.state / "acme" / "certificate.pem"
        self._configuration = lab.run / "pebble.json"

    @property
    def url(self) -> str:
        return f"https://{self._address}:{DIRECTORY_PORT}/dir"

    def start(self, pebble: Path, name_server: str) -> None:
        key = self._certificate.with_name("key.pem")
        if not key.exists():
            make_certificate(self._address, self._certificate, key)
        self._configuration.write_text(json.dumps(configuration(self._address, self._certificate, key)))
        command: list[str | Path] = [pebble, "-config", self._configuration, "-dnsserver", name_server]
        self.daemon.start(command, environment=STRAIGHT)

    def stop(self) -> None:
        self.daemon.stop()
        self._configuration.unlink(missing_ok=True)


def configuration(address: str, certificate: Path, key: Path) -> dict[str, object]:
    return {
        "pebble": {
            "listenAddress": f"{address}:{DIRECTORY_PORT}",
            "managementListenAddress": f"{address}:{MANAGEMENT_PORT}",
            "certificate": str(certificate),
            "privateKey": str(key),
            **CHALLENGE_PORTS,
        }
    }


def make_certificate(address: str, certificate: Path, key: Path) -> None:
    certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=acme"]
    command += ["-addext", f"subjectAltName=IP:{address}", "-keyout", str(key), "-out", str(certificate)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"openssl: {done.stderr.strip()}")
