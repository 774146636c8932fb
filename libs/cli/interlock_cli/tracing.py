"""`interlock trace`: one run's spans as a tree, from the local span files."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from interlock_contracts import telemetry
from interlock_contracts.http import RunView
from pydantic import BaseModel
from rich.markup import escape
from rich.tree import Tree

from interlock_cli.gateway import connect, environment
from interlock_cli.terminal import Failure, Json, Terminal, answering

NS_PER_MS = 1e6
REPEATS_SHOWN = 2
"""Siblings that say the same; more of them are one line."""


class Span(BaseModel):
    """One line of a span file; times in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    service: str | None = None
    name: str
    start_ns: int
    end_ns: int
    status: str = "UNSET"
    status_message: str | None = None
    attributes: dict[str, Any] = {}


def trace(
    run: Annotated[str, typer.Argument(help="A run's id, or a trace id.")],
    *,
    as_json: Json = False,
) -> None:
    """Show where a run's time went: every hop of one trace as a tree, with offset and duration.

    Example: interlock trace 0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11
    """
    with answering(as_json=as_json) as terminal:
        folder = _folder()
        trace_id = _trace_id(run)
        spans = [span for span in read(folder) if span.trace_id == trace_id]
        if not spans:
            raise Failure(
                f"no span of trace {trace_id} is in {folder}",
                hint="spans are written as they end; a run that is still training has few",
            )
        roots = _roots(spans)
        _tell(terminal, trace_id, roots, spans)
        terminal.result({"trace_id": trace_id, "spans": [_plain(root, spans) for root in roots]})


def _folder() -> Path:
    folder = environment().get("INTERLOCK_SPANS_DIR")
    if folder is None or not Path(folder).is_dir():
        hint = "start the services with INTERLOCK_SPANS_DIR set to a folder; `interlock up` does so by itself"
        raise Failure("there are no local span files", hint=hint)
    return Path(folder)


def read(folder: Path) -> Iterator[Span]:
    """Yield the spans of every file in a folder; a line that is still being written is passed over."""
    for file in sorted(folder.glob("*.jsonl")):
        with file.open() as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield Span.model_validate_json(line)


def _trace_id(run: str) -> str:
    if len(run) == 32 and "-" not in run:  # noqa: PLR2004 - a W3C trace id has 32 digits, a run id has dashes
        return run
    try:
        run_id = UUID(run)
    except ValueError as error:
        raise typer.BadParameter(f"{run!r} is neither a run's id nor a trace id") from error
    with connect() as gateway:
        view = gateway.read(RunView, f"/runs/{run_id}")
    if view.trace_id is None:
        raise Failure(f"run {run_id} was not traced")
    return view.trace_id


def _children(parent: Span, spans: list[Span]) -> list[Span]:
    return sorted((span for span in spans if span.parent_id == parent.span_id), key=lambda span: span.start_ns)


def _roots(spans: list[Span]) -> list[Span]:
    known = {span.span_id for span in spans}
    return sorted((span for span in spans if span.parent_id not in known), key=lambda span: span.start_ns)


def _tell(terminal: Terminal, trace_id: str, roots: list[Span], spans: list[Span]) -> None:
    if terminal.as_json:
        return
    begin, end = min(span.start_ns for span in spans), max(span.end_ns for span in spans)
    services = {span.service for span in spans}
    title = f"trace {trace_id}: {len(spans)} spans of {len(services)} services, {(end - begin) / 1e9:.2f} s"
    tree = Tree(title)
    for root in roots:
        _grow(tree, root, spans, begin)
    terminal.out.print(tree)


def _grow(tree: Tree, span: Span, spans: list[Span], begin: int) -> None:
    offset, taken = (span.start_ns - begin) / NS_PER_MS, (span.end_ns - span.start_ns) / NS_PER_MS
    service = (span.service or "").removeprefix("interlock-")
    notes = [
        f"{short}={span.attributes[name]}"
        for short, name in (("version", telemetry.VERSION), ("result", telemetry.RESULT), ("worker", telemetry.WORKER))
        if name in span.attributes
    ]
    text = f"[bold]{escape(service)}[/] {escape(span.name)} [dim]+{offset:,.0f} ms[/] [cyan]{taken:,.1f} ms[/]"
    if notes:
        text += f" [dim]{escape(' '.join(notes))}[/]"
    if span.status == "ERROR":
        text += f" [bold red]error: {escape(span.status_message or 'no message')}[/]"
    branch = tree.add(text)
    children = _children(span, spans)
    repeats = Counter(_leaf(child, spans) for child in children)
    for child in children:
        count = repeats[leaf] if (leaf := _leaf(child, spans)) else 1
        if count <= REPEATS_SHOWN:
            _grow(branch, child, spans, begin)
        elif child is next(each for each in children if _leaf(each, spans) == leaf):
            branch.add(
                f"[dim]{escape(f'{leaf}, {count} times from +{(child.start_ns - begin) / NS_PER_MS:,.0f} ms')}[/]"
            )


def _leaf(span: Span, spans: list[Span]) -> str | None:
    """Return what a span without children and without an error has in common with its repeats."""
    if span.status == "ERROR" or _children(span, spans):
        return None
    return f"{(span.service or '').removeprefix('interlock-')} {span.name}"


def _plain(span: Span, spans: list[Span]) -> dict[str, Any]:
    return span.model_dump() | {"children": [_plain(child, spans) for child in _children(span, spans)]}
