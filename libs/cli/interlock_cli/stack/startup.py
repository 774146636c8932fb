"""One start of several parts at the same time, each waited for as long as any of them makes progress."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from interlock_cli.stack import leftovers
from interlock_cli.stack.health import ailment
from interlock_cli.stack.home import Home
from interlock_cli.stack.listeners import port_fault
from interlock_cli.stack.log_lines import readable
from interlock_cli.stack.part import Part, Say
from interlock_cli.stack.stall import STALL_SECONDS, StallDetector, is_busy, load_in_words
from interlock_cli.stack.supervision import Supervisor
from interlock_cli.terminal import Failure

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 0.5
PROBE_SECONDS = 20.0
"""How long a part may take to say that it works; a busy machine answers late."""
LOOK_SECONDS = 3.0
REPORT_SECONDS = 20.0
"""After which the first report says what is waited for; each later one comes after twice the time."""
YOURS_SECONDS = 10.0
"""How long a server that is not ours may be away."""
BUSY_STARTS = 2
"""How many times as often a part may end before it works where the machine is busy: servers have time limits, too."""
LOG_LINES = 12
HINT = "interlock status, interlock logs PART; interlock up goes on from here"


class Startup:
    """Starts parts and waits for them."""

    def __init__(self, supervisor: Supervisor, home: Home, say: Say) -> None:
        self._supervisor = supervisor
        self._home = home
        self._say = say
        self._states = supervisor.info()
        self._preparing: set[str] = set()
        self._waiting: dict[str, str] = {}  # parts that run and do not work yet, with the reason
        self._detector = StallDetector()
        self._stalled = self._abandoned = False
        self._reported, self._report_seconds = time.monotonic(), REPORT_SECONDS

    def run(self, parts: dict[str, Part]) -> None:
        """Start the parts, each once those work that it comes after; running ones are only waited for.

        Raises:
            Failure: some do not work; it names each with the reason. The others are left running.
        """
        started: dict[str, Future[None]] = {}

        def bring(part: Part) -> None:
            for name in part.after:  # which stand before it in `parts`, so they have been submitted
                if name in started:
                    started[name].result()
            self._bring(part)

        with ThreadPoolExecutor(len(parts) or 1) as pool:
            for name, part in parts.items():
                started[name] = pool.submit(bring, part)
            try:
                while wait(started.values(), timeout=LOOK_SECONDS).not_done:
                    self._look()
            finally:
                self._abandoned = True  # the pool waits for its threads, which must not wait for parts any more
        errors = [error for each in started.values() if (error := each.exception()) is not None]
        if unexpected := [error for error in errors if not isinstance(error, Failure)]:
            raise unexpected[0]
        if errors:
            # A part that comes after one that failed has failed for the same reason.
            messages = dict.fromkeys(error.message for error in errors if isinstance(error, Failure))
            raise Failure("\n".join(messages), hint=HINT)

    def _bring(self, part: Part) -> None:
        began = time.monotonic()
        alive = self._states.get(part.name, {}).get("statename") in ("RUNNING", "STARTING", "BACKOFF")
        with self._steps_of(part):
            if part.process is not None and not alive:
                if part.process.prepare is not None:
                    part.process.prepare(self._say)
                self._supervisor.begin(part.name)
        self._wait(part)
        with self._steps_of(part):
            if part.finish is not None:
                part.finish()  # also of one that runs: an `up` before may have been broken off here; repeating is free
        how = "yours" if part.process is None else "running" if alive else "ready"
        self._say(f"{part.name:<16} {how:<8} {time.monotonic() - began:5.1f} s   {part.url}")

    @contextmanager
    def _steps_of(self, part: Part) -> Iterator[None]:
        """Mark the steps before and after a part's process, which have time limits of their own."""
        self._preparing.add(part.name)
        try:
            yield
        finally:
            self._preparing.discard(part.name)

    def _wait(self, part: Part) -> None:
        began, pause = time.monotonic(), FIRST_POLL_SECONDS
        pids: set[int] = set()
        try:
            while (why := ailment(part.probe, PROBE_SECONDS) or self._port_fault(part)) is not None:
                self._waiting[part.name] = why
                if part.process is None:
                    vain = time.monotonic() - began > YOURS_SECONDS
                else:
                    pids.add(self._supervisor.info().get(part.name, {}).get("pid") or 0)
                    vain = self._stalled or len(pids - {0}) > part.process.starts * (BUSY_STARTS if is_busy() else 1)
                if vain or self._abandoned:
                    raise Failure(self._given_up(part, why))
                time.sleep(pause)
                pause = min(pause * 1.1, LONGEST_POLL_SECONDS)
        finally:
            self._waiting.pop(part.name, None)

    def _port_fault(self, part: Part) -> str | None:
        """Return who answers in the part's place, or where nobody does yet."""
        if part.process is None:
            return None
        return port_fault(part.listens, leftovers.marked(self._home.mark(part.name)))

    def _given_up(self, part: Part, why: str) -> str:
        stalled = f"; no progress for {STALL_SECONDS:g} s" if self._stalled else ""
        return f"{part.name} does not work: {why}{stalled}{_busy()}{_last_words(self._home, part)}"

    def _look(self) -> None:
        """Look whether what is waited for makes progress, and say what that is where it takes long."""
        waiting = dict(self._waiting)
        pids = [pid for name in waiting for pid in leftovers.marked(self._home.mark(name))]
        self._stalled = self._detector.look(pids, otherwise_moving=bool(self._preparing))
        if waiting and time.monotonic() - self._reported > self._report_seconds:
            self._reported, self._report_seconds = time.monotonic(), 2 * self._report_seconds
            whom = "; ".join(
                f"{', '.join(name for name in waiting if waiting[name] == why)} ({why})"
                for why in dict.fromkeys(waiting.values())
            )
            self._say(f"waiting for {whom}{_busy()}")


def _busy() -> str:
    return f"; the machine is busy ({load_in_words()})" if is_busy() else ""


def _last_words(home: Home, part: Part) -> str:
    log = home.logs / f"{part.name}.log"
    if part.process is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "".join(f"\n    {readable(line)}" for line in lines)
