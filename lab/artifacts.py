"""What the lab is made of and where it lies: pins, cache keys and places, all computed, nothing remembered.

Everything built is found under a name that carries the hash of its pins and of its recipe, so what is there is right,
what was interrupted is absent, and two clones with different pins share one cache.
"""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from lab.components import COMPONENTS, NEXT, NEXT_COMPONENTS, Component, component_with_binary
from lab.errors import LabError
from lab.programs import PROGRAMS, Program, program_named

LAB = Path(__file__).resolve().parent
MIRROR_RECIPE = ("mirror_content", "packages", "images", "platform_images", "charts", "apt")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class NotBuilt(LabError):
    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not built yet; type: python -m lab build")


@dataclass(frozen=True)
class Versions:
    """The pins of versions.yml that the lab builds from."""

    kubernetes: str
    etcd: str
    coredns: str
    pause: str
    containerd: str
    cni_plugins: str
    calico: str
    agnhost: str
    go: str
    debian: str
    debian_suites: tuple[str, ...]
    argocd: str
    kustomize: str
    cert_manager: str
    metallb: str
    metrics_server: str
    external_secrets: str
    local_path_provisioner: str
    openbao: str
    echo: str
    kubernetes_next: str
    etcd_next: str
    coredns_next: str

    def next(self) -> Versions:
        """As they are after an upgrade."""
        return replace(self, kubernetes=self.kubernetes_next, etcd=self.etcd_next, coredns=self.coredns_next)

    def of(self, component: Component) -> str:
        version: str = getattr(self, component.name.replace("-", "_"))
        return version


def load_versions(path: Path = LAB.parent / "versions.yml") -> Versions:
    pins = yaml.safe_load(path.read_text())
    following = pins["lab"]["next"]
    bundle = pins["kubernetes"]["bundles"][following.rpartition(".")[0]]
    return Versions(
        kubernetes=pins["kubernetes"]["default"],
        debian=pins["debian"]["default"],
        debian_suites=tuple(pins["debian"]["suites"]),
        kubernetes_next=following,
        etcd_next=bundle["etcd"],
        coredns_next=bundle["coredns"],
        **{name: pins[name] for name in ("etcd", "coredns", "pause", "containerd", "cni_plugins", "agnhost")},
        **{name: pin for name, pin in pins["lab"].items() if name != "next"},
    )


def cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "groundwork"


def architecture() -> str:
    """This machine's architecture, as Go and Debian both call it."""
    machine = platform.machine()
    try:
        return ARCHITECTURES[machine]
    except KeyError:
        raise LabError(f"the lab builds on {' and '.join(ARCHITECTURES)}, this machine is {machine}") from None


