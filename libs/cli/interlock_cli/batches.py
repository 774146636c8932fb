"""`interlock predict --file … --out …`: a whole file submitted, followed, and its answers downloaded."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from interlock_client import Client, EndedError
from interlock_client.operations.files import OnError
from interlock_contracts.prediction_bodies import PredictionView
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from interlock_cli.terminal import CommandError, Terminal

REPORT_SECONDS = 5.0
"""Interval of progress lines where no progress bar is shown."""

_BYTES: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
_ROWS: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def score_file(
    gateway: Client, terminal: Terminal, name: str, file: Path, out: Path, *, on_error: OnError, log: float
) -> PredictionView:
    """Score a file and write the predictions to ``out``, as the client's ``predict_file`` does, with progress shown.

    Raises:
        CommandError: the file does not fit the model, or the prediction was cancelled.
    """
    view = _submitted(gateway, terminal, name, file, on_error=on_error, log=log)
    try:
        view = _followed(gateway, terminal, view)
    except KeyboardInterrupt:
        raise CommandError(
            f"prediction {view.id} continues", hint="run the same command again to resume and download the result"
        ) from None
    except EndedError as error:
        raise CommandError(str(error), details={"prediction": str(view.id)}) from error
    with _bar(terminal, _BYTES) as bar:
        task = bar.add_task("download", total=None)

        def received(size: int, whole: int | None) -> None:
            bar.update(task, advance=size, total=whole)

        gateway.fetch_answers(view, out, on_received=received)
    for each in view.warnings:
        terminal.echo(f"warning: {each}", style="yellow")
    skipped = f", {view.unanswered:,} of them without a prediction (see column error)" if view.unanswered else ""
    terminal.echo(f"{out}: {view.rows:,} rows{skipped}, {view.model} version {view.version}", style="green")
    return view


def _submitted(
    gateway: Client, terminal: Terminal, name: str, file: Path, *, on_error: OnError, log: float
) -> PredictionView:
    size = file.stat().st_size
    with _bar(terminal, _BYTES) as bar:
        task = bar.add_task(f"upload {file.name}", total=size, start=False)
        view = gateway.submit_file(name, file, on_error=on_error, log=log, on_sent=partial(bar.advance, task))
        known = not bar.tasks[0].completed
    if known:
        terminal.echo(f"prediction {view.id} is already {view.state}", style="dim")
    else:
        terminal.echo(f"uploaded {file} ({size:,} bytes)", style="dim")
    return view


def _followed(gateway: Client, terminal: Terminal, view: PredictionView) -> PredictionView:
    """Return the prediction once it is completed, showing its progress."""
    reported, state = time.monotonic(), ""
    with _bar(terminal, _ROWS) as bar:
        task = bar.add_task("waiting", total=None)

        def show(seen: PredictionView) -> None:
            nonlocal reported, state
            if seen.progress is not None:
                bar.update(task, description="rows", completed=seen.progress.rows, total=seen.progress.rows_total)
            if not terminal.live and (seen.state != state or time.monotonic() - reported > REPORT_SECONDS):
                reported, state = time.monotonic(), seen.state
                rows = f": {seen.progress.rows:,} of {seen.progress.rows_total:,} rows" if seen.progress else ""
                terminal.echo(f"prediction {seen.id} {seen.state}{rows}")

        return gateway.file_predicted(view, on_change=show)


def _bar(terminal: Terminal, columns: tuple[Any, ...]) -> Progress:
    return Progress(*columns, console=terminal.out, disable=not terminal.live, transient=True)
