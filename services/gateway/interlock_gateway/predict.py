"""The hot path: from the bytes of a request to predictions, past the framework's comforts."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec
from interlock_modeling import InvalidRowsError
from interlock_runtime.http import problem
from litestar import Litestar, asgi
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.openapi import spec
from litestar.status_codes import HTTP_404_NOT_FOUND
from litestar.types import HTTPScope, Receive, Scope, Send

from interlock_gateway.domain import MAX_ROWS, PredictAnswer, PredictRequest, answer
from interlock_gateway.proxy import Upstream
from interlock_gateway.slot import Serving
from interlock_gateway.worker import Worker

BODY_LIMIT = 10 * 1024 * 1024
"""Largest body, in bytes."""

INLINE_ROWS = 16
"""Up to so many rows are answered in the event loop: handing them to a thread costs more than they do."""

_decoder = msgspec.json.Decoder(PredictRequest)
_encoder = msgspec.json.Encoder()
_JSON = [(b"content-type", b"application/json")]


def predict_route(worker: Worker, registry: Upstream) -> ASGIRouteHandler:
    """Return the route ``POST /models/{name}/predict``; ``registry`` explains a model that does not serve."""

    @asgi("/models/{name:str}/predict", copy_scope=False)
    async def predict(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            raise MethodNotAllowedException(headers={"Allow": "POST"})
        name: str = scope["path_params"]["name"]
        rows = _rows(await _body(scope, receive))
        serving = worker.serving(name)
        if serving is None:
            raise await _not_serving(name, registry)
        body = await _answered(name, serving, rows)
        await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, _length(body)]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return predict


async def _answered(name: str, serving: Serving, rows: list[Any]) -> bytes:
    """Return the answer's JSON; version and model are of one ``Serving``."""

    def compute() -> bytes:
        predictions = serving.model.predict_rows(rows)
        return _encoder.encode(answer(name, serving.version, serving.model.signature.labels, predictions))

    try:
        return compute() if len(rows) <= INLINE_ROWS else await asyncio.to_thread(compute)
    except InvalidRowsError as error:
        first = error.errors[0]
        where = f"row {first.row}, column {first.column!r}" if first.column else f"row {first.row}"
        more = f" (and {len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
        faults = [{"row": fault.row, "column": fault.column, "message": fault.message} for fault in error.errors]
        raise problem(422, "The rows do not fit the model", f"{where}: {first.message}{more}", errors=faults) from error


def _rows(body: bytes) -> list[Any]:
    try:
        rows = _decoder.decode(body).rows
    except msgspec.ValidationError as error:
        raise problem(
            422, "Not a prediction request", f'{error}; send {{"rows": [{{column: value, …}}, …]}}'
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise problem(400, "The body is not JSON", str(error)) from error
    if not rows:
        raise problem(422, "Nothing to predict", "rows is empty; send at least one")
    if len(rows) > MAX_ROWS:
        raise problem(422, "Too many rows", f"{len(rows)} rows are too many; send at most {MAX_ROWS} in one request")
    return rows


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


async def _not_serving(name: str, registry: Upstream) -> Exception:
    """Return why there is nothing to ask, told by who knows all models; off the hot path."""
    try:
        model = await registry.get(f"/models/{quote(name, safe='')}")
    except ConnectionError:
        detail = f"no version of {name!r} is loaded here, and the registry, which knows all models, is down"
        return problem(503, "Unknown model", detail, headers={"Retry-After": "2"})
    if model.status_code == HTTP_404_NOT_FOUND:
        return problem(404, "Unknown model", f"no pipeline is called {name!r}; apply one first")
    if model.is_success and model.json()["serving"] is not None:
        detail = f"{name!r} has a promoted version, which is not loaded here yet"
        return problem(503, "Not loaded yet", detail, headers={"Retry-After": "1"})
    detail = f"no version of {name!r} is promoted yet; GET /models/{name}/versions tells how far they are"
    return problem(404, "No version serves", detail)


def describe(app: Litestar) -> None:
    """Add the route to the OpenAPI document, which Litestar makes from its own kind of handlers only."""
    body, answered = (_schema(kind) for kind in (PredictRequest, PredictAnswer))
    problems = {"400": "Not JSON", "404": "Unknown model", "413": "Too large", "422": "Rows that do not fit the model"}
    responses: dict[str, spec.OpenAPIResponse | spec.Reference] = {
        "200": spec.OpenAPIResponse("Predictions", content={"application/json": spec.OpenAPIMediaType(answered)}),
        **{status: spec.OpenAPIResponse(text) for status, text in problems.items()},
    }
    name = spec.Parameter("name", "path", schema=spec.Schema(type=spec.OpenAPIType.STRING), required=True)
    operation = spec.Operation(
        tags=["gateway"],
        summary="Predict",
        operation_id="Predict",
        parameters=[name],
        request_body=spec.RequestBody({"application/json": spec.OpenAPIMediaType(body)}, required=True),
        responses=responses,
    )
    paths = app.openapi_schema.paths
    assert paths is not None
    paths["/models/{name}/predict"] = spec.PathItem(post=operation)


@dataclass
class _JsonSchema(spec.Schema):
    """A schema that is there already."""

    json: dict[str, Any] = field(default_factory=dict)

    def to_schema(self) -> dict[str, Any]:
        return self.json


def _schema(kind: type[msgspec.Struct]) -> _JsonSchema:
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template="{name}")
    inlined: dict[str, Any] = _inlined(schema, definitions)
    return _JsonSchema(json=inlined)


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_inlined(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(definitions[part["$ref"]], definitions)
    return {name: _inlined(each, definitions) for name, each in part.items()}
