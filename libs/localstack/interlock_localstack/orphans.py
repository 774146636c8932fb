"""Marked processes: found and terminated by the mark in their environment, orphans included.

A mark survives what process groups and sessions do not: daemons that left their session (epmd), grandchildren whose
parent was killed (Ray's). Standard library only: ``launch`` loads it by file.
"""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "INTERLOCK_PART"
POLL_SECONDS = 0.05
KILL_SECONDS = 20.0


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
    """Terminate the marked processes, with SIGKILL after ``grace_seconds`` seconds; return their number.

    It returns once they have ended: one that is about to has lost its environment, and so its mark, while it still
    holds its ports.
    """
    found = _started(find_marked(mark))
    number = len(found)
    if grace_seconds and found:
        _signal(found, signal.SIGTERM)
        _wait_until_ended(mark, found, grace_seconds)
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        left = find_marked(mark)
        found |= _started(left)
        if not left and _have_ended(found):
            break
        _signal(left, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return number


def _wait_until_ended(mark: str, found: dict[int, str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (find_marked(mark) or not _have_ended(found)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _started(pids: Iterable[int]) -> dict[int, str]:
    """Return the start time of each process that has not ended, which tells it from a later one of the same number."""
    return {pid: start for pid in pids if (start := _start_time(pid)) is not None}


def _have_ended(found: dict[int, str]) -> bool:
    return all(_start_time(pid) != start for pid, start in found.items())


def _start_time(pid: int) -> str | None:
    """Return when a process started, in clock ticks since the boot; None once it has ended and holds nothing."""
    try:
        # See proc(5): behind the name in parentheses, the state is the first field, and the start time the 20th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
