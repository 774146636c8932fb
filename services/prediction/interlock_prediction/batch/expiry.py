"""What is left of results whose time is over: the rows say so, then the store is swept, then the rows forget it."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoringPart
from interlock_messaging import Bus
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from interlock_prediction import store
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.store import PredictionRow

SWEEP_AT_ONCE = 50
"""Predictions whose objects are deleted before the rows are told: so many are begun anew after a crash."""

MOST_AT_ONCE = 64
"""So many parts of one file are scored side by side at most; where it failed, the first of them may be missing."""


@dataclass(frozen=True)
class Expiry:
    """Takes back what has expired; any replica may, at any time, and going on where another died does no harm.

    Answers lie in the store by content, but each names its own prediction, so that none is another's as well.
    """

    bus: Bus
    artifacts: ArtifactStore

    async def look(self) -> None:
        """Take back everything that has expired by now."""
        changed = 1
        while changed:
            async with self.bus.transaction() as session:
                changed = await store.expire(session)
        while await self._sweep():
            pass

    async def _sweep(self) -> bool:
        """Delete what some predictions have in the store; return whether there may be more."""
        async with self.bus.transaction() as session:
            found = [*await _answers(session), *await _files(session)]
            shared = {row.prediction_id for row, _ in found if await _is_shared(session, row)}
        # Between two transactions: the store may take its time. Nobody reads these any more: they are expired.
        await asyncio.to_thread(self._delete, [pair for pair in found if pair[0].prediction_id not in shared])
        async with self.bus.transaction() as session:
            for row, batch in found:
                await store.forget_result(session, row.prediction_id)
                if batch is not None:
                    (await session.get_one(BatchRow, row.prediction_id)).job = None
        return bool(found)

    def _delete(self, found: Iterable[tuple[PredictionRow, BatchRow | None]]) -> None:
        for row, batch in found:
            if batch is not None:
                self._delete_notes(f"predictions/{row.prediction_id}")
            for ref in (row.result, batch.job if batch is not None else None):
                if ref is not None:
                    self.artifacts.delete(_key(ref))

    def _delete_notes(self, prefix: str) -> None:
        """Delete the parts of a file's answer, and what is noted below its prefix."""
        for number in self._parts(prefix):
            key = f"{prefix}/parts/{number:06}.json"
            noted = self.artifacts.read(key)
            if noted is not None:
                self.artifacts.delete(ScoringPart.model_validate_json(noted).answer.key)
                self.artifacts.delete(key)
        for name in ("part_rows", "progress.json", "report.json"):
            self.artifacts.delete(f"{prefix}/{name}")

    def _parts(self, prefix: str) -> Iterator[int]:
        """Yield the numbers that parts may have, from the last one down: who goes on after a crash finds the others."""
        number, last = 0, -1
        while number <= last + MOST_AT_ONCE:
            if self.artifacts.read(f"{prefix}/parts/{number:06}.json") is not None:
                last = number
            number += 1
        yield from range(last, -1, -1)


async def _answers(session: AsyncSession) -> list[tuple[PredictionRow, BatchRow | None]]:
    expired = PredictionRow.state == "expired", PredictionRow.result.is_not(None)
    query = select(PredictionRow, BatchRow).outerjoin(BatchRow).where(*expired).limit(SWEEP_AT_ONCE)
    return [(row, batch) for row, batch in (await session.execute(query)).all()]


async def _files(session: AsyncSession) -> list[tuple[PredictionRow, BatchRow | None]]:
    """Return files that ended without an answer, but may have left parts of one."""
    expired = PredictionRow.state == "expired", PredictionRow.result.is_(None)
    over = BatchRow.job.is_not(None), BatchRow.waiting.is_(False)
    query = select(PredictionRow, BatchRow).join(BatchRow).where(*expired, *over).limit(SWEEP_AT_ONCE)
    return [(row, batch) for row, batch in (await session.execute(query)).all()]


async def _is_shared(session: AsyncSession, row: PredictionRow) -> bool:
    """Return whether another prediction has the same answer: files answered by release 0.1.0 did not name theirs."""
    if row.result is None or row.result_format != "parquet":
        return False
    other = aliased(PredictionRow)
    same = other.model == row.model, other.result["sha256"].astext == row.result["sha256"]
    return bool(await session.scalar(select(exists().where(*same, other.prediction_id != row.prediction_id))))


def _key(ref: dict[str, Any]) -> str:
    return ArtifactRef.model_validate(ref).key
