"""Routes of the trace store: the OTLP receiver, and traces for the pages and `interlock trace`."""

import asyncio
import re
from datetime import datetime
from typing import Annotated, Any

from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from interlock_contracts.console import TracesView
from interlock_contracts.deployment import NAMES
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.limits import ConcurrencyLimit
from interlock_runtime.openapi import BODY
from interlock_runtime.problems import as_problem, problem
from interlock_runtime.query_parameters import OPEN_QUERY, require_zone
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ExceptionHandlersMap
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from interlock_console import otlp
from interlock_console.jaeger.params import MalformedError, parse_duration
from interlock_console.otlp import JSON, MAX_BODY_BYTES, PROTOBUF
from interlock_console.spans import Span, queries
from interlock_console.spans.views import trace_line, trace_view
from interlock_console.spans.writer import DATABASE_ERRORS, SpanWriter

MAX_CONCURRENT_BATCHES = 8
"""Batches in flight at most, which bounds memory; more are answered with 429."""

BODY_SECONDS = 30

AnyRequest = Request[Any, Any, Any]

TRACE_ID = re.compile(r"[0-9a-f]{32}")
CURSOR = r"^\d{1,18}$|^[1-8]\d{18}$"
"""Nanoseconds since 1970 as text: a number of JSON would lose digits in a browser."""

MAX_NS = 2**63 - 1


def encoded_problem(request: AnyRequest, error: ProblemDetailsException | HTTPException) -> Response[Any]:
    """Return a problem in the encoding of the request: problem details, or OTLP's protobuf ``Status``."""
    details = error if isinstance(error, ProblemDetailsException) else as_problem(error)
    if _media_type(request) != PROTOBUF:
        return details.to_response(request)
    status = Status(message=details.detail or details.title or "")
    return Response(
        status.SerializeToString(),
        status_code=details.status_code,
        media_type=PROTOBUF,
        headers=dict(details.headers or {}),
    )


_ENCODED: ExceptionHandlersMap = {ProblemDetailsException: encoded_problem, HTTPException: encoded_problem}


@post(
    "/v1/traces",
    status_code=200,
    request_max_body_size=None,
    exception_handlers=_ENCODED,
    opt={SCOPE: "ingest", SERVICES: NAMES, OPEN_QUERY: True, BODY: {PROTOBUF: bytes, JSON: dict}},
)
async def receive(
    request: AnyRequest,
    span_writer: NamedDependency[SpanWriter],
    span_limit: NamedDependency[ConcurrencyLimit],
) -> Response[Any]:
    """Store the spans of one OTLP request, protobuf or JSON, plain or gzip; the response comes after the commit.

    Invalid spans are counted in ``partialSuccess``, and must not be retried. 429 and 503, with Retry-After, ask for a
    retry of the whole batch.
    """
    media_type = _media_type(request)
    if media_type not in {PROTOBUF, JSON}:
        raise problem(415, "Not OTLP", f"Content-Type is to be {PROTOBUF} or {JSON}")
    if span_limit.in_flight >= span_limit.limit:
        detail = f"{span_limit.limit} batches of spans are being written already"
        raise problem(429, "Too many requests", detail, headers={"Retry-After": "1"})
    with span_limit.acquire():
        body = await _body(request)
        try:
            got = await asyncio.to_thread(otlp.parse_export, body, media_type)
        except ValueError as error:
            raise problem(400, "Not OTLP", str(error)) from error
        try:
            await span_writer.write(got.spans)
        except DATABASE_ERRORS as error:
            detail = f"nothing was stored; send the spans again: {type(error).__name__}"
            raise problem(503, "Postgres is down", detail, headers={"Retry-After": "2"}) from error
    return _answer(got, media_type)


@post(
    ["/v1/metrics", "/v1/logs"],
    status_code=404,
    exception_handlers=_ENCODED,
    opt={SCOPE: "ingest", OPEN_QUERY: True, BODY: {PROTOBUF: bytes, JSON: dict}},
)
async def refuse_other_signals(request: AnyRequest) -> None:
    """Say that only spans are kept here, and how an exporter is told so."""
    signal = request.url.path.rpartition("/")[2]
    where = {
        "metrics": "Prometheus reads each service's GET /metrics",
        "logs": "services write theirs to standard output, with the trace's id",
    }[signal]
    detail = f"this receiver keeps spans alone: set OTEL_{signal.upper()}_EXPORTER=none; {where}"
    raise problem(404, f"No OTLP {signal} here", detail)


async def _body(request: AnyRequest) -> bytes:
    """Return the body; TimeoutError for a slow sender, so that it does not hold its place."""
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise problem(413, "Too large", f"at most {MAX_BODY_BYTES} bytes are taken; send smaller batches")
    return bytes(body)


