"""MLflow's scoring contract: who calls `mlflow models serve` today calls the gateway with another port.

Such a server serves one model, a gateway many. So every route is there twice: below ``/models/<name>``, which is what a
client reaches whose port is ``"8000/models/<name>"``, and at the root for the model that the gateway is told, or for
the only one it has.
"""

from base64 import b64decode
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from interlock_modeling import InvalidRowsError
from interlock_modeling.answer import Warned, warned
from interlock_runtime.access import Access
from interlock_runtime.http import GUARDED, PUBLIC, SCOPE, Connection, is_local, require
from interlock_runtime.mlflow_api import CODES
from interlock_runtime.openapi import BODY, REFUSAL
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import OPEN_QUERY
from litestar import Request, Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.plugins.problem_details import ProblemDetailsException

from interlock_gateway.domain import BODY_LIMIT
from interlock_gateway.inference.resolve import invalid_rows_problem, predictions
from interlock_gateway.protocols.inference import Inference, server_version
from interlock_gateway.protocols.scoring_rows import CSV, JSON, rows_of

Plain = Request[Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


_PREDICT = {SCOPE: "predict", GUARDED: True}
_PROBE = {PUBLIC: True, OPEN_QUERY: True}


class Scored(msgspec.Struct, omit_defaults=True):
    """Predictions, in the order of the rows, and what is unusual about these; MLflow's clients read the first alone."""

    predictions: list[Any]
    warnings: list[Warned] = []


class ScoringFailed(msgspec.Struct):
    """An error in MLflow's form."""

    error_code: str
    message: str


_CODES = {**CODES, 400: "BAD_REQUEST"}


def failed(_: Plain, error: Exception) -> Response[ScoringFailed]:
    """Answer an error as MLflow's servers do: what we call 422 elsewhere is their 400."""
    status, message, headers = 500, "internal error; see the gateway's log", None
    if isinstance(error, ConnectionError | TimeoutError):
        status, message = 503, f"a dependency is down, try again: {error}"
    elif isinstance(error, HTTPException):
        unfit_status = error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        status, message, headers = 400 if unfit_status else error.status_code, error.detail, error.headers
    return Response(ScoringFailed(_CODES.get(status, "INTERNAL_ERROR"), message), status_code=status, headers=headers)


def may_score(access: Access, *, is_open: bool) -> Guard:
    """Return the guard of the scoring routes: the key as usual, or as the password that MLflow's clients can send.

    They know no keys of their own, but ``requests`` below them sends what the address or ``~/.netrc`` says. Where the
    route at the root ``is_open``, it asks callers on this machine for nothing.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        if is_open and not connection.path_params and is_local(connection):
            return
        given = b"Bearer " + _given(connection.headers.get("authorization", ""))
        caller = await access.admit_or_refresh(given)
        if caller is None:
            detail = (
                "send the header 'Authorization: Bearer <key>', or the key as a password: by ~/.netrc, or with "
                "'interlock:<key>@<host>' as the host"
            )
            raise problem(401, "Unauthorized", detail, headers={"WWW-Authenticate": 'Basic realm="interlock"'})
        connection.scope["user"] = require(handler.opt, caller)

    return guard


def _given(authorization: str) -> bytes:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return credentials.encode() if scheme.lower() == "bearer" else b""
    try:
        return b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def scoring_routes(inferring: Inference, access: Access, *, model: str | None, is_open: bool) -> Router:
    """Return MLflow's routes; those at the root are for ``model``, or for the only one that the gateway has."""

    def chosen(name: str) -> str:
        known = [name] if name else [model] if model else [entry.name for entry in inferring.index()]
        if len(known) == 1:
            return known[0]
        detail = (
            f"{', '.join(sorted(known)[:20]) or 'no model'} could answer; call /models/<name>/invocations, or name the "
            "model for /invocations in the gateway's setting INTERLOCK_MLFLOW_MODEL"
        )
        raise problem(404, "No model is named", detail)

    guard = may_score(access, is_open=is_open)

    @get(["/ping", "/health"], opt=_PROBE, media_type="text/plain", summary="Whether requests may come")
    async def ping() -> str:
        if not await inferring.ready():
            raise problem(503, "Not ready", "what should serve is not loaded yet")
        return "\n"

    @get(
        ["/models/{name:str}/ping", "/models/{name:str}/health"],
        opt=_PREDICT,
        guards=[guard],
        media_type="text/plain",
        summary="Whether the model answers",
    )
    async def model_ping(name: FromPath[str]) -> str:
        await inferring.champion(name)
        return "\n"

    @get(
        ["/version", "/models/{name:str}/version"],
        opt=_PROBE,
        media_type="text/plain",
        summary="Which Interlock this is",
    )
    async def version() -> str:
        return server_version()

    @post(
        ["/invocations", "/models/{name:str}/invocations"],
        opt=_PREDICT | {BODY: {JSON: dict, CSV: bytes}},
        guards=[guard],
        status_code=200,
        request_max_body_size=BODY_LIMIT,
        summary="Predict, as MLflow's scoring servers do",
        responses={200: ResponseSpec(Scored, description="Predictions", generate_examples=False)},
    )
    async def invocations(request: Plain, name: FromPath[str] = "") -> Response[Scored]:
        body, model = await request.body(), chosen(name)
        with inferring.counting(model, "mlflow") as counting:
            serving = await inferring.resolve(model)
            counting.version = serving.version
            rows = rows_of(serving.model.signature, body, request.headers.get("content-type", ""))
            try:
                answered = await predictions(serving, rows)
            except InvalidRowsError as error:
                raise invalid_rows_problem(error) from error
            prediction = inferring.logged(model, serving, rows, answered, size=len(body))
            counting.rows = len(rows)
        scored = Scored(answered.values, warned(answered.warnings))
        return Response(scored, headers={"Interlock-Prediction": prediction})

    errors = (HTTPException, ProblemDetailsException, ConnectionError, TimeoutError, Exception)
    handlers: Any = dict.fromkeys(errors, failed)
    return Router(
        "/",
        route_handlers=[ping, model_ping, version, invocations],
        exception_handlers=handlers,
        tags=["mlflow"],
        opt={REFUSAL: ScoringFailed},
    )
