"""The prediction log of whole files: the scorer has drawn the rows, their events go with the file's result."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from interlock_artifacts import ArtifactStore
from interlock_contracts.event import UNTRACED
from interlock_contracts.predictions import LoggedPrediction
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoredRow, ScoringJob, ScoringReport
from interlock_messaging.outbox import OutboxEntry, enqueue_all
from interlock_modeling import ModelDescription
from interlock_serving.prediction_log import LoggedVersion
from sqlalchemy.ext.asyncio import AsyncSession


async def log_answers(
    session: AsyncSession, artifacts: ArtifactStore, job: ArtifactRef, report: ScoringReport, *, source: str, cause: str
) -> None:
    """Enqueue the sample of a file's answers, in the transaction of its result."""
    if not report.log:
        return
    scored = ScoringJob.model_validate_json(await asyncio.to_thread(artifacts.fetch, job))
    description = ModelDescription.parse(await asyncio.to_thread(artifacts.fetch, scored.model.artifact))
    version = LoggedVersion(
        scored.model.model, scored.model.version, scored.promotion_seq, description.signature, cause, report.log
    )
    now, answered, n = datetime.now(UTC), report.rows - report.unanswered, 0
    for part in range(report.parts):
        lines = await asyncio.to_thread(artifacts.read, scored.logged_key(part))
        entries = [
            OutboxEntry(event, cause, n + place, UNTRACED)
            for place, event in enumerate(
                version.events(_rows(scored, now, lines or b""), answered=0 if part else answered, dropped=0)
            )
        ]
        n += len(entries)
        await enqueue_all(session, entries, source=source)


def _rows(job: ScoringJob, now: datetime, lines: bytes) -> Iterator[LoggedPrediction]:
    for line in lines.splitlines():
        row = ScoredRow.model_validate_json(line)
        yield LoggedPrediction(
            prediction=f"{job.prediction_id}/{row.row}",
            at=now,
            values=row.values,
            answer=row.answer,
            probabilities=row.probabilities,
        )
