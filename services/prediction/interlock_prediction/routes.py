"""Predictions over HTTP: state and result, and how they turned out."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from interlock_contracts.http import PredictionLinks, PredictionView, WebhookSecret, WebhookView
from interlock_contracts.predictions import RowFault
from interlock_contracts.quality import QualityView
from interlock_contracts.refs import ArtifactRef
from interlock_runtime.http import SCOPE, problem
from litestar import Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, HeaderParameter
from litestar.response import ServerSentEvent

from interlock_prediction import prediction_log, store
from interlock_prediction.batch.running import cancel
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.batch.viewing import described, progress_of
from interlock_prediction.domain import ENDED, origin, webhook_secret
from interlock_prediction.quality import MEASURED, by_version, span_of
from interlock_prediction.store import PredictionRow, WebhookRow

CANCELLED_KEPT = timedelta(days=1)
"""How long a cancellation is remembered; a request that comes later than that is answered."""


@get("/predictions/{prediction_id:uuid}", opt={SCOPE: "predict"})
async def read_prediction(prediction_id: FromPath[UUID], state: State) -> Response[PredictionView]:
    """Return one prediction; 404 with Retry-After for one that is accepted but has not come through the bus yet.

    410 where the result's time is over.
    """
    async with state.database.sessions() as session:
        row = _known(await session.get(PredictionRow, prediction_id), prediction_id)
        hook = await session.get(WebhookRow, prediction_id)
        batch = await session.get(BatchRow, prediction_id)
    if row.state == "expired":
        raise problem(410, "Expired", f"the result of {prediction_id} was kept until {row.expires_at}, as was asked")
    seen = described(view(row, hook), row, batch)
    if batch is not None:
        seen.progress = await progress_of(state.artifacts, row)
    if row.result is not None and row.result_format == "json":
        ref = ArtifactRef.model_validate(row.result)
        seen.answer = msgspec.json.decode(await asyncio.to_thread(state.artifacts.fetch, ref))
    return Response(seen, headers={} if row.state in ENDED else {"Retry-After": "1"})


@get("/predictions/{prediction_id:uuid}/events", opt={SCOPE: "predict"})
async def hear_prediction(
    prediction_id: FromPath[UUID],
    state: State,
    last: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=100)] = None,
) -> ServerSentEvent:
    """Send each state that a prediction comes to, known yet or not, until its end; a comment every few seconds."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return ServerSentEvent(state.streams.states(prediction_id, last), headers=headers)


@post("/predictions/{prediction_id:uuid}/cancel", status_code=200, opt={SCOPE: "predict"})
async def cancel_prediction(prediction_id: FromPath[UUID], state: State) -> PredictionView:
    """Stop a prediction before it is answered, also one whose request is still on its way; 409 once it has ended.

    Cancelling it again changes nothing.
    """
    async with state.bus.transaction() as session:
        until = datetime.now(UTC) + CANCELLED_KEPT
        cancelled = await cancel(session, prediction_id, state.keep) or await store.cancel(
            session, prediction_id, until
        )
        row = await session.get_one(PredictionRow, prediction_id)
        if not cancelled and row.state != "cancelled":
            raise problem(409, "Too late", f"prediction {prediction_id} is {row.state}")
        return view(row)


@get("/webhooks/secret", opt={SCOPE: "admin"})
async def read_webhook_secret(url: FromQuery[str], state: State) -> WebhookSecret:
    """Return what signs the webhooks to the origin of ``url``, for its receiver to verify them with."""
    try:
        return WebhookSecret(origin=origin(url), secret=webhook_secret(state.webhook_master, url))
    except ValueError as error:
        raise problem(400, "Not a webhook", str(error)) from error


def _known(row: PredictionRow | None, prediction_id: UUID) -> PredictionRow:
    if row is None:
        detail = f"no prediction {prediction_id} is known yet; one just accepted takes a moment to be answered"
        raise problem(404, "Unknown prediction", detail, headers={"Retry-After": "1"})
    return row


def view(row: PredictionRow, hook: WebhookRow | None = None) -> PredictionView:
    """Return what clients see of a prediction, and of how it is told."""
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
        webhook=_webhook(hook) if hook is not None else None,
        trace_id=row.traceparent.split("-")[1] if row.traceparent else None,
        links=PredictionLinks.of(row.prediction_id),
    )


def _webhook(hook: WebhookRow) -> WebhookView:
    return WebhookView(
        url=hook.url,
        state=hook.state,
        attempts=hook.attempts,
        status=hook.status,
        error=hook.error,
        delivered_at=hook.delivered_at,
    )


@get("/models/{name:str}/quality", opt={SCOPE: "read"})
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


ROUTES = [read_quality, read_prediction, hear_prediction, cancel_prediction, read_webhook_secret]
