"""Gauges of the registry's tables."""

from interlock_contracts import metrics
from interlock_contracts.stages import PRODUCTION
from interlock_messaging import dead_letters
from interlock_runtime.metrics import gauge
from prometheus_client.core import Metric
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_registry.store import ChampionRow, ModelRow, VersionRow


async def models(sessions: async_sessionmaker[AsyncSession]) -> list[Metric]:
    """Return how many versions are how far, which should serve in production, and the dead letters by queue."""
    counted = select(VersionRow.model, VersionRow.stage, func.count()).where(VersionRow.deleted_at.is_(None))
    stages = counted.group_by(VersionRow.model, VersionRow.stage)
    champions = (
        select(ChampionRow.model, ChampionRow.version, ChampionRow.seq)
        .join(ModelRow, ModelRow.name == ChampionRow.model)
        .where(ChampionRow.stage == PRODUCTION, ModelRow.archived_at.is_(None))
    )
    async with sessions() as session:
        versions = (await session.execute(stages)).all()
        serving = (await session.execute(champions)).all()
        letters = await dead_letters.counted(session)
    return [
        gauge(metrics.VERSIONS, (((model, stage), count) for model, stage, count in versions)),
        gauge(metrics.PROMOTED_VERSION, (((model,), champion) for model, champion, _ in serving)),
        gauge(metrics.PROMOTION_SEQ, (((model,), seq) for model, _, seq in serving)),
        gauge(metrics.DEAD_LETTERS, (((queue,), count) for queue, count in letters)),
    ]
