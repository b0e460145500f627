"""What the mirror serves, put together from what is built: apt repositories, images, manifests."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.apt import Signer, publish
from lab.artifacts import Artifacts, architecture
from lab.components import component_named
from lab.errors import LabError
from lab.images import RegistryStorage, images, network_tools
from lab.packages import pack, packages
from lab.progress import Log


def fill_mirror(artifacts: Artifacts, directory: Path, log: Log) -> None:
    workshop = directory / "workshop"
    workshop.mkdir()
    add_packages(artifacts, directory / "apt", workshop, log)
    add_images(artifacts, directory / "registry", workshop, log)
    add_manifests(artifacts, directory / "manifests")
    shutil.rmtree(workshop)


def add_packages(artifacts: Artifacts, apt: Path, workshop: Path, log: Log) -> None:
    wanted = packages(artifacts.versions)
    for package in wanted:
        pack(package, architecture(), artifacts.binary, workshop, apt / package.repository, log)
    for repository in sorted({package.repository for package in wanted}):
        publish(apt / repository, Signer(artifacts.signing_directory), "Groundwork lab", architecture())
    for suite in artifacts.versions.debian_suites:
        (apt / suite).mkdir()
        # Debian's packages belong to the suite's own step; a suite that is not built is a link to nothing.
        (apt / suite / "debian").symlink_to(artifacts.debian_directory(suite) / "packages")


def add_images(artifacts: Artifacts, registry: Path, workshop: Path, log: Log) -> None:
    pause = workshop / "pause"
    source = artifacts.shared_file(component_named("kubernetes"), "pause.c")
    version = f"-DVERSION={artifacts.versions.pause}"
    log.run(["gcc", "-Os", "-Wall", "-static", "-s", version, "-o", pause, source])
    unpacked = workshop / "tools"
    for deb in artifacts.node_packages().glob("*.deb"):
        log.run(["dpkg-deb", "--extract", deb, unpacked])
    tools = network_tools((unpacked, artifacts.rootfs()), architecture())
    storage = RegistryStorage(registry)
    for image in images(artifacts.versions, artifacts.binary, pause, tools):
        storage.add(image, architecture())


def add_manifests(artifacts: Artifacts, manifests: Path) -> None:
    """Calico's, byte for byte."""
    version = f"v{artifacts.versions.calico}"
    (manifests / "calico" / version).mkdir(parents=True)
    calico = component_named("calico")
    for path in map(Path, calico.shared_files):
        shutil.copy(artifacts.shared_file(calico, path.name), manifests / "calico" / version)
    if f"calico/node:{version}\n" not in (manifests / "calico" / version / "calico.yaml").read_text():
        raise LabError(f"the Calico of lab/components/calico/go.mod is not {version}, which versions.yml promises")
