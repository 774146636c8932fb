"""Routes of dead letters: list, read, replay and discard, each change with an entry in the audit log."""

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

import aio_pika.exceptions
from interlock_contracts.dead_letters import DeadLetterContent, DeadLetterView
from interlock_messaging import Bus, dead_letters
from interlock_messaging.dead_letters.table import DeadLetterRow
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import Before, require_zone
from interlock_runtime.short_ids import IdOrBeginning, whole_id
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from interlock_registry.audit import record

DATABASE = "interlock_messaging.dead_letters"
"""Whose migrations make the table."""


@get("/dead-letters", opt={SCOPE: "admin"})
async def list_dead_letters(
    database: NamedDependency[Database],
    *,
    queue: FromQuery[str | None] = None,
    before: Before = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> list[DeadLetterView]:
    """Return dead letters, the newest first; ``before`` is when the last one of the page before died."""
    require_zone(before=before)
    async with database.sessions() as session:
        found = await dead_letters.letters(session, queue=queue, before=before, limit=limit)
        return [dead_letters.view_of(each) for each in found]


@get("/dead-letters/{letter_id:str}", opt={SCOPE: "admin"})
async def read_dead_letter(letter_id: IdOrBeginning, database: NamedDependency[Database]) -> DeadLetterContent:
    """Return one dead letter with what it says."""
    whole = await whole_id(database, DeadLetterRow.id, letter_id, "dead letter")
    async with database.sessions() as session:
        return dead_letters.content_of(await _letter(session, str(whole)))


@post("/dead-letters/{letter_id:str}/replay", status_code=200, opt={SCOPE: "admin"})
async def replay_dead_letter(
    letter_id: FromPath[str], request: Request[Any, Any, Any], bus: NamedDependency[Bus]
) -> DeadLetterView:
    """Give a letter back to the queue that it died in; what was handled meanwhile is not handled again."""
    try:
        async with bus.transaction() as session:
            letter = await _letter(session, letter_id, lock=True)
            view = dead_letters.view_of(letter)
            await dead_letters.replay(session, letter, bus.publisher)
            _note(session, request, "dead_letter.replayed", view)
    except aio_pika.exceptions.DeliveryError as refusal:
        raise problem(409, "The queue does not take it", f"{view.queue}: {refusal}; it stays here") from refusal
    return view


@delete("/dead-letters/{letter_id:str}", status_code=200, opt={SCOPE: "admin"})
async def discard_dead_letter(
    letter_id: FromPath[str], request: Request[Any, Any, Any], bus: NamedDependency[Bus]
) -> DeadLetterView:
    """Forget a letter for good."""
    async with bus.transaction() as session:
        letter = await _letter(session, letter_id, lock=True)
        view = dead_letters.view_of(letter)
        await session.delete(letter)
        _note(session, request, "dead_letter.discarded", view)
    return view


async def _letter(session: Any, letter_id: str, *, lock: bool = False) -> Any:
    letter = None
    with suppress(ValueError):
        letter = await dead_letters.letter(session, UUID(letter_id), lock=lock)
    if letter is None:
        raise problem(404, "No such dead letter", f"there is no {letter_id}; it may have been replayed or discarded")
    return letter


def _note(session: Any, request: Request[Any, Any, Any], action: str, view: DeadLetterView) -> None:
    subject = f"dead_letter/{view.id}"
    record(session, request.user.name, action, subject, queue=view.queue, event=view.event_id, reason=view.reason)


ROUTES = [list_dead_letters, read_dead_letter, replay_dead_letter, discard_dead_letter]
