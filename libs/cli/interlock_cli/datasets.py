"""`interlock ingest` and `datasets`: upload of files, and their validation results."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from interlock_client import Client, StillGoingError
from interlock_client.progress import State, Steps
from interlock_contracts.datasets import Finding
from interlock_contracts.drift import ColumnDrift, DriftView
from interlock_contracts.filters import DATASET_ROLES, DATASET_STATES, chosen
from interlock_contracts.http import DatasetView
from interlock_contracts.refs import DatasetRole
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from interlock_cli import completion
from interlock_cli.dvc.pointers import SUFFIX
from interlock_cli.dvc.remotes import pointed_at, stored_in
from interlock_cli.gateway import connect
from interlock_cli.options import Since, parsed_option
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

EXAMPLES = 3
MOVED_SHOWN = 5


def ingest(
    name: Annotated[str, typer.Argument(help="The pipeline to ingest into.", autocompletion=completion.pipelines)],
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, JSONL or Parquet, or a .dvc file that points at one.", exists=True, dir_okay=False, readable=True
        ),
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the validation result.")] = True,
    timeout: Annotated[float, typer.Option(help="Timeout of --wait, in seconds.")] = 900,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file only; nothing is stored.")] = False,
    note: Annotated[str | None, typer.Option(help="What is to be known of the file; kept with it.")] = None,
    role: Annotated[
        DatasetRole, typer.Option(help="Whether the file is trained on, or the next versions are judged on it.")
    ] = "training",
    remote: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|s3://…",
            help="A remote of DVC. What a .dvc file points at is fetched from there; of any other file, once it is "
            "accepted, a copy is stored there and a .dvc file is written beside it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Upload a file and show its validation result.

    For a rejected file every reason is shown, with column, rule, count and the first lines. Exit code 1 if rejected.
    With --dry-run the file is checked in the same way, but neither stored nor trained on.
    A file with --role evaluation is never trained on: the gate judges on all of its rows, from the next run on.
    A .dvc file's data is the one beside it, or comes from --remote, or from the repository's default remote; its MD5
    is checked, and kept as the note unless there is another. DVC need not be installed.

    Example: interlock ingest flights-1 2013-01.csv

    Example: interlock ingest flights-1 2013-01.csv.dvc --remote s3://data/dvc
    """
    is_pointer = file.suffix == SUFFIX
    if remote is not None and not is_pointer and not wait:
        raise typer.BadParameter(
            "a copy is stored once the file is accepted; leave out --no-wait", param_hint="--remote"
        )
    with command_terminal(as_json=as_json) as terminal, ExitStack() as stack:
        data = file
        if is_pointer:
            data, pointer = stack.enter_context(pointed_at(file, remote))
            note = note if note is not None else f"DVC: md5 {pointer.md5}"
        gateway = stack.enter_context(connect())
        view = upload(gateway, name, data, terminal, note=note, role=role, dry_run=dry_run)
        if wait and not dry_run:
            view = wait_for_verdict(gateway, terminal, view, timeout=timeout)
        _print_verdict(terminal, view, waited=wait)
        if remote is not None and not is_pointer and not dry_run and view.state == "accepted":
            written = stored_in(remote, data, pipeline=name)
            terminal.echo(f"{written} written: `dvc pull` fetches the file from {remote}", style="green")
        terminal.result(view)
        if view.state == "rejected":
            raise typer.Exit(1)


