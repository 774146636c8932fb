"""What the table of datasets tells Prometheus."""

from interlock_contracts import metrics
from interlock_runtime.metrics import counter, gauge
from prometheus_client.core import Metric
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_ingest.store import DatasetRow

WAITING = "checking"


async def datasets(sessions: async_sessionmaker[AsyncSession]) -> list[Metric]:
    """Return how many files were accepted or rejected, how many wait, and since when."""
    age = func.extract("epoch", func.now() - func.min(DatasetRow.received_at))
    query = select(DatasetRow.pipeline, DatasetRow.state, func.count(), age)
    async with sessions() as session:
        found = (await session.execute(query.group_by(DatasetRow.pipeline, DatasetRow.state))).all()
    waiting = [(pipeline, count, oldest) for pipeline, state, count, oldest in found if state == WAITING]
    by_state = [((pipeline, state), count) for pipeline, state, count, _ in found if state != WAITING]
    return [
        counter(metrics.DATASETS, by_state),
        gauge(metrics.DATASETS_WAITING, (((pipeline,), count) for pipeline, count, _ in waiting)),
        gauge(metrics.DATASETS_AGE, (((pipeline,), float(oldest)) for pipeline, _, oldest in waiting)),
    ]
