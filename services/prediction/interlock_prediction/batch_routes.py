"""Routes of batch scoring: submit a file, list predictions, download a result."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, BinaryIO, Literal
from uuid import uuid4

from interlock_artifacts import ArtifactStore
from interlock_contracts import telemetry
from interlock_contracts.data import Data
from interlock_contracts.filters import PREDICTION_STATES, chosen
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys
from interlock_contracts.prediction_bodies import DatasetPredictionRequest, PredictionView
from interlock_contracts.predictions import prediction_id
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import OnError, ScoringJob
from interlock_messaging import Bus
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.openapi import BODY
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import Before, parsed_query, require_zone
from interlock_runtime.short_ids import IdOrBeginning, whole_id
from interlock_runtime.tracing import request_span
from interlock_runtime.uploads import refuse_wrapped, save
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.response import Stream
from pydantic import ValidationError

from interlock_prediction.batch import store as batch_store
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.batch.submission import (
    BatchSubmitter,
    Delivery,
    ModelNotAvailableError,
    ScoringContext,
    ScoringOptions,
)
from interlock_prediction.batch.subsystem import BatchSubsystem
from interlock_prediction.batch.views import with_batch_fields
from interlock_prediction.routes import view
from interlock_prediction.store import PredictionRow, WebhookRow

_PARQUET = "application/vnd.apache.parquet"
FORMATS: dict[str, Literal["csv", "parquet", "jsonl"]] = {
    "text/csv": "csv",
    _PARQUET: "parquet",
    "application/x-ndjson": "jsonl",
}
LISTED = 100
_JSON = "application/json"
_JSON_BYTES = 64 * 1024
_JSON_FORM = '{"dataset": "<digest>"}, with webhook and ttl_seconds if you like; rows go to the gateway'
_READ_BYTES = 1 << 20


@post(
    "/models/{name:str}/predictions",
    status_code=202,
    request_max_body_size=None,
    opt={SCOPE: "predict", BODY: {_JSON: DatasetPredictionRequest, **dict.fromkeys(FORMATS, bytes)}},
)
async def predict_file(
    name: FromPath[str],
    *,
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    artifacts: NamedDependency[ArtifactStore],
    subsystem: NamedDependency[BatchSubsystem],
    on_error: FromQuery[OnError] = "fail",
    log: Annotated[float, QueryParameter(ge=0, le=1)] = 0,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
) -> Response[PredictionView]:
    """Submit a file for batch scoring: the request body itself, or a dataset named by ``{"dataset": digest}``.

    It is scored with the version promoted now, and parsed as that version's spec declares; a dataset as the spec under
    which it was checked. The share ``log`` of its rows is in the prediction log. A repeat with the same
    ``Idempotency-Key`` is the same prediction; 409 where it wants something else.
    """
    refuse_wrapped(request)
    submitter = subsystem.submitter
    identifier = uuid4() if idempotency_key is None else prediction_id(name, idempotency_key)
    with request_span(telemetry.SPAN_PREDICT_ASYNC, request, {telemetry.MODEL: name}, status=202):
        context, delivery = await _context(name, submitter), Delivery()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == _JSON:
            wanted = _dataset_request(await _json_body(request))
            (file, data), delivery = await _stored(name, wanted.dataset, submitter), Delivery.of(wanted)
        else:
            file, data = await _upload(request, kind, artifacts, subsystem, context)
        async with bus.transaction() as session:
            options, scoring = ScoringOptions(on_error, log), replace(context, data=data)
            await submitter.submit(session, identifier, file, scoring, options=options, delivery=delivery)
            row, hook = await session.get_one(PredictionRow, identifier), await session.get(WebhookRow, identifier)
            batch = await session.get(BatchRow, identifier)
    kept = Delivery(hook.url if hook else None, batch.ttl_seconds if batch else None)
    asked = (file.sha256, delivery, options)
    if (row.request_sha256, kept, await _options(artifacts, batch) or options) != asked:
        detail = (
            f"prediction {identifier} has this Idempotency-Key and another file, webhook, ttl_seconds, on_error or log"
        )
        raise problem(409, "Idempotency-Key reused", detail)
    return Response(view(row, hook), status_code=202, headers={"Location": f"/predictions/{identifier}"})


async def _options(artifacts: ArtifactStore, batch: BatchRow | None) -> ScoringOptions | None:
    """Return the options of a file's job; None once its result has expired, or where there is no file."""
    if batch is None or batch.job is None:
        return None
    stored = await asyncio.to_thread(artifacts.fetch, ArtifactRef.model_validate(batch.job))
    job = ScoringJob.model_validate_json(stored)
    return ScoringOptions(job.on_error, job.log)


async def _context(name: str, submitter: BatchSubmitter) -> ScoringContext:
    try:
        return await submitter.scoring_context(name)
    except ModelNotAvailableError as error:
        raise _not_available(error) from error


def _not_available(error: ModelNotAvailableError) -> Exception:
    if error.missing is not None:
        return problem(error.missing.status, error.missing.title, str(error))
    return problem(409, "No version serves", str(error))


