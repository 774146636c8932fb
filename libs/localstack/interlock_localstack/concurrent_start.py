"""Concurrent start of several components in order of their dependencies; waits as long as any makes progress."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from interlock_localstack import orphans
from interlock_localstack.component import Component, Report
from interlock_localstack.errors import StackError
from interlock_localstack.health import health_fault
from interlock_localstack.listeners import component_port_fault
from interlock_localstack.log_lines import readable
from interlock_localstack.stall import STALL_SECONDS, StallDetector, format_load, is_busy
from interlock_localstack.state_dir import StateDir
from interlock_localstack.supervision import Supervisor

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 0.5
PROBE_SECONDS = 20.0
"""Timeout of one health probe; a busy machine answers late."""
PROGRESS_CHECK_SECONDS = 3.0
REPORT_SECONDS = 20.0
"""Until the first report of what is waited for; the interval doubles with each report."""
EXTERNAL_SECONDS = 10.0
"""How long an external server may be unreachable."""
BUSY_STARTS = 2
"""Factor on the allowed restarts on a busy machine: servers have time limits of their own."""
LOG_LINES = 12
HINT = "interlock status, interlock logs COMPONENT; interlock up resumes from here"


class ConcurrentStart:
    """Starts components and waits until each is healthy."""

    def __init__(self, supervisor: Supervisor, state_dir: StateDir, report: Report) -> None:
        self._supervisor = supervisor
        self._state_dir = state_dir
        self._report = report
        self._states = supervisor.info()
        self._preparing: set[str] = set()
        self._waiting: dict[str, str] = {}  # components that run and are not healthy yet, with the reason
        self._detector = StallDetector()
        self._stalled = self._abandoned = False
        self._reported_at, self._report_seconds = time.monotonic(), REPORT_SECONDS

    def run(self, components: dict[str, Component]) -> None:
        """Start the components, each once those in its ``after`` are healthy; running ones are only waited for.

        Raises:
            StackError: some do not become healthy; it names each with the reason. The others are left running.
        """
        started: dict[str, Future[None]] = {}

        def start(component: Component) -> None:
            for name in component.after:  # which precede it in `components`, so they have been submitted
                if name in started:
                    started[name].result()
            self._start(component)

        with ThreadPoolExecutor(len(components) or 1) as pool:
            for name, component in components.items():
                started[name] = pool.submit(start, component)
            try:
                while wait(started.values(), timeout=PROGRESS_CHECK_SECONDS).not_done:
                    self._check_progress()
            finally:
                self._abandoned = True  # the pool waits for its threads, which must not wait for components any more
        errors = [error for each in started.values() if (error := each.exception()) is not None]
        if unexpected := [error for error in errors if not isinstance(error, StackError)]:
            raise unexpected[0]
        if errors:
            # A component that depends on a failed one has failed for the same reason.
            messages = dict.fromkeys(error.message for error in errors if isinstance(error, StackError))
            raise StackError("\n".join(messages), hint=HINT)

    def _start(self, component: Component) -> None:
        began = time.monotonic()
        alive = self._states.get(component.name, {}).get("statename") in ("RUNNING", "STARTING", "BACKOFF")
        with self._not_stalled(component):
            if component.process is not None and not alive:
                if component.process.prepare is not None:
                    component.process.prepare(self._report)
                self._supervisor.start_component(component.name)
        self._wait(component)
        with self._not_stalled(component):
            if component.finish is not None:
                component.finish()  # again where it runs: an earlier `up` may have been interrupted here
        how = "external" if component.process is None else "running" if alive else "ready"
        self._report(f"{component.name:<16} {how:<8} {time.monotonic() - began:5.1f} s   {component.url}")

    @contextmanager
    def _not_stalled(self, component: Component) -> Iterator[None]:
        """Exempt the steps before and after a component's process from stall detection; they have timeouts."""
        self._preparing.add(component.name)
        try:
            yield
        finally:
            self._preparing.discard(component.name)

    def _wait(self, component: Component) -> None:
        began, pause = time.monotonic(), FIRST_POLL_SECONDS
        mark, ports = self._state_dir.mark(component.name), component.listens
        pids: set[int] = set()
        try:
            while (
                why := health_fault(component.probe, PROBE_SECONDS) or component_port_fault(mark, ports)
            ) is not None:
                self._waiting[component.name] = why
                if component.process is None:
                    give_up = time.monotonic() - began > EXTERNAL_SECONDS
                else:
                    pids.add(self._supervisor.info().get(component.name, {}).get("pid") or 0)
                    give_up = self._stalled or len(pids - {0}) > component.process.max_starts * (
                        BUSY_STARTS if is_busy() else 1
                    )
                if give_up or self._abandoned:
                    raise StackError(self._failure_message(component, why))
                time.sleep(pause)
                pause = min(pause * 1.1, LONGEST_POLL_SECONDS)
        finally:
            self._waiting.pop(component.name, None)

    def _failure_message(self, component: Component, why: str) -> str:
        stalled = f"; no progress for {STALL_SECONDS:g} s" if self._stalled else ""
        return f"{component.name} is not healthy: {why}{stalled}{_busy()}{_log_tail(self._state_dir, component)}"

    def _check_progress(self) -> None:
        """Check whether the components waited for make progress, and report them where it takes long."""
        waiting = dict(self._waiting)
        pids = [pid for name in waiting for pid in orphans.find_marked(self._state_dir.mark(name))]
        self._stalled = self._detector.observe(pids, otherwise_moving=bool(self._preparing))
        if waiting and time.monotonic() - self._reported_at > self._report_seconds:
            self._reported_at, self._report_seconds = time.monotonic(), 2 * self._report_seconds
            whom = "; ".join(
                f"{', '.join(name for name in waiting if waiting[name] == why)} ({why})"
                for why in dict.fromkeys(waiting.values())
            )
            self._report(f"waiting for {whom}{_busy()}")


def _busy() -> str:
    return f"; the machine is busy ({format_load()})" if is_busy() else ""


def _log_tail(state_dir: StateDir, component: Component) -> str:
    log = state_dir.logs / f"{component.name}.log"
    if component.process is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "".join(f"\n    {readable(line)}" for line in lines)
