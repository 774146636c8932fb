"""Prediction log and ground truth: sampled rows, counts of all rows, and the actual values known later.

Predictions and ground truth are joined when they are read, by model and prediction id, so either may arrive first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from interlock_contracts.predictions import Actual, FeedbackReceived, PredictionLogged
from interlock_messaging.retention import delete_chunk
from interlock_messaging.tables import Base
from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    MetaData,
    and_,
    case,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_monitor.domain import Count, Pair

PRUNE_CHUNK = 10_000
"""Rows deleted in one transaction, so that each stays short."""


class Table(Base):
    """Abstract base of this service's tables."""

    __abstract__ = True
    metadata = MetaData()


class LoggedVersionRow(Table):
    """Schema of one version's rows: ``features`` name their values, ``labels`` their probabilities, in order."""

    __tablename__ = "logged_version"

    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    features: Mapped[list[str]] = mapped_column(JSON)
    labels: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class LoggedCountRow(Table):
    """Rows of one version in one minute: answered, dropped by the log, and logged."""

    __tablename__ = "logged_count"

    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    answered: Mapped[int] = mapped_column(BigInteger)
    dropped: Mapped[int] = mapped_column(BigInteger)
    logged: Mapped[int] = mapped_column(BigInteger)


class LoggedRow(Table):
    """One logged row; ``prediction`` is its id ``<id>/<i>``, ``features`` its values in the version's order.

    Features and answer are JSON and not JSONB: they are read whole, and stay byte for byte as they were sent.
    """

    __tablename__ = "logged"

    model: Mapped[str] = mapped_column(primary_key=True)
    prediction: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    promotion_seq: Mapped[int]
    at: Mapped[datetime]
    features: Mapped[list[Any]] = mapped_column(JSON)
    answer: Mapped[Actual] = mapped_column(JSON)
    probabilities: Mapped[list[float] | None] = mapped_column(ARRAY(Float))


class GroundTruthRow(Table):
    """Ground truth of one row; ``corrections`` counts later changes of its value."""

    __tablename__ = "truth"

    model: Mapped[str] = mapped_column(primary_key=True)
    prediction: Mapped[str] = mapped_column(primary_key=True)
    actual: Mapped[Actual] = mapped_column(JSONB)
    at: Mapped[datetime]
    corrections: Mapped[int] = mapped_column(server_default=text("0"))


class DeletedModelRow(Table):
    """A deleted model: nothing is kept of it, also of what is published later."""

    __tablename__ = "deleted_model"

    model: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str]
    heard_at: Mapped[datetime] = mapped_column(server_default=func.now())


_SAME = and_(LoggedRow.model == GroundTruthRow.model, LoggedRow.prediction == GroundTruthRow.prediction)


async def record_logged(session: AsyncSession, event: PredictionLogged) -> None:
    """Insert an event's rows and add its counts; a row whose id exists stays as it is."""
    of_version = {"model": event.model, "version": event.version}
    known = insert(LoggedVersionRow).values(**of_version, features=event.features, labels=event.labels)
    await session.execute(known.on_conflict_do_nothing())
    if event.rows:
        rows = [
            {
                **of_version,
                "prediction": row.prediction,
                "promotion_seq": event.promotion_seq,
                "at": row.at,
                "features": row.values,
                "answer": row.answer,
                "probabilities": row.probabilities,
            }
            for row in event.rows
        ]
        await session.execute(insert(LoggedRow).on_conflict_do_nothing(), rows)
    counted = insert(LoggedCountRow).values(
        **of_version,
        minute=event.until.replace(second=0, microsecond=0),
        answered=event.answered,
        dropped=event.dropped,
        logged=len(event.rows),
    )
    more = {name: getattr(LoggedCountRow, name) + counted.excluded[name] for name in ("answered", "dropped", "logged")}
    keys = [LoggedCountRow.model, LoggedCountRow.version, LoggedCountRow.minute]
    await session.execute(counted.on_conflict_do_update(index_elements=keys, set_=more))


async def record_feedback(session: AsyncSession, event: FeedbackReceived) -> None:
    """Upsert ground truth; the newest value of a row wins, in whatever order they arrive."""
    newest = {each.prediction: each.actual for each in event.feedback}
    # In one order everywhere, so that two replicas with the same rows cannot deadlock.
    rows = [
        {"model": event.model, "prediction": prediction, "actual": newest[prediction], "at": event.at}
        for prediction in sorted(newest)
    ]
    upsert = insert(GroundTruthRow)
    changed = case((GroundTruthRow.actual != upsert.excluded.actual, 1), else_=0)
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=[GroundTruthRow.model, GroundTruthRow.prediction],
            set_={
                "actual": upsert.excluded.actual,
                "at": upsert.excluded.at,
                "corrections": GroundTruthRow.corrections + changed,
            },
            where=GroundTruthRow.at <= upsert.excluded.at,
        ),
        rows,
    )


