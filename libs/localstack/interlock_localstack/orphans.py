"""Marked processes: found and terminated by the mark in their environment, orphans included.

A mark survives what process groups and sessions do not: daemons that left their session (epmd), grandchildren whose
parent was killed (Ray's). Standard library only: ``launch`` loads it by file.
"""

import os
import signal
import time
from pathlib import Path

MARK = "INTERLOCK_PART"
POLL_SECONDS = 0.05
KILL_SECONDS = 5.0


def find_marked(mark: str) -> list[int]:
    """Return the processes, other than this one, whose mark begins with ``mark``."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if any(variable.startswith(wanted) for variable in environ.split(b"\0")):
            found.append(int(entry.name))
    return found


def terminate_marked(mark: str, *, grace_seconds: float) -> int:
    """Terminate the marked processes, with SIGKILL after ``grace_seconds`` seconds; return their number."""
    found = find_marked(mark)
    if grace_seconds and found:
        _signal(found, signal.SIGTERM)
        _wait_for_none(mark, grace_seconds)
    deadline = time.monotonic() + KILL_SECONDS
    while (left := find_marked(mark)) and time.monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return len(found)


def _wait_for_none(mark: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while find_marked(mark) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
