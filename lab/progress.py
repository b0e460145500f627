"""One line a step, alive while it takes long; the details of each in a log of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

SILENT_SECONDS = 5
PLAIN_INTERVAL = 30
LOG_TAIL_LINES = 12


def elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


@dataclass(frozen=True)
class Log:
    """Where a step's commands write."""

    path: Path

    def run(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Run a command that dies with this process: a killed build leaves nobody writing where the next one works."""
        with self.path.open("a") as log:
            print("+", *command, file=log, flush=True)
            status = subprocess.run(
                ["setpriv", "--pdeathsig=KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=cwd,
                check=False,
            ).returncode
        if status:
            raise LabError(f"{Path(command[0]).name} ended with status {status}")

    def tail(self) -> str:
        lines = self.path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines)


@contextmanager
def step(name: str, logs: Path, report: Callable[[str], None]) -> Iterator[Log]:
    """Time a step and say so; what goes wrong in it is told with its name, its last lines and its log."""
    logs.mkdir(parents=True, exist_ok=True)
    log = Log(logs / f"{name}.log")
    log.path.write_text("")
    started = time.monotonic()
    finished = threading.Event()
    ticker = threading.Thread(target=_tick, args=(name, started, finished, report), daemon=True)
    ticker.start()
    try:
        yield log
    except (LabError, OSError, subprocess.SubprocessError) as error:
        _end(ticker, finished)
        raise LabError(f"{name}: {error}\n{log.tail()}\n  log: {log.path}") from error
    finally:
        _end(ticker, finished)
    report(f"{name:<16} {elapsed(time.monotonic() - started)}")


def _end(ticker: threading.Thread, finished: threading.Event) -> None:
    finished.set()
    ticker.join()


def _tick(name: str, started: float, finished: threading.Event, report: Callable[[str], None]) -> None:
    terminal = sys.stderr.isatty()
    if finished.wait(SILENT_SECONDS):
        return
    while not finished.wait(1 if terminal else PLAIN_INTERVAL):
        line = f"{name:<16} {elapsed(time.monotonic() - started)} …"
        if terminal:
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
        else:
            report(line)
    if terminal:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
