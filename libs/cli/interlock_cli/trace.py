"""`interlock trace`: the trace of a run as a waterfall, from the console or from local span files."""

from pathlib import Path
from typing import Annotated

import typer
from interlock_client import NotFoundError, UnavailableError
from interlock_contracts.http import RunView

from interlock_cli import completion, console
from interlock_cli.gateway import connect, environment
from interlock_cli.short_ids import run_id
from interlock_cli.spans import Span, Trace, read
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal
from interlock_cli.waterfall import duration, waterfall


def trace(
    run: Annotated[str, typer.Argument(help="Run id, its beginning, or trace id.", autocompletion=completion.runs)],
    *,
    as_json: Json = False,
) -> None:
    """Show the trace of a run as a waterfall: each span below its parent, on a time axis.

    Dots before a bar are waiting time in a queue or for the cluster.

    Example: interlock trace 0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11
    """
    with command_terminal(as_json=as_json) as terminal:
        trace_id, view = _resolve(run)
        spans, missing, still_open = _load_spans(trace_id, view)
        found = Trace(trace_id, spans)
        _print_trace(terminal, found, view)
        if still_open:
            terminal.echo(f"incomplete; still open: {', '.join(still_open)}", style="yellow")
        elif missing:
            terminal.echo(f"{len(missing)} parent spans are missing: still open, or lost", style="yellow")
        document = {"trace_id": trace_id, "spans": [found.plain(root) for root in found.roots]}
        terminal.result({**document, "missing": missing, "open": still_open})


def _resolve(run: str) -> tuple[str, RunView | None]:
    """Return the trace's id, and the run where one was named."""
    if len(run) == 32 and "-" not in run:  # noqa: PLR2004 - a W3C trace id has 32 digits, a run id has dashes
        return run, None
    with connect() as gateway:
        view = gateway.run(run_id(run))
    if view.trace_id is None:
        raise CommandError(f"run {view.run_id} was not traced")
    return view.trace_id, view


def _load_spans(trace_id: str, run: RunView | None) -> tuple[list[Span], list[str], list[str]]:
    """Return the spans of a trace, the ids of missing ones, and the open work of the run.

    They come from the console; where it has none, or is unreachable, from the span files.
    """
    why = "no console is configured"
    if "INTERLOCK_CONSOLE_URL" in environment():
        try:
            with connect("console") as connection:
                spans, missing = console.spans(connection, trace_id)
                goes_on = run is not None and run.state in ("queued", "running")
                return spans, missing, console.still_open(connection, run.run_id) if run and goes_on else []
        except (UnavailableError, NotFoundError) as error:
            why = str(error)
    folder = environment().get("INTERLOCK_SPANS_DIR")
    spans = [span for span in read(Path(folder)) if span.trace_id == trace_id] if folder else []
    if not spans:
        raise CommandError(
            f"no span of trace {trace_id} has been received: {why}",
            hint="spans are exported within seconds of their end; `interlock status` shows whether the console is up",
        )
    return spans, [], []


def _print_trace(terminal: Terminal, found: Trace, view: RunView | None) -> None:
    if terminal.as_json:
        return
    services = {span.service for span in found.spans}
    what = f" of run {view.run_id}: {view.model}, {view.state}" if view else ""
    terminal.echo(f"trace {found.trace_id}{what}", style="bold")
    terminal.echo(
        f"{len(found.spans)} spans of {len(services)} services in {duration(found.end_ns - found.begin_ns)}",
        style="dim",
    )
    terminal.out.print(waterfall(found))
