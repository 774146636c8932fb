"""Files that the pipeline files ask for by the clock: every replica looks, and one of them has each tick."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid5

from interlock_artifacts import ArtifactStore, MissingArtifactError
from interlock_contracts.cron import Cron
from interlock_contracts.event import NAMESPACE
from interlock_contracts.http import PipelineView
from interlock_contracts.pipeline import Batch, Data
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus

from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.running import fail
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.batch.taking import NothingServesError, Taking, Terms
from interlock_prediction.store import PredictionRow

logger = logging.getLogger(__name__)

LATE = timedelta(minutes=30)
"""A tick that nobody saw is made up for within so long; after that it is left out."""


class NoInputError(LookupError):
    """There is nothing to answer."""


@dataclass(frozen=True)
class Schedules:
    """Starts what is due; the prediction's id follows from the tick, so it is started once."""

    bus: Bus
    artifacts: ArtifactStore
    taking: Taking
    folder: Path
    keep: timedelta

    async def look(self) -> None:
        """Start every batch that is due; ConnectionError while the registry does not answer."""
        now = datetime.now(UTC)
        for pipeline in await self.taking.peers.pipelines():
            for batch in pipeline.spec.batch:
                tick = Cron(batch.schedule).last(now, since=max(pipeline.applied_at, now - LATE))
                if tick is not None:
                    await self._start(pipeline, batch, tick)

    async def _start(self, pipeline: PipelineView, batch: Batch, tick: datetime) -> None:
        prediction_id = uuid5(NAMESPACE, f"{pipeline.name}|batch|{batch.name}|{tick.isoformat()}")
        async with self.bus.transaction() as session:
            if await session.get(PredictionRow, prediction_id) is not None:
                return
        try:
            terms = await self.taking.terms(pipeline.name)
            file, data = await self._input(pipeline, batch)
        except (NothingServesError, NoInputError) as error:
            await self._refuse(prediction_id, pipeline, batch, str(error))
            return
        async with self.bus.transaction() as session:
            asked = Terms(terms.model, data)
            taken = await self.taking.take(
                session, prediction_id, file, asked, on_error=batch.on_error, schedule=batch.name
            )
        if taken:
            logger.info("batch %s of %s, due at %s, is prediction %s", batch.name, pipeline.name, tick, prediction_id)

    async def _input(self, pipeline: PipelineView, batch: Batch) -> tuple[ArtifactRef, Data]:
        data = pipeline.spec.data
        if batch.object is None:
            dataset = await self.taking.peers.newest_dataset(pipeline.name)
            if dataset is None:
                raise NoInputError(f"{pipeline.name!r} has no accepted dataset")
            return ArtifactRef(sha256=dataset.digest, bytes=dataset.bytes), data
        try:
            file = await asyncio.to_thread(self._stored, batch.object)
        except MissingArtifactError as error:
            raise NoInputError(str(error)) from error
        return file, data.model_copy(update={"format": batch.format or data.format})

    def _stored(self, key: str) -> ArtifactRef:
        """Keep an object by its content: whatever is written over it later, this is what is answered."""
        with TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "object"
            self.artifacts.download(key, path)
            return self.artifacts.put_file(path)

    async def _refuse(self, prediction_id: UUID, pipeline: PipelineView, batch: Batch, why: str) -> None:
        """Leave a trace of what could not be started: a schedule that stays silent looks like one that works."""
        row = PredictionRow(prediction_id=prediction_id, model=pipeline.name, state="queued")
        noted = BatchRow(prediction_id=prediction_id, runner="process", schedule=batch.name, waiting=False)
        async with self.bus.transaction() as session:
            if await batch_store.add(session, row, noted):
                await fail(session, await session.get_one(PredictionRow, prediction_id), why, self.keep)
