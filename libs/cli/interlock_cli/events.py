"""`interlock events`: what is said on the bus, as it is said."""

import json
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from interlock_contracts.catalog import BY_TYPE
from pydantic import BaseModel
from rich.text import Text

from interlock_cli import completing, console
from interlock_cli.gateway import Gateway, UnreachableError
from interlock_cli.terminal import Json, Terminal, answering

QUIET = httpx.Timeout(60, connect=5)
"""Longest silence of the stream, in seconds; the console says something sooner, if only that it is there."""

AGAIN = 1.0
"""Seconds until a stream that broke off is asked for again."""

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
"""A railway's signals: proven, refused, asked for; what only happens has no colour."""

TOLD = ("version", "attempt", "stage", "best_score", "metric", "worker", "cause", "outcome", "reason", "by")
"""What a line says of an event's content, in this order; the whole is in ``--json``."""

WIDEST = 120

_SPANS = "spans"
"""The stream also says which traces have grown; that is no event of the bus."""


class Heard(BaseModel):
    """One event as the console tells it."""

    id: str
    type: str
    source: str | None = None
    subject: str | None = None
    time: datetime
    model: str | None = None
    run_id: UUID | None = None
    trace_id: str | None = None
    data: dict[str, Any] = {}


def events(
    *,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type", help="Only this type, for instance model.promoted.", autocompletion=completing.event_types
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only about this model.", autocompletion=completing.models)] = None,
    run: Annotated[UUID | None, typer.Option(help="Only of this run.", autocompletion=completing.runs)] = None,
    last: Annotated[int, typer.Option(min=0, max=500, help="Begin with so many that were said before.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what comes, until Ctrl-C.")] = True,
    as_json: Json = False,
) -> None:
    """Tail the bus: every event as it is said, with what it is about. With --json each is one line of JSON.

    Events that are said many times a second are not kept: they come live, or not at all.

    Example: interlock events --model flights-1
    """
    if type_ is not None and type_ not in BY_TYPE:
        raise typer.BadParameter(f"there is no event {type_!r}; events are {', '.join(BY_TYPE)}")
    chosen = {"type": type_, "model": model, "run": run}
    with answering(as_json=as_json) as terminal, console.connect() as connection:
        said: set[str] = set()
        if last:
            for event in before(connection, last, chosen):
                said.add(event.id)
                _tell(terminal, event)
        if not follow:
            return
        terminal.say("what comes now; Ctrl-C ends it", style="dim")
        try:
            for event in live(connection, terminal, chosen):
                if event.id not in said:
                    _tell(terminal, event)
        except KeyboardInterrupt:
            return


def before(connection: Gateway, count: int, chosen: dict[str, Any]) -> list[Heard]:
    """Return the last ``count`` events that were kept, the oldest first; raises as ``Gateway.ask`` does."""
    params = {name: value for name, value in chosen.items() if value is not None}
    told = connection.ask("GET", "/view/events", params={**params, "limit": count}).json()["events"]
    return sorted(map(Heard.model_validate, told), key=lambda event: event.time)


def live(connection: Gateway, terminal: Terminal, chosen: dict[str, Any]) -> Iterator[Heard]:
    """Yield events as they are said, for ever; a stream that breaks off is asked for again.

    Raises:
        UnreachableError: the console does not answer when first asked.
        RefusedError: the key may not read.
    """
    heard_before = False
    while True:
        try:
            with connection.stream("/view/live", timeout=QUIET, **chosen) as stream:
                heard_before = True
                for name, data in messages(stream.iter_lines()):
                    if name not in ("message", _SPANS):
                        yield Heard.model_validate_json(data)
        except UnreachableError:
            if not heard_before:
                raise
            terminal.say("the console is away; asking again", style="yellow")
        time.sleep(AGAIN)


def messages(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (event, data) of a stream of server-sent events, as the WHATWG's HTML standard writes them."""
    name, data = "message", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _tell(terminal: Terminal, event: Heard) -> None:
    terminal.line(event)
    if terminal.as_json:
        return
    line = Text(f"{event.time.astimezone():%H:%M:%S}.{event.time.microsecond // 1000:03}  ", style="dim")
    line.append(f"{event.type:<20} ", style=STYLES.get(event.type, "bold"))
    line.append(f"{event.model or event.subject or '-'}  ")
    line.append(_about(event), style="dim")
    if event.run_id is not None:
        line.append(f"  run {event.run_id}", style="dim")
    terminal.out.print(line, soft_wrap=True)


def _about(event: Heard) -> str:
    told = [f"{name}={_short(event.data[name])}" for name in TOLD if event.data.get(name) not in (None, "")]
    if total := event.data.get("trials_total"):
        told.insert(0, f"trials={event.data.get('trials_done', 0)}/{total}")
    if reasons := event.data.get("reasons"):
        told.append(_short("; ".join(each if isinstance(each, str) else json.dumps(each) for each in reasons)))
    return " ".join(told)


def _short(value: Any) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
