"""What the console remembers: events, runs as they follow from events, and tickets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Identity,
    LargeBinary,
    MetaData,
    String,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column


class Table(DeclarativeBase):
    """Declarative base; the schema comes from the connection's search path."""

    metadata = MetaData()


class EventRow(Table):
    """One event; ``seq`` counts in the order in which they came here.

    ``data`` is JSON and not JSONB, which takes no NUL characters, and a request from outside may hold some.
    """

    __tablename__ = "event"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    id: Mapped[str] = mapped_column(String, unique=True)
    type: Mapped[str]
    source: Mapped[str]
    subject: Mapped[str]
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    model: Mapped[str | None]
    version: Mapped[int | None]
    run_id: Mapped[UUID | None]
    trace_id: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class RunRow(Table):
    """One run as far as events tell; ``cause`` is the type of the event that it goes back to."""

    __tablename__ = "run"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    state: Mapped[str]
    outcome: Mapped[str | None]
    cause: Mapped[str | None]
    reason: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    trace_id: Mapped[str | None]
    version: Mapped[int | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    into: Mapped[UUID | None]


class TicketRow(Table):
    """A credential that is fetched once, by whoever knows the ticket whose hash this is."""

    __tablename__ = "ticket"

    hash: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


NEWS = "interlock_console"
"""The channel on which Postgres tells all replicas what has been committed."""

FORGET_AT_ONCE = 10_000


async def keep_event(session: AsyncSession, values: dict[str, Any]) -> int | None:
    """Keep an event; return its ``seq``, None for one that is here already."""
    added = insert(EventRow).values(values).on_conflict_do_nothing(index_elements=[EventRow.id])
    return (await session.scalars(added.returning(EventRow.seq))).one_or_none()


async def tell(session: AsyncSession, what: str, words: str) -> None:
    """Tell all replicas, when the transaction commits; ``words`` have room for 7,900 bytes."""
    await session.execute(select(func.pg_notify(NEWS, f"{what} {words}")))


async def cause_of(session: AsyncSession, run_id: UUID) -> EventRow | None:
    """Return the event that a run goes back to."""
    causes = EventRow.type.in_(("retrain.requested", "dataset.ingested"))
    return (await session.scalars(select(EventRow).where(EventRow.run_id == run_id, causes).limit(1))).one_or_none()


async def run_of_promotion(session: AsyncSession, model: str, version: int) -> UUID | None:
    """Return the run of the newest promotion of a version; None where that was a roll-back."""
    query = select(EventRow.run_id).where(
        EventRow.model == model, EventRow.version == version, EventRow.type == "model.promoted"
    )
    return (await session.scalars(query.order_by(EventRow.seq.desc()).limit(1))).one_or_none()


async def locked_run(session: AsyncSession, run_id: UUID) -> RunRow | None:
    """Return a run for changing."""
    return await session.get(RunRow, run_id, with_for_update=True, populate_existing=True)


async def add_run(session: AsyncSession, values: dict[str, Any]) -> None:
    """Add a run, unless another replica does so at this moment."""
    await session.execute(insert(RunRow).values(values).on_conflict_do_nothing())


async def join_waiting(session: AsyncSession, into: RunRow) -> None:
    """End the requests that waited when a run of their model started: they were joined to it."""
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
    """Return what came after an event, in its order."""
    return (await session.scalars(select(EventRow).where(EventRow.seq > seq).order_by(EventRow.seq).limit(limit))).all()


async def numbered(session: AsyncSession, seqs: Sequence[int]) -> Sequence[EventRow]:
    """Return events by their numbers, in their order."""
    return (await session.scalars(select(EventRow).where(EventRow.seq.in_(seqs)).order_by(EventRow.seq))).all()


async def run_rows(
    session: AsyncSession, *, model: str | None, before: datetime | None, limit: int
) -> Sequence[RunRow]:
    """Return the runs that were asked for last, of all models or of one."""
    query = select(RunRow).order_by(RunRow.requested_at.desc(), RunRow.run_id).limit(limit)
    if model is not None:
        query = query.where(RunRow.model == model)
    if before is not None:
        query = query.where(RunRow.requested_at < before)
    return (await session.scalars(query)).all()


async def forget(session: AsyncSession, before: datetime) -> bool:
    """Delete events and runs from before a time, not all at once; return whether there may be more."""
    deleted = [
        await _forget(session, EventRow.seq, EventRow.time < before),
        await _forget(session, RunRow.run_id, RunRow.requested_at < before),
    ]
    return FORGET_AT_ONCE in deleted


async def _forget(session: AsyncSession, key: InstrumentedAttribute[Any], old: ColumnElement[bool]) -> int:
    doomed = select(key).where(old).limit(FORGET_AT_ONCE).with_for_update(skip_locked=True)
    deleted = await session.execute(delete(key.class_).where(key.in_(doomed)))
    return int(deleted.rowcount)  # type: ignore[attr-defined]
