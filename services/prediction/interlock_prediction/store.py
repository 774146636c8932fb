"""What prediction remembers: one row for each prediction that was asked."""

from datetime import datetime
from typing import Any
from uuid import UUID

from interlock_contracts.predictions import PredictionState
from sqlalchemy import DateTime, LargeBinary, MetaData, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    """Declarative base; the schema comes from the connection's search path."""

    metadata = MetaData()


class PredictionRow(Table):
    """One prediction; its presence is what makes a repeated request harmless, so it outlives its result.

    ``model`` is None where the prediction was cancelled before its request arrived. A small answer is in ``answer``
    as JSON, a large one in ``result``, an :class:`ArtifactRef`.
    """

    __tablename__ = "prediction"

    prediction_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str | None]
    state: Mapped[PredictionState] = mapped_column(String)
    request_sha256: Mapped[str | None]
    traceparent: Mapped[str | None]
    version: Mapped[int | None]
    rows: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    result_format: Mapped[str | None]
    reason: Mapped[str | None]
    errors: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
