"""What the mirror serves, put together from what is built: apt repositories, images, charts, manifests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.apt import Signer, publish
from lab.artifacts import Artifacts, architecture
from lab.charts import add_charts
from lab.components import component_named
from lab.errors import LabError
from lab.images import Layer, RegistryStorage, images, network_tools
from lab.packages import pack, packages
from lab.platform_images import platform_images
from lab.progress import Log


def fill_mirror(artifacts: Artifacts, directory: Path, log: Log) -> None:
    workshop = directory / "workshop"
    workshop.mkdir()
    add_packages(artifacts, directory / "apt", workshop, log)
    add_images(artifacts, directory / "registry", workshop, log)
    add_charts(artifacts, directory / "charts", workshop, log)
    add_calico_manifests(artifacts, directory / "manifests")
    add_argocd_manifests(artifacts, directory / "manifests")
    shutil.rmtree(workshop)


def fill_next_mirror(artifacts: Artifacts, directory: Path, log: Log) -> None:
    """All that the mirror has, and what differs after an upgrade."""
    shutil.copytree(artifacts.mirror_directory, directory, copy_function=os.link, symlinks=True, dirs_exist_ok=True)
    workshop = directory / "workshop"
    workshop.mkdir()
    former, versions = artifacts.versions, artifacts.versions.next()
    add_next_packages(artifacts, directory / "apt", workshop, log)
    storage = RegistryStorage(directory / "registry")
    tools, pause = network_tool_layer(artifacts, workshop, log), workshop / "pause"
    served = {(image.repository, image.tag) for image in images(former, artifacts.binary, pause, tools)}
    for image in images(versions, artifacts.next_binary, pause, tools):
        if (image.repository, image.tag) not in served:
            storage.add(image, architecture())
    shutil.rmtree(workshop)


def add_next_packages(artifacts: Artifacts, apt: Path, workshop: Path, log: Log) -> None:
    """Each minor version has a repository of its own, as on pkgs.k8s.io."""
    wanted = [package for package in packages(artifacts.versions.next()) if not (apt / package.repository).exists()]
    for package in wanted:
        pack(package, architecture(), artifacts.next_binary, workshop, apt / package.repository, log)
    for repository in sorted({package.repository for package in wanted}):
        publish(apt / repository, Signer(artifacts.signing_directory), "Groundwork lab", architecture())


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
    tools = network_tool_layer(artifacts, workshop, log)
    storage = RegistryStorage(registry)
    for image in images(artifacts.versions, artifacts.binary, pause, tools):
        storage.add(image, architecture())
    argocd = component_named("argocd")
    roots = (artifacts.image_tools, artifacts.rootfs())

    def wrapper(name: str) -> Path:
        return artifacts.shared_file(argocd, name)

    for image in platform_images(artifacts.versions, artifacts.binary, wrapper, roots, architecture()):
        storage.add(image, architecture())


def network_tool_layer(artifacts: Artifacts, workshop: Path, log: Log) -> Layer:
    unpacked = workshop / "tools"
    for deb in artifacts.node_packages().glob("*.deb"):
        log.run(["dpkg-deb", "--extract", deb, unpacked])
    return network_tools((unpacked, artifacts.rootfs()), architecture())


def add_calico_manifests(artifacts: Artifacts, manifests: Path) -> None:
    """Byte for byte."""
    version = f"v{artifacts.versions.calico}"
    (manifests / "calico" / version).mkdir(parents=True)
    calico = component_named("calico")
    for path in map(Path, calico.shared_files):
        shutil.copy(artifacts.shared_file(calico, path.name), manifests / "calico" / version)
    if f"calico/node:{version}\n" not in (manifests / "calico" / version / "calico.yaml").read_text():
        raise LabError(f"the Calico of lab/components/calico/go.mod is not {version}, which versions.yml promises")


def add_argocd_manifests(artifacts: Artifacts, manifests: Path) -> None:
    """Byte for byte, under the paths that they have upstream."""
    version = f"v{artifacts.versions.argocd}"
    upstream = artifacts.shared_file(component_named("argocd"), "manifests")
    served = manifests / "argocd" / version
    for path in sorted(upstream.rglob("*.yaml")):
        relative = path.relative_to(upstream)
        if str(relative.parent) in (".", "crds", "ha"):
            (served / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, served / relative)
    if f"argoproj/argocd:{version}\n" not in (served / "install.yaml").read_text():
        raise LabError(f"the Argo CD of lab/components/argocd/go.mod is not {version}, which versions.yml promises")
