"""Stall detection: tells a slow start from one that makes no progress, however busy the machine is."""

import os
import time
from collections.abc import Callable, Iterable

import psutil

STALL_SECONDS = 90.0
"""How long nothing may move before a start counts as stalled."""

LONGEST_SECONDS = 1800.0
"""How long a start may take at the most, moving or not."""

FAIR_SHARE = 0.2
"""The least share of its available processor time that a starting process uses; idle servers use less."""


class StallDetector:
    """Observes the processor time of the processes that are starting.

    A server that waits for something that never comes uses next to none, one that starts uses all that it gets: a core,
    or its share of one where more processes want to run than there are cores.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._moved = self._observed = clock()
        self._seen: dict[int, float] = {}

    def observe(self, pids: Iterable[int], *, otherwise_moving: bool = False) -> bool:
        """Return whether the processes have made no progress for too long; to be called every few seconds.

        A process that is started again and again makes progress, too: whoever limits restarts counts them.
        """
        now, used = self._clock(), {pid: seconds for pid in pids if (seconds := _cpu_seconds(pid)) is not None}
        gained = sum(max(0.0, seconds - self._seen.get(pid, 0.0)) for pid, seconds in used.items())
        expected = FAIR_SHARE * min(1.0, _cores() / max(_load(), 0.01)) * (now - self._observed)
        if otherwise_moving or gained >= expected > 0:
            self._moved = now
        self._seen, self._observed = used, now
        return now - self._moved > STALL_SECONDS or now - self._began > LONGEST_SECONDS


def is_busy() -> bool:
    """Return whether clearly more processes want to run than there are cores."""
    return _load() > 1.5 * _cores()


def format_load() -> str:
    """Return the machine's load over the last minute beside its cores."""
    return f"load {_load():.1f} on {_cores()} cores"


def _load() -> float:
    return os.getloadavg()[0]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _cpu_seconds(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system
