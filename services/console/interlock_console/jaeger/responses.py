"""Responses of Jaeger's query API: summaries of version 3, and version 1's own model, in microseconds."""

import json
from collections.abc import Sequence
from typing import Any

from interlock_contracts import telemetry

from interlock_console.spans import KINDS, STATUSES, Origin, Span
from interlock_console.spans.views import ERROR, orphans, trace_line

SAFE_INTEGER = 2**53 - 1
"""JavaScript's Number.MAX_SAFE_INTEGER."""


def kind_name(kind: int) -> str:
    """Return Jaeger's name of a span kind; unspecified is internal."""
    return KINDS[kind or KINDS.index("INTERNAL")].lower()


def trace_summary(trace_id: str, spans: Sequence[Span]) -> dict[str, Any]:
    """Return a trace summary; times are strings of nanoseconds since 1970."""
    line = trace_line(trace_id, spans)
    return {
        "traceId": trace_id,
        "rootServiceName": line.root_service,
        "rootOperationName": line.root_name,
        "minStartTimeUnixNano": str(line.start_ns),
        "maxEndTimeUnixNano": str(line.start_ns + line.duration_ns),
        "spanCount": line.spans,
        "errorSpanCount": line.errors,
        "orphanSpanCount": line.orphans,
        "services": [
            {"name": each.name, "spanCount": each.spans, "errorSpanCount": each.errors} for each in line.services
        ],
    }


def envelope_v1(data: Any, *, total: int = 0, errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return version 1's response envelope."""
    return {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}


def trace_v1(trace_id: str, spans: Sequence[Span]) -> dict[str, Any]:
    """Return a trace in version 1's model; an orphan span has a warning."""
    processes: dict[int, tuple[str, Origin]] = {}
    for span in spans:
        processes.setdefault(id(span.origin), (f"p{len(processes) + 1}", span.origin))
    alone = {span.span_id for span in orphans(spans)}
    return {
        "traceID": trace_id,
        "spans": [_span(span, processes[id(span.origin)][0], alone=span.span_id in alone) for span in spans],
        "processes": {
            name: {
                "serviceName": origin.service,
                "tags": _tags({key: value for key, value in origin.resource.items() if key != telemetry.SERVICE_NAME}),
            }
            for name, origin in processes.values()
        },
        "warnings": None,
    }


def _span(span: Span, process: str, *, alone: bool) -> dict[str, Any]:
    references = [("CHILD_OF", span.trace_id, span.parent_id)] if span.parent_id else []
    references += [("FOLLOWS_FROM", link.trace_id, link.span_id) for link in span.links]
    return {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": span.name,
        "references": [{"refType": how, "traceID": trace, "spanID": of} for how, trace, of in references],
        "startTime": span.start_ns // 1000,
        "duration": span.duration_ns // 1000,
        "tags": _tags(_all_tags(span)),
        "logs": [
            {"timestamp": each.time_ns // 1000, "fields": _tags({"event": each.name, **each.attributes})}
            for each in span.events
        ],
        "processID": process,
        "warnings": [f"its parent {span.parent_id} has not ended, or was lost"] if alone else None,
    }


def _all_tags(span: Span) -> dict[str, Any]:
    """Return a span's tags by OpenTelemetry's mapping to Jaeger: attributes, kind, status, scope."""
    status = STATUSES[span.status] if span.status else None
    around = {
        "span.kind": kind_name(span.kind) if span.kind else None,
        "otel.status_code": status,
        "error": True if span.status == ERROR else None,
        "otel.status_description": span.status_message or None,
        "w3c.tracestate": span.state or None,
    }
    scope = {f"otel.scope.{name}": value for name, value in span.origin.scope.items()}
    return {**scope, **span.attributes, **{name: value for name, value in around.items() if value is not None}}


def _tags(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, **_typed(value)} for key, value in attributes.items()]


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"type": "bool", "value": value}
    if isinstance(value, int):
        return {"type": "int64", "value": value if abs(value) <= SAFE_INTEGER else str(value)}
    if isinstance(value, float):
        return {"type": "float64", "value": value}
    return {"type": "string", "value": value if isinstance(value, str) else json.dumps(value)}
