"""Deletes, as the pipeline file declares it, the versions that are past their retention."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from interlock_contracts.deletion import DueVersion
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.retention import BY_RETENTION, Keep
from interlock_messaging import Bus
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.query_parameters import KeepDays, KeepLast
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import lists, store
from interlock_registry.deletion import delete_row
from interlock_registry.domain import past_retention
from interlock_registry.routes import unknown_model
from interlock_registry.store import ModelRow, VersionRow

logger = logging.getLogger(__name__)

CHUNK = 100
"""Versions that are deleted in one transaction, which holds up promotions of the model."""


class VersionRetention:
    """Deletes what is past its retention; any replica may do so at any time, for the model is locked meanwhile."""

    def __init__(self, bus: Bus, woken: asyncio.Event) -> None:
        self._bus = bus
        self._woken = woken

    async def run_once(self) -> None:
        """Delete, of every pipeline that declares it, the versions that may go."""
        async with self._bus.transaction() as session:
            names = [row.name for row, spec in await store.pipelines(session) if spec.spec.get("retention")]
        for name in names:
            while await self._delete(name):
                self._woken.set()

    async def _delete(self, name: str) -> int:
        """Delete the next versions of one model; return how many that were."""
        async with self._bus.transaction() as session:
            if not _going(await due(session, name, await declared(session, name))):
                return 0
        async with self._bus.transaction() as session:
            # As a person's deletion locks them; what is declared and what serves is asked again under the locks.
            await store.lock_pipeline(session, name)
            await store.lock_model(session, name)
            going = _going(await due(session, name, await declared(session, name)))[:CHUNK]
            for row in going:
                await delete_row(session, row, by=BY_RETENTION)
        if going:
            logger.info("%d versions of %s were past their retention", len(going), name)
        return len(going)


def _going(found: Sequence[tuple[VersionRow, str | None]]) -> list[VersionRow]:
    return [row for row, kept_because in found if kept_because is None]


async def declared(session: AsyncSession, name: str) -> Keep | None:
    """Return what a pipeline's newest spec declares of versions."""
    found = await store.pipelines(session, name)
    return Pipeline.model_validate(found[0][1].spec).retention.versions if found else None


async def due(session: AsyncSession, name: str, keep: Keep | None) -> list[tuple[VersionRow, str | None]]:
    """Return the versions past what is to be kept, with why each is not deleted; of an archived model none is."""
    model = await session.get(ModelRow, name)
    if keep is None or model is None:
        return []
    rows = await lists.versions(session, name, lists.VersionFilter())
    champions = await store.champions(session, name)
    rolls_back = {
        await store.previous_champion(session, name, stage, champion) for stage, champion in champions.items()
    }
    found = past_retention(rows, keep, champions=champions, rolls_back=rolls_back, now=datetime.now(UTC))
    if model.archived_at is not None:
        return [(row, "is of an archived model") for row, _ in found]
    return list(found)


@get("/models/{name:str}/retention", opt={SCOPE: "read"})
async def read_version_retention(
    name: FromPath[str],
    database: NamedDependency[Database],
    *,
    keep_last: KeepLast = None,
    keep_days: KeepDays = None,
) -> list[DueVersion]:
    """Return the versions that are past their retention, oldest first, and why some are kept all the same.

    By the applied pipeline file; with ``keep_last`` or ``keep_days`` by these instead, and nothing is changed.
    """
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        asked = keep_last is not None or keep_days is not None
        keep = Keep(keep_last=keep_last, keep_days=keep_days) if asked else await declared(session, name)
        return [
            DueVersion(version=row.version, stage=row.stage, registered_at=row.registered_at, kept_because=kept_because)
            for row, kept_because in await due(session, name, keep)
        ]


ROUTES = [read_version_retention]
