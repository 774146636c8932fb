"""Expiry of results: rows are marked expired, then their objects are deleted, then the rows drop their references."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoringPart
from interlock_messaging import Bus
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from interlock_prediction import store
from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.runner import cancel
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.store import PredictionRow

SWEEP_CHUNK = 50
"""Predictions swept between two transactions; after a crash, so many are swept again."""

MAX_CONCURRENT_PARTS = 64
"""Parts of one file scored concurrently at most; where scoring failed, so many numbers may be missing in between."""


@dataclass(frozen=True)
class Expiry:
    """Deletes expired results; idempotent, so that any replica may run it at any time, also after another crashed.

    Results are content-addressed, but each names its own prediction, so that no two predictions share an object.
    """

    bus: Bus
    artifacts: ArtifactStore

    async def run_once(self) -> None:
        """Expire everything that is due, and all that is left of deleted models."""
        await self._end_deleted_models()
        changed = 1
        while changed:
            async with self.bus.transaction() as session:
                changed = await store.expire(session)
        while await self._sweep():
            pass

    async def _end_deleted_models(self) -> None:
        """Cancel the files of deleted models, and let what they have answered expire."""
        async with self.bus.transaction() as session:
            models = await store.deleted_models(session)
            files = await batch_store.unfinished(session, models) if models else ()
        for prediction_id in files:
            async with self.bus.transaction() as session:
                await cancel(session, prediction_id, timedelta(0), why="its model was deleted")
        changed = len(models)
        while changed:
            async with self.bus.transaction() as session:
                changed = await store.end_retention(session, models)

    async def _sweep(self) -> bool:
        """Delete the objects of up to ``SWEEP_CHUNK`` expired predictions; return whether there may be more."""
        async with self.bus.transaction() as session:
            found = [*await _expired_with_result(session), *await _expired_without_result(session)]
            shared = {row.prediction_id for row, _ in found if await _is_shared(session, row)}
        # Between two transactions, as the store may be slow; expired objects have no readers.
        await asyncio.to_thread(self._delete, [pair for pair in found if pair[0].prediction_id not in shared])
        async with self.bus.transaction() as session:
            for row, batch in found:
                await store.clear_result(session, row.prediction_id)
                if batch is not None:
                    (await session.get_one(BatchRow, row.prediction_id)).job = None
        return bool(found)

    def _delete(self, found: Iterable[tuple[PredictionRow, BatchRow | None]]) -> None:
        for row, batch in found:
            if batch is not None:
                self._delete_parts(f"predictions/{row.prediction_id}")
            for ref in (row.result, batch.job if batch is not None else None):
                if ref is not None:
                    self.artifacts.delete(_key(ref))

    def _delete_parts(self, prefix: str) -> None:
        """Delete the parts of a file's result, and the bookkeeping below its prefix."""
        for number in self._parts(prefix):
            key = f"{prefix}/parts/{number:06}.json"
            part = self.artifacts.read(key)
            if part is not None:
                self.artifacts.delete(ScoringPart.model_validate_json(part).answer.key)
                self.artifacts.delete(f"{prefix}/logged/{number:06}.jsonl")
                self.artifacts.delete(key)
        for name in ("part_rows", "progress.json", "report.json"):
            self.artifacts.delete(f"{prefix}/{name}")

    def _parts(self, prefix: str) -> Iterator[int]:
        """Yield the numbers that parts may have, the last first, so that a repeat after a crash finds the rest."""
        number, last = 0, -1
        while number <= last + MAX_CONCURRENT_PARTS:
            if self.artifacts.read(f"{prefix}/parts/{number:06}.json") is not None:
                last = number
            number += 1
        yield from range(last, -1, -1)


async def _expired_with_result(session: AsyncSession) -> list[tuple[PredictionRow, BatchRow | None]]:
    expired = PredictionRow.state == "expired", PredictionRow.result.is_not(None)
    query = select(PredictionRow, BatchRow).outerjoin(BatchRow).where(*expired).limit(SWEEP_CHUNK)
    return [(row, batch) for row, batch in (await session.execute(query)).all()]


async def _expired_without_result(session: AsyncSession) -> list[tuple[PredictionRow, BatchRow | None]]:
    """Return files that ended without a result, but may have left parts of one."""
    expired = PredictionRow.state == "expired", PredictionRow.result.is_(None)
    over = BatchRow.job.is_not(None), BatchRow.waiting.is_(False)
    query = select(PredictionRow, BatchRow).join(BatchRow).where(*expired, *over).limit(SWEEP_CHUNK)
    return [(row, batch) for row, batch in (await session.execute(query)).all()]


async def _is_shared(session: AsyncSession, row: PredictionRow) -> bool:
    """Return whether another prediction has the same result object, as files scored by release 0.1.0 may."""
    if row.result is None or row.result_format != "parquet":
        return False
    other = aliased(PredictionRow)
    same = other.model == row.model, other.result["sha256"].astext == row.result["sha256"]
    return bool(await session.scalar(select(exists().where(*same, other.prediction_id != row.prediction_id))))


def _key(ref: dict[str, Any]) -> str:
    return ArtifactRef.model_validate(ref).key
