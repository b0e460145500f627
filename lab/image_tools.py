"""What images take from Debian beyond a node's root file system: packages, unpacked into one tree, never installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.debian import KEYRING, PrivateApt, nearby_archive
from lab.progress import Log

ARCHIVE = "http://deb.debian.org/debian"
PACKAGES = ("busybox-static", "git", "gpg-agent", "redis-server", "tini")


def unpack(suite: str, rootfs: Path, directory: Path, log: Log) -> None:
    """These packages and what the root file system lacks of their dependencies, verified by apt."""
    archive = next(iter(nearby_archive()), ARCHIVE)
    source = f"deb [signed-by={KEYRING}] {archive} {suite} main\n"
    apt = PrivateApt(directory / "apt", source, rootfs / "var/lib/dpkg/status")
    apt.download(PACKAGES, directory / "packages", log)
    for deb in sorted((directory / "packages").glob("*.deb")):
        log.run(["dpkg-deb", "--extract", deb, directory / "root"])
    shutil.rmtree(directory / "packages")
    apt.remove()
