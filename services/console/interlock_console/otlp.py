"""OTLP codec: parses exports of spans in protobuf or JSON, and writes spans as JSON."""

from base64 import b64encode
from collections.abc import Iterable
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from interlock_contracts import telemetry
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from interlock_console.spans import KINDS, STATUSES, Origin, Span, SpanEvent, SpanLink

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

MAX_BODY_BYTES = 8 << 20
"""Limit of a request body, compressed and decompressed; exporters send some hundred kilobytes."""

MAX_TEXT_CHARS = 4096
"""Limit of one string (value, message or name); longer ones are truncated."""

MAX_PER_SPAN = 128
"""Limit of a span's attributes, events and links, as in the SDKs; more are counted and dropped."""

MAX_SPANS = 20_000
"""Limit of spans in one request; more are rejected in ``partialSuccess``."""

_LATEST = 2**63 - 1
_TRACE_BYTES, _SPAN_BYTES = 16, 8


class ParsedExport(NamedTuple):
    """One parsed request: its valid spans, the number of rejected ones, and the first reason."""

    spans: list[Span]
    rejected: int = 0
    reason: str = ""


def parse_export(body: bytes, media_type: str) -> ParsedExport:
    """Parse an ``ExportTraceServiceRequest`` in ``PROTOBUF`` or ``JSON``.

    Raises:
        ValueError: it is malformed.
    """
    try:
        message = ExportTraceServiceRequest.FromString(body) if media_type == PROTOBUF else _of_json(body)
    except (DecodeError, ParseError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(f"the body is no ExportTraceServiceRequest: {str(error)[:300]}") from error
    spans: list[Span] = []
    rejected, reason = 0, ""
    for resource_spans in message.resource_spans:
        for scope_spans in [*resource_spans.scope_spans, *_library_spans(resource_spans)]:
            origin = _origin(resource_spans.resource, scope_spans.scope)
            for each in scope_spans.spans:
                fault = _rejection(each) if len(spans) < MAX_SPANS else f"one request brings at most {MAX_SPANS} spans"
                if fault is None:
                    spans.append(_span(each, origin))
                else:
                    rejected, reason = rejected + 1, reason or fault
    return ParsedExport(spans, rejected, reason)


def _of_json(body: bytes) -> ExportTraceServiceRequest:
    document = msgspec.json.decode(body)
    refuse_repeated_keys(body, keys_in(document))
    if not isinstance(document, dict):
        raise ParseError("a JSON object is expected")
    if document and not document.keys() & {"resourceSpans", "resource_spans"}:
        raise ParseError(f"it has no resourceSpans, but {', '.join(map(str, document))}")
    return ParseDict(_with_bytes(document), ExportTraceServiceRequest(), ignore_unknown_fields=True)


def _with_bytes(value: Any) -> Any:
    """Return JSON with ids in base64, which protobuf's JSON mapping expects, where OTLP has hex; old names are new."""
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if isinstance(value, dict):
        return {
            _RENAMED.get(name, name): _base64(name, each) if name in _IDS else _with_bytes(each)
            for name, each in value.items()
        }
    return value


_IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
_RENAMED = {
    "instrumentationLibrarySpans": "scopeSpans",
    "instrumentation_library_spans": "scopeSpans",
    "instrumentationLibrary": "scope",
    "instrumentation_library": "scope",
}
"""Names of OTLP before 0.15, of 2022, which some agents still send."""

_LIBRARY_SPANS = 1000
"""Field of ``ResourceSpans`` where old exporters could send what is ``ScopeSpans`` now, byte for byte, from 0.15 on."""


def _library_spans(resource_spans: trace_pb2.ResourceSpans) -> list[trace_pb2.ScopeSpans]:
    """Return the spans that a message of protobuf has in the old form."""
    unknown: Any = UnknownFieldSet(resource_spans)
    old = [each.data for each in unknown if each.field_number == _LIBRARY_SPANS]
    return [trace_pb2.ScopeSpans.FromString(data) for data in old if isinstance(data, bytes)]


def _base64(name: str, value: Any) -> str:
    try:
        return b64encode(bytes.fromhex(value or "")).decode()
    except (TypeError, ValueError) as error:
        raise ParseError(f"{name} is to be hexadecimal digits, not {str(value)[:40]!r}") from error


def _rejection(span: trace_pb2.Span) -> str | None:
    """Return why a span is invalid, None where it is valid."""
    if len(span.trace_id) != _TRACE_BYTES or not any(span.trace_id):
        return "trace_id is to be 16 bytes that are not all zero"
    if len(span.span_id) != _SPAN_BYTES or not any(span.span_id):
        return "span_id is to be 8 bytes that are not all zero"
    if span.parent_span_id and len(span.parent_span_id) != _SPAN_BYTES:
        return "parent_span_id is to be 8 bytes, or empty"
    if not 0 < span.start_time_unix_nano <= _LATEST or span.end_time_unix_nano > _LATEST:
        return "start_time_unix_nano is to be after 1970, and no time after 2262"
    return None


def _span(span: trace_pb2.Span, origin: Origin) -> Span:
    attributes, events, links = span.attributes, span.events, span.links
    parent = span.parent_span_id
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=parent.hex() if any(parent) else None,
        origin=origin,
        name=_text(span.name),
        kind=span.kind if 0 <= span.kind < len(KINDS) else 0,
        start_ns=span.start_time_unix_nano,
        duration_ns=max(0, span.end_time_unix_nano - span.start_time_unix_nano),
        status=span.status.code if 0 <= span.status.code < len(STATUSES) else 0,
        status_message=_text(span.status.message),
        attributes=_attributes(attributes),
        events=[
            SpanEvent(_text(each.name), min(each.time_unix_nano, _LATEST), _attributes(each.attributes))
            for each in events[:MAX_PER_SPAN]
        ],
        links=[
            SpanLink(each.trace_id.hex(), each.span_id.hex(), _attributes(each.attributes))
            for each in links[:MAX_PER_SPAN]
            if len(each.trace_id) == _TRACE_BYTES and len(each.span_id) == _SPAN_BYTES
        ],
        state=_text(span.trace_state),
        dropped=(
            span.dropped_attributes_count + max(0, len(attributes) - MAX_PER_SPAN),
            span.dropped_events_count + max(0, len(events) - MAX_PER_SPAN),
            span.dropped_links_count + max(0, len(links) - MAX_PER_SPAN),
        ),
    )