def upload(
    gateway: Client,
    name: str,
    file: Path,
    terminal: Terminal,
    *,
    note: str | None = None,
    role: DatasetRole = "training",
    dry_run: bool = False,
) -> DatasetView:
    """Upload a file in chunks, with a progress bar on a terminal; return the new dataset, or how a dry run ended."""
    columns = (TextColumn("  upload   "), BarColumn(24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.out, disable=not terminal.live, transient=True) as progress:
        task = progress.add_task("upload", total=file.stat().st_size)
        return gateway.upload(
            name, file, note=note, role=role, dry_run=dry_run, on_sent=partial(progress.advance, task)
        )


def wait_for_verdict(gateway: Client, terminal: Terminal, view: DatasetView, *, timeout: float) -> DatasetView:
    """Wait until the dataset is accepted or rejected, and return it.

    Raises:
        CommandError: validation has not finished after ``timeout`` seconds.
    """
    with Steps(terminal.out, disable=not terminal.live) as steps:
        try:
            return gateway.checked(view, timeout=timeout, on_change=partial(_show, steps))
        except StillGoingError as error:
            hint = f"`interlock datasets {view.pipeline}` shows the result later"
            raise CommandError(str(error), hint=hint, details={"dataset": view.digest}) from error


def _show(steps: Steps, view: DatasetView) -> None:
    if view.state == "checking":
        note = "columns, types, ranges, duplicates; then the split"
        steps.show("validate", note=note, since=view.received_at)
    else:
        state: State = "done" if view.state == "accepted" else "failed"
        steps.show("validate", state=state, since=view.received_at, until=view.decided_at)


def _print_verdict(terminal: Terminal, view: DatasetView, *, waited: bool) -> None:
    rows = ""
    if view.state == "accepted":
        sides = view.dataset.model_dump() if view.dataset else view.profile or {}
        rows = f": {sides['train_rows']:,} training rows, {sides['holdout_rows']:,} held-out rows"
        if view.role == "evaluation":
            rows = f": {sides['holdout_rows']:,} rows to be judged on"
    style = {"accepted": "green", "rejected": "bold red"}.get(view.state)
    state = f"would be {view.state}" if view.dry_run else view.state
    terminal.echo(f"{view.digest[:12]} {state}{rows}", style=style)
    if view.note:
        terminal.echo(f"note: {view.note}")
    print_findings(terminal, "reasons", view.reasons)
    print_findings(terminal, "warnings", view.warnings)
    if view.drift is not None:
        terminal.echo(_drift_line(view.drift))
    if view.dry_run:
        terminal.echo("a dry run: nothing was stored", style="dim")
    if not waited and view.state == "checking":
        terminal.echo(f"next: interlock datasets {view.pipeline}", style="dim")


def _drift_line(drift: DriftView) -> str:
    """Return how far a file has moved from the one before: the columns that have, the furthest first."""
    moved = [each for each in drift.columns if each.verdict in ("moderate", "large")]
    expected = _moved([each for each in moved if each.expected])
    none = "not measured" if all(each.verdict == "not_measured" for each in drift.columns) else "none"
    unexpected = _moved([each for each in moved if not each.expected]) or none
    return f"drift against batch {drift.batch}: {unexpected}" + (f"; expected: {expected}" if expected else "")


def _moved(columns: list[ColumnDrift]) -> str:
    columns.sort(key=lambda each: each.psi or 0, reverse=True)
    shown = ", ".join(f"{each.column} {each.verdict} (PSI {each.psi:.2f})" for each in columns[:MOVED_SHOWN])
    return shown + (f" and {len(columns) - MOVED_SHOWN} more" if len(columns) > MOVED_SHOWN else "")


def newest_of(gateway: Client, pipeline: str, digests: Sequence[str]) -> DatasetView | None:
    """Return the newest of some files of a pipeline; None where none of them is listed any more."""
    if not digests:
        return None
    found = [view for view in gateway.datasets(pipeline) if view.digest in digests]
    return max(found, key=lambda view: view.batch or 0, default=None)


def print_findings(terminal: Terminal, title: str, found: list[Finding]) -> None:
    """Print findings as a table; nothing where there are none."""
    if found:
        columns = ("column", "rule", "count", "first lines", "examples", "message")
        terminal.table(
            columns,
            [
                (
                    each.column,
                    each.rule,
                    each.count,
                    ", ".join(map(str, each.lines[:5])) or None,
                    ", ".join(each.examples[:EXAMPLES]) or None,
                    each.message,
                )
                for each in found
            ],
            title=title,
        )


def datasets(
    name: Annotated[str, typer.Argument(help="The pipeline.", autocompletion=completion.pipelines)],
    digest: Annotated[str | None, typer.Argument(help="Show one file only, by its digest or a prefix of it.")] = None,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(help=f"Only files in this state, {', '.join(DATASET_STATES)}; may be given several times."),
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help=f"Only files with this role, {' or '.join(DATASET_ROLES)}.")
    ] = None,
    since: Since = None,
    text: Annotated[str | None, typer.Option(help="Only files with this part in their name or note.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=1000, help="Maximum number of results.")] = None,
    as_json: Json = False,
) -> None:
    """List a pipeline's files with their validation results, or show one of them in detail.

    Example: interlock datasets flights-1 --state rejected
    """
    wanted: dict[str, Any] = {
        "state": parsed_option("--state", state, lambda named: chosen(named, DATASET_STATES)),
        "role": parsed_option("--role", role, lambda named: chosen(named, DATASET_ROLES)),
        "since": since,
        "text": text,
        "limit": limit,
    }
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        views = gateway.datasets(name, **wanted)
        if digest is not None:
            _print_verdict(terminal, view := one_dataset(views, digest), waited=True)
            terminal.result(view)
            return
        columns = (
            "digest",
            "file",
            "role",
            "state",
            "batch",
            "train rows",
            "holdout rows",
            "warnings",
            "bytes",
            "received",
        )
        terminal.table(columns, [_row(view) for view in views])
        if not views:
            none_yet = f"pipeline {name} has no files yet; next: interlock ingest {name} <file>"
            terminal.echo("no such files" if any(wanted.values()) else none_yet)
        terminal.result(views)


def one_dataset(views: Sequence[DatasetView], digest: str) -> DatasetView:
    """Return the newest result of the one matching file; it may have been validated under several specs.

    Raises:
        CommandError: no file's digest begins so, or several do.
    """
    found = [view for view in views if view.digest.startswith(digest)]
    files = len({view.digest for view in found})
    if files != 1:
        raise CommandError(
            f"{files or 'no'} files have a digest that begins with {digest!r}",
            hint="`interlock datasets NAME` lists them",
        )
    return found[0]


def _row(view: DatasetView) -> tuple[object, ...]:
    split = (view.dataset.train_rows, view.dataset.holdout_rows) if view.dataset else (None, None)
    warnings = len(view.warnings) or None
    return (
        view.digest[:12],
        view.file_name,
        view.role,
        f"{view.state} (read again)" if view.read_again else view.state,
        view.batch,
        *split,
        warnings,
        view.bytes,
        view.received_at,
    )
