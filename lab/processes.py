"""Long-lived processes: started in their own session, found again by pid file, stopped only when they are ours."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def started_at(pid: int) -> int | None:
    """Clock ticks from boot to the start of a living process: with the pid, its identity. None: no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True)
class Daemon:
    """A process named by its pid file and its log."""

    pid_file: Path
    log: Path

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        die_with_parent: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        if die_with_parent:
            argv = ["setpriv", "--pdeathsig", "KILL", *argv]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        self.pid_file.write_text(f"{process.pid} {started_at(process.pid)}\n")
        return process

    @property
    def pid(self) -> int | None:
        """The pid while the process that wrote the file lives; a reused pid is not ours."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        now = started_at(int(pid))
        return int(pid) if now is not None and str(now) == started else None

    def stop(self, grace: float = 10) -> None:
        """SIGTERM, then SIGKILL after the grace; the pid file goes when the process has."""
        pid = self.pid
        if pid is not None:
            handle = os.pidfd_open(pid)
            try:
                if self.pid == pid:  # the handle is of our process, not of one that took its number meanwhile
                    _end(handle, grace)
            finally:
                os.close(handle)
        self.pid_file.unlink(missing_ok=True)

    def log_tail(self, lines: int = 10) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _end(handle: int, grace: float) -> None:
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        signal.pidfd_send_signal(handle, number)
        if select.select([handle], [], [], patience)[0]:
            return
