"""The table of dead letters, and what can be done with one: replay or discard."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pamqp.decode
from faststream.rabbit import RabbitBroker
from sqlalchemy import LargeBinary, MetaData, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, column_property, mapped_column, undefer

from interlock_messaging.delivery import ATTEMPT, DIED, ERROR, FURTHER_KEYS, TRIED_BEFORE
from interlock_messaging.publisher_identity import PUBLISHED_BY
from interlock_messaging.publishing import publish
from interlock_messaging.tables import Base
from interlock_messaging.topology import REPLAY_EXCHANGE

_DELIVERY_HEADERS = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count")
_LEFT_OUT = (*_DELIVERY_HEADERS, ATTEMPT, DIED, ERROR, TRIED_BEFORE, *FURTHER_KEYS)


class DeadLetterBase(Base):
    """Base of the table of dead letters, with a MetaData of its own."""

    __abstract__ = True
    metadata = MetaData()


class DeadLetterRow(DeadLetterBase):
    """One dead letter as it came. ``headers`` are as on the wire: no other form holds all that AMQP allows."""

    __tablename__ = "dead_letter"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    queue: Mapped[str]
    reason: Mapped[str]
    attempts: Mapped[int]
    died_at: Mapped[datetime]
    event_id: Mapped[str | None]
    event_type: Mapped[str | None]
    subject: Mapped[str | None]
    trace_id: Mapped[str | None]
    speaker: Mapped[str | None]
    """The user that published it; the column's name is released."""
    message_id: Mapped[str | None]
    content_type: Mapped[str | None]
    content_encoding: Mapped[str | None]
    headers: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    size: Mapped[int] = column_property(func.octet_length(body))

    @property
    def decoded_headers(self) -> dict[str, Any]:
        """Return the headers as a mapping; the row must have been read with them."""
        found: dict[str, Any] = pamqp.decode.field_table(self.headers)[1]
        return found


async def letters(
    session: AsyncSession, *, queue: str | None = None, before: datetime | None = None, limit: int = 100
) -> Sequence[DeadLetterRow]:
    """Return dead letters without their content, the newest first; of one queue, or dead-lettered ``before``."""
    query = select(DeadLetterRow).order_by(DeadLetterRow.died_at.desc(), DeadLetterRow.id).limit(limit)
    if queue is not None:
        query = query.where(DeadLetterRow.queue == queue)
    if before is not None:
        query = query.where(DeadLetterRow.died_at < before)
    return (await session.scalars(query)).all()


async def counted(session: AsyncSession) -> list[tuple[str, int]]:
    """Return how many dead letters each queue has, where it has any."""
    query = select(DeadLetterRow.queue, func.count()).group_by(DeadLetterRow.queue)
    return [(queue, number) for queue, number in await session.execute(query)]


async def letter(session: AsyncSession, letter_id: UUID, *, lock: bool = False) -> DeadLetterRow | None:
    """Return one dead letter with its content; locked, so that no other request replays or discards it meanwhile."""
    query = select(DeadLetterRow).where(DeadLetterRow.id == letter_id)
    query = query.options(undefer(DeadLetterRow.headers), undefer(DeadLetterRow.body))
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def replay(session: AsyncSession, letter: DeadLetterRow, broker: RabbitBroker) -> None:
    """Publish a dead letter to the queue that it came from, with fresh attempts, and delete its row.

    It is published, and confirmed, before the transaction commits: a crash between the two leaves a letter that has
    been replayed, and replaying it again is harmless, as its consumer's inbox knows the event.

    Raises:
        aio_pika.exceptions.DeliveryError: the queue is full, or no longer there.
        ConnectionError, TimeoutError: RabbitMQ cannot be reached.
    """
    kept = {name: value for name, value in letter.decoded_headers.items() if not name.startswith(_LEFT_OUT)}
    # Consumers trust `x-said-by` on our messages, so it is always set, never copied from the letter's headers.
    headers = kept | {TRIED_BEFORE: letter.attempts, PUBLISHED_BY: letter.speaker or ""}
    await publish(
        broker,
        letter.body,
        exchange=REPLAY_EXCHANGE,
        routing_key=letter.queue,
        headers=headers,
        message_id=letter.message_id,
        content_type=letter.content_type,
        content_encoding=letter.content_encoding,
    )
    await session.delete(letter)
