"""The routes of Jaeger's query API; whoever may read may ask."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from interlock_runtime.http import SCOPE
from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.plugins.problem_details import ProblemDetailsException
from sqlalchemy.exc import DBAPIError

from interlock_console import otlp
from interlock_console.jaeger import asked
from interlock_console.jaeger.answers import kind_name, listed, summary, trace_v1
from interlock_console.jaeger.asked import MalformedError
from interlock_console.spans import Span, reading
from interlock_console.spans.reading import Wanted

Asked = Request[Any, Any, Any]
Answer = dict[str, Any]


def refusal(status: int, detail: str) -> ProblemDetailsException:
    """Return problem details that also say what Jaeger's clients look for: ``error`` in version 3, ``errors`` in 1."""
    return ProblemDetailsException(
        status_code=status,
        title="Not found" if status == 404 else "Not a search",  # noqa: PLR2004
        detail=detail,
        extra={"error": {"httpCode": status, "message": detail}, "errors": [{"code": status, "msg": detail}]},
    )


def malformed(request: Asked, error: MalformedError) -> Response[Any]:
    """Answer what cannot be read."""
    return refusal(400, str(error)).to_response(request)


async def _found(state: State, wanted: Wanted) -> dict[str, list[Span]]:
    async with state.database.sessions() as session:
        try:
            trace_ids = await reading.search(session, wanted)
        except DBAPIError as error:
            if "statement timeout" not in str(error):
                raise
            detail = "the search takes too long; name a service and an operation, or a shorter time"
            raise refusal(400, detail) from error
    return await _of(state, trace_ids)


async def _of(state: State, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    async with state.database.sessions() as session:
        return await reading.of_traces(session, trace_ids)


async def _one(state: State, text: str) -> tuple[str, list[Span]]:
    trace_id = asked.trace_id(text)
    spans = (await _of(state, [trace_id])).get(trace_id)
    if spans is None:
        raise refusal(404, "trace not found")
    return trace_id, spans


async def _services(state: State) -> list[str]:
    async with state.database.sessions() as session:
        return await reading.services(session)


async def _operations(state: State, service: str, kind: str | None) -> list[dict[str, str]]:
    async with state.database.sessions() as session:
        found = await reading.operations(session, service)
    named = [{"name": name, "spanKind": kind_name(number)} for name, number in found]
    return [each for each in named if not kind or each["spanKind"] == kind.lower()]


@get("/api/v3/services", opt={SCOPE: "read"})
async def services(state: State) -> Answer:
    """Return the names of all services that sent spans."""
    return {"services": await _services(state)}


@get("/api/v3/operations", opt={SCOPE: "read"})
async def operations(request: Asked, state: State) -> Answer:
    """Return the names of the spans of one ``service``, if told only those of one ``spanKind``."""
    params = request.query_params
    kind = params.get("spanKind") or params.get("span_kind")
    return {"operations": await _operations(state, asked.service(params), kind)}


@get("/api/v3/traces", opt={SCOPE: "read"})
async def find_traces(request: Asked, state: State) -> Answer:
    """Return the newest traces that fit, all of their spans as OTLP; 404 where none does, as Jaeger answers."""
    found = await _found(state, asked.wanted_v3(request.query_params))
    if not found:
        raise refusal(404, "No traces found")
    return {"result": otlp.document(span for spans in found.values() for span in spans)}


@get("/api/v3/traces/{trace_id:str}", opt={SCOPE: "read"})
async def read_trace(trace_id: FromPath[str], state: State) -> Answer:
    """Return one trace as OTLP."""
    _, spans = await _one(state, trace_id)
    return {"result": otlp.document(spans)}


@get("/api/v3/trace-summaries", opt={SCOPE: "read"})
async def find_summaries(request: Asked, state: State) -> Answer:
    """Return what a list shows of the newest traces that fit."""
    found = await _found(state, asked.wanted_v3(request.query_params))
    return {"summaries": [summary(trace_id, spans) for trace_id, spans in found.items()]}


@get("/api/services", opt={SCOPE: "read"})
async def services_v1(state: State) -> Answer:
    """Return the names of all services that sent spans."""
    found = await _services(state)
    return listed(found, total=len(found))


@get("/api/services/{service:str}/operations", opt={SCOPE: "read"})
async def names_v1(service: FromPath[str], state: State) -> Answer:
    """Return the names of a service's spans."""
    found = [each["name"] for each in await _operations(state, service, None)]
    return listed(found, total=len(found))


@get("/api/operations", opt={SCOPE: "read"})
async def operations_v1(request: Asked, state: State) -> Answer:
    """Return the names of a service's spans and their kinds."""
    params = request.query_params
    found = await _operations(state, asked.service(params), params.get("spanKind"))
    return listed(found, total=len(found))


@get("/api/traces", opt={SCOPE: "read"})
async def find_traces_v1(request: Asked, state: State) -> Answer:
    """Return the newest traces that fit; or those of each ``traceID``, with an error for one that is not here."""
    params = request.query_params
    if texts := params.getall("traceID", []):
        ids = asked.trace_ids(texts)
        found = await _of(state, ids)
        missing = [{"code": 404, "msg": "trace not found", "traceID": each} for each in ids if each not in found]
    else:
        found, missing = await _found(state, asked.wanted_v1(params, now=datetime.now(UTC))), []
    return listed([trace_v1(trace_id, spans) for trace_id, spans in found.items()], errors=missing or None)


@get("/api/traces/{trace_id:str}", opt={SCOPE: "read"})
async def read_trace_v1(trace_id: FromPath[str], state: State) -> Answer:
    """Return one trace in version 1's model."""
    return listed([trace_v1(*await _one(state, trace_id))])


HANDLERS = [
    services,
    operations,
    find_traces,
    read_trace,
    find_summaries,
    services_v1,
    names_v1,
    operations_v1,
    find_traces_v1,
    read_trace_v1,
]

ROUTES = [Router("/", route_handlers=HANDLERS, exception_handlers={MalformedError: malformed})]
