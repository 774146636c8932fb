"""The declarative base of all tables, and the two that every service with a database has: outbox and inbox."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, LargeBinary, MetaData, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Declarative base of every table; the schema comes from the connection's search path, and times have a zone.

    Whoever has migrations derives an abstract class with a MetaData of its own: tables of two services may have the
    same name, and each package's are compared with its own migrations.
    """

    type_annotation_map = {datetime: DateTime(timezone=True)}


class Messaging(Base):
    """Outbox and inbox."""

    __abstract__ = True
    metadata = MetaData()


class OutboxRow(Messaging):
    """One event that a transaction enqueued; ``published_at`` is set once the broker has confirmed it.

    The columns are those that Debezium's outbox router reads, so that it can take the relay's place.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_unpublished", "seq", postgresql_where=text("published_at IS NULL")),
        Index("outbox_published_at", "published_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity())
    aggregatetype: Mapped[str]
    aggregateid: Mapped[str]
    type: Mapped[str]
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    published_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]


class InboxRow(Messaging):
    """One event that a consumer has handled; its presence makes a redelivery harmless."""

    __tablename__ = "inbox"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
