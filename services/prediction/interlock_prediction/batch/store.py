"""What prediction remembers of files: how each is answered, beside the row that all predictions have."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, String, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_prediction.store import PredictionRow, Table

Runner = Literal["process", "ray"]


class BatchRow(Table):
    """One file; ``waiting`` until its prediction has ended.

    ``job`` is the ArtifactRef of its :class:`ScoringJob`, until what it left in the store is swept.

    Whoever scores it holds the row's lock meanwhile, so the lock dies with the process and another goes on.
    """

    __tablename__ = "batch"

    prediction_id: Mapped[UUID] = mapped_column(ForeignKey("prediction.prediction_id"), primary_key=True)
    job: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    runner: Mapped[Runner] = mapped_column(String)
    schedule: Mapped[str | None]
    unanswered: Mapped[int | None]
    waiting: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))


async def add(session: AsyncSession, prediction: PredictionRow, batch: BatchRow) -> bool:
    """Add a prediction with its file; False, and nothing changes, where there is one of this id."""
    values = {
        column.key: getattr(prediction, column.key)
        for column in PredictionRow.__table__.columns
        if getattr(prediction, column.key) is not None
    }
    done = insert(PredictionRow).values(values).on_conflict_do_nothing().returning(PredictionRow.prediction_id)
    if await session.scalar(done) is None:
        return False
    session.add(batch)
    await session.flush()
    return True


async def next_waiting(session: AsyncSession, runner: Runner) -> BatchRow | None:
    """Lock and return the file that waits longest and that nobody scores."""
    found: BatchRow | None = await session.scalar(
        select(BatchRow)
        .where(BatchRow.waiting, BatchRow.runner == runner, BatchRow.not_before <= datetime.now(UTC))
        .order_by(BatchRow.not_before)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return found


async def start(session: AsyncSession, prediction_id: UUID) -> None:
    """Say that a prediction runs, unless it has ended meanwhile."""
    queued = PredictionRow.prediction_id == prediction_id, PredictionRow.state == "queued"
    await session.execute(update(PredictionRow).where(*queued).values(state="running"))


async def put_off(session: AsyncSession, prediction_id: UUID, seconds: float) -> int:
    """Count a failed try and let the file wait; return how many tries have failed."""
    row = await session.get_one(BatchRow, prediction_id, with_for_update=True)
    row.failures += 1
    row.not_before = datetime.now(UTC) + timedelta(seconds=seconds * row.failures)
    return row.failures


async def newest(
    session: AsyncSession, model: str | None, limit: int
) -> Sequence[tuple[PredictionRow, BatchRow | None]]:
    """Return the newest predictions, of one model or of all."""
    asked = select(PredictionRow, BatchRow).outerjoin(BatchRow).order_by(PredictionRow.requested_at.desc()).limit(limit)
    if model is not None:
        asked = asked.where(PredictionRow.model == model)
    return [(row, batch) for row, batch in (await session.execute(asked)).all()]
