"""Work queue of batch scoring: any replica claims a waiting file, scores it, and records the result."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from interlock_artifacts import ArtifactStore
from interlock_contracts.predictions import PredictionCompleted, PredictionFailed, RowFault
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoringReport
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_messaging.wakeups import wake_after_commit
from interlock_messaging.work_queue import process_due
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.prediction_log import log_answers
from interlock_prediction.batch.scorers import Scorer, ScorerDiedError
from interlock_prediction.batch.store import BatchRow, Runner
from interlock_prediction.domain import ENDED
from interlock_prediction.store import PredictionRow, WebhookRow

SERVICE = "prediction"

CANCEL_POLL_SECONDS = 0.5
"""Interval at which a running file is checked for cancellation."""


@dataclass(frozen=True)
class BatchRunner:
    """Scores the files that wait in the work queue, each in one transaction.

    ``retention`` is how long results are kept whose request does not say so.
    """

    bus: Bus
    artifacts: ArtifactStore
    scorers: Mapping[Runner, Scorer]
    retention: timedelta

    async def run_pending(self, runner: Runner) -> None:
        """Claim and score files of ``runner``, one after the other, until none waits."""
        waiting = BatchRow.waiting, BatchRow.runner == runner
        await process_due(self.bus, BatchRow, *waiting, work=self._score, give_up=self._give_up)

    async def _score(self, session: AsyncSession, batch: BatchRow) -> None:
        await self._record_result(session, batch, await self._run_scorer(batch))

    async def _run_scorer(self, batch: BatchRow) -> ScoringReport | None:
        """Run the scorer and return its report; None where the prediction was cancelled meanwhile."""
        async with self.bus.transaction() as session:
            await batch_store.mark_running(session, batch.prediction_id)
        scorer = self.scorers[batch.runner]
        running = asyncio.create_task(scorer.run(batch.prediction_id, ArtifactRef.model_validate(batch.job)))
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=CANCEL_POLL_SECONDS)
                if await self._has_ended(batch.prediction_id):
                    await _cancel_task(running)
                    await scorer.stop(batch.prediction_id)
                    return None
            await running
        finally:
            await _cancel_task(running)
        raw = await asyncio.to_thread(self.artifacts.read, f"predictions/{batch.prediction_id}/report.json")
        if raw is None:
            raise ScorerDiedError("the scoring ended well, but left no report")
        crash_point("prediction.file.scored")
        return ScoringReport.model_validate_json(raw)

    async def _has_ended(self, prediction_id: UUID) -> bool:
        async with self.bus.transaction() as session:
            row = await session.get_one(PredictionRow, prediction_id)
            return row.state in ENDED

    async def _record_result(self, session: AsyncSession, batch: BatchRow, report: ScoringReport | None) -> None:
        """Record the result and enqueue its event, unless the prediction was cancelled."""
        batch.waiting = False
        row = await session.get_one(PredictionRow, batch.prediction_id, with_for_update=True)
        if report is None or row.state in ENDED:
            return
        if report.result is None:
            retention = batch.retention(self.retention)
            await fail(session, row, report.reason or "no reason was given", retention, report.errors)
            return
        assert row.model is not None, "files are submitted for a model"
        assert row.version is not None, "files are submitted for a version"
        now = datetime.now(UTC)
        row.state, row.ended_at = "completed", now
        row.rows, batch.unanswered, batch.warnings = report.rows, report.unanswered, report.warnings
        row.result, row.result_format = report.result.model_dump(mode="json"), "parquet"
        row.expires_at = now + batch.retention(self.retention)
        event = PredictionCompleted(
            prediction_id=row.prediction_id,
            model=row.model,
            version=row.version,
            rows=report.rows,
            result=report.result,
            result_format="parquet",
            expires_at=row.expires_at,
        )
        await enqueue(session, event, source=SERVICE, cause=_cause(row), traceparent=row.traceparent)
        job = ArtifactRef.model_validate(batch.job)
        await log_answers(session, self.artifacts, job, report, source=SERVICE, cause=_cause(row))
        wake_after_commit(session, WebhookRow)

    async def _give_up(self, session: AsyncSession, batch: BatchRow, error: Exception) -> None:
        batch.waiting = False
        row = await session.get_one(PredictionRow, batch.prediction_id, with_for_update=True)
        if row.state not in ENDED:
            why = str(error) if isinstance(error, ScorerDiedError) else repr(error)
            what = f"scoring failed {batch.failures} times, which need not be the file's fault: {why}"
            await fail(session, row, what, batch.retention(self.retention))


async def cancel(
    session: AsyncSession, prediction_id: UUID, retention: timedelta, *, why: str = "cancelled over REST"
) -> bool:
    """Cancel a file that waits or runs; False where there is none. Its runner polls for that, and stops the scorer."""
    row = await session.get(PredictionRow, prediction_id, with_for_update=True)
    if row is None or row.state not in ("queued", "running"):
        return False
    batch = await session.get_one(BatchRow, prediction_id)
    await fail(session, row, why, batch.retention(retention), outcome="cancelled")
    return True


async def fail(
    session: AsyncSession,
    row: PredictionRow,
    reason: str,
    retention: timedelta,
    errors: Sequence[RowFault] = (),
    *,
    outcome: Literal["failed", "cancelled"] = "failed",
) -> None:
    """Record a prediction as failed or cancelled, and enqueue its event."""
    assert row.model is not None, "files are submitted for a model"
    row.state, row.reason = outcome, reason[:2000]
    row.ended_at = datetime.now(UTC)
    row.expires_at = row.ended_at + retention
    row.errors = [error.model_dump(mode="json") for error in errors]
    event = PredictionFailed(
        prediction_id=row.prediction_id, model=row.model, reason=row.reason, errors=list(errors), outcome=outcome
    )
    await enqueue(session, event, source=SERVICE, cause=_cause(row), traceparent=row.traceparent)
    wake_after_commit(session, WebhookRow)


def _cause(row: PredictionRow) -> str:
    """Return the causation id of a file's events: no event precedes them."""
    return f"batch/{row.prediction_id}"


async def _cancel_task(running: asyncio.Task[None]) -> None:
    running.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await running
