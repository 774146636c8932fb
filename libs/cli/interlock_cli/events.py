"""`interlock events`: tail events, from the console's stream."""

from functools import partial
from typing import Annotated, Any

import typer
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.console import EventView
from rich.text import Text

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.short_ids import run_id
from interlock_cli.terminal import Json, Terminal, command_terminal

GOOD, BAD, WAITING = "green", "red", "yellow"
STYLES = {
    "model.promoted": GOOD,
    "model.serving": GOOD,
    "evaluation.passed": GOOD,
    "promotion.approved": GOOD,
    "dataset.ingested": GOOD,
    "dataset.rejected": BAD,
    "evaluation.failed": BAD,
    "training.failed": BAD,
    "training.cancelled": BAD,
    "model.load_failed": BAD,
    "prediction.failed": BAD,
    "retrain.requested": WAITING,
    "rollback.requested": WAITING,
    "training.cancel_requested": WAITING,
}
"""Green: success, red: failure or rejection, yellow: a request; other events have no colour."""

SHOWN_FIELDS = ("version", "stage", "best_score", "metric", "worker", "cause", "outcome", "reason", "by")
"""Fields of an event that its line shows, in this order; ``--json`` prints all."""

WIDEST = 120


def events(
    *,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help="Only this event type, for instance model.promoted; repeatable.",
            autocompletion=completion.event_types,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only events of this model.", autocompletion=completion.models)
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="Only events of this run, or its id's beginning.", autocompletion=completion.runs)
    ] = None,
    frequent: Annotated[
        bool,
        typer.Option(
            "--frequent", help="Include ephemeral events, published many times a second, such as prediction.logged."
        ),
    ] = False,
    last: Annotated[int, typer.Option(min=0, max=500, help="Number of earlier events to show first.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Keep printing new events until Ctrl-C.")] = True,
    as_json: Json = False,
) -> None:
    """Tail events: every event as it is published, with its main fields. With --json each is one line of JSON.

    Ephemeral events are not stored: --frequent shows them live, best-effort.

    Example: interlock events --model flights-1
    """
    if unknown := [each for each in type_ or () if each not in BY_TYPE]:
        raise typer.BadParameter(f"unknown event type {unknown[0]!r}; event types are {', '.join(BY_TYPE)}")
    wanted = type_ or ([] if frequent else [name for name, route in BY_TYPE.items() if not route.ephemeral])
    with command_terminal(as_json=as_json) as terminal, connect("console") as connection:
        of_run = run_id(run) if run else None
        seen: set[str] = set()
        if last:
            for event in connection.events(wanted, model=model, run=of_run, limit=last):
                seen.add(event.id)
                _print_event(terminal, event)
        if not follow:
            return
        terminal.echo("waiting for new events; Ctrl-C to stop", style="dim")
        try:
            notice = partial(terminal.echo, style="yellow")
            for event in connection.live_events(wanted, model=model, run=of_run, notice=notice):
                if event.id not in seen:
                    _print_event(terminal, event)
        except KeyboardInterrupt:
            return


def _print_event(terminal: Terminal, event: EventView) -> None:
    terminal.line(event)
    if terminal.as_json:
        return
    line = Text(f"{event.time.astimezone():%H:%M:%S}.{event.time.microsecond // 1000:03}  ", style="dim")
    line.append(f"{event.type:<20} ", style=STYLES.get(event.type, "bold"))
    line.append(f"{event.model or event.subject or '-'}  ")
    line.append(_summary(event), style="dim")
    if event.run_id is not None:
        line.append(f"  run {event.run_id}", style="dim")
    terminal.out.print(line, soft_wrap=True)


def _summary(event: EventView) -> str:
    shown = [f"{name}={_short(event.data[name])}" for name in SHOWN_FIELDS if event.data.get(name) not in (None, "")]
    if total := event.data.get("trials_total"):
        shown.insert(0, f"trials={event.data.get('trials_done', 0)}/{total}")
    if event.data.get("attempt", 1) != 1:
        shown.append(f"attempt={event.data['attempt']}")
    if reasons := event.data.get("reasons"):
        shown.append(_short("; ".join(each if isinstance(each, str) else each["message"] for each in reasons)))
    return " ".join(shown)


def _short(value: Any) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
