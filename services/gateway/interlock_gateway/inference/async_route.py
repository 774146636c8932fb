"""Asynchronous predictions: validated, published, and accepted once the broker has confirmed them."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import getrandbits
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

import msgspec
from interlock_artifacts import ArtifactStore
from interlock_contracts import telemetry
from interlock_contracts.event import NAMESPACE
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys
from interlock_contracts.prediction_bodies import (
    DatasetPredictionRequest,
    PredictionAccepted,
    PredictionLinks,
    PredictionView,
    RowsPredictionRequest,
)
from interlock_contracts.predictions import INLINE_BYTES, PredictionRequested, Webhook
from interlock_contracts.scoring import OnError
from interlock_contracts.stages import PRODUCTION
from interlock_messaging import Bus
from interlock_messaging.crash_points import crash_point
from interlock_modeling import InvalidRowsError
from interlock_runtime.clients import PredictionClient, RegistryClient
from interlock_runtime.http import SCOPE
from interlock_runtime.openapi import BODY
from interlock_runtime.problems import problem
from interlock_serving.manager import ModelManager
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import ValidationError

from interlock_gateway.inference.body import check_size, decoded
from interlock_gateway.inference.resolve import invalid_rows_problem, promoted_model
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.trace_sampling import TraceSampler
from interlock_gateway.proxy.upstreams import Proxies, ProxyResponse, Upstreams

_tracer = trace.get_tracer("interlock.gateway")
_propagator = TraceContextTextMapPropagator()
_FILES = ("text/csv", "application/vnd.apache.parquet", "application/x-ndjson")
"""Media types of files, which are forwarded to `prediction`."""

_JSON = 'send {"rows": [{column: value, …}, …]} or {"dataset": digest}, with webhook and ttl_seconds if you like'


_decoder = msgspec.json.Decoder(dict[str, Any])


@post(
    "/models/{name:str}/predictions",
    status_code=202,
    tags=["gateway"],
    opt={
        SCOPE: "predict",
        BODY: {"application/json": (RowsPredictionRequest, DatasetPredictionRequest), **dict.fromkeys(_FILES, bytes)},
    },
)
async def submit_prediction(
    name: FromPath[str],
    *,
    request: Request[Any, Any, Any],
    manager: NamedDependency[ModelManager[BatchedModel]],
    upstreams: NamedDependency[Upstreams],
    proxies: NamedDependency[Proxies],
    bus: NamedDependency[Bus],
    artifacts: NamedDependency[ArtifactStore],
    sampler: NamedDependency[TraceSampler],
    on_error: FromQuery[OnError] = "fail",
    log_share: Annotated[float, QueryParameter(name="log", ge=0, le=1)] = 0,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
) -> Response[PredictionAccepted]:
    """Accept a prediction; its result is at ``Location``, sent to a webhook, and published in ``prediction.completed``.

    A repeat with the same ``Idempotency-Key`` is answered with the same prediction. 404 for a model that nobody knows,
    422 for rows that do not fit it or a key used for another body, 503 when the bus is down or too many wait.

    A CSV, Parquet or JSON Lines file as the body, or ``{"dataset": digest}``, is answered as a whole and kept as
    Parquet at ``/predictions/{id}/result``; ``?on_error=null`` leaves rows that do not fit without an answer, and
    ``?log=0.1`` has that share of the rows in the prediction log. A dataset may have ``webhook`` and ``ttl_seconds`` as
    rows do. Only production answers so: 409 of a gateway that follows another stage.
    """
    if (stage := upstreams.registry.stage) != PRODUCTION:
        detail = f"this gateway follows {stage}; asynchronous predictions and whole files are answered by {PRODUCTION}"
        raise problem(409, "Only production answers later", f"{detail}, so send them to a gateway that follows it")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FILES:
        return ProxyResponse(proxies.prediction)
    body = await request.body()
    wanted = _wanted(body)
    if isinstance(wanted, DatasetPredictionRequest):
        return ProxyResponse(proxies.prediction, body)
    _refuse_options_of_files(on_error, log_share)
    digest = hashlib.sha256(body).hexdigest()
    await _check(name, wanted.rows, manager, upstreams.registry)
    prediction_id = uuid5(NAMESPACE, f"prediction|{name}|{idempotency_key}") if idempotency_key else uuid4()
    if idempotency_key is not None:
        found = await _earlier_request(upstreams.prediction, prediction_id, request.headers["authorization"])
        if found is not None:
            return _accepted(_repeated(found, digest))
    event = await _event(prediction_id, name, digest, wanted, artifacts)
    with _traced(sampler, request.headers, name):
        crash_point("gateway.prediction.accepted")
        await bus.publish(event, cause=str(uuid5(NAMESPACE, f"{prediction_id}|{digest}")))
        crash_point("gateway.prediction.published")
    return _accepted(PredictionAccepted(id=prediction_id, links=PredictionLinks.of(prediction_id)))


def _wanted(body: bytes) -> RowsPredictionRequest | DatasetPredictionRequest:
    """Return what is asked for; what would be ignored is refused."""
    given = decoded(_decoder, body, _JSON)
    refuse_repeated_keys(body, keys_in(given))
    if given.get("dataset") is None:
        given.pop("dataset", None)
        rows = given.setdefault("rows", [])
        kind: type[RowsPredictionRequest | DatasetPredictionRequest] = RowsPredictionRequest
        if isinstance(rows, list):
            check_size(rows)
    elif given.pop("rows", None):
        raise problem(422, "Not a prediction request", "rows: a dataset is answered as a whole; send one of the two")
    else:
        kind = DatasetPredictionRequest
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise _unfit(error) from error


def _refuse_options_of_files(on_error: OnError, log_share: float) -> None:
    """Refuse with rows what would be ignored, but for the defaults, which a generated client says."""
    if on_error != "fail":
        detail = "on_error: is for whole files; of rows, each must fit. Leave it out, or send a file or a dataset"
        raise problem(422, "Not a prediction request", detail)
    if log_share:
        detail = "log: is for whole files; rows are logged as the gateway samples. Leave it out, or send a file"
        raise problem(422, "Not a prediction request", detail)


def _unfit(error: ValidationError) -> Exception:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem(422, "Not a prediction request", f"{where}: {first['msg']}; {_JSON}")


@contextmanager
def _traced(sampler: TraceSampler, headers: Mapping[str, str], name: str) -> Iterator[None]:
    """Record this request if the sampler decides so; else mark the trace as not sampled for all services behind."""
    if sampler.wants(headers.get("traceparent", "").encode() or None):
        parent = _propagator.extract(dict(headers))
        method, _, route = telemetry.SPAN_PREDICT_ASYNC.partition(" ")
        attributes = {telemetry.MODEL: name, telemetry.METHOD: method, telemetry.ROUTE: route}
        with _tracer.start_as_current_span(
            telemetry.SPAN_PREDICT_ASYNC, context=parent, kind=SpanKind.SERVER, attributes=attributes
        ):
            yield
        return
    unsampled = SpanContext(getrandbits(128) or 1, getrandbits(64) or 1, is_remote=False)
    with use_span(NonRecordingSpan(unsampled)):
        yield


async def _check(name: str, rows: list[Any], manager: ModelManager[BatchedModel], registry: RegistryClient) -> None:
    """Refuse what can be known to be wrong now; what is not loaded here is checked when it is answered."""
    champion = manager.champion(name)
    if champion is None:
        await promoted_model(name, registry)
        return
    try:
        champion.model.encoder.encode_rows(champion.model.signature, rows)
    except InvalidRowsError as error:
        raise invalid_rows_problem(error) from error


async def _earlier_request(
    prediction: PredictionClient, prediction_id: UUID, authorization: str
) -> PredictionView | None:
    """Return the prediction of this idempotency key; None where there is none, or `prediction` is down.

    In an outage the request is published all the same, and `prediction` keeps the first of two that share a key.
    """
    try:
        return await prediction.prediction(prediction_id, authorization)
    except ConnectionError:
        return None


def _repeated(found: PredictionView, digest: str) -> PredictionAccepted:
    if found.request_sha256 not in (None, digest):
        detail = f"prediction {found.id} has this Idempotency-Key and was asked with another body; take a new key"
        raise problem(422, "The key belongs to another request", detail)
    return PredictionAccepted(id=found.id, state=found.state, links=found.links)


async def _event(
    prediction_id: UUID, name: str, digest: str, wanted: RowsPredictionRequest, artifacts: ArtifactStore
) -> PredictionRequested:
    about: dict[str, Any] = {"prediction_id": prediction_id, "model": name, "request_sha256": digest}
    encoded = msgspec.json.encode({"rows": wanted.rows})
    if len(encoded) > INLINE_BYTES:
        about["input"] = await asyncio.to_thread(artifacts.put, encoded)
    else:
        about["rows"] = wanted.rows
    try:
        if wanted.webhook is not None:
            about["webhook"] = Webhook(url=wanted.webhook.url)
        return PredictionRequested(**about, ttl_seconds=wanted.ttl_seconds)
    except ValidationError as error:
        raise _unfit(error) from error


def _accepted(accepted: PredictionAccepted) -> Response[PredictionAccepted]:
    return Response(accepted, status_code=202, headers={"Location": accepted.links.self, "Retry-After": "1"})