async def _upload(
    request: Request[Any, Any, Any],
    kind: str,
    artifacts: ArtifactStore,
    subsystem: BatchSubsystem,
    context: ScoringContext,
) -> tuple[ArtifactRef, Data]:
    """Store the file that is the body; return it, and its format."""
    if kind not in FORMATS:
        raise problem(415, "Unsupported file type", f"Content-Type must be one of {', '.join((*FORMATS, _JSON))}")
    with TemporaryDirectory(dir=subsystem.folder) as folder:
        path = Path(folder) / "upload"
        await save(request.stream(), path, subsystem.upload_bytes)
        file = await asyncio.to_thread(artifacts.put_file, path)
    if not file.bytes:
        raise problem(422, "The file is empty", "the body must be the file: curl --data-binary @FILE")
    return file, context.data.model_copy(update={"format": FORMATS[kind]})


async def _json_body(request: Request[Any, Any, Any]) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _JSON_BYTES:
            raise problem(413, "JSON body too large", f"the body is {_JSON_FORM}")
    return body


def _dataset_request(body: bytes) -> DatasetPredictionRequest:
    """Return what ``body`` asks for.

    Raises:
        ProblemDetailsException: 400 where it is not JSON, 422 with each field that is wrong: nothing is ignored.
        RepeatedKeyError: a key is there twice.
    """
    try:
        wanted = DatasetPredictionRequest.model_validate_json(body)
    except ValidationError as error:
        faults = [
            {"field": ".".join(map(str, fault["loc"])), "message": fault["msg"]}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        if not faults[0]["field"]:
            raise problem(400, "Malformed request", f"{faults[0]['message']}; the body is {_JSON_FORM}") from error
        told = f"{faults[0]['field']}: {faults[0]['message']}; the body is {_JSON_FORM}"
        raise problem(422, "Not a prediction request", told, errors=faults) from error
    refuse_repeated_keys(body, keys_in(wanted))
    return wanted


async def _stored(name: str, digest: str, submitter: BatchSubmitter) -> tuple[ArtifactRef, Data]:
    dataset = await submitter.ingest.dataset(name, digest)
    if dataset is None:
        detail = f"pipeline {name!r} has no file with digest {digest!r}, or it was deleted"
        raise problem(404, "Unknown dataset", detail)
    try:
        return dataset.file, await submitter.declared(dataset)
    except ModelNotAvailableError as error:
        raise _not_available(error) from error


@get("/predictions", opt={SCOPE: "predict"})
async def list_predictions(
    database: NamedDependency[Database],
    *,
    model: FromQuery[str | None] = None,
    states: Annotated[
        str | None,
        QueryParameter(name="state", max_length=200, description="One state, or several separated by commas."),
    ] = None,
    since: Annotated[datetime | None, QueryParameter(description="Only those requested then or later.")] = None,
    before: Before = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = LISTED,
) -> list[PredictionView]:
    """List the newest predictions, of one model or of all, without their answers.

    ``before`` is the ``requested_at`` of the last of a page. Predictions that were requested in one moment are never on
    two pages, so a page may be longer than ``limit``.
    """
    require_zone(since=since, before=before)
    wanted = parsed_query("state", states, lambda text: chosen(text, PREDICTION_STATES))
    async with database.sessions() as session:
        found = await batch_store.newest(session, model, wanted, limit, since=since, before=before)
        return [with_batch_fields(view(row), row, batch).model_copy(update={"answer": None}) for row, batch in found]


@get("/predictions/{prediction_id:str}/result", media_type=_PARQUET, opt={SCOPE: "predict"})
async def read_result(
    prediction_id: IdOrBeginning,
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
    subsystem: NamedDependency[BatchSubsystem],
) -> Stream:
    """Stream a file's result as Parquet; 409 while there is none, 410 once it has expired."""
    whole = await whole_id(database, PredictionRow.prediction_id, prediction_id, "prediction")
    async with database.sessions() as session:
        row = await session.get(PredictionRow, whole)
    if row is None:
        raise problem(404, "Unknown prediction", f"there is no prediction {whole}")
    if row.state == "expired":
        raise problem(410, "Result expired", "results are kept for a limited time; submit the file again")
    if row.result is None or row.result_format != "parquet":
        raise problem(409, "No result file", f"the prediction is {row.state}; only completed files have one")
    ref = ArtifactRef.model_validate(row.result)
    folder = TemporaryDirectory(dir=subsystem.folder)
    path = Path(folder.name) / "result.parquet"
    try:
        await asyncio.to_thread(artifacts.fetch_file, ref, path)
        file = path.open("rb")  # an open file stays readable after its name is removed
    finally:
        folder.cleanup()
    headers = {
        "Content-Length": str(ref.bytes),
        "Content-Disposition": f'attachment; filename="{whole}.parquet"',
        "ETag": f'"{ref.sha256}"',
    }
    return Stream(_blocks(file), media_type=_PARQUET, headers=headers)


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while block := await asyncio.to_thread(file.read, _READ_BYTES):
            yield block


ROUTES = [predict_file, list_predictions, read_result]
