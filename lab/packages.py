"""The lab's own Debian packages: kubeadm, kubelet, kubectl, kubernetes-cni as pkgs.k8s.io lays them out, containerd."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.artifacts import LAB, Versions
from lab.components import component_named
from lab.progress import Log

FindBinary = Callable[[str], Path]

ENABLE_UNIT = """\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    deb-systemd-helper unmask {unit} >/dev/null || true
    if deb-systemd-helper --quiet was-enabled {unit}; then
        deb-systemd-helper enable {unit} >/dev/null || true
    else
        deb-systemd-helper update-state {unit} >/dev/null || true
    fi
    [ ! -d /run/systemd/system ] || {activate}
fi
"""
RELOAD = "systemctl --system daemon-reload >/dev/null || true"
RELOAD_AND_RESTART = "{ systemctl --system daemon-reload && deb-systemd-invoke restart containerd.service; } || true"
DISABLE_UNIT = """\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop {unit} >/dev/null || true
fi
"""


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    description: str
    repository: str
    """Where in the mirror's apt/ directory it is served."""
    files: Mapping[str, str]
    """Path on the node: `binary:NAME` or `file:NAME` (from lab/files)."""
    depends: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    configuration_files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)

    def control(self, architecture: str) -> str:
        relations = {"Depends": self.depends, "Recommends": self.recommends}
        lines = [
            f"Package: {self.name}",
            f"Version: {self.version}",
            f"Architecture: {architecture}",
            "Maintainer: Groundwork lab <lab@groundwork.invalid>",
            "Section: net",
            "Priority: optional",
            *(f"{name}: {', '.join(wanted)}" for name, wanted in relations.items() if wanted),
            f"Description: {self.description}",
        ]
        return "\n".join(lines) + "\n"


def unit_scripts(unit: str, activate: str = RELOAD) -> dict[str, str]:
    return {
        "postinst": ENABLE_UNIT.format(unit=unit, activate=activate),
        "prerm": DISABLE_UNIT.format(unit=unit),
    }


def packages(versions: Versions) -> tuple[Package, ...]:
    minor = versions.kubernetes.rpartition(".")[0]
    kubernetes = f"kubernetes/v{minor}"
    return (
        Package(
            name="kubeadm",
            version=f"{versions.kubernetes}-1.1",
            description="Command-line utility for administering a Kubernetes cluster",
            repository=kubernetes,
            files={
                "usr/bin/kubeadm": "binary:kubeadm",
                "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": "file:10-kubeadm.conf",
            },
            recommends=("cri-tools",),
        ),
        Package(
            name="kubelet",
            version=f"{versions.kubernetes}-1.1",
            description="Node agent for Kubernetes clusters",
            repository=kubernetes,
            files={
                "usr/bin/kubelet": "binary:kubelet",
                "usr/lib/systemd/system/kubelet.service": "file:kubelet.service",
                "etc/default/kubelet": "file:kubelet.default",
            },
            depends=("kubernetes-cni (>= 1.2.0)", "mount", "util-linux"),
            recommends=("iptables (>= 1.8.4)",),
            configuration_files=("/etc/default/kubelet",),
            directories=("etc/kubernetes/manifests", "var/lib/kubelet"),
            # Enabled, not started: until kubeadm has written its configuration it would only restart.
            scripts=unit_scripts("kubelet.service"),
        ),
        Package(
            name="kubectl",
            version=f"{versions.kubernetes}-1.1",
            description="Command-line utility for interacting with a Kubernetes cluster",
            repository=kubernetes,
            files={"usr/bin/kubectl": "binary:kubectl"},
        ),
        Package(
            name="kubernetes-cni",
            version=f"{versions.cni_plugins}-1.1",
            description="Binaries required to provision Kubernetes container networking",
            repository=kubernetes,
            files={f"opt/cni/bin/{name}": f"binary:{name}" for name in component_named("cni-plugins").binaries},
        ),
        Package(
            name="containerd",
            version=f"{versions.containerd}-1",
            description="Open and reliable container runtime",
            repository="containerd",
            files={
                **{f"usr/bin/{name}": f"binary:{name}" for name in component_named("containerd").binaries},
                "usr/lib/systemd/system/containerd.service": "file:containerd.service",
            },
            depends=("runc",),
            scripts=unit_scripts("containerd.service", RELOAD_AND_RESTART),
        ),
    )


def pack(
    package: Package, architecture: str, find_binary: FindBinary, workshop: Path, directory: Path, log: Log
) -> None:
    """Write the .deb, uncompressed: packing and unpacking cost next to nothing then."""
    tree = workshop / package.name
    for path in (*package.directories, *(os.path.dirname(file) for file in package.files), "DEBIAN"):
        (tree / path).mkdir(parents=True, exist_ok=True)
    for path, source in package.files.items():
        kind, _, name = source.partition(":")
        executable = kind == "binary"
        shutil.copy(find_binary(name) if executable else LAB / "files" / name, tree / path)
        (tree / path).chmod(0o755 if executable else 0o644)
    (tree / "DEBIAN/control").write_text(package.control(architecture))
    if package.configuration_files:
        (tree / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in package.configuration_files))
    for name, script in package.scripts.items():
        (tree / "DEBIAN" / name).write_text(script)
        (tree / "DEBIAN" / name).chmod(0o755)
    directory.mkdir(parents=True, exist_ok=True)
    deb = directory / f"{package.name}_{package.version}_{architecture}.deb"
    log.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, deb])
    shutil.rmtree(tree)
