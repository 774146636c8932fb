"""`interlock events`: tail events, from the console's stream."""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import httpx
import typer
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.console import EventsView, EventView
from rich.text import Text

from interlock_cli import completion
from interlock_cli.gateway import Gateway, UnreachableError, connect
from interlock_cli.terminal import Json, Terminal, command_terminal

STREAM_TIMEOUT = httpx.Timeout(60, connect=5)
"""Read timeout of the stream, in seconds; the console sends heartbeats more often."""

RECONNECT_SECONDS = 1.0
"""Delay before reconnecting to a broken stream, in seconds."""

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
    run: Annotated[UUID | None, typer.Option(help="Only events of this run.", autocompletion=completion.runs)] = None,
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
    filters = {"type": ",".join(wanted) or None, "model": model, "run": run}
    with command_terminal(as_json=as_json) as terminal, connect("console") as connection:
        seen: set[str] = set()
        if last:
            for event in recent_events(connection, last, filters):
                seen.add(event.id)
                _print_event(terminal, event)
        if not follow:
            return
        terminal.echo("waiting for new events; Ctrl-C to stop", style="dim")
        try:
            for event in tail(connection, terminal, filters):
                if event.id not in seen:
                    _print_event(terminal, event)
        except KeyboardInterrupt:
            return


def recent_events(connection: Gateway, count: int, filters: dict[str, Any]) -> list[EventView]:
    """Return the last ``count`` stored events, oldest first; raises as ``Gateway.request`` does."""
    return connection.get(EventsView, "/view/events", **filters, limit=count).events[::-1]


def tail(connection: Gateway, terminal: Terminal, filters: dict[str, Any]) -> Iterator[EventView]:
    """Yield events as they are published; a broken stream is resumed by ``Last-Event-ID``.

    Raises:
        UnreachableError: the console does not answer the first request.
        RefusedError: the key may not read.
    """
    last: dict[str, str] | None = None
    while True:
        try:
            with connection.stream("/view/live", timeout=STREAM_TIMEOUT, headers=last, **filters) as stream:
                last = last or {}
                for message in messages(stream.iter_lines()):
                    if message.name == "reset":
                        break
                    if message.id:
                        last = {"Last-Event-ID": message.id}
                    if message.name in BY_TYPE:
                        yield EventView.model_validate_json(message.data)
                    elif message.name == "dropped":
                        terminal.echo(f"dropped: {json.loads(message.data)['events']} ephemeral events", style="yellow")
        except UnreachableError:
            if last is None:
                raise
            terminal.echo("the console is unreachable; reconnecting", style="yellow")
        time.sleep(RECONNECT_SECONDS)


class Message(NamedTuple):
    """One server-sent event."""

    name: str
    data: str
    id: str


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Yield the messages of a stream of server-sent events, as the WHATWG's HTML standard writes them."""
    fields, data = dict[str, str](), list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Message(fields.get("event", "message"), "\n".join(data), fields.get("id", ""))
            fields, data = {}, []
        elif field == "data":
            data.append(value)
        else:
            fields[field] = value


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
