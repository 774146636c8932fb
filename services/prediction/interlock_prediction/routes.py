"""Routes of predictions: state, result, server-sent events, cancellation, webhook secret."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from interlock_artifacts import ArtifactStore
from interlock_contracts.event import trace_id_of
from interlock_contracts.prediction_bodies import PredictionLinks, PredictionView, WebhookSecret, WebhookView
from interlock_contracts.predictions import RowFault
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.short_ids import IdOrBeginning, whole_id
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import ServerSentEvent

from interlock_prediction import store
from interlock_prediction.batch.runner import cancel
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.batch.subsystem import BatchSubsystem
from interlock_prediction.batch.views import read_progress, with_batch_fields
from interlock_prediction.domain import ENDED, origin
from interlock_prediction.store import PredictionRow, WebhookRow
from interlock_prediction.streams import Streams
from interlock_prediction.webhooks import WebhookSender

CANCELLATION_RETENTION = timedelta(days=1)
"""How long a cancellation ahead of its request is kept; a request that arrives later is answered."""


@get("/predictions/{prediction_id:str}", opt={SCOPE: "predict"})
async def read_prediction(
    prediction_id: IdOrBeginning,
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
) -> Response[PredictionView]:
    """Return one prediction; 404 with Retry-After for one that is accepted but not consumed yet.

    410 where the result has expired.
    """
    whole = await whole_id(database, PredictionRow.prediction_id, prediction_id, "prediction")
    async with database.sessions() as session:
        row = _require(await session.get(PredictionRow, whole), whole)
        hook = await session.get(WebhookRow, whole)
        batch = await session.get(BatchRow, whole)
    if row.state == "expired":
        raise problem(410, "Expired", f"the result of {whole} was kept until {row.expires_at}, as requested")
    seen = with_batch_fields(view(row, hook), row, batch)
    if batch is not None:
        seen.progress = await read_progress(artifacts, row)
    if row.result is not None and row.result_format == "json":
        ref = ArtifactRef.model_validate(row.result)
        seen.answer = msgspec.json.decode(await asyncio.to_thread(artifacts.fetch, ref))
    return Response(seen, headers={} if row.state in ENDED else {"Retry-After": "1"})


@get("/predictions/{prediction_id:str}/events", media_type="text/event-stream", opt={SCOPE: "predict"})
async def stream_prediction(
    prediction_id: IdOrBeginning,
    streams: NamedDependency[Streams],
    database: NamedDependency[Database],
    last: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=100)] = None,
) -> ServerSentEvent:
    """Stream each state of a prediction, existing yet or not, until a final one; with a heartbeat every few seconds."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    whole = await whole_id(database, PredictionRow.prediction_id, prediction_id, "prediction")
    return ServerSentEvent(streams.states(whole, last), headers=headers)


@post("/predictions/{prediction_id:uuid}/cancel", status_code=200, opt={SCOPE: "predict"})
async def cancel_prediction(
    prediction_id: FromPath[UUID], bus: NamedDependency[Bus], subsystem: NamedDependency[BatchSubsystem]
) -> PredictionView:
    """Cancel a prediction, also one whose request is not consumed yet; 409 once it has ended.

    Idempotent.
    """
    async with bus.transaction() as session:
        until = datetime.now(UTC) + CANCELLATION_RETENTION
        cancelled = await cancel(session, prediction_id, subsystem.runner.retention) or await store.cancel(
            session, prediction_id, until
        )
        row = await session.get_one(PredictionRow, prediction_id)
        if not cancelled and row.state != "cancelled":
            raise problem(409, "Already ended", f"prediction {prediction_id} is {row.state}")
        return view(row)


@get("/webhooks/secret", opt={SCOPE: "admin"})
async def read_webhook_secret(
    url: Annotated[str, QueryParameter(description="A webhook's address.")], webhooks: NamedDependency[WebhookSender]
) -> WebhookSecret:
    """Return the secret that signs webhooks to the origin of ``url``, for its receiver."""
    try:
        return WebhookSecret(origin=origin(url), secret=webhooks.secret(url))
    except ValueError as error:
        raise problem(400, "Invalid webhook URL", str(error)) from error


def _require(row: PredictionRow | None, prediction_id: UUID) -> PredictionRow:
    if row is None:
        detail = f"no prediction {prediction_id} is known yet; one just accepted takes a moment to be answered"
        raise problem(404, "Unknown prediction", detail, headers={"Retry-After": "1"})
    return row


def view(row: PredictionRow, hook: WebhookRow | None = None) -> PredictionView:
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
        trace_id=trace_id_of(row.traceparent),
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


ROUTES = [read_prediction, stream_prediction, cancel_prediction, read_webhook_secret]
