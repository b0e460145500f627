"""A build says what it does, resumes, and fails in one plain sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import build as build_module
from lab import progress
from lab.artifacts import Artifacts, load_versions
from lab.build import Step, build, check_machine, chosen, one_at_a_time, staged, steps
from lab.components import COMPONENTS
from lab.debian import leave_out_documentation, nearby_archive
from lab.errors import LabError
from lab.golang import Go, default_name
from lab.progress import Log, elapsed, step


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(load_versions(), tmp_path / "cache")


def make_nothing(_directory: Path, _log: Log) -> None:
    pass


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Callable[[Path, Log], None]]], None]:
    """Replace every step's work, and the check of this machine's room."""

    def replace(work: dict[str, Callable[[Path, Log], None]]) -> None:
        def light_steps(artifacts: Artifacts, _go: Go) -> list[Step]:
            return [
                Step(name, place, 1, (), work.get(name, make_nothing)) for name, place in artifacts.places().items()
            ]

        monkeypatch.setattr(build_module, "steps", light_steps)

    return replace


def test_a_build_makes_what_is_missing_and_reports_each_step(artifacts: Artifacts, no_work, capsys) -> None:
    no_work({})
    lines: list[str] = []
    build(artifacts, only=None, report=lines.append)
    assert artifacts.missing() == []
    assert [line.split()[0] for line in lines[1:]] == artifacts.default_steps()


def test_a_second_build_has_nothing_to_say(artifacts: Artifacts, no_work) -> None:
    no_work({})
    build(artifacts, only=None, report=lambda _: None)
    lines: list[str] = []
    build(artifacts, only=None, report=lines.append)
    assert lines == []


def test_a_failed_build_keeps_what_is_finished_and_resumes_there(artifacts: Artifacts, no_work) -> None:
    def fail(directory: Path, _log: Log) -> None:
        (directory / "half").touch()
        raise LabError("no such module")

    no_work({"echo": fail})
    with pytest.raises(LabError, match="echo: no such module"):
        build(artifacts, only=None, report=lambda _: None)
    assert artifacts.missing() == ["echo", "mirror"]
    made: list[list[Path]] = []
    no_work({"echo": lambda directory, _log: made.append(list(directory.iterdir()))})
    build(artifacts, only=None, report=lambda _: None)
    assert made == [[]], "what was half made is gone"


def test_only_the_named_steps_are_built(artifacts: Artifacts, no_work) -> None:
    no_work({})
    build(artifacts, only=["etcd", "kubernetes"], report=lambda _: None)
    assert not {"etcd", "kubernetes"} & set(artifacts.missing())
    assert "calico" in artifacts.missing()


def test_what_upgrades_are_tried_with_is_built_only_when_asked_for(artifacts: Artifacts, no_work) -> None:
    no_work({})
    build(artifacts, only=None, report=lambda _: None)
    assert artifacts.mirror == artifacts.mirror_directory
    build(artifacts, only=["next"], report=lambda _: None)
    assert artifacts.mirror == artifacts.next_mirror_directory
    assert all(place.is_dir() for name, place in artifacts.places().items() if name.endswith("-next"))


def test_an_unknown_step_is_refused_with_those_there_are(artifacts: Artifacts) -> None:
    with pytest.raises(LabError, match=r"no step etdc; there are .*etcd"):
        chosen(steps(artifacts, Go("1", artifacts.cache)), artifacts, ["etdc"])


@pytest.mark.parametrize(("only", "dropped"), [(None, True), (["etcd"], False)])
def test_the_go_caches_go_when_all_is_packed(artifacts: Artifacts, no_work, only, dropped) -> None:
    no_work({})
    packages = artifacts.cache / "go/build"
    packages.mkdir(parents=True)
    build(artifacts, only=only, report=lambda _: None)
    assert packages.exists() is not dropped


def test_the_go_caches_stay_on_request(artifacts: Artifacts, no_work) -> None:
    no_work({})
    (artifacts.cache / "go").mkdir(parents=True)
    build(artifacts, only=None, report=lambda _: None, keep_go_cache=True)
    assert (artifacts.cache / "go").is_dir()


def test_too_little_room_is_refused_before_work_begins(tmp_path: Path) -> None:
    endless = Step("kubernetes", tmp_path / "kubernetes", 1 << 40, (), make_nothing)
    with pytest.raises(LabError, match=r"needs .* GiB; make room \(python -m lab prune\), or set XDG_CACHE_HOME"):
        check_machine([endless], tmp_path, lambda _: None)


def test_a_missing_program_is_refused_with_the_command_that_installs_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    needy = Step("mirror", tmp_path / "mirror", 1, ("no-such-program",), make_nothing)
    with pytest.raises(LabError, match="not installed: no-such-program; type: make system-packages"):
        check_machine([needy], tmp_path, lambda _: None)


def test_compiling_needs_no_root(tmp_path: Path, artifacts: Artifacts, monkeypatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    compiling = [made for made in steps(artifacts, Go("1", tmp_path)) if made.name in {c.name for c in COMPONENTS}]
    check_machine([Step(made.name, made.place, 1, made.commands, made.make) for made in compiling], tmp_path, print)
    with pytest.raises(LabError, match="needs root"):
        check_machine([made for made in steps(artifacts, Go("1", tmp_path)) if made.name == "mirror"], tmp_path, print)


def half_made(place: Path) -> None:
    with staged(place) as directory:
        (directory / "bin").mkdir()
        raise KeyboardInterrupt


def test_a_place_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "components/etcd-1"
    with pytest.raises(KeyboardInterrupt):
        half_made(place)
    assert not place.exists()
    with staged(place) as directory:
        assert list(directory.iterdir()) == []
        (directory / "whole").touch()
    assert [path.name for path in place.iterdir()] == ["whole"]


def test_a_second_build_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    told = threading.Event()
    with one_at_a_time(tmp_path, print):

        def second() -> None:
            with one_at_a_time(tmp_path, lambda line: told.set() if "waiting" in line else None):
                pass

        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(30)
    thread.join(30)
    assert not thread.is_alive()


def test_a_failing_command_leaves_its_last_words_and_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(LabError) as failure, step("etcd", tmp_path, print) as log:
        log.run(["sh", "-c", "echo undefined: raft >&2; exit 2"])
    assert "etcd: sh ended with status 2" in str(failure.value)
    assert "undefined: raft" in str(failure.value)
    assert f"log: {tmp_path}/etcd.log" in str(failure.value)


def test_a_long_step_says_that_it_lives(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0)
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.01)
    spoken = threading.Event()
    with step("kubernetes", tmp_path, lambda line: spoken.set() if line.endswith("…") else None):
        assert spoken.wait(30)


@pytest.mark.parametrize(("seconds", "text"), [(4.7, "4s"), (59.9, "59s"), (60, "1m00s"), (190, "3m10s")])
def test_elapsed_time_reads_as_one_says_it(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
    ],
)
def test_the_go_tool_names_a_binary_after_its_package(package: str, name: str) -> None:
    assert default_name(package) == name


def test_another_go_than_the_pinned_one_is_refused(tmp_path: Path, monkeypatch) -> None:
    program = tmp_path / "go"
    program.write_text("#!/bin/sh\necho go version go1.0.0 linux/amd64\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(LabError, match=r"Go 1\.27\.3 is needed; type: pip install"):
        Go("1.27.3", tmp_path).build(COMPONENTS[0], "1.36.4", tmp_path, Log(tmp_path / "log"))


def test_documentation_is_left_out_now_and_later(tmp_path: Path) -> None:
    (tmp_path / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
    for unread in ("doc", "info", "lintian", "locale", "man"):
        (tmp_path / "usr/share" / unread / "something").mkdir(parents=True)
    leave_out_documentation(tmp_path)
    assert list((tmp_path / "usr/share/man").iterdir()) == []
    assert "path-exclude=/usr/share/man/*" in (tmp_path / "etc/dpkg/dpkg.cfg.d/no-documentation").read_text()


def test_debian_comes_from_the_mirror_this_machine_uses(tmp_path: Path, monkeypatch) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(
        '#!/bin/sh\necho "Debian-Security http://security.example/debian"\necho "Debian http://near/debian/"\n'
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert nearby_archive() == ["http://near/debian"]
    apt.write_text("#!/bin/sh\n")
    assert nearby_archive() == []
