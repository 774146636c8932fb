"""Gauges of the dataset table."""

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
    of = DatasetRow.pipeline, DatasetRow.state == WAITING, DatasetRow.number.is_not(None)
    async with sessions() as session:
        found = (await session.execute(select(*of, func.count(), age).group_by(*of))).all()
    waiting = [(pipeline, count, oldest) for pipeline, waits, _, count, oldest in found if waits]
    # By the number that an accepted one has, and keeps when it is deleted: a counter never falls.
    by_state = [((each[0], "accepted" if each[2] else "rejected"), each[3]) for each in found if not each[1]]
    return [
        counter(metrics.DATASETS, by_state),
        gauge(metrics.DATASETS_WAITING, (((pipeline,), count) for pipeline, count, _ in waiting)),
        gauge(metrics.DATASETS_AGE, (((pipeline,), float(oldest)) for pipeline, _, oldest in waiting)),
    ]