def digest(*parts: str | bytes | Path) -> str:
    """A short name for exactly these texts and files, each with its length so that none can run into the next."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(b"%d:" % len(content))
        total.update(content)
    return total.hexdigest()[:12]


class Artifacts:
    """Where each built thing is, or `NotBuilt`."""

    def __init__(self, versions: Versions, cache: Path | None = None) -> None:
        self.versions = versions
        self.cache = cache or cache_directory()

    def binary(self, name: str) -> Path:
        if name in {program.name for program in PROGRAMS}:
            return self._built(self.program_directory(program_named(name)), name) / "bin" / name
        component = component_with_binary(name)
        return self._built(self.component_directory(component), component.name) / "bin" / name

    def rootfs(self, distribution: str = "") -> Path:
        suite = distribution or self.versions.debian
        return self._built(self.debian_directory(suite), f"debian-{suite}") / "rootfs"

    def node_packages(self, distribution: str = "") -> Path:
        """Debian's packages for nodes of this distribution; the mirror serves them as apt/SUITE/debian."""
        suite = distribution or self.versions.debian
        return self._built(self.debian_directory(suite), f"debian-{suite}") / "packages"

    def shared_file(self, component: Component, name: str) -> Path:
        """A file that came with the component's module, or a directory."""
        return self._built(self.component_directory(component), component.name) / "share" / name

    @property
    def image_tools(self) -> Path:
        """Debian's packages that images take programs from, unpacked into one tree."""
        return self._built(self.image_tools_directory, "image-tools") / "root"

    def next_binary(self, name: str) -> Path:
        """The binary that an upgrade brings, or the one that it leaves."""
        for component in NEXT_COMPONENTS:
            if name in component.binaries:
                return self._built(self.component_directory(component), component.name) / "bin" / name
        return self.binary(name)

    @property
    def mirror(self) -> Path:
        """What the mirror serves: apt/, charts/, manifests/ and registry/, the storage root of docker-registry."""
        if self.next_mirror_directory.is_dir():
            return self.next_mirror_directory
        return self._built(self.mirror_directory, "mirror")

    def places(self) -> dict[str, Path]:
        """Each step of a build by its name, and the directory it makes."""
        return {
            **{program.name: self.program_directory(program) for program in PROGRAMS},
            **{f"debian-{suite}": self.debian_directory(suite) for suite in self.versions.debian_suites},
            "image-tools": self.image_tools_directory,
            **{component.name: self.component_directory(component) for component in COMPONENTS},
            "mirror": self.mirror_directory,
            **{component.name: self.component_directory(component) for component in NEXT_COMPONENTS},
            f"mirror{NEXT}": self.next_mirror_directory,
        }

    def default_steps(self) -> list[str]:
        """All but what nodes do not run unless asked: other Debian suites, the next Kubernetes."""
        others = {f"debian-{suite}" for suite in self.versions.debian_suites if suite != self.versions.debian}
        return [name for name in self.places() if name not in others and not name.endswith(NEXT)]

    def missing(self) -> list[str]:
        """What a full build would still make."""
        places = self.places()
        return [name for name in self.default_steps() if not places[name].is_dir()]

    def mark_used(self) -> None:
        """Another clone with other pins must not take for abandoned what these pins name."""
        for place in self.places().values():
            with suppress(FileNotFoundError, PermissionError):
                os.utime(place)

    def component_directory(self, component: Component) -> Path:
        source = LAB / "components" / component.name
        key = digest(
            *sorted(path for path in source.rglob("*") if path.is_file()),
            repr(component),
            *component.shared_directories,
            self.versions.of(component),
            self.versions.go,
            architecture(),
        )
        return self.cache / "components" / f"{component.name}-{key}"

    def program_directory(self, program: Program) -> Path:
        return self.cache / f"{program.name}-{digest(*program.recipe, repr(program), architecture())}"

    def debian_directory(self, suite: str) -> Path:
        recipe = (LAB / "debian.py", LAB / "apt.py")
        return self.cache / f"debian-{suite}-{digest(*recipe, architecture())}"

    @property
    def image_tools_directory(self) -> Path:
        rootfs = self.debian_directory(self.versions.debian).name
        return self.cache / f"image-tools-{digest(LAB / 'image_tools.py', rootfs)}"

    @property
    def mirror_directory(self) -> Path:
        recipe = [LAB / f"{name}.py" for name in MIRROR_RECIPE]
        recipe += sorted((LAB / "files").iterdir())
        inputs = [self.component_directory(component).name for component in COMPONENTS]
        inputs += [self.debian_directory(suite).name for suite in self.versions.debian_suites]
        inputs += [self.program_directory(program_named(name)).name for name in ("helm", "openbao")]
        inputs.append(self.image_tools_directory.name)
        return self.cache / f"mirror-{digest(*recipe, *inputs, repr(self.versions))}"

    @property
    def next_mirror_directory(self) -> Path:
        """The same mirror, with what an upgrade asks for besides."""
        inputs = [self.component_directory(component).name for component in NEXT_COMPONENTS]
        return self.cache / f"mirror{NEXT}-{digest(self.mirror_directory.name, *inputs)}"

    @property
    def signing_directory(self) -> Path:
        """The key that signs the mirror's apt repositories; it never leaves this cache."""
        return self.cache / "signing"

    @property
    def logs(self) -> Path:
        return self.cache / "logs"

    @staticmethod
    def _built(place: Path, name: str) -> Path:
        if not place.is_dir():
            raise NotBuilt(name)
        return place
