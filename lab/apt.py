"""Apt repositories: flat, signed, made of .deb files, read by apt as it reads anyone's."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

SIGNER = "Groundwork lab <lab@groundwork.invalid>"


class Signer:
    """A key of the lab's own, made on first use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def clear_sign(self, text: str) -> str:
        return self._gpg("--local-user", SIGNER, "--clear-sign", stdin=text)

    @property
    def public_key(self) -> str:
        return self._gpg("--armor", "--export", SIGNER)

    def _gpg(self, *arguments: str, stdin: str = "") -> str:
        if not self.directory.is_dir():
            self._make_key()
        return _gpg(self.directory, *arguments, stdin=stdin)

    def _make_key(self) -> None:
        staging = self.directory.with_name(f"{self.directory.name}.partial")
        staging.mkdir(parents=True, exist_ok=True)
        staging.chmod(0o700)
        _gpg(staging, "--quick-generate-key", SIGNER, "ed25519", "sign", "never")
        staging.rename(self.directory)


def _gpg(directory: Path, *arguments: str, stdin: str = "") -> str:
    options = ("--batch", "--yes", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "")
    with tempfile.TemporaryDirectory() as short:
        # The agent makes its socket there, whose path may have 107 characters.
        home = Path(short, "keys")
        home.symlink_to(directory.absolute())
        command = ["gpg", "--homedir", str(home), *options, *arguments]
        try:
            return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


def publish(directory: Path, signer: Signer, origin: str, architecture: str) -> None:
    """Make a directory of .deb files a repository that apt reads with suite `/`."""
    packages = "\n".join(index_entry(deb) for deb in sorted(directory.glob("*.deb")))
    (directory / "Packages").write_text(packages)
    release = release_text(origin, architecture, datetime.now(UTC), {"Packages": packages.encode()})
    (directory / "Release").write_text(release)
    (directory / "InRelease").write_text(signer.clear_sign(release))
    (directory / "Release.key").write_text(signer.public_key)


def index_entry(deb: Path) -> str:
    control = subprocess.run(["dpkg-deb", "--field", deb], stdout=subprocess.PIPE, text=True, check=True).stdout
    with deb.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{control.rstrip()}\nFilename: ./{deb.name}\nSize: {os.path.getsize(deb)}\nSHA256: {checksum}\n"


def release_text(origin: str, architecture: str, date: datetime, indexes: dict[str, bytes]) -> str:
    checksums = "".join(
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n" for name, content in indexes.items()
    )
    return (
        f"Origin: {origin}\n"
        f"Label: {origin}\n"
        f"Architectures: {architecture}\n"
        f"Date: {format_datetime(date, usegmt=True)}\n"
        f"SHA256:\n{checksums}"
    )
