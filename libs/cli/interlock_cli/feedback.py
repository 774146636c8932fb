"""`interlock feedback` and `interlock quality`: ground truth for predictions, and live quality."""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from interlock_contracts.quality import FeedbackAccepted, Measured

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

IDS = ("prediction_id", "prediction")
"""Columns that may name the predicted rows: the first is that of a scored file, whose `prediction` is the answer."""

Entry = tuple[str, str]
"""A predicted row, and its ground truth as it is written."""


def feedback(
    name: Annotated[str, typer.Argument(help="The model that predicted.", autocompletion=completion.models)],
    prediction: Annotated[
        str | None, typer.Argument(help="The predicted row: the prediction's id, a slash, and the row's index from 0.")
    ] = None,
    actual: Annotated[str | None, typer.Argument(help="The ground truth.")] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A CSV with the columns prediction_id (or prediction) and actual; - reads standard input.",
            allow_dash=True,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send ground truth for one predicted row or for many; the newest value for a row counts.

    Example: interlock feedback flights-1 0f8fad5b-d9cb-469f-a165-70867728950e/0 37
    """
    if (file is None) == (prediction is None) or (prediction is None) != (actual is None):
        raise typer.BadParameter("give a prediction and its ground truth, or a --file with both")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if file is None:
            entries: list[Entry] = [(str(prediction), str(actual))]
        elif str(file) == "-":
            entries = list(_entries(sys.stdin, "standard input"))
        elif file.is_file():
            with file.open(encoding="utf-8-sig", newline="") as source:
                entries = list(_entries(source, str(file)))
        else:
            raise CommandError(f"file {file} does not exist")
        if not entries:
            raise CommandError("the file has no entries")
        ids, actuals = zip(*entries, strict=True)
        _print_totals(terminal, name, gateway.feedback(name, ids, actuals))


def _entries(source: TextIO, where: str) -> Iterator[Entry]:
    """Yield the entries with their texts as they are: the gateway reads them as it reads every cell."""
    lines = csv.DictReader(source)
    names = lines.fieldnames or ()
    name = next((each for each in IDS if each in names), None)
    if name is None or "actual" not in names:
        raise CommandError(f"{where} must have the columns prediction_id and actual, but has {', '.join(names)}")
    for line in lines:
        if None in line or None in line.values():
            raise CommandError(f"line {lines.line_num} of {where} does not have as many cells as the header")
        yield line[name], line["actual"]


def _print_totals(terminal: Terminal, name: str, whole: FeedbackAccepted) -> None:
    terminal.echo(f"{whole.accepted} accepted; next: interlock quality {name}", style="green")
    if whole.unsampled:
        terminal.echo(
            f"{whole.unsampled} of them belong to requests outside of the prediction log's sample "
            "(rows of whole files are logged as these were sent, with --log)",
            style="yellow",
        )
    for warning in whole.warnings:
        terminal.echo(f"warning: row {warning.row}, {warning.field}: {warning.message}", style="yellow")
    terminal.result(whole)


def quality(
    name: Annotated[str, typer.Argument(help="The model.", autocompletion=completion.models)],
    *,
    window: Annotated[str, typer.Option(help="Time window: a number with m, h or d.")] = "24h",
    bucket: Annotated[
        str | None, typer.Option(help="Also split the window into buckets of this length, such as 1h.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show live quality by version: metrics over the predictions whose ground truth is known.

    Example: interlock quality flights-1 --window 7d
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.quality(name, window=window, bucket=bucket)
        metrics = list(dict.fromkeys(metric for version in found.versions for metric in version.metrics))
        columns = (
            "version",
            *(("from",) if bucket else ()),
            "answered",
            "logged",
            "dropped",
            "with ground truth",
            *metrics,
        )
        rows: list[tuple[object, ...]] = []
        for version in found.versions:
            if bucket:
                rows += [(version.version, each.start, *_measured_row(each, metrics)) for each in version.buckets]
            else:
                rows.append((version.version, *_measured_row(version, metrics)))
        terminal.table(columns, rows, title=f"{name}, the last {window}")
        if not rows:
            terminal.echo(f"no logged predictions yet; next: interlock predict {name}")
        if found.unmatched:
            terminal.echo(
                f"{found.unmatched} ground-truth values belong to rows outside of the prediction log", style="yellow"
            )
        terminal.result(found)


def _measured_row(measured: Measured, metrics: Sequence[Any]) -> tuple[object, ...]:
    known = f"{measured.joined}" if measured.coverage is None else f"{measured.joined} ({measured.coverage:.0%})"
    values = [measured.metrics.get(metric) for metric in metrics]
    return (measured.answered, measured.logged, measured.dropped, known, *values)