def _origin(resource: Resource, scope: InstrumentationScope) -> Origin:
    attributes = _attributes(resource.attributes)
    service = attributes.get(telemetry.SERVICE_NAME)
    named = {"name": _text(scope.name), "version": _text(scope.version)}
    return Origin(
        # The default of the semantic conventions.
        service if isinstance(service, str) and service else "unknown_service",
        attributes,
        {name: value for name, value in named.items() if value},
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {_text(pair.key): _value(pair.value) for pair, _ in zip(pairs, range(MAX_PER_SPAN), strict=False)}


def _value(value: AnyValue) -> Any:
    """Return a value as JSON; bytes in base64, NaN and infinities as strings."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return _text(value.string_value)
    if which == "double_value":
        number = value.double_value
        return number if isfinite(number) else str(number)
    if which == "array_value":
        return [_value(each) for each in value.array_value.values]
    if which == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if which == "bytes_value":
        return _text(b64encode(value.bytes_value).decode())
    return getattr(value, which) if which else None


def _text(text: str) -> str:
    """Return a string without NUL, which Postgres refuses, and truncated."""
    text = text if len(text) <= MAX_TEXT_CHARS else f"{text[: MAX_TEXT_CHARS - 1]}…"
    return text.replace("\0", "\ufffd") if "\0" in text else text


def to_json(spans: Iterable[Span]) -> dict[str, Any]:
    """Return spans as OTLP JSON, ``{"resourceSpans": ...}``, grouped by resource and scope."""
    by_origin: dict[int, tuple[Origin, list[Span]]] = {}
    for span in spans:
        by_origin.setdefault(id(span.origin), (span.origin, []))[1].append(span)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(origin.resource)},
                "scopeSpans": [{"scope": origin.scope, "spans": [_otlp(span) for span in made]}],
            }
            for origin, made in by_origin.values()
        ]
    }


def _otlp(span: Span) -> dict[str, Any]:
    status = {"code": span.status, "message": span.status_message}
    counted = ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount")
    whole = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "traceState": span.state,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "events": [
            {"timeUnixNano": str(each.time_ns), "name": each.name, "attributes": _pairs(each.attributes)}
            for each in span.events
        ],
        "links": [
            {"traceId": each.trace_id, "spanId": each.span_id, "attributes": _pairs(each.attributes)}
            for each in span.links
        ],
        "status": {name: value for name, value in status.items() if value},
        **dict(zip(counted, span.dropped, strict=True)),
    }
    # proto3 omits empty fields, except an empty status, which SDKs write.
    return {name: value for name, value in whole.items() if value or name == "status"}


def _pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in attributes.items()]


def _any(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {} if value is None else {"stringValue": value}
