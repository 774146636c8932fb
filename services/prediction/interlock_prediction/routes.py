"""Predictions over HTTP: state and result, and how they turned out."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from interlock_contracts.http import PredictionLinks, PredictionView
from interlock_contracts.predictions import RowFault
from interlock_contracts.quality import QualityView
from interlock_runtime.http import problem
from litestar import get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from interlock_prediction import prediction_log
from interlock_prediction.quality import MEASURED, by_version, span_of
from interlock_prediction.store import PredictionRow


@get("/predictions/{prediction_id:uuid}")
async def read_prediction(prediction_id: FromPath[UUID], state: State) -> PredictionView:
    """Return one prediction; 404 with Retry-After for one that is accepted but has not come through the bus yet."""
    async with state.database.sessions() as session:
        return view(_known(await session.get(PredictionRow, prediction_id), prediction_id))


def _known(row: PredictionRow | None, prediction_id: UUID) -> PredictionRow:
    if row is None:
        detail = f"no prediction {prediction_id} is known yet; one just accepted takes a moment to be answered"
        raise problem(404, "Unknown prediction", detail, headers={"Retry-After": "1"})
    return row


def view(row: PredictionRow) -> PredictionView:
    """Return what clients see of a prediction."""
    return PredictionView(
        id=row.prediction_id,
        model=row.model,
        state=row.state,
        version=row.version,
        rows=row.rows,
        answer=msgspec.json.decode(row.answer) if row.answer is not None else None,
        reason=row.reason,
        errors=[RowFault.model_validate(fault) for fault in row.errors or []],
        request_sha256=row.request_sha256,
        requested_at=row.requested_at,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        trace_id=row.traceparent.split("-")[1] if row.traceparent else None,
        links=PredictionLinks.of(row.prediction_id),
    )


@get("/models/{name:str}/quality")
async def read_quality(
    name: FromPath[str], state: State, window: FromQuery[str] = "24h", bucket: FromQuery[str | None] = None
) -> QualityView:
    """Return how the predictions of the last ``window`` turned out, by version and by buckets of time."""
    try:
        since, until, step = span_of(window, bucket, now=datetime.now(UTC))
    except ValueError as error:
        raise problem(400, "Not a span of time", str(error)) from error
    async with state.database.sessions() as session:
        labels = await prediction_log.versions(session, name)
        counts = await prediction_log.counts(session, name, since, step)
        joined = await prediction_log.joined(session, name, since, step)
        pairs = await prediction_log.pairs(session, name, since, limit=MEASURED)
        unmatched = await prediction_log.unmatched(session, name, since)
    measured = await asyncio.to_thread(by_version, labels, counts, joined, pairs, since=since, bucket=step)
    return QualityView(
        model=name,
        since=since,
        until=until,
        bucket_seconds=int(step.total_seconds()),
        unmatched=unmatched,
        versions=measured,
    )


ROUTES = [read_quality, read_prediction]