def _answer(got: otlp.ParsedExport, media_type: str) -> Response[Any]:
    if media_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(got.rejected), "errorMessage": got.reason}}
        return Response(partial if got.rejected else {})
    answer = ExportTraceServiceResponse()
    if got.rejected:
        refused = ExportTracePartialSuccess(rejected_spans=got.rejected, error_message=got.reason)
        answer.partial_success.CopyFrom(refused)
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def _media_type(request: AnyRequest) -> str:
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()


@get("/view/traces", opt={SCOPE: "read"})
async def list_traces(
    database: NamedDependency[Database],
    *,
    service: Annotated[str | None, QueryParameter(max_length=200)] = None,
    name: Annotated[str | None, QueryParameter(max_length=500)] = None,
    attributes: Annotated[list[str] | None, QueryParameter(name="attribute", max_length=20)] = None,
    longer: Annotated[str | None, QueryParameter(name="min_duration", max_length=40)] = None,
    shorter: Annotated[str | None, QueryParameter(name="max_duration", max_length=40)] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    errors: FromQuery[bool] = False,
    before: Annotated[str | None, QueryParameter(pattern=CURSOR)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
) -> TracesView:
    """Find traces that have a span which is all that is asked for; those with the newest such span first.

    ``attribute`` is ``key=value``, of the span or its process, and may come several times; durations are such as
    ``1.5s`` or ``100ms``; ``errors`` finds failed spans alone. ``before`` is the cursor of the next page.
    """
    require_zone(since=since, until=until)
    try:
        durations = parse_duration("min_duration", longer), parse_duration("max_duration", shorter)
    except MalformedError as error:
        raise problem(400, "Invalid duration", str(error)) from error
    query = queries.TraceQuery(
        since_ns=0 if since is None else _ns(since),
        until_ns=MAX_NS if until is None else _ns(until),
        service=service or None,
        name=name or None,
        shortest_ns=durations[0],
        longest_ns=durations[1],
        attributes=_pairs(attributes or []) | ({"error": "true"} if errors else {}),
        before_ns=None if before is None else int(before),
        limit=limit,
    )
    async with database.sessions() as session:
        try:
            found = await queries.search(session, query)
        except queries.SearchTimeoutError as error:
            raise problem(400, "The search takes too long", str(error)) from error
        spans = await queries.spans_of_traces(session, list(found))
    return TracesView(
        traces=[trace_line(trace_id, spans[trace_id]) for trace_id in found if trace_id in spans],
        before=str(min(found.values())) if len(found) == limit else None,
    )


def _pairs(texts: list[str]) -> dict[str, str]:
    """Return attributes by their keys, without NUL characters, which Postgres takes in no text."""
    pairs = [text.replace("\0", "").partition("=") for text in texts]
    if wrong := [key for key, equals, _ in pairs if not (key and equals)]:
        raise problem(400, "Invalid attribute", f"attribute is to be key=value, not {wrong[0][:80]!r}")
    return {key: value for key, _, value in pairs}


def _ns(time: datetime) -> int:
    return max(0, int(time.timestamp() * 1_000_000) * 1000)


@get("/view/traces/{trace_id:str}", opt={SCOPE: "read"})
async def read_trace(trace_id: FromPath[str], database: NamedDependency[Database]) -> dict[str, Any]:
    """Return a trace with links both ways; 404 with Retry-After while none of its spans has ended."""
    async with database.sessions() as session:
        spans = await _load_trace(session, trace_id)
        linked = await queries.incoming_links(session, trace_id, [span.span_id for span in spans])
    return trace_view(trace_id, spans, linked)


@get("/view/traces/{trace_id:str}/otlp", opt={SCOPE: "read"})
async def download_trace(trace_id: FromPath[str], database: NamedDependency[Database]) -> Response[dict[str, Any]]:
    """Download a trace as OTLP JSON, for other tools."""
    async with database.sessions() as session:
        spans = await _load_trace(session, trace_id)
    headers = {"Content-Disposition": f'attachment; filename="trace-{trace_id}.json"'}
    return Response(otlp.to_json(spans), headers=headers)


async def _load_trace(session: Any, trace_id: str) -> list[Span]:
    if not TRACE_ID.fullmatch(trace_id):
        raise problem(400, "Invalid trace id", "a trace id is 32 lower-case hexadecimal digits")
    spans = await queries.spans_of_trace(session, trace_id)
    if not spans:
        detail = f"no span of trace {trace_id} has arrived yet, or all have expired; a span is sent when it ends"
        raise problem(404, "Unknown trace", detail, headers={"Retry-After": "2"})
    return spans


ROUTES = [receive, refuse_other_signals, list_traces, read_trace, download_trace]
