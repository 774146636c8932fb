"""The ordinary route of predictions: answers every valid request, and explains why another is refused."""

from typing import Any

import msgspec
from interlock_contracts.http import Problem
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys
from interlock_modeling import InvalidRowsError
from interlock_modeling.answer import PredictAnswer, answer, keys_of
from interlock_modeling.served import Predictions
from interlock_runtime.clients import RegistryClient
from interlock_runtime.http import SCOPE
from interlock_runtime.openapi import BODY
from interlock_runtime.problems import problem
from interlock_serving.manager import ModelManager
from litestar import post
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from interlock_gateway.domain import BODY_LIMIT, PredictRequest, prediction_id
from interlock_gateway.inference.body import check_size, decoded
from interlock_gateway.inference.resolve import CHOSEN, invalid_rows_problem, predictions, resolve_model
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.metrics import Metrics
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.observe.prediction_middleware import report_rows, report_version

_decoder = msgspec.json.Decoder(PredictRequest)
_encoder = msgspec.json.Encoder()
_FORM = 'send {"rows": [{column: value, …}, …]}'
_JSON = [(b"content-type", b"application/json")]


def predict_route(
    manager: ModelManager[BatchedModel], registry: RegistryClient, log: PredictionLog, metrics: Metrics
) -> HTTPRouteHandler:
    """Return the route ``POST /models/{name}/predict``; ``registry`` explains a model that does not serve."""

    async def predict(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == ScopeType.HTTP, "the route lets nothing else in"
        name: str = scope["path_params"]["name"]
        body = await _body(scope, receive)
        rows = decoded(_decoder, body, _FORM).rows
        check_size(rows)
        refuse_repeated_keys(body, 1 + keys_in(rows))
        serving = scope["state"].get(CHOSEN) or await resolve_model(manager, registry, name)
        report_version(scope, serving)
        predicted = await _predicted(serving, rows)
        scores = predicted.scores.tolist()
        signature = serving.model.signature
        response = answer(
            prediction_id(),
            name,
            serving.version,
            signature.labels,
            scores,
            predicted.warnings,
            signature.threshold,
        )
        response.keys = keys_of(signature, rows)
        encoded = _encoder.encode(response)
        await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, _length(encoded)]})
        await send({"type": "http.response.body", "body": encoded, "more_body": False})
        report_rows(scope, len(rows))
        metrics.note(name, serving.version, signature, scores)
        log.record(name, serving, response.id, body, scores, len(body))

    # Litestar's own @asgi would be shorter, but its router knows no path parameters for it (2.25: a KeyError).
    @post(
        "/models/{name:str}/predict",
        status_code=200,
        tags=["gateway"],
        opt={SCOPE: "predict", BODY: {"application/json": PredictRequest}},
        summary="Predict: one answer for each row, in order, and the version that gave them",
        responses={
            200: ResponseSpec(PredictAnswer, description="Predictions", generate_examples=False),
            404: ResponseSpec(Problem, description="No version of this model serves", generate_examples=False),
            422: ResponseSpec(Problem, description="Rows that do not fit the model", generate_examples=False),
        },
    )
    async def predict_rows() -> ASGIApp:
        return predict

    return predict_rows


async def _predicted(serving: BatchedModel, rows: list[Any]) -> Predictions:
    try:
        return await predictions(serving, rows)
    except InvalidRowsError as error:
        raise invalid_rows_problem(error) from error


async def _body(scope: HTTPScope, receive: Receive) -> bytes:
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    parts: list[bytes] = []
    size, more = int(announced) if announced.isdigit() else 0, True
    if size > BODY_LIMIT:
        raise _too_large()
    size = 0
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise problem(400, "The body is incomplete", "the client went away")
        parts.append(message["body"])
        size += len(message["body"])
        if size > BODY_LIMIT:
            raise _too_large()
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> Exception:
    return problem(413, "The body is too large", f"send at most {BODY_LIMIT} bytes in one request")


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
