"""What prediction remembers of synchronous answers: sampled rows, how many there were, and what turned out to be true.

A row and its truth meet when somebody asks, by model and name, so either may come first, or alone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from interlock_contracts.predictions import Actual, FeedbackReceived, PredictionLogged
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Float,
    and_,
    case,
    delete,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_prediction.store import Table

PRUNED_AT_ONCE = 10_000
"""Rows that one transaction forgets, so that none holds up the bus for long."""


class LoggedVersionRow(Table):
    """What the rows of one version mean: ``features`` name their values, ``labels`` their probabilities, in order."""

    __tablename__ = "logged_version"

    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    features: Mapped[list[str]] = mapped_column(JSON)
    labels: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class LoggedCountRow(Table):
    """How many rows one version answered in one minute, how many the log lost, and how many it was given."""

    __tablename__ = "logged_count"

    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    answered: Mapped[int] = mapped_column(BigInteger)
    dropped: Mapped[int] = mapped_column(BigInteger)
    logged: Mapped[int] = mapped_column(BigInteger)


class LoggedRow(Table):
    """One answered row; ``prediction`` is its name ``<id>/<i>``, ``features`` its values in the version's order.

    Features and answer are JSON and not JSONB: they are read whole, and what was sent stays as it was.
    """

    __tablename__ = "logged"

    model: Mapped[str] = mapped_column(primary_key=True)
    prediction: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    promotion_seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    features: Mapped[list[Any]] = mapped_column(JSON)
    answer: Mapped[Actual] = mapped_column(JSON)
    probabilities: Mapped[list[float] | None] = mapped_column(ARRAY(Float))


class TruthRow(Table):
    """What turned out to be true of one row; ``corrections`` counts how often somebody said otherwise later."""

    __tablename__ = "truth"

    model: Mapped[str] = mapped_column(primary_key=True)
    prediction: Mapped[str] = mapped_column(primary_key=True)
    actual: Mapped[Actual] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    corrections: Mapped[int] = mapped_column(server_default=text("0"))


class Count(NamedTuple):
    """What one version answered in one bucket that begins at ``start``."""

    version: int
    start: datetime
    answered: int
    dropped: int
    logged: int


class Pair(NamedTuple):
    """An answer whose truth is known."""

    version: int
    at: datetime
    answer: Actual
    probabilities: Sequence[float] | None
    actual: Actual


_SAME = and_(LoggedRow.model == TruthRow.model, LoggedRow.prediction == TruthRow.prediction)


async def keep_logged(session: AsyncSession, event: PredictionLogged) -> None:
    """Keep an event's rows and counts; a row whose name is known already stays as it was first."""
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


async def keep_feedback(session: AsyncSession, event: FeedbackReceived) -> None:
    """Keep what turned out to be true; of several words about one row the newest counts, whatever comes last."""
    newest = {each.prediction: each.actual for each in event.feedback}
    # In one order everywhere, so that two replicas with words about the same rows wait for each other at most once.
    rows = [
        {"model": event.model, "prediction": prediction, "actual": newest[prediction], "at": event.at}
        for prediction in sorted(newest)
    ]
    told = insert(TruthRow)
    changed = case((TruthRow.actual != told.excluded.actual, 1), else_=0)
    await session.execute(
        told.on_conflict_do_update(
            index_elements=[TruthRow.model, TruthRow.prediction],
            set_={
                "actual": told.excluded.actual,
                "at": told.excluded.at,
                "corrections": TruthRow.corrections + changed,
            },
            where=TruthRow.at <= told.excluded.at,
        ),
        rows,
    )


async def versions(session: AsyncSession, model: str) -> dict[int, list[Any] | None]:
    """Return the labels, None for a regression, of each version that anything was logged of."""
    rows = await session.scalars(select(LoggedVersionRow).where(LoggedVersionRow.model == model))
    return {row.version: row.labels for row in rows}


async def counts(session: AsyncSession, model: str, since: datetime, bucket: timedelta) -> list[Count]:
    """Return what was answered from ``since`` on, by version and bucket."""
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


async def joined(
    session: AsyncSession, model: str, since: datetime, bucket: timedelta
) -> dict[tuple[int, datetime], int]:
    """Return how many logged rows have their truth, by version and bucket."""
    start = func.date_bin(bucket, LoggedRow.at, since)
    query = (
        select(LoggedRow.version, start, func.count())
        .join(TruthRow, _SAME)
        .where(LoggedRow.model == model, LoggedRow.at >= since)
        .group_by(LoggedRow.version, start)
    )
    return {(version, begun): count for version, begun, count in await session.execute(query)}


async def pairs(session: AsyncSession, model: str, since: datetime, *, limit: int) -> list[Pair]:
    """Return the newest answers whose truth is known."""
    query = (
        select(LoggedRow.version, LoggedRow.at, LoggedRow.answer, LoggedRow.probabilities, TruthRow.actual)
        .join(TruthRow, _SAME)
        .where(LoggedRow.model == model, LoggedRow.at >= since)
        .order_by(LoggedRow.at.desc())
        .limit(limit)
    )
    return [Pair(*row) for row in await session.execute(query)]


async def unmatched(session: AsyncSession, model: str, since: datetime) -> int:
    """Return how many truths, told from ``since`` on, are about rows that the log does not hold."""
    known = select(LoggedRow.prediction).where(_SAME).exists()
    query = select(func.count()).where(TruthRow.model == model, TruthRow.at >= since, ~known)
    return int(await session.scalar(query) or 0)


async def forget(session: AsyncSession, before: datetime) -> int:
    """Delete what is older than ``before``; of rows and truths at most ``PRUNED_AT_ONCE`` each, to be done soon.

    Returns how many rows and truths went; as long as there are any, there may be more.
    """
    models = (await session.scalars(select(LoggedVersionRow.model).distinct())).all()
    logged = sum([await _forget(session, LoggedRow, LoggedRow.model == name, LoggedRow.at < before) for name in models])
    truths = await _forget(session, TruthRow, TruthRow.at < before)
    await session.execute(delete(LoggedCountRow).where(LoggedCountRow.minute < before))
    return logged + truths


async def _forget(session: AsyncSession, table: type[LoggedRow | TruthRow], *old: ColumnElement[bool]) -> int:
    some = select(table.model, table.prediction).where(*old).limit(PRUNED_AT_ONCE).with_for_update(skip_locked=True)
    gone = await session.execute(delete(table).where(tuple_(table.model, table.prediction).in_(some)))
    return int(gone.rowcount)  # type: ignore[attr-defined]
