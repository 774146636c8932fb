"""Work queue table of batch scoring: one row per file, beside the row that every prediction has."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from interlock_contracts.predictions import PredictionState
from interlock_messaging.wakeups import wake_after_commit
from interlock_messaging.work_queue import WorkItem
from sqlalchemy import ForeignKey, String, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_prediction.store import PredictionRow, Table

Runner = Literal["process", "ray"]


class BatchRow(WorkItem, Table):
    """One file; ``waiting`` until its prediction has ended.

    ``job`` is the ArtifactRef of its :class:`ScoringJob`, until its objects are deleted from the store. Without
    ``ttl_seconds`` the result is kept as long as the service is set to.
    """

    __tablename__ = "batch"

    prediction_id: Mapped[UUID] = mapped_column(ForeignKey("prediction.prediction_id"), primary_key=True)
    job: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    runner: Mapped[Runner] = mapped_column(String)
    schedule: Mapped[str | None]
    unanswered: Mapped[int | None]
    warnings: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    waiting: Mapped[bool] = mapped_column(default=True)
    ttl_seconds: Mapped[int | None]

    def retention(self, default: timedelta) -> timedelta:
        return timedelta(seconds=self.ttl_seconds) if self.ttl_seconds is not None else default


async def add(session: AsyncSession, prediction: PredictionRow, batch: BatchRow) -> bool:
    """Insert a prediction with its file; False, and no change, where the id exists (idempotent)."""
    values = {
        column.key: getattr(prediction, column.key)
        for column in PredictionRow.__table__.columns
        if getattr(prediction, column.key) is not None
    }
    inserted = insert(PredictionRow).values(values).on_conflict_do_nothing().returning(PredictionRow.prediction_id)
    if await session.scalar(inserted) is None:
        return False
    session.add(batch)
    await session.flush()
    wake_after_commit(session, BatchRow)
    return True


async def mark_running(session: AsyncSession, prediction_id: UUID) -> None:
    """Set a queued prediction to running; one that has ended stays as it is."""
    queued = PredictionRow.prediction_id == prediction_id, PredictionRow.state == "queued"
    await session.execute(update(PredictionRow).where(*queued).values(state="running"))


async def unfinished(session: AsyncSession, models: Sequence[str]) -> Sequence[UUID]:
    """Return the files of these models that wait or run."""
    of_models = PredictionRow.model.in_(models), PredictionRow.state.in_(("queued", "running"))
    return (await session.scalars(select(PredictionRow.prediction_id).where(*of_models))).all()


async def newest(
    session: AsyncSession,
    model: str | None,
    states: Sequence[PredictionState],
    limit: int,
    *,
    since: datetime | None = None,
    before: datetime | None = None,
) -> Sequence[tuple[PredictionRow, BatchRow | None]]:
    """Return the newest predictions, or those between two times, of all models or of one, in any state or in some.

    What was requested in the same moment as the last of them is there, too: the next page begins before that moment.
    """
    newest = select(PredictionRow, BatchRow).outerjoin(BatchRow).order_by(PredictionRow.requested_at.desc())
    query = newest.fetch(limit, with_ties=True)
    if model is not None:
        query = query.where(PredictionRow.model == model)
    if states:
        query = query.where(PredictionRow.state.in_(states))
    if since is not None:
        query = query.where(PredictionRow.requested_at >= since)
    if before is not None:
        query = query.where(PredictionRow.requested_at < before)
    return [(row, batch) for row, batch in (await session.execute(query)).all()]
