"""Following one run to its end, through its first moments and through short outages."""

import time
from collections.abc import Callable
from uuid import UUID

from interlock_contracts.http import ProgressView, RunView, VersionView

from interlock_cli.gateway import Gateway, RefusedError, UnreachableError
from interlock_cli.progress import State, Steps
from interlock_cli.terminal import CommandError, Terminal

POLL_SECONDS = 0.3
"""Seconds between two looks."""

FIRST_RUN_SECONDS = 20.0
"""Seconds that a model's first run may take to come up."""

ACCEPTED_SECONDS = 60.0
"""Seconds that an accepted request may take to come through the bus, on a machine that is busy."""

OUTAGE_SECONDS = 60.0
"""Seconds that a gateway or service may be away, as in a restart, before watch gives up."""

ENDED = {"succeeded", "refused", "failed", "cancelled", "timed_out", "coalesced"}


def newest_run(gateway: Gateway, model: str) -> UUID:
    """Return a model's newest run that has not joined another; waits a moment for a first one to come up.

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
    """Show a run's progress and return it once it has ended; one that joined another is followed there.

    Raises:
        CommandError: it has not ended after ``timeout`` seconds, is not known, or the gateway stays away.
    """
    deadline = time.monotonic() + timeout
    show = _ProgressBars(terminal) if terminal.live else _ChangeLines(terminal)
    with show:
        while True:
            view = _read_run(gateway, run)
            show(view)
            if view.state == "coalesced" and view.into is not None:
                terminal.echo(f"run {run} has joined run {view.into}, which was waiting already")
                run = view.into
            elif view.state in ENDED:
                break
            if time.monotonic() > deadline:
                hint = f"it goes on; `interlock watch {run}` follows it again"
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
    """Return whether the version that a run made is promoted; registry and dispatcher hear of the gate side by side."""
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
    """A row for each step that moves: waiting for its turn, the training, the gate."""

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
    """Return how a step stands that is ``over``, or else the one that the run's own state is about."""
    if over or run.state in ("succeeded", "coalesced"):
        return "done"
    return "failed" if run.state in ENDED else "running"


class _ChangeLines:
    """A line for every change, for logs and pipes."""

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
