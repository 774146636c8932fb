"""Following a run to its end, tolerant of short outages and of a run that is not visible yet."""

import time
from collections.abc import Callable
from uuid import UUID

from interlock_contracts.http import ProgressView, RunView, VersionView

from interlock_cli.datasets import newest_of
from interlock_cli.gateway import Gateway, RefusedError, UnreachableError
from interlock_cli.progress import State, Steps
from interlock_cli.terminal import CommandError, Terminal

POLL_SECONDS = 0.3
"""Polling interval, in seconds."""

FIRST_RUN_SECONDS = 20.0
"""Timeout for a model's first run to appear."""

ACCEPTED_SECONDS = 60.0
"""Timeout for an accepted request to pass the broker, on a busy machine."""

OUTAGE_SECONDS = 60.0
"""Longest tolerated outage of the gateway or a service, as in a restart."""

ENDED = {"succeeded", "refused", "failed", "cancelled", "timed_out", "coalesced"}


def newest_run(gateway: Gateway, model: str) -> UUID:
    """Return a model's newest run that was not coalesced; waits a moment for a first one to appear.

    Raises:
        CommandError: there is none.
    """
    deadline = time.monotonic() + FIRST_RUN_SECONDS
    while time.monotonic() < deadline:
        for run in gateway.list(RunView, "/runs", model=model, limit=20):
            if run.state != "coalesced":
                return run.run_id
        time.sleep(POLL_SECONDS)
    raise CommandError(f"model {model!r} has no run", hint=f"interlock retrain {model}")


def follow_run(gateway: Gateway, terminal: Terminal, run: UUID, *, timeout: float) -> RunView:
    """Show a run's progress and return it once it has ended; a coalesced run is followed in the one it joined.

    Raises:
        CommandError: it has not ended after ``timeout`` seconds, is unknown, or the gateway stays unreachable.
    """
    deadline = time.monotonic() + timeout
    show = _ProgressBars(terminal) if terminal.live else _ChangeLines(terminal)
    with show:
        while True:
            view = _read_run(gateway, run)
            show(view)
            if view.state == "coalesced" and view.into is not None:
                terminal.echo(f"run {run} was coalesced into run {view.into}, which was already queued")
                run = view.into
            elif view.state in ENDED:
                break
            if time.monotonic() > deadline:
                hint = f"it continues; `interlock watch {run}` follows it again"
                raise CommandError(f"run {run} is still {view.state} after {timeout:g} s", hint=hint)
            time.sleep(POLL_SECONDS)
    _print_outcome(gateway, terminal, view)
    return view


def _read_run(gateway: Gateway, run: UUID) -> RunView:
    begin = time.monotonic()
    while True:
        try:
            return gateway.get(RunView, f"/runs/{run}")
        except RefusedError as error:
            if error.status != 404 or time.monotonic() - begin > ACCEPTED_SECONDS:  # noqa: PLR2004
                raise
        except UnreachableError:
            if time.monotonic() - begin > OUTAGE_SECONDS:
                raise
        time.sleep(POLL_SECONDS)


def is_promoted(gateway: Gateway, run: RunView) -> bool:
    """Return whether a run's version is promoted; registry and dispatcher get the gate's event separately."""
    deadline = time.monotonic() + ACCEPTED_SECONDS
    while run.version is not None:
        stage = gateway.get(VersionView, f"/models/{run.model}/versions/{run.version}").stage
        if stage != "registered" or time.monotonic() > deadline:
            return stage == "champion"
        time.sleep(POLL_SECONDS)
    return False


def _print_outcome(gateway: Gateway, terminal: Terminal, run: RunView) -> None:
    if run.version is None:
        terminal.echo(f"{run.state}: {run.reason or 'no reason given'}", style="bold red")
        return
    version = gateway.get(VersionView, f"/models/{run.model}/versions/{run.version}")
    style = "green" if run.state == "succeeded" else "bold red"
    terminal.echo(f"{run.state}: version {run.version} of {run.model} is {version.stage}", style=style)
    for reason in version.reasons or ([run.reason] if run.reason else []):
        terminal.echo(f"  {reason}")
    if (newest := newest_of(gateway, run.model, version.datasets)) is not None:
        for warning in newest.warnings:
            terminal.echo(f"  warning about batch {newest.batch}: {warning.message}", style="yellow")
    if version.stage == "passed":
        terminal.echo(f"next: interlock approve {run.model} {run.version}", style="dim")


def _stage(run: RunView) -> str:
    if run.trained_at is not None:
        return "waiting for the gate"
    return run.progress.stage if run.progress and run.state == "running" else run.state


def _best(run: RunView) -> str:
    if run.progress is None or run.progress.best_score is None:
        return ""
    return f"best {run.progress.metric or 'score'} {run.progress.best_score:.4f}"


class _ProgressBars:
    """Progress bars: a row for each step (queue, training, gate)."""

    def __init__(self, terminal: Terminal) -> None:
        self._steps = Steps(terminal)

    def __enter__(self) -> Callable[[RunView], None]:
        self._steps.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._steps.__exit__()

    def __call__(self, run: RunView) -> None:
        began = run.started_at or run.ended_at
        self._steps.show("queue", state=_state(run, over=bool(run.started_at)), since=run.created_at, until=began)
        if run.started_at is None:
            return
        progress = run.progress or ProgressView(counter=0, stage="")
        going_on = run.trained_at is None and run.ended_at is None
        self._steps.show(
            "training",
            state=_state(run, over=run.trained_at is not None),
            done=progress.trials_done,
            total=progress.trials_total or None,
            note="  ".join(part for part in (_stage(run) if going_on else "", _best(run)) if part),
            since=run.started_at,
            until=run.trained_at or run.ended_at,
        )
        if run.trained_at is not None:
            self._steps.show("gate", state=_state(run), since=run.trained_at, until=run.ended_at)


def _state(run: RunView, *, over: bool = False) -> State:
    """Return the state of a step: done where it is ``over``, else derived from the run's state."""
    if over or run.state in ("succeeded", "coalesced"):
        return "done"
    return "failed" if run.state in ENDED else "running"


class _ChangeLines:
    """Progress as a line for every change, for logs and pipes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._last = ""

    def __enter__(self) -> Callable[[RunView], None]:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, run: RunView) -> None:
        parts = [_stage(run)]
        if run.progress is not None and run.progress.trials_total:
            parts.append(f"trials {run.progress.trials_done}/{run.progress.trials_total}")
        line = ", ".join(part for part in (*parts, _best(run)) if part)
        if line != self._last:
            self._last = line
            self._terminal.echo(line)
