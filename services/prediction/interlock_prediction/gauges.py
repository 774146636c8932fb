"""Prometheus metrics: outcomes and durations of asynchronous predictions, and the backlog of files and webhooks."""

from interlock_contracts import metrics
from interlock_runtime.metrics import gauge
from prometheus_client import Counter, Histogram
from prometheus_client.core import Metric
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_prediction.batch.store import BatchRow
from interlock_prediction.store import WebhookRow

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
"""Upper bounds of the histogram, in seconds."""

_ended = Counter(*metrics.ASYNC_PREDICTIONS.family)
_seconds = Histogram(*metrics.ASYNC_PREDICTION_SECONDS.family, buckets=LATENCY_BUCKETS)


def record_ended(model: str, outcome: str, seconds: float) -> None:
    """Count an ended prediction by outcome, and observe the seconds since its request."""
    _ended.labels(model, outcome).inc()
    _seconds.labels(model).observe(max(0.0, seconds))


async def collect_backlog(sessions: async_sessionmaker[AsyncSession]) -> list[Metric]:
    """Return the number of files without a result, by runner, and of webhooks to be delivered."""
    files = select(BatchRow.runner, func.count()).where(BatchRow.waiting).group_by(BatchRow.runner)
    webhooks = select(func.count()).where(WebhookRow.state == "pending")
    async with sessions() as session:
        by_runner = (await session.execute(files)).all()
        pending = await session.scalar(webhooks)
    return [
        gauge(metrics.FILES_WAITING, (((runner,), count) for runner, count in by_runner)),
        gauge(metrics.WEBHOOKS_WAITING, [((), pending or 0)]),
    ]
