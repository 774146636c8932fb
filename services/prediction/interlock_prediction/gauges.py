"""What prediction tells Prometheus: how its answers ended, and who still waits."""

from interlock_contracts import metrics
from interlock_runtime.metrics import gauge
from prometheus_client import Counter, Histogram
from prometheus_client.core import Metric
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_prediction.batch.store import BatchRow
from interlock_prediction.store import WebhookRow

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
"""Upper bounds of the histogram, in seconds."""

_ended = Counter(*metrics.LATER_ANSWERS.family)
_seconds = Histogram(*metrics.LATER_SECONDS.family, buckets=BOUNDS)


def count(model: str, outcome: str, seconds: float) -> None:
    """Count a prediction that has ended, so many seconds after it was asked for."""
    _ended.labels(model, outcome).inc()
    _seconds.labels(model).observe(max(0.0, seconds))


async def waiting(sessions: async_sessionmaker[AsyncSession]) -> list[Metric]:
    """Return how many files have no answer yet, and how many webhooks are to be told."""
    files = select(BatchRow.runner, func.count()).where(BatchRow.waiting).group_by(BatchRow.runner)
    webhooks = select(func.count()).where(WebhookRow.state == "pending")
    async with sessions() as session:
        by_runner = (await session.execute(files)).all()
        pending = await session.scalar(webhooks)
    return [
        gauge(metrics.FILES_WAITING, (((runner,), count) for runner, count in by_runner)),
        gauge(metrics.WEBHOOKS_WAITING, [((), pending or 0)]),
    ]
