"""Cron schedules of batch scoring, without a leader: every replica polls, and each tick is submitted once."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid5

from interlock_artifacts import ArtifactStore, MissingArtifactError
from interlock_contracts.batch import Batch
from interlock_contracts.cron import Cron
from interlock_contracts.data import Data
from interlock_contracts.event import NAMESPACE
from interlock_contracts.http import PipelineView
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus

from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.runner import fail
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.batch.submission import BatchSubmitter, ModelNotAvailableError, ScoringOptions
from interlock_prediction.store import PredictionRow

logger = logging.getLogger(__name__)

MISFIRE_GRACE = timedelta(minutes=30)
"""Misfire grace time: a missed tick is made up for within so long, later it is skipped."""


class NoInputError(LookupError):
    """The schedule's input does not exist."""


@dataclass(frozen=True)
class Schedules:
    """Submits due batches; the prediction id is derived from the tick, so that each is submitted once."""

    bus: Bus
    artifacts: ArtifactStore
    submitter: BatchSubmitter
    folder: Path
    retention: timedelta

    async def start_due(self) -> None:
        """Submit every batch that is due; ConnectionError while the registry does not answer."""
        now = datetime.now(UTC)
        for pipeline in await self.submitter.registry.pipelines():
            for batch in pipeline.spec.batch:
                tick = Cron(batch.schedule).last(now, since=max(pipeline.applied_at, now - MISFIRE_GRACE))
                if tick is not None:
                    await self._start(pipeline, batch, tick)

    async def _start(self, pipeline: PipelineView, batch: Batch, tick: datetime) -> None:
        prediction_id = uuid5(NAMESPACE, f"{pipeline.name}|batch|{batch.name}|{tick.isoformat()}")
        async with self.bus.transaction() as session:
            if await session.get(PredictionRow, prediction_id) is not None:
                return
        try:
            context = await self.submitter.scoring_context(pipeline.name)
            file, data = await self._input(pipeline, batch)
        except (ModelNotAvailableError, NoInputError) as error:
            await self._record_refusal(prediction_id, pipeline, batch, str(error))
            return
        async with self.bus.transaction() as session:
            submitted = await self.submitter.submit(
                session,
                prediction_id,
                file,
                replace(context, data=data),
                options=ScoringOptions(batch.on_error, batch.log),
                schedule=batch.name,
            )
        if submitted:
            logger.info("batch %s of %s, due at %s, is prediction %s", batch.name, pipeline.name, tick, prediction_id)

    async def _input(self, pipeline: PipelineView, batch: Batch) -> tuple[ArtifactRef, Data]:
        if batch.object is None:
            dataset = await self.submitter.ingest.newest_dataset(pipeline.name)
            if dataset is None:
                raise NoInputError(f"{pipeline.name!r} has no accepted dataset")
            return dataset.file, await self.submitter.declared(dataset)
        try:
            file = await asyncio.to_thread(self._snapshot, batch.object)
        except MissingArtifactError as error:
            raise NoInputError(str(error)) from error
        data = pipeline.spec.data  # an object is declared there, beside how it is written
        return file, data.model_copy(update={"format": batch.format or data.format})

    def _snapshot(self, key: str) -> ArtifactRef:
        """Copy an object into the content-addressed store, so that a later overwrite does not change the input."""
        with TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "object"
            self.artifacts.download(key, path)
            return self.artifacts.put_file(path)

    async def _record_refusal(self, prediction_id: UUID, pipeline: PipelineView, batch: Batch, why: str) -> None:
        """Record a tick that could not be submitted as a failed prediction, so that the failure is visible."""
        row = PredictionRow(prediction_id=prediction_id, model=pipeline.name, state="queued")
        noted = BatchRow(prediction_id=prediction_id, runner="process", schedule=batch.name, waiting=False)
        async with self.bus.transaction() as session:
            if await batch_store.add(session, row, noted):
                await fail(session, await session.get_one(PredictionRow, prediction_id), why, self.retention)
