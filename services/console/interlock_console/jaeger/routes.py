"""Routes of Jaeger's query API, for the scope ``read``."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.query_parameters import OPEN_QUERY
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.plugins.problem_details import ProblemDetailsException

from interlock_console import otlp
from interlock_console.jaeger.params import (
    MalformedError,
    parse_search_v1,
    parse_search_v3,
    parse_service,
    parse_trace_id,
    parse_trace_ids,
)
from interlock_console.jaeger.responses import envelope_v1, kind_name, trace_summary, trace_v1
from interlock_console.spans import Span, queries
from interlock_console.spans.queries import TraceQuery

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]


def jaeger_problem(status: int, detail: str) -> ProblemDetailsException:
    """Return problem details with the fields of Jaeger's clients: ``error`` for version 3, ``errors`` for 1."""
    return ProblemDetailsException(
        status_code=status,
        title="Not found" if status == 404 else "Invalid search",  # noqa: PLR2004
        detail=detail,
        extra={"error": {"httpCode": status, "message": detail}, "errors": [{"code": status, "msg": detail}]},
    )


def malformed_parameter(request: AnyRequest, error: MalformedError) -> Response[Any]:
    return jaeger_problem(400, str(error)).to_response(request)


async def _search(database: Database, query: TraceQuery) -> dict[str, list[Span]]:
    async with database.sessions() as session:
        try:
            found = await queries.search(session, query)
        except queries.SearchTimeoutError as error:
            raise jaeger_problem(400, str(error)) from error
    return await _load_traces(database, list(found))


async def _load_traces(database: Database, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    async with database.sessions() as session:
        return await queries.spans_of_traces(session, trace_ids)


async def _load_trace(database: Database, text: str) -> tuple[str, list[Span]]:
    trace_id = parse_trace_id(text)
    spans = (await _load_traces(database, [trace_id])).get(trace_id)
    if spans is None:
        raise jaeger_problem(404, "trace not found")
    return trace_id, spans


async def _services(database: Database) -> list[str]:
    async with database.sessions() as session:
        return await queries.services(session)


async def _operations(database: Database, service: str, kind: str | None) -> list[dict[str, str]]:
    async with database.sessions() as session:
        found = await queries.operations(session, service)
    named = [{"name": name, "spanKind": kind_name(number)} for name, number in found]
    return [each for each in named if not kind or each["spanKind"] == kind.lower()]


@get("/api/v3/services", opt={SCOPE: "read"})
async def services(database: NamedDependency[Database]) -> Json:
    """List the services that sent spans."""
    return {"services": await _services(database)}


@get("/api/v3/operations", opt={SCOPE: "read"})
async def operations(request: AnyRequest, database: NamedDependency[Database]) -> Json:
    """List the span names of one ``service``, optionally of one ``spanKind`` only."""
    params = request.query_params
    kind = params.get("spanKind") or params.get("span_kind")
    return {"operations": await _operations(database, parse_service(params), kind)}


@get("/api/v3/traces", opt={SCOPE: "read"})
async def find_traces(request: AnyRequest, database: NamedDependency[Database]) -> Json:
    """Return the newest matching traces as OTLP; 404 where none matches, as Jaeger does."""
    found = await _search(database, parse_search_v3(request.query_params))
    if not found:
        raise jaeger_problem(404, "No traces found")
    return {"result": otlp.to_json(span for spans in found.values() for span in spans)}


@get("/api/v3/traces/{trace_id:str}", opt={SCOPE: "read"})
async def find_trace(trace_id: FromPath[str], database: NamedDependency[Database]) -> Json:
    """Return one trace as OTLP."""
    _, spans = await _load_trace(database, trace_id)
    return {"result": otlp.to_json(spans)}


@get("/api/v3/trace-summaries", opt={SCOPE: "read"})
async def find_summaries(request: AnyRequest, database: NamedDependency[Database]) -> Json:
    """Return summaries of the newest matching traces."""
    found = await _search(database, parse_search_v3(request.query_params))
    return {"summaries": [trace_summary(trace_id, spans) for trace_id, spans in found.items()]}


@get("/api/services", opt={SCOPE: "read"})
async def services_v1(database: NamedDependency[Database]) -> Json:
    """List the services that sent spans."""
    found = await _services(database)
    return envelope_v1(found, total=len(found))


@get("/api/services/{service:str}/operations", opt={SCOPE: "read"})
async def names_v1(service: FromPath[str], database: NamedDependency[Database]) -> Json:
    """List the span names of a service."""
    found = [each["name"] for each in await _operations(database, service, None)]
    return envelope_v1(found, total=len(found))


@get("/api/operations", opt={SCOPE: "read"})
async def operations_v1(request: AnyRequest, database: NamedDependency[Database]) -> Json:
    """List the span names and kinds of a service."""
    params = request.query_params
    found = await _operations(database, parse_service(params), params.get("spanKind"))
    return envelope_v1(found, total=len(found))


@get("/api/traces", opt={SCOPE: "read"})
async def find_traces_v1(request: AnyRequest, database: NamedDependency[Database]) -> Json:
    """Return the newest matching traces; or those of each ``traceID``, with an error for each unknown one."""
    params = request.query_params
    if texts := params.getall("traceID", []):
        ids = parse_trace_ids(texts)
        found = await _load_traces(database, ids)
        missing = [{"code": 404, "msg": "trace not found", "traceID": each} for each in ids if each not in found]
    else:
        found, missing = await _search(database, parse_search_v1(params, now=datetime.now(UTC))), []
    return envelope_v1([trace_v1(trace_id, spans) for trace_id, spans in found.items()], errors=missing or None)


@get("/api/traces/{trace_id:str}", opt={SCOPE: "read"})
async def read_trace_v1(trace_id: FromPath[str], database: NamedDependency[Database]) -> Json:
    """Return one trace in version 1's model."""
    return envelope_v1([trace_v1(*await _load_trace(database, trace_id))])


HANDLERS = [
    services,
    operations,
    find_traces,
    find_trace,
    find_summaries,
    services_v1,
    names_v1,
    operations_v1,
    find_traces_v1,
    read_trace_v1,
]

ROUTES = [
    Router(
        "/",
        route_handlers=HANDLERS,
        exception_handlers={MalformedError: malformed_parameter},
        opt={OPEN_QUERY: True},
    )
]
