"""Overview of the newest runs and failures, from the read model."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from interlock_console.store import EventRow, RunRow

MOST = 20
"""Rows of each list."""

MOST_MODELS = 200

FAILURES = ("training.failed", "evaluation.failed", "dataset.rejected", "model.load_failed")


async def last_runs(session: AsyncSession) -> Sequence[RunRow]:
    """Return the newest run of each model, without those that became part of another."""
    newest = select(RunRow).where(RunRow.state != "coalesced").ext(distinct_on(RunRow.model))
    query = newest.order_by(RunRow.model, RunRow.requested_at.desc(), RunRow.run_id).limit(MOST_MODELS)
    return (await session.scalars(query)).all()


async def runs_in_progress(session: AsyncSession) -> Sequence[RunRow]:
    """Return runs that are queued or running, the newest first."""
    query = select(RunRow).where(RunRow.state.in_(("queued", "running")))
    return (await session.scalars(query.order_by(RunRow.requested_at.desc()).limit(MOST))).all()


async def runs_awaiting_approval(session: AsyncSession) -> Sequence[RunRow]:
    """Return runs whose version has passed the gate and is not promoted, unless a later one has been."""
    later = aliased(RunRow)
    overtaken = exists().where(
        later.model == RunRow.model, later.outcome == "promoted", later.requested_at > RunRow.requested_at
    )
    query = select(RunRow).where(RunRow.outcome == "waiting", ~overtaken)
    return (await session.scalars(query.order_by(RunRow.ended_at.desc()).limit(MOST))).all()


async def failures(session: AsyncSession, since: datetime) -> Sequence[EventRow]:
    """Return what has failed since then, the newest first; a run that was cancelled has not failed."""
    query = select(EventRow).where(EventRow.type.in_(FAILURES), EventRow.time >= since)
    rows = (await session.scalars(query.order_by(EventRow.seq.desc()).limit(5 * MOST))).all()
    return [row for row in rows if row.data.get("outcome") != "cancelled"][:MOST]
