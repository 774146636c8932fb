"""`interlock dead-letters`: list, show, replay and discard messages that a service could not handle."""

import json
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import typer
from interlock_client import Client, RefusedError, Request
from interlock_contracts.dead_letters import DeadLetterContent, DeadLetterView

from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

PAGE = 1000
WIDEST = 100

Ids = Annotated[list[UUID] | None, typer.Argument(help="Ids of dead letters, from `list`.", metavar="[ID]...")]
Queue = Annotated[
    str | None, typer.Option(help="Only dead letters of this queue, for instance registry.training.completed.")
]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]

dead_letters = typer.Typer(
    help="List, show, replay and discard dead letters: messages that could not be handled.", no_args_is_help=True
)


@dead_letters.command("list")
def list_letters(
    *,
    queue: Queue = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="Maximum number of results.")] = 50,
    as_json: Json = False,
) -> None:
    """List dead letters with reason and number of attempts, newest first.

    Example: interlock dead-letters list --queue registry.training.completed
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.list(DeadLetterView, "/dead-letters", queue=queue, limit=limit)
        columns = ("id", "queue", "age", "attempts", "reason")
        rows = [(each.id, each.queue, _age(each.age_seconds), each.attempts, _short(each.reason)) for each in found]
        terminal.table(columns, rows)
        if not found:
            terminal.echo("no dead letters")
        terminal.result(found)


@dead_letters.command()
def show(letter: Annotated[UUID, typer.Argument(help="Id of the dead letter.")], *, as_json: Json = False) -> None:
    """Show one dead letter: reason, content of the event, and trace.

    Example: interlock dead-letters show 0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.get(DeadLetterContent, f"/dead-letters/{letter}")
        facts = {
            "queue": found.queue,
            "reason": found.reason,
            "attempts": found.attempts,
            "died": f"{found.died_at:%Y-%m-%d %H:%M:%S} UTC, {_age(found.age_seconds)} ago",
            "event": found.event_id,
            "type": found.event_type,
            "subject": found.subject,
            "trace": found.trace_id,
            "bytes": found.bytes,
        }
        terminal.table(("dead letter", str(found.id)), list(facts.items()))
        terminal.echo(json.dumps(found.data, indent=2, ensure_ascii=False) if found.text is None else found.text)
        terminal.result(found)


@dead_letters.command()
def replay(ids: Ids = None, *, queue: Queue = None, all_: All = False, as_json: Json = False) -> None:
    """Send dead letters back to the queues that they came from; handling is idempotent.

    Example: interlock dead-letters replay --queue registry.training.completed
    """
    _each("POST", "/replay", "replayed", ids or [], queue=queue, all_=all_, as_json=as_json)


@dead_letters.command()
def discard(ids: Ids = None, *, queue: Queue = None, all_: All = False, as_json: Json = False) -> None:
    """Delete dead letters permanently.

    Example: interlock dead-letters discard 0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11
    """
    _each("DELETE", "", "discarded", ids or [], queue=queue, all_=all_, as_json=as_json)


def _each(
    method: str, action: str, done: str, ids: list[UUID], *, queue: str | None, all_: bool, as_json: bool
) -> None:
    if sum((bool(ids), queue is not None, all_)) != 1:
        raise typer.BadParameter("give ids, or --queue QUEUE, or --all")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        letters = list(_one_by_one(gateway, terminal, method, action, ids or _matching(gateway, queue)))
        terminal.echo(f"{len(letters)} {done}", style="green")
        terminal.result(letters)


def _matching(gateway: Client, queue: str | None) -> list[UUID]:
    """Return the current dead letters, oldest first; later ones are not included."""
    found: list[DeadLetterView] = []
    page = gateway.list(DeadLetterView, "/dead-letters", queue=queue, limit=PAGE)
    while page:
        found += page
        before = page[-1].died_at.isoformat()
        page = gateway.list(DeadLetterView, "/dead-letters", queue=queue, limit=PAGE, before=before)
    return [each.id for each in reversed(found)]


def _one_by_one(
    gateway: Client, terminal: Terminal, method: str, action: str, ids: list[UUID]
) -> Iterator[DeadLetterView]:
    for each in ids:
        try:
            yield DeadLetterView.model_validate(
                gateway.request(Request(method, f"/dead-letters/{each}{action}")).json()
            )
        except RefusedError as refusal:
            if len(ids) == 1:
                raise CommandError(
                    str(refusal), hint="`interlock dead-letters list` lists all dead letters"
                ) from refusal
            terminal.echo(f"{each}: {refusal}", style="yellow")


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _short(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"
