"""Finds and ends processes of a stack by the mark in their environment.

A mark survives what process groups and sessions do not: daemons that left their session (epmd), grandchildren whose
parent was killed (Ray's). Standard library only: ``launch`` loads it by file.
"""

import os
import signal
import time
from pathlib import Path

MARK = "INTERLOCK_PART"
POLL_SECONDS = 0.05
DYING_SECONDS = 5.0


def marked(mark: str) -> list[int]:
    """Return the processes, other than this one, whose mark begins with ``mark``."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes()
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if any(variable.startswith(wanted) for variable in environ.split(b"\0")):
            found.append(int(entry.name))
    return found


def end(mark: str, *, patience: float) -> int:
    """End the marked processes, with SIGKILL after ``patience`` seconds; return how many there were."""
    found = marked(mark)
    if patience and found:
        _signal(found, signal.SIGTERM)
        _wait_for_none(mark, patience)
    deadline = time.monotonic() + DYING_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return len(found)


def _wait_for_none(mark: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
