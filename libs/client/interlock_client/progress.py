"""Progress display: one row for each step, with its count, a note, its duration and an estimate of the time left.

It needs the extra ``progress``.
"""

from datetime import UTC, datetime
from typing import Literal, Self

from interlock_contracts.http import ProgressView, RunView
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from interlock_client.operations.runs import ENDED

State = Literal["running", "done", "failed"]
MINUTE = 60


class Steps:
    """A live display of steps while used as a context manager; the rows stay on the screen afterwards."""

    def __init__(self, console: Console, *, disable: bool = False) -> None:
        columns = (
            _Mark(),
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            _Count(),
            _Duration(),
            _Note(),
        )
        self._progress = Progress(*columns, console=console, disable=disable)
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(
        self,
        step: str,
        *,
        state: State = "running",
        done: int = 0,
        total: int | None = None,
        note: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        """Show the current state of a step; a new step gets the next row.

        ``since`` and ``until`` are its start and end where they are known; default: the time of display.
        """
        if step not in self._rows:
            self._rows[step] = self._progress.add_task(step, total=None, state="running", note="", duration=None)
        if state == "done" and not total:
            done, total = 1, 1
        duration = None if since is None else max(0.0, ((until or datetime.now(UTC)) - since).total_seconds())
        self._progress.update(
            self._rows[step],
            completed=done,
            total=total,
            state=state,
            note=note,
            duration=duration,
            counted=bool(total),
        )
        if state != "running":
            self._progress.stop_task(self._rows[step])
        self._progress.refresh()


class RunSteps:
    """The rows of a run: queue, training, gate; called with the run whenever it may have changed."""

    def __init__(self, console: Console) -> None:
        self._steps = Steps(console, disable=not (console.is_terminal or console.is_jupyter))

    def __enter__(self) -> Self:
        self._steps.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._steps.__exit__()

    def __call__(self, run: RunView) -> None:
        """Show how far the run has come."""
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
            note="  ".join(part for part in (stage(run) if going_on else "", best(run)) if part),
            since=run.started_at,
            until=run.trained_at or run.ended_at,
        )
        if run.trained_at is not None:
            self._steps.show("gate", state=_state(run), since=run.trained_at, until=run.ended_at)


def stage(run: RunView) -> str:
    """Return where a run is, in a word or two."""
    if run.trained_at is not None:
        return "waiting for the gate"
    return run.progress.stage if run.progress and run.state == "running" else run.state


def best(run: RunView) -> str:
    """Return a run's best score so far; empty without one."""
    if run.progress is None or run.progress.best_score is None:
        return ""
    return f"best {run.progress.metric or 'score'} {run.progress.best_score:.4f}"


def _state(run: RunView, *, over: bool = False) -> State:
    """Return the state of a step: done where it is ``over``, else derived from the run's state."""
    if over or run.state in ("succeeded", "coalesced"):
        return "done"
    return "failed" if run.state in ENDED else "running"


class _Mark(ProgressColumn):
    """A spinner, then the outcome."""

    max_refresh = None

    def __init__(self) -> None:
        super().__init__()
        self._wheel = SpinnerColumn(style="yellow")

    def render(self, task: Task) -> Text:
        match task.fields["state"]:
            case "done":
                return Text("✓", style="green")
            case "failed":
                return Text("✗", style="bold red")
        turned = self._wheel.render(task)
        return turned if isinstance(turned, Text) else Text(str(turned))


class _Count(ProgressColumn):
    """Count and total, where the step is countable."""

    def render(self, task: Task) -> Text:
        if task.total is None or task.total <= 1:
            return Text(" " * 7)
        return Text(f"{int(task.completed)}/{int(task.total)}".rjust(7))


class _Duration(ProgressColumn):
    """The elapsed time."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["duration"] if task.fields["duration"] is not None else task.elapsed
        return Text(format_duration(seconds or 0.0).rjust(8), style="cyan")


class _Note(ProgressColumn):
    """The step's note, and the estimated time left."""

    def render(self, task: Task) -> Text:
        note = Text(task.fields["note"])
        left = task.time_remaining
        if task.fields["state"] == "running" and left is not None and task.completed and not task.finished:
            note.append(f"{'  ' if note.plain else ''}about {format_duration(left)} left", style="dim")
        return note


def run_duration(run: RunView) -> str | None:
    """Return how long a run took, from its start to its end; its wait in the queue is none of it."""
    if run.started_at is None or run.ended_at is None:
        return None
    return format_duration((run.ended_at - run.started_at).total_seconds())


def format_duration(seconds: float) -> str:
    """Return a duration as text: ``4.2 s``, ``38 s``, ``12 min``."""
    if seconds < 10:  # noqa: PLR2004 - digits that tell something
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:.0f} min"
