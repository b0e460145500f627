# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One changing module at a time on a node.

A killed playbook leaves its module running on the node, so the next run may arrive while the last one still works.
Every changing host module therefore holds this lock, and one that waits can say for whom.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

LOCK_PATH = "/run/groundwork.lock"
LOCK_TIMEOUT = 900
POLL_INTERVAL = 0.5


class LockTimeoutError(Exception):
    """Another process kept the lock for longer than we were told to wait."""


def _holder_text(purpose: str) -> str:
    return json.dumps(
        {
            "who": os.environ.get("SUDO_USER") or os.environ.get("USER") or str(os.getuid()),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "what": purpose,
        }
    )


def describe_holder(text: str) -> str:
    """Say who holds the lock from what the holder wrote into it."""
    try:
        holder: dict[str, Any] = json.loads(text)
        return f"{holder['what']} (user {holder['who']}, process {holder['pid']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "a process that did not say its name"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 4096, 0).decode("utf-8", "replace")


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("utf-8"), 0)


@contextlib.contextmanager
def hold(
    purpose: str,
    path: str = LOCK_PATH,
    timeout: float = LOCK_TIMEOUT,
    waited: Callable[[str, float], None] | None = None,
) -> Iterator[int]:
    """Hold the node's lock; call C(waited) with the holder and the seconds if it was not free at once.

    The lock is a descriptor. A program that inherits it keeps the node locked for as long as it lives, even when
    this process dies first.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    # Never unlinked: a waiter may already have this file open. Whoever may read it may lock it, so nobody else may.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        started = time.monotonic()
        text = holder = ""
        while not _try_lock(descriptor):
            # A holder takes its name out before it lets go.
            text = _read(descriptor) or text
            holder = describe_holder(text)
            if time.monotonic() - started >= timeout:
                raise LockTimeoutError(
                    f"{path} is held by {holder}; waited {timeout:.0f} s. "
                    "Let it finish (a killed playbook's work goes on on the node), then run again."
                )
            time.sleep(POLL_INTERVAL)
        if holder and waited:
            waited(holder, time.monotonic() - started)
        _write(descriptor, _holder_text(purpose))
        try:
            yield descriptor
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def node_lock(
    module: AnsibleModule, purpose: str, path: str = LOCK_PATH, timeout: float = LOCK_TIMEOUT
) -> Iterator[tuple[int, ...]]:
    """Hold the node's lock while a module changes the node. Check mode changes nothing and holds nothing.

    What it gives is C(pass_fds) for programs that change the node on the module's behalf.
    """
    if module.check_mode:
        yield ()
        return

    def warn(holder: str, seconds: float) -> None:
        module.warn(f"Waited {seconds:.0f} s for {holder}, which was working on this node.")

    try:
        with hold(purpose, path, timeout, warn) as descriptor:
            yield (descriptor,)
    except LockTimeoutError as error:
        module.fail_json(msg=str(error))
