"""Spans over HTTP: OTLP's way in, and traces for the pages and `interlock trace`."""

import asyncio
import re
from typing import Any

from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from interlock_contracts.catalog import OBSERVER, OUTSIDE
from interlock_contracts.catalog import ROUTES as FLOW
from interlock_runtime.http import SCOPE, SERVICES, as_problem, problem
from interlock_runtime.limits import ConcurrencyLimit
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.plugins.problem_details import ProblemDetailsException
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from interlock_console import otlp
from interlock_console.otlp import JSON, LONGEST_BODY, PROTOBUF
from interlock_console.spans import Span, reading
from interlock_console.spans.keeping import OUTAGES
from interlock_console.spans.viewing import trace_view

TOGETHER = 8
"""Batches in hand at once; whoever comes beyond that is told to come again, so that memory stays bounded."""

BODY_SECONDS = 30

SENDERS = tuple({OBSERVER, *(each for route in FLOW for each in (*route.producers, *route.consumers))} - {OUTSIDE})
"""Our services, each of which sends its spans in its own name."""

Asked = Request[Any, Any, Any]

TRACE_ID = re.compile(r"[0-9a-f]{32}")


def in_its_encoding(request: Asked, error: ProblemDetailsException | HTTPException) -> Response[Any]:
    """Answer with problem details; where protobuf was sent, with the ``Status`` that OTLP has for that."""
    told = error if isinstance(error, ProblemDetailsException) else as_problem(error)
    if _media_type(request) != PROTOBUF:
        return told.to_response(request)
    status = Status(message=told.detail or told.title or "")
    return Response(
        status.SerializeToString(), status_code=told.status_code, media_type=PROTOBUF, headers=dict(told.headers or {})
    )


@post(
    "/v1/traces",
    status_code=200,
    request_max_body_size=None,
    exception_handlers={ProblemDetailsException: in_its_encoding, HTTPException: in_its_encoding},
    opt={SCOPE: "ingest", SERVICES: SENDERS},
)
async def receive(request: Asked, state: State) -> Response[Any]:
    """Keep the spans of one OTLP request, protobuf or JSON, plain or gzip; the answer comes once they are kept.

    Spans that cannot be kept are counted in ``partialSuccess``, and are not to be sent again. 429 or 503 with
    Retry-After asks for the whole batch again.
    """
    media_type = _media_type(request)
    if media_type not in {PROTOBUF, JSON}:
        raise problem(415, "Not OTLP", f"Content-Type is to be {PROTOBUF} or {JSON}")
    room: ConcurrencyLimit = state.span_room
    if room.in_flight >= room.places:
        detail = f"{room.places} batches of spans are being written already"
        raise problem(429, "Too many spans at once", detail, headers={"Retry-After": "1"})
    with room.acquire():
        body = await _body(request)
        try:
            got = await asyncio.to_thread(_read, body, request.headers.get("content-encoding", "identity"), media_type)
        except OverflowError as error:
            raise problem(413, "Too large", str(error)) from error
        except ValueError as error:
            raise problem(400, "Not OTLP", str(error)) from error
        try:
            await state.keeping.keep(got.spans)
        except OUTAGES as error:
            detail = f"the spans are not kept; send them again: {type(error).__name__}"
            raise problem(503, "Postgres is down", detail, headers={"Retry-After": "2"}) from error
    return _answer(got, media_type)


async def _body(request: Asked) -> bytes:
    """Return the body; who sends it too slowly gives the place to somebody else, by a TimeoutError."""
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                raise problem(413, "Too large", f"at most {LONGEST_BODY} bytes are taken; send smaller batches")
    return bytes(body)


def _read(body: bytes, encoding: str, media_type: str) -> otlp.Received:
    if encoding not in {"identity", "gzip", ""}:
        raise ValueError(f"Content-Encoding is to be gzip or identity, not {encoding[:40]!r}")
    return otlp.received(otlp.unpacked(body) if encoding == "gzip" else body, media_type)


def _answer(got: otlp.Received, media_type: str) -> Response[Any]:
    if media_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(got.refused), "errorMessage": got.reason}}
        return Response(partial if got.refused else {})
    answer = ExportTraceServiceResponse()
    if got.refused:
        refused = ExportTracePartialSuccess(rejected_spans=got.refused, error_message=got.reason)
        answer.partial_success.CopyFrom(refused)
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def _media_type(request: Asked) -> str:
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()


@get("/view/traces/{trace_id:str}", opt={SCOPE: "read"})
async def read_trace(trace_id: FromPath[str], state: State) -> dict[str, Any]:
    """Return a trace with links both ways; 404 with Retry-After for one whose first span has not ended yet."""
    async with state.database.sessions() as session:
        spans = await _known(session, trace_id)
        linked = await reading.linked_to(session, trace_id, [span.span_id for span in spans])
    return trace_view(trace_id, spans, linked)


@get("/view/traces/{trace_id:str}/otlp", opt={SCOPE: "read"})
async def download_trace(trace_id: FromPath[str], state: State) -> Response[dict[str, Any]]:
    """Return a trace as a file of OTLP's JSON, which other tools read."""
    async with state.database.sessions() as session:
        spans = await _known(session, trace_id)
    headers = {"Content-Disposition": f'attachment; filename="trace-{trace_id}.json"'}
    return Response(otlp.document(spans), headers=headers)


async def _known(session: Any, trace_id: str) -> list[Span]:
    if not TRACE_ID.fullmatch(trace_id):
        raise problem(400, "Not a trace id", "a trace id is 32 lower-case hexadecimal digits")
    spans = await reading.of_trace(session, trace_id)
    if not spans:
        detail = f"no span of trace {trace_id} has come in yet, or all are forgotten; a span is sent when it ends"
        raise problem(404, "Unknown trace", detail, headers={"Retry-After": "2"})
    return spans


ROUTES = [receive, read_trace, download_trace]
