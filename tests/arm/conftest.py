"""Modules against a stand-in for ARM; each test begins with an empty subscription."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import xdist

from ansible_collections.groundwork.kube.plugins.module_utils import arm
from tests import ansible_playbook
from tests.arm import judge
from tests.arm.fake import CLIENT, SUBSCRIPTION, TENANT, FakeArm, fake_arm

JUDGED = pytest.StashKey[set[tuple[str, str]]]()

Call = Callable[..., dict[str, Any]]
Kill = Callable[[int | None], None]
Play = Callable[..., "Run"]


@dataclass(frozen=True)
class Run:
    """What a play printed, and its recap."""

    code: int
    printed: str

    def count(self, what: str) -> int:
        counts = re.findall(rf"{what}=(\d+)", self.printed)
        assert counts, self.printed
        return int(counts[-1])


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeArm]:
    with fake_arm(tmp_path_factory.mktemp("arm")) as server:
        yield server


@pytest.fixture
def azure(azure_server: FakeArm, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[FakeArm]:
    """Azure's own models judge afterwards what it was sent and what it answered."""
    azure_server.forget()
    for variable in ("AZURE_SECRET", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_X509_CERTIFICATE_PATH"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment(azure_server).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(arm, "POLL_SECONDS", 0.001)
    yield azure_server
    if not request.node.get_closest_marker("made_up"):
        found = judge.problems(azure_server.log, request.config.stash.setdefault(JUDGED, set()))
        assert not found, "\n".join(found)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if xdist.is_xdist_worker(session):
        session.config.workeroutput["judged"] = sorted(session.config.stash.get(JUDGED, set()))  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes side by side has ended, and says what it has judged."""
    judged = node.config.stash.setdefault(JUDGED, set())
    judged.update((kind, version) for kind, version in getattr(node, "workeroutput", {}).get("judged", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    judged: set[tuple[str, str]] = config.stash.get(JUDGED, set())
    for line in judge.newer_models(judged):
        terminalreporter.write_line(line)


def environment(azure: FakeArm) -> dict[str, str]:
    """What a user's environment says, for a service principal with a secret."""
    return {
        "AZURE_CLOUD_ENVIRONMENT": azure.url,
        "AZURE_DISABLE_INSTANCE_DISCOVERY": "true",
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_TENANT": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_SECRET": azure.trusted_secret,
        "REQUESTS_CA_BUNDLE": str(azure.ca),
    }


@pytest.fixture
def declare(azure: FakeArm, run_module: Callable[..., dict[str, Any]]) -> Call:
    """Declare resources, with what most of them need said once."""

    def declare(*resources: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module("arm_resource", {"resources": list(resources), **options}, check=check, diff=True)

    return declare


class Killed(BaseException):
    """What no module catches: the machine that it ran on is gone."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Kill:
    """Ends whatever runs before its n-th request; nothing, if n is None."""
    whole = arm.ArmClient._send

    def kill(last: int | None) -> None:
        left = iter(range(last or 0))

        def send(*arguments: Any, **more: Any) -> Any:
            if last is not None and next(left, None) is None:
                raise Killed
            return whole(*arguments, **more)

        monkeypatch.setattr(arm.ArmClient, "_send", send)

    return kill


@pytest.fixture
def play(azure: FakeArm, tmp_path: Path) -> Play:
    """Run a play on this machine, as a user would, with the login in the environment."""

    def play(tasks: list[dict[str, Any]], *arguments: str, fails: bool = False, **variables: Any) -> Run:
        done = subprocess.run(
            ansible_playbook.play_here(tmp_path, tasks, *arguments, **variables),
            env=ansible_playbook.environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert fails == (done.returncode != 0), done.stdout
        return Run(done.returncode, done.stdout)

    return play
