"""The Open Inference Protocol over HTTP: every route, and errors in its own form."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from interlock_contracts.mlflow import PREFIX as MLFLOW_PREFIX
from interlock_runtime import mlflow_api
from interlock_runtime.http import PUBLIC, SCOPE
from interlock_runtime.openapi import BODY, REFUSAL
from interlock_runtime.problems import as_problem
from interlock_runtime.query_parameters import OPEN_QUERY
from litestar import Request, Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ControllerRouterHandler

from interlock_gateway.domain import BODY_LIMIT
from interlock_gateway.protocols import inference
from interlock_gateway.protocols.inference import IndexEntry, Inference, ModelInfo
from interlock_gateway.protocols.rest_body import HEADER_LENGTH, IndexRequest, InferRequest, only_ready, read, written

PREFIX = "/v2"
TAG = "open inference protocol"
Plain = Request[Any, Any, Any]

_PREDICT = {SCOPE: "predict"}
_PROBE = {PUBLIC: True, OPEN_QUERY: True}


class ServerInfo(msgspec.Struct):
    """Which server this is, and what it knows beyond the protocol's core."""

    name: str
    version: str
    extensions: Sequence[str]


class Live(msgspec.Struct):
    """The process runs."""

    live: bool


class Ready(msgspec.Struct):
    """Whether requests may come."""

    ready: bool


class ModelReady(msgspec.Struct):
    """The model answers."""

    name: str
    ready: bool


class Failed(msgspec.Struct):
    """An error in the protocol's form."""

    error: str


def refused(_: Plain, error: Exception) -> Response[Failed]:
    """Answer an error as the protocol has it: what we call 422 elsewhere is its 400."""
    if isinstance(error, ConnectionError | TimeoutError):
        failed = Failed(f"a dependency is down, try again: {error}")
        return Response(failed, status_code=503, headers={"Retry-After": "2"})
    if not isinstance(error, HTTPException):
        return Response(Failed("internal error; see the gateway's log"), status_code=500)
    status = HTTPStatus.BAD_REQUEST if error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY else error.status_code
    return Response(Failed(error.detail), status_code=status, headers=error.headers)


def no_route(request: Plain, error: HTTPException) -> Response[Any]:
    """Answer what no route takes, in a protocol's form where the path is that protocol's."""
    if request.url.path.startswith(f"{PREFIX}/"):
        return refused(request, error)
    if request.url.path.startswith(f"{MLFLOW_PREFIX}/"):
        return mlflow_api.no_route(request, error)
    return as_problem(error).to_response(request)


def _routes(inferring: Inference) -> list[ControllerRouterHandler]:
    """Return the routes of the protocol's core, below ``/v2``."""

    @get("/", opt=_PREDICT, summary="Which server this is")
    async def server() -> ServerInfo:
        return ServerInfo(inference.SERVER, inference.server_version(), inference.EXTENSIONS)

    @get("/health/live", opt=_PROBE, summary="Whether the process runs")
    async def live() -> Live:
        return Live(live=True)

    @get("/health/ready", opt=_PROBE, summary="Whether it has loaded what should serve")
    async def ready() -> Response[Ready]:
        healthy = await inferring.ready()
        return Response(Ready(ready=healthy), status_code=200 if healthy else 503)

    @get(["/models/{name:str}", "/models/{name:str}/versions/{number:str}"], opt=_PREDICT, summary="A model's tensors")
    async def metadata(name: FromPath[str], number: FromPath[str] = "") -> ModelInfo:
        champion = await inferring.champion(name, number)
        return inference.described(name, champion.version, champion.model.signature)

    @get(
        ["/models/{name:str}/ready", "/models/{name:str}/versions/{number:str}/ready"],
        opt=_PREDICT,
        summary="Whether it answers",
    )
    async def model_ready(name: FromPath[str], number: FromPath[str] = "") -> ModelReady:
        await inferring.champion(name, number)
        return ModelReady(name, ready=True)

    @post(
        ["/models/{name:str}/infer", "/models/{name:str}/versions/{number:str}/infer"],
        status_code=200,
        request_max_body_size=BODY_LIMIT,
        opt=_PREDICT | {BODY: {"application/json": InferRequest, "application/octet-stream": bytes}},
        summary="Infer: tensors in JSON, or as bytes after it",
        responses={200: ResponseSpec(dict[str, Any], description="Outputs", generate_examples=False)},
    )
    async def infer(
        request: Plain,
        name: FromPath[str],
        number: FromPath[str] = "",
        header_length: Annotated[
            str | None,
            HeaderParameter(name=HEADER_LENGTH, description="Where the JSON ends and tensors as bytes begin."),
        ] = None,
    ) -> Response[bytes]:
        with inferring.counting(name, "open-inference") as counting:
            parsed = read(await request.body(), header_length)
            wanted = list(parsed.binary)
            inferred = await inferring.infer(
                name, number, parsed.tensors, wanted, request_id=parsed.id or "", counting=counting
            )
            body, json_end = written(name, parsed, inferred)
        if json_end is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type="application/octet-stream", headers={HEADER_LENGTH: str(json_end)})

    return [server, live, ready, metadata, model_ready, infer]


def _repository_routes(inferring: Inference) -> list[ControllerRouterHandler]:
    """Return the routes of the model repository extension, below ``/v2``."""

    @post(
        "/repository/index",
        status_code=200,
        opt=_PREDICT | {BODY: {"application/json": IndexRequest}},
        summary="Every model that this worker knows of",
    )
    async def index(request: Plain) -> list[IndexEntry]:
        return inferring.index(ready=only_ready(await request.body()))

    @post(
        "/repository/models/{name:str}/load",
        status_code=200,
        opt={SCOPE: "admin"},
        summary="Load a model that is promoted",
    )
    async def load(name: FromPath[str]) -> dict[str, str]:
        await inferring.load(name)
        return {}

    @post(
        "/repository/models/{name:str}/unload",
        status_code=200,
        opt={SCOPE: "admin"},
        summary="Hold a model nowhere on this host",
    )
    async def unload(name: FromPath[str]) -> dict[str, str]:
        await inferring.unload(name)
        return {}

    return [index, load, unload]


def open_inference_routes(inferring: Inference) -> Router:
    errors = (HTTPException, ProblemDetailsException, ConnectionError, TimeoutError, Exception)
    handlers: Any = dict.fromkeys(errors, refused)
    return Router(
        PREFIX,
        route_handlers=[*_routes(inferring), *_repository_routes(inferring)],
        exception_handlers=handlers,
        tags=[TAG],
        opt={REFUSAL: Failed},
    )
