"""Convergence: which version each living gateway worker serves, by its reports and events."""

from collections import Counter
from datetime import datetime
from typing import Any

from interlock_contracts.http import RolloutCounts
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_contracts.rollout import MOST_WORKERS, HeldModel, RolloutView, WorkerReport, WorkerServing
from interlock_contracts.stages import PRODUCTION
from sqlalchemy import Float, ForeignKey, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import INTERVAL, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_registry.domain import rollout_state
from interlock_registry.store import ChampionRow, PromotionRow, Table

MISSED = 3
"""So many reports a worker may miss before it counts as gone."""

FIRST_SECONDS = 10.0
"""Taken for the time between two reports of a worker that has not reported yet."""


class WorkerRow(Table):
    """One gateway worker, the stage that it follows, and the time of its last report or event."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Float)
    stage: Mapped[str] = mapped_column(server_default=PRODUCTION)


class WorkerModelRow(Table):
    """What one worker holds of one model; see ``HeldModel``."""

    __tablename__ = "worker_model"

    worker: Mapped[str] = mapped_column(ForeignKey("worker.name", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    known_seq: Mapped[int]
    version: Mapped[int | None]
    promotion_seq: Mapped[int | None]
    since: Mapped[datetime | None]
    failed_seq: Mapped[int | None]
    failure: Mapped[str | None]


async def record(session: AsyncSession, worker: str, report: WorkerReport) -> None:
    """Keep what ``worker`` reports, and forget who has not reported for long."""
    await _seen(session, worker, at=None, seconds=report.seconds, stage=report.stage)
    held = [each.model for each in report.models]
    mine = WorkerModelRow.worker == worker
    await session.execute(delete(WorkerModelRow).where(mine, WorkerModelRow.model.not_in(held)))
    await _upsert(session, worker, report.models)
    await session.execute(delete(WorkerRow).where(~_alive()))


async def leave(session: AsyncSession, worker: str) -> None:
    """Forget a worker that stops."""
    await session.execute(delete(WorkerRow).where(WorkerRow.name == worker))


async def record_event(session: AsyncSession, event: ModelServing | ModelLoadFailed, *, event_time: datetime) -> None:
    """Record a worker's event, long before its next report."""
    await _seen(session, event.worker, at=event_time, seconds=None)
    if isinstance(event, ModelServing):
        news = {"version": event.version, "promotion_seq": event.promotion_seq, "since": event_time}
    else:
        news = {"failed_seq": event.promotion_seq, "failure": event.reason}
    row = {"worker": event.worker, "model": event.model, "known_seq": event.promotion_seq, **news}
    statement = insert(WorkerModelRow).values(row)
    known = {**news, "known_seq": func.greatest(WorkerModelRow.known_seq, event.promotion_seq)}
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[WorkerModelRow.worker, WorkerModelRow.model],
            set_=known,
            where=func.coalesce(WorkerModelRow.promotion_seq, 0) < event.promotion_seq,
        )
    )


async def convergence(session: AsyncSession, promoted: PromotionRow) -> RolloutView:
    """Return how far ``promoted`` has come in the workers of its stage that live."""
    query = (
        select(WorkerRow.name, WorkerModelRow)
        .outerjoin(WorkerModelRow, (WorkerModelRow.worker == WorkerRow.name) & (WorkerModelRow.model == promoted.model))
        .where(_alive(), WorkerRow.stage == promoted.stage)
        .order_by(WorkerRow.name)
    )
    parts = [_part(name, row, promoted.seq) for name, row in await session.execute(query)]
    parts.sort(key=lambda part: part.state == "serving")
    return RolloutView(
        model=promoted.model,
        version=promoted.version,
        promotion_seq=promoted.seq,
        promoted_at=promoted.promoted_at,
        serving=sum(part.state == "serving" for part in parts),
        workers=len(parts),
        converged=bool(parts) and all(part.state in ("serving", "unloaded") for part in parts),
        by_worker=parts[:MOST_WORKERS],
        stage=promoted.stage,
    )


async def counts(session: AsyncSession) -> dict[tuple[str, str], RolloutCounts]:
    """Return how far the newest promotion of each model and stage has come: what :func:`convergence` counts of one."""
    alive = select(WorkerRow.name, WorkerRow.stage).where(_alive()).subquery()
    following = await session.execute(select(alive.c.stage, func.count()).group_by(alive.c.stage))
    workers = {row[0]: row[1] for row in following}
    known, serving, failed = WorkerModelRow.known_seq, WorkerModelRow.promotion_seq, WorkerModelRow.failed_seq
    query = (
        select(ChampionRow.model, ChampionRow.stage, ChampionRow.seq, known, serving, failed)
        .outerjoin(alive, alive.c.stage == ChampionRow.stage)
        .outerjoin(
            WorkerModelRow, (WorkerModelRow.model == ChampionRow.model) & (WorkerModelRow.worker == alive.c.name)
        )
        .where(~ChampionRow.dropped)
    )
    states: dict[tuple[str, str], Counter[str]] = {}
    for name, stage, seq, known_seq, serving_seq, failed_seq in await session.execute(query):
        counted = states.setdefault((name, stage), Counter())
        if known_seq is not None:
            counted[rollout_state(seq, known=known_seq, serving=serving_seq, failed=failed_seq)] += 1
    return {
        (name, stage): RolloutCounts(
            serving=counted["serving"],
            failed=counted["failed"],
            workers=workers.get(stage, 0),
            converged=0 < workers.get(stage, 0) == counted["serving"] + counted["unloaded"],
        )
        for (name, stage), counted in states.items()
    }


def _part(worker: str, row: WorkerModelRow | None, seq: int) -> WorkerServing:
    if row is None:
        return WorkerServing(worker=worker, state="waiting")
    state = rollout_state(seq, known=row.known_seq, serving=row.promotion_seq, failed=row.failed_seq)
    return WorkerServing(
        worker=worker,
        state=state,
        version=row.version,
        promotion_seq=row.promotion_seq,
        since=row.since,
        failure=row.failure if row.failed_seq == seq else None,
    )


def _alive() -> Any:
    patience = cast(func.concat(WorkerRow.seconds * MISSED, literal(" seconds")), INTERVAL)
    return WorkerRow.seen_at > func.now() - patience


async def _seen(
    session: AsyncSession, worker: str, *, at: datetime | None, seconds: float | None, stage: str | None = None
) -> None:
    """Count ``worker`` as living; an event may come late, so it counts for the time when it was published."""
    seen: Any = func.now() if at is None else func.least(at, func.now())
    statement = insert(WorkerRow).values(
        name=worker, seen_at=seen, seconds=seconds or FIRST_SECONDS, stage=stage or PRODUCTION
    )
    news: dict[str, Any] = {"seen_at": func.greatest(WorkerRow.seen_at, seen)}
    if seconds is not None:
        news["seconds"] = seconds
    if stage is not None:
        news["stage"] = stage
    await session.execute(statement.on_conflict_do_update(index_elements=[WorkerRow.name], set_=news))


async def _upsert(session: AsyncSession, worker: str, models: list[HeldModel]) -> None:
    """Keep a report's models, unless an event has reported a newer promotion meanwhile."""
    if not models:
        return
    statement = insert(WorkerModelRow).values([{"worker": worker, **each.model_dump()} for each in models])
    news = statement.excluded
    names = ("known_seq", "version", "promotion_seq", "since", "failed_seq", "failure")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[WorkerModelRow.worker, WorkerModelRow.model],
            set_={name: news[name] for name in names},
            where=WorkerModelRow.known_seq <= news.known_seq,
        )
    )
