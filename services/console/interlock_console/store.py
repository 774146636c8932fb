"""Tables and statements of the read model: events and the runs derived from them; and tickets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from interlock_messaging.retention import delete_chunk
from interlock_messaging.tables import Base
from sqlalchemy import (
    JSON,
    BigInteger,
    Identity,
    LargeBinary,
    MetaData,
    String,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column


class Table(Base):
    """Abstract base of this service's tables."""

    __abstract__ = True
    metadata = MetaData()


class EventRow(Table):
    """One event; ``seq`` counts in the order of consumption.

    ``data`` is JSON and not JSONB, which takes no NUL characters, and a request from outside may hold some.
    """

    __tablename__ = "event"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    id: Mapped[str] = mapped_column(String, unique=True)
    type: Mapped[str]
    source: Mapped[str]
    subject: Mapped[str]
    time: Mapped[datetime]
    model: Mapped[str | None]
    version: Mapped[int | None]
    run_id: Mapped[UUID | None]
    trace_id: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class RunRow(Table):
    """One run, derived from its events; ``cause`` is the type of the event that caused it."""

    __tablename__ = "run"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    state: Mapped[str]
    outcome: Mapped[str | None]
    cause: Mapped[str | None]
    requested_by: Mapped[str | None]
    request_reason: Mapped[str | None]
    reason: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    requested_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    trace_id: Mapped[str | None]
    version: Mapped[int | None]
    metrics: Mapped[dict[str, float] | None] = mapped_column(JSONB)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    into: Mapped[UUID | None]


class TicketRow(Table):
    """A sealed API key that a ticket opens, once; only the ticket's hash is stored."""

    __tablename__ = "ticket"

    hash: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]


CHANNEL = "interlock_console"
"""Channel of Postgres NOTIFY, on which all replicas learn of commits."""

DELETE_CHUNK = 10_000


async def insert_event(session: AsyncSession, values: dict[str, Any]) -> int | None:
    """Insert an event; return its ``seq``, None for one that exists."""
    added = insert(EventRow).values(values).on_conflict_do_nothing(index_elements=[EventRow.id])
    return (await session.scalars(added.returning(EventRow.seq))).one_or_none()


async def notify(session: AsyncSession, what: str, payload: str) -> None:
    """Notify all replicas when the transaction commits; ``payload`` may have 7,900 bytes."""
    await session.execute(select(func.pg_notify(CHANNEL, f"{what} {payload}")))


async def cause_of(session: AsyncSession, run_id: UUID) -> EventRow | None:
    causes = EventRow.type.in_(("retrain.requested", "dataset.ingested"))
    return (await session.scalars(select(EventRow).where(EventRow.run_id == run_id, causes).limit(1))).one_or_none()


async def run_of_promotion(session: AsyncSession, model: str, version: int) -> UUID | None:
    """Return the run of the newest promotion of a version; None where that was a roll-back."""
    query = select(EventRow.run_id).where(
        EventRow.model == model, EventRow.version == version, EventRow.type == "model.promoted"
    )
    return (await session.scalars(query.order_by(EventRow.seq.desc()).limit(1))).one_or_none()


async def lock_run(session: AsyncSession, run_id: UUID) -> RunRow | None:
    """Return a run, with its row locked."""
    return await session.get(RunRow, run_id, with_for_update=True, populate_existing=True)


async def add_run(session: AsyncSession, values: dict[str, Any]) -> None:
    """Insert a run, unless another replica has."""
    await session.execute(insert(RunRow).values(values).on_conflict_do_nothing())


async def coalesce_waiting(session: AsyncSession, into: RunRow) -> None:
    """Mark the model's queued runs as coalesced into the run that has started."""
    waiting = (RunRow.model == into.model, RunRow.state == "queued", RunRow.run_id != into.run_id)
    values = {"state": "coalesced", "into": into.run_id, "ended_at": into.started_at}
    await session.execute(update(RunRow).where(*waiting).values(values))


async def events_of_run(session: AsyncSession, run_id: UUID, limit: int) -> Sequence[EventRow]:
    """Return a run's events but its progress, in the order of their times."""
    query = select(EventRow).where(EventRow.run_id == run_id, EventRow.type != "training.progressed")
    return (await session.scalars(query.order_by(EventRow.time, EventRow.seq).limit(limit))).all()


async def events(
    session: AsyncSession,
    *,
    types: Sequence[str] = (),
    model: str | None = None,
    run_id: UUID | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[EventRow]:
    """Return the newest events that fit."""
    query = select(EventRow).order_by(EventRow.seq.desc()).limit(limit)
    if types:
        query = query.where(EventRow.type.in_(types))
    if model is not None:
        query = query.where(EventRow.model == model)
    if run_id is not None:
        query = query.where(EventRow.run_id == run_id)
    if before is not None:
        query = query.where(EventRow.seq < before)
    return (await session.scalars(query)).all()


async def events_since(session: AsyncSession, seq: int, limit: int) -> Sequence[EventRow]:
    """Return the events after ``seq``, in order."""
    return (await session.scalars(select(EventRow).where(EventRow.seq > seq).order_by(EventRow.seq).limit(limit))).all()


async def events_by_seq(session: AsyncSession, seqs: Sequence[int]) -> Sequence[EventRow]:
    return (await session.scalars(select(EventRow).where(EventRow.seq.in_(seqs)).order_by(EventRow.seq))).all()


async def delete_expired(session: AsyncSession, before: datetime) -> bool:
    """Delete a chunk of events and runs older than ``before``; return whether there may be more."""
    deleted = [
        await delete_chunk(session, EventRow, EventRow.time < before, limit=DELETE_CHUNK),
        await delete_chunk(session, RunRow, RunRow.requested_at < before, limit=DELETE_CHUNK),
    ]
    return DELETE_CHUNK in deleted
