"""What the console remembers: events, runs as they follow from events, and tickets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Identity, LargeBinary, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


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


async def keep_event(session: AsyncSession, values: dict[str, Any]) -> int | None:
    """Keep an event; return its ``seq``, None for one that is here already."""
    added = insert(EventRow).values(values).on_conflict_do_nothing(index_elements=[EventRow.id])
    return (await session.scalars(added.returning(EventRow.seq))).one_or_none()
