"""Transactional outbox: an event is a row of the transaction that makes it true, and is published after its commit."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from faststream.rabbit import RabbitBroker
from interlock_contracts.catalog import ROUTES
from interlock_contracts.event import Envelope, Event
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Float, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_messaging.crash_points import crash_point
from interlock_messaging.publishing import Outcome, is_recorded, send, send_together
from interlock_messaging.retention import delete_chunk
from interlock_messaging.tables import InboxRow, OutboxRow
from interlock_messaging.wakeups import wake_after_commit

BATCH = 200

OUTBOX_RETENTION = timedelta(days=7)
EPHEMERAL_RETENTION = timedelta(hours=1)
"""How long published events are kept: to look at, and so that enqueueing one again changes nothing."""

INBOX_RETENTION = timedelta(days=30)
"""As long as the oldest dead letter that anyone will replay."""

DELETE_AT_ONCE = 10_000
"""Rows of each kind that one transaction deletes, so that none holds up the relay for long."""


class OutboxEntry(NamedTuple):
    """An event to be published, its causation id, ``n`` and creation context as in :func:`enqueue`."""

    event: Event
    cause: str
    n: int = 0
    traceparent: str | None = None


def current_traceparent() -> str | None:
    """Return the W3C ``traceparent`` of the current span, or None outside of any."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


async def enqueue(
    session: AsyncSession, event: Event, *, source: str, cause: str, n: int = 0, traceparent: str | None = None
) -> Envelope:
    """Add ``event`` to the session's outbox: it is published if, and only if, the transaction commits.

    ``source`` is the service that publishes it, ``cause`` its causation id (of the event or request that brought it
    about), ``n`` as in :meth:`Envelope.of`; ``traceparent`` is the creation context, by default the current span's.
    Enqueueing the same event again changes nothing.
    """
    entry = OutboxEntry(event, cause, n, traceparent)
    return (await enqueue_all(session, [entry], source=source))[0]


async def enqueue_all(session: AsyncSession, entries: Sequence[OutboxEntry], *, source: str) -> list[Envelope]:
    """Add many events to the session's outbox at once, in their order."""
    if not entries:
        return []
    now, here = datetime.now(UTC), current_traceparent()
    envelopes = [
        Envelope.of(
            each.event, source=source, cause=each.cause, n=each.n, now=now, traceparent=each.traceparent or here
        )
        for each in entries
    ]
    rows = [_row(envelope, each.event) for envelope, each in zip(envelopes, entries, strict=True)]
    await session.execute(insert(OutboxRow).on_conflict_do_nothing(), rows)
    wake_after_commit(session, OutboxRow)
    return envelopes


def _row(envelope: Envelope, event: Event) -> dict[str, Any]:
    aggregate_type, _, aggregate_id = event.subject.partition("/")
    return {
        "id": envelope.id,
        "aggregatetype": aggregate_type,
        "aggregateid": aggregate_id,
        "type": event.type,
        "headers": envelope.headers(),
        "payload": event.body(),
    }


class Published(NamedTuple):
    """How many rows were published, and of which types the broker refused some, with its reason."""

    published: int
    refused: dict[str, str]


async def publish_batch(
    sessions: async_sessionmaker[AsyncSession],
    broker: RabbitBroker,
    *,
    limit: int = BATCH,
    without: Collection[str] = (),
) -> Published:
    """Publish the oldest ``limit`` unpublished rows but those of the types ``without``, each confirmed.

    A row that the broker refuses (no queue bound, queue full) keeps its place with the reason. Rows locked by
    another relay are skipped; a crash before the commit publishes them again, with the same ids.

    Raises:
        ConnectionError, TimeoutError: the broker cannot be reached; what was confirmed so far stays published.
    """
    async with sessions() as session, session.begin():
        rows = (
            await session.execute(
                select(OutboxRow.id, OutboxRow.type, OutboxRow.headers, OutboxRow.payload)
                .where(OutboxRow.published_at.is_(None), OutboxRow.type.not_in(without))
                .order_by(OutboxRow.seq)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        ).all()
        outcomes = await publish_all(broker, [(Envelope.of_headers(row.headers), row.payload) for row in rows])
        published = [row.id for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        if published:
            crash_point("relay.after_confirm")
            now = datetime.now(UTC)
            await session.execute(update(OutboxRow).where(OutboxRow.id.in_(published)).values(published_at=now))
        rejected = [(row, outcome) for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, str)]
        refused = {row.type: reason for row, reason in rejected}
        for each, reason in refused.items():
            ids = [row.id for row, _ in rejected if row.type == each]
            changed = {"failures": OutboxRow.failures + 1, "last_error": reason}
            await session.execute(update(OutboxRow).where(OutboxRow.id.in_(ids)).values(changed))
    for outcome in outcomes:
        if isinstance(outcome, OSError):
            raise outcome
    return Published(len(published), refused)


class Waiting(NamedTuple):
    """How many events of a type wait in an outbox, and for how many seconds the oldest has, by the database's clock."""

    type: str
    events: int
    oldest_seconds: float


async def waiting(sessions: async_sessionmaker[AsyncSession]) -> list[Waiting]:
    """Return what is not published yet, by type."""
    oldest = cast(func.extract("epoch", func.now() - func.min(OutboxRow.created_at)), Float)
    query = select(OutboxRow.type, func.count(), oldest).where(OutboxRow.published_at.is_(None))
    async with sessions() as session:
        return [Waiting(*row) for row in await session.execute(query.group_by(OutboxRow.type))]


async def publish_all(broker: RabbitBroker, messages: Sequence[tuple[Envelope, bytes]]) -> list[Outcome]:
    """Publish all at once: the channel takes them in this order, and their confirms come together."""
    for _ in messages:
        crash_point("relay.before_send")
    recorded = [is_recorded(envelope) for envelope, _ in messages]
    plain = [each for each, traced in zip(messages, recorded, strict=True) if not traced]
    alone = [_sent_alone(broker, *each) for each, traced in zip(messages, recorded, strict=True) if traced]
    together, others = await asyncio.gather(send_together(broker, plain), asyncio.gather(*alone))
    outcomes = {True: iter(others), False: iter(together)}
    return [next(outcomes[traced]) for traced in recorded]


async def _sent_alone(broker: RabbitBroker, envelope: Envelope, payload: bytes) -> Outcome:
    try:
        return await send(broker, envelope, payload)
    except (ConnectionError, TimeoutError) as error:
        return error


async def delete_expired(sessions: async_sessionmaker[AsyncSession]) -> bool:
    """Delete published outbox rows and inbox rows that have outlived their use; return whether there may be more."""
    now, limit = datetime.now(UTC), DELETE_AT_ONCE
    ephemeral = [route.event.type for route in ROUTES if route.ephemeral]
    async with sessions() as session, session.begin():
        deleted = [
            await delete_chunk(session, OutboxRow, OutboxRow.published_at < now - OUTBOX_RETENTION, limit=limit),
            await delete_chunk(
                session,
                OutboxRow,
                OutboxRow.published_at < now - EPHEMERAL_RETENTION,
                OutboxRow.type.in_(ephemeral),
                limit=limit,
            ),
            await delete_chunk(session, InboxRow, InboxRow.received_at < now - INBOX_RETENTION, limit=limit),
        ]
    return limit in deleted
