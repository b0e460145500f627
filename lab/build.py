"""Everything the lab is made of, built into the cache: what is there is kept, what was interrupted is done again."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import debian, image_tools
from lab.apt import Signer, publish
from lab.artifacts import Artifacts, architecture
from lab.components import COMPONENTS, NEXT, NEXT_COMPONENTS, Component
from lab.errors import LabError
from lab.golang import Go
from lab.mirror_content import fill_mirror, fill_next_mirror
from lab.programs import PROGRAMS, Program
from lab.progress import Log, step

Report = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """Something that is made once, into a directory of its own."""

    name: str
    place: Path
    disk_mib: int
    commands: tuple[str, ...]
    """What it runs of this machine."""
    make: Callable[[Path, Log], None]


def build(artifacts: Artifacts, *, only: Sequence[str] | None, report: Report, keep_go_cache: bool = False) -> None:
    """Build what is missing, or of the steps named in `only` what is missing.

    A build that leaves nothing missing drops the Go caches, ten times the size of what was built from them.
    """
    go = Go(artifacts.versions.go, artifacts.cache / "go")
    os.umask(0o022)
    wanted = [made for made in chosen(steps(artifacts, go), artifacts, only) if not made.place.is_dir()]
    check_machine(wanted, artifacts.cache, report)
    with one_at_a_time(artifacts.cache, report):
        for made in wanted:
            if made.place.is_dir():
                continue
            with step(made.name, artifacts.logs, report) as log, staged(made.place) as staging:
                made.make(staging, log)
        artifacts.mark_used()
        if not artifacts.missing() and not keep_go_cache:
            go.drop_caches()


def steps(artifacts: Artifacts, go: Go) -> list[Step]:
    places = artifacts.places()

    def component_step(component: Component) -> Step:
        def make(directory: Path, log: Log) -> None:
            compile_component(artifacts, component, go, directory, log)

        return Step(component.name, places[component.name], component.disk_mib, (), make)

    def program_step(program: Program) -> Step:
        return Step(program.name, places[program.name], program.disk_mib, program.commands, program.make)

    def debian_step(suite: str) -> Step:
        def make(directory: Path, log: Log) -> None:
            make_debian(artifacts, suite, directory, log)

        commands = ("debootstrap", "dpkg-deb", "gpg", "unshare")
        return Step(f"debian-{suite}", places[f"debian-{suite}"], 600, commands, make)

    def unpack_image_tools(directory: Path, log: Log) -> None:
        image_tools.unpack(artifacts.versions.debian, artifacts.rootfs(), directory, log)

    def fill(directory: Path, log: Log) -> None:
        fill_mirror(artifacts, directory, log)

    def fill_next(directory: Path, log: Log) -> None:
        fill_next_mirror(artifacts, directory, log)

    commands = ("dpkg-deb", "gcc", "gpg", "readelf")
    return [
        *(program_step(program) for program in PROGRAMS),
        *(debian_step(suite) for suite in artifacts.versions.debian_suites),
        Step("image-tools", places["image-tools"], 200, ("apt-get", "dpkg-deb"), unpack_image_tools),
        *(component_step(component) for component in COMPONENTS),
        Step("mirror", places["mirror"], 2500, commands, fill),
        *(component_step(component) for component in NEXT_COMPONENTS),
        Step(f"mirror{NEXT}", places[f"mirror{NEXT}"], 700, commands, fill_next),
    ]


def chosen(every: Sequence[Step], artifacts: Artifacts, only: Sequence[str] | None) -> list[Step]:
    names = set(artifacts.default_steps() if only is None else only)
    if NEXT[1:] in names:
        names = names - {NEXT[1:]} | {"mirror"} | {made.name for made in every if made.name.endswith(NEXT)}
    unknown = names - {made.name for made in every}
    if unknown:
        raise LabError(f"no step {', '.join(sorted(unknown))}; there are {', '.join(made.name for made in every)}")
    return [made for made in every if made.name in names]


def check_machine(wanted: Sequence[Step], cache: Path, report: Report) -> None:
    """Refuse now what would fail in the middle."""
    if not wanted:
        return
    cache.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 and any(made.commands for made in wanted):
        raise LabError("building node file systems and packages needs root; type: sudo python -m lab build")
    absent = {command for made in wanted for command in made.commands if not shutil.which(command)}
    if absent:
        raise LabError(f"not installed: {', '.join(sorted(absent))}; type: make system-packages")
    needed, free = sum(made.disk_mib for made in wanted), shutil.disk_usage(cache).free >> 20
    report(f"{len(wanted)} to build; {needed / 1024:.1f} GiB needed of {free / 1024:.1f} GiB free in {cache}")
    if free < needed:
        raise LabError(
            f"{cache} has {free / 1024:.1f} GiB free, building needs {needed / 1024:.1f} GiB; "
            "make room (python -m lab prune), or set XDG_CACHE_HOME to a directory that has it"
        )


@contextmanager
def one_at_a_time(cache: Path, report: Report) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting: another build holds {cache}/build.lock")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """A directory to fill, which takes its place in one rename once it is whole."""
    staging = place.with_name(f"{place.name}.partial")
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True)
    yield staging
    staging.rename(place)


def compile_component(artifacts: Artifacts, component: Component, go: Go, directory: Path, log: Log) -> None:
    (directory / "bin").mkdir()
    go.build(component, artifacts.versions.of(component), directory / "bin", log)
    if component.shared_files or component.shared_directories:
        (directory / "share").mkdir()
        module = go.module_directory(component, log)
        for path in component.shared_files:
            shutil.copy(module / path, directory / "share")
        for path in component.shared_directories:
            shutil.copytree(module / path, directory / "share" / path)


def make_debian(artifacts: Artifacts, suite: str, directory: Path, log: Log) -> None:
    archive = debian.make_rootfs(suite, architecture(), directory / "rootfs", log)
    debian.download_node_packages(archive, suite, directory / "rootfs", directory / "packages", log)
    publish(directory / "packages", Signer(artifacts.signing_directory), f"Debian {suite}", architecture())
