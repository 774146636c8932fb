"""Gauges of the run table."""

from interlock_contracts import metrics
from interlock_runtime.metrics import counter, gauge
from prometheus_client.core import Metric
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_train_dispatch.store import RunRow

OPEN = ("queued", "running")


async def runs(sessions: async_sessionmaker[AsyncSession]) -> list[Metric]:
    """Return how many runs ended in which way, and how long they took; how many have not, and since when."""
    since = func.coalesce(RunRow.started_at, RunRow.created_at)
    age = func.extract("epoch", func.now() - func.min(since))
    taken = func.coalesce(func.sum(func.extract("epoch", RunRow.ended_at - RunRow.started_at)), 0)
    query = select(RunRow.model, RunRow.state, func.count(), age, taken).group_by(RunRow.model, RunRow.state)
    async with sessions() as session:
        found = (await session.execute(query)).all()
    ended = [((model, state), count, seconds) for model, state, count, _, seconds in found if state not in OPEN]
    waiting = [((model, state), count, oldest) for model, state, count, oldest, _ in found if state in OPEN]
    return [
        counter(metrics.RUNS, ((labels, count) for labels, count, _ in ended)),
        counter(metrics.RUN_SECONDS, ((labels, float(seconds)) for labels, _, seconds in ended)),
        gauge(metrics.RUNS_OPEN, ((labels, count) for labels, count, _ in waiting)),
        gauge(metrics.RUNS_AGE, ((labels, float(oldest)) for labels, _, oldest in waiting)),
    ]
