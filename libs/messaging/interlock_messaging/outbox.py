"""Say an event in the transaction that makes it true, and publish what was said."""

import logging
from datetime import UTC, datetime, timedelta

from faststream.rabbit import RabbitBroker
from interlock_contracts.event import Envelope, Event
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_messaging.publishing import send
from interlock_messaging.tables import InboxRow, OutboxRow

logger = logging.getLogger(__name__)

BATCH = 100
SAID = "interlock.said"
"""Key of ``session.info``: the relay is woken only after a commit that left it something to do."""

KEEP_OUTBOX = timedelta(days=7)
KEEP_INBOX = timedelta(days=30)
"""As long as the oldest dead letter that anyone will replay."""


def current_traceparent() -> str | None:
    """Return the W3C ``traceparent`` of the current span, or None outside of any."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


async def say(
    session: AsyncSession, event: Event, *, source: str, cause: str, n: int = 0, traceparent: str | None = None
) -> Envelope:
    """Add ``event`` to the session's outbox: it is published if, and only if, the transaction commits.

    ``source`` is the service that speaks, ``cause`` the id of what brought the event about, ``n`` as in
    :meth:`Envelope.of`; ``traceparent`` is the creation context, by default the current span's. Saying the same
    event again changes nothing.
    """
    envelope = Envelope.of(
        event, source=source, cause=cause, n=n, now=datetime.now(UTC), traceparent=traceparent or current_traceparent()
    )
    aggregate_type, _, aggregate_id = event.subject.partition("/")
    row = {
        "id": envelope.id,
        "aggregatetype": aggregate_type,
        "aggregateid": aggregate_id,
        "type": event.type,
        "headers": envelope.headers(),
        "payload": event.body(),
    }
    await session.execute(insert(OutboxRow).values(row).on_conflict_do_nothing())
    session.info[SAID] = True
    return envelope


async def publish_batch(sessions: async_sessionmaker[AsyncSession], broker: RabbitBroker) -> tuple[int, int]:
    """Publish the oldest unpublished rows, each confirmed; return how many were published and how many refused.

    A row that the broker refuses (no queue bound, queue full) keeps its place with the reason. Rows locked by
    another relay are skipped; a crash before the commit publishes them again, with the same ids.

    Raises:
        ConnectionError, TimeoutError: the broker cannot be reached; what was confirmed so far stays published.
    """
    published = refused = 0
    outage: OSError | None = None
    async with sessions() as session, session.begin():
        rows = await session.scalars(
            select(OutboxRow)
            .where(OutboxRow.published_at.is_(None))
            .order_by(OutboxRow.failures, OutboxRow.seq)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        for row in rows:
            try:
                reason = await send(broker, Envelope.parse(row.headers, row.payload, None)[0], row.payload)
            except (ConnectionError, TimeoutError) as error:
                outage = error
                break
            if reason is None:
                row.published_at = datetime.now(UTC)
                published += 1
            else:
                logger.error("outbox row %s (%s) was refused: %s", row.id, row.type, reason)
                row.failures += 1
                row.last_error = reason
                refused += 1
    if outage is not None:
        raise outage
    return published, refused


async def forget_old(sessions: async_sessionmaker[AsyncSession]) -> None:
    """Delete published outbox rows and inbox rows that have outlived their use."""
    now = datetime.now(UTC)
    async with sessions() as session, session.begin():
        await session.execute(delete(OutboxRow).where(OutboxRow.published_at < now - KEEP_OUTBOX))
        await session.execute(delete(InboxRow).where(InboxRow.received_at < now - KEEP_INBOX))