async def versions(session: AsyncSession, model: str) -> dict[int, list[Any] | None]:
    """Return the labels, None for a regression, of each version with logged rows."""
    rows = await session.scalars(select(LoggedVersionRow).where(LoggedVersionRow.model == model))
    return {row.version: row.labels for row in rows}


async def counts(session: AsyncSession, model: str, since: datetime, bucket: timedelta) -> list[Count]:
    """Return the row counts from ``since`` on, by version and bucket."""
    start = func.date_bin(bucket, LoggedCountRow.minute, since)
    query = (
        select(
            LoggedCountRow.version,
            start,
            func.sum(LoggedCountRow.answered),
            func.sum(LoggedCountRow.dropped),
            func.sum(LoggedCountRow.logged),
        )
        .where(LoggedCountRow.model == model, LoggedCountRow.minute >= since)
        .group_by(LoggedCountRow.version, start)
    )
    return [Count(row[0], row[1], *map(int, row[2:])) for row in await session.execute(query)]


async def count_joined(
    session: AsyncSession, model: str, since: datetime, bucket: timedelta
) -> dict[tuple[int, datetime], int]:
    """Return the number of logged rows with ground truth, by version and bucket."""
    start = func.date_bin(bucket, LoggedRow.at, since)
    query = (
        select(LoggedRow.version, start, func.count())
        .join(GroundTruthRow, _SAME)
        .where(LoggedRow.model == model, LoggedRow.at >= since)
        .group_by(LoggedRow.version, start)
    )
    return {(version, begun): count for version, begun, count in await session.execute(query)}


async def joined_rows(session: AsyncSession, model: str, since: datetime, *, limit: int) -> list[Pair]:
    """Return the newest answers with ground truth."""
    query = (
        select(LoggedRow.version, LoggedRow.at, LoggedRow.answer, LoggedRow.probabilities, GroundTruthRow.actual)
        .join(GroundTruthRow, _SAME)
        .where(LoggedRow.model == model, LoggedRow.at >= since)
        .order_by(LoggedRow.at.desc())
        .limit(limit)
    )
    return [Pair(*row) for row in await session.execute(query)]


async def unmatched(session: AsyncSession, model: str, since: datetime) -> int:
    """Return the number of ground-truth rows, from ``since`` on, without a logged prediction."""
    known = select(LoggedRow.prediction).where(_SAME).exists()
    query = select(func.count()).where(GroundTruthRow.model == model, GroundTruthRow.at >= since, ~known)
    return int(await session.scalar(query) or 0)


async def prune(session: AsyncSession, before: datetime, by_model: Mapping[str, datetime]) -> int:
    """Delete what is older than ``before``, or than ``by_model`` says of its model, in chunks of ``PRUNE_CHUNK`` rows.

    Returns the number of deleted rows; call it again until that is 0.
    """
    limit, gone = PRUNE_CHUNK, 0
    for name in await session.scalars(select(LoggedVersionRow.model).distinct()):
        end = by_model.get(name, before)
        gone += await delete_chunk(session, LoggedRow, LoggedRow.model == name, LoggedRow.at < end, limit=limit)
        counted = LoggedCountRow.model == name, LoggedCountRow.minute < end
        await session.execute(delete(LoggedCountRow).where(*counted))
    for name, end in by_model.items():
        old = GroundTruthRow.model == name, GroundTruthRow.at < end
        gone += await delete_chunk(session, GroundTruthRow, *old, limit=limit)
    others = GroundTruthRow.model.not_in(by_model.keys()), GroundTruthRow.at < before
    return gone + await delete_chunk(session, GroundTruthRow, *others, limit=limit)


async def keep_deletion(session: AsyncSession, model: str, *, by: str) -> None:
    await session.execute(insert(DeletedModelRow).values(model=model, by=by).on_conflict_do_nothing())


async def deletion_of(session: AsyncSession, model: str) -> str | None:
    """Return by whom a model was deleted, in words; None where it was not."""
    row = await session.get(DeletedModelRow, model)
    return f"model {model!r} was deleted by {row.by}, with what was logged of it" if row is not None else None


async def delete_models(session: AsyncSession) -> int:
    """Delete what there is of deleted models, in chunks of ``PRUNE_CHUNK`` rows; call it again until that is 0."""
    gone = 0
    for name in await session.scalars(select(DeletedModelRow.model)):
        for table in (LoggedRow, GroundTruthRow, LoggedCountRow, LoggedVersionRow):
            gone += await delete_chunk(session, table, table.model == name, limit=PRUNE_CHUNK)
    return gone
