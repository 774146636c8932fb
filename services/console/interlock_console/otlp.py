"""OTLP, the standard's way of writing spans down: what comes in as protobuf or JSON, and what goes out as JSON."""

import zlib
from base64 import b64encode
from collections.abc import Iterable
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from interlock_contracts import telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from interlock_console.spans import KINDS, STATUSES, Origin, Span, SpanEvent, SpanLink

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

LONGEST_BODY = 8 << 20
"""Bytes of one request, packed and unpacked; exporters send some hundred kilobytes."""

LONGEST_TEXT = 4096
"""Characters of one text, be it a value, a message or a name; what is beyond is cut off."""

MOST_OF_EACH = 128
"""Attributes, events and links of one span, as the SDKs limit them; what is beyond is counted and dropped."""

MOST_SPANS = 20_000
"""Spans of one request; more of them are refused, and the answer says so."""

_LATEST = 2**63 - 1
_TRACE_BYTES, _SPAN_BYTES = 16, 8


class Received(NamedTuple):
    """What one request brought: its good spans, how many were refused, and the first reason for that."""

    spans: list[Span]
    refused: int = 0
    reason: str = ""


def unpacked(body: bytes) -> bytes:
    """Return what gzip packed.

    Raises:
        ValueError: it is not gzip, or cut off.
        OverflowError: it is larger than ``LONGEST_BODY``.
    """
    inflate = zlib.decompressobj(wbits=31)
    try:
        whole = inflate.decompress(body, LONGEST_BODY + 1)
    except zlib.error as error:
        raise ValueError(f"the body is not gzip, though Content-Encoding says so: {error}") from error
    if len(whole) > LONGEST_BODY:
        raise OverflowError(f"the body is larger than {LONGEST_BODY} bytes once it is unpacked; send smaller batches")
    if not inflate.eof or inflate.unused_data:
        raise ValueError("the body is not one whole gzip stream")
    return whole


def received(body: bytes, media_type: str) -> Received:
    """Return the spans of one ``ExportTraceServiceRequest`` as ``PROTOBUF`` or ``JSON``.

    Raises:
        ValueError: it is no such request.
    """
    try:
        message = ExportTraceServiceRequest.FromString(body) if media_type == PROTOBUF else _of_json(body)
    except (DecodeError, ParseError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(f"the body is no ExportTraceServiceRequest: {str(error)[:300]}") from error
    spans: list[Span] = []
    refused, reason = 0, ""
    for resource_spans in message.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            origin = _origin(resource_spans.resource, scope_spans.scope)
            for each in scope_spans.spans:
                fault = _fault(each) if len(spans) < MOST_SPANS else f"one request brings at most {MOST_SPANS} spans"
                if fault is None:
                    spans.append(_span(each, origin))
                else:
                    refused, reason = refused + 1, reason or fault
    return Received(spans, refused, reason)


def _of_json(body: bytes) -> ExportTraceServiceRequest:
    document = msgspec.json.decode(body)
    if not isinstance(document, dict):
        raise ParseError("a JSON object is expected")
    return ParseDict(_with_bytes(document), ExportTraceServiceRequest(), ignore_unknown_fields=True)


def _with_bytes(value: Any) -> Any:
    """Return JSON with ids as protobuf's JSON has bytes: OTLP writes them in hex, where that wants base64."""
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if isinstance(value, dict):
        return {name: _base64(name, each) if name in _IDS else _with_bytes(each) for name, each in value.items()}
    return value


_IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}


def _base64(name: str, value: Any) -> str:
    try:
        return b64encode(bytes.fromhex(value or "")).decode()
    except (TypeError, ValueError) as error:
        raise ParseError(f"{name} is to be hexadecimal digits, not {str(value)[:40]!r}") from error


def _fault(span: trace_pb2.Span) -> str | None:
    """Return why a span cannot be kept."""
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
            for each in events[:MOST_OF_EACH]
        ],
        links=[
            SpanLink(each.trace_id.hex(), each.span_id.hex(), _attributes(each.attributes))
            for each in links[:MOST_OF_EACH]
            if len(each.trace_id) == _TRACE_BYTES and len(each.span_id) == _SPAN_BYTES
        ],
        state=_text(span.trace_state),
        dropped=(
            span.dropped_attributes_count + max(0, len(attributes) - MOST_OF_EACH),
            span.dropped_events_count + max(0, len(events) - MOST_OF_EACH),
            span.dropped_links_count + max(0, len(links) - MOST_OF_EACH),
        ),
    )


def _origin(resource: Resource, scope: InstrumentationScope) -> Origin:
    attributes = _attributes(resource.attributes)
    service = attributes.get(telemetry.SERVICE_NAME)
    named = {"name": _text(scope.name), "version": _text(scope.version)}
    return Origin(
        # As the semantic conventions call a process that does not say.
        service if isinstance(service, str) and service else "unknown_service",
        attributes,
        {name: value for name, value in named.items() if value},
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {_text(pair.key): _value(pair.value) for pair, _ in zip(pairs, range(MOST_OF_EACH), strict=False)}


def _value(value: AnyValue) -> Any:
    """Return a value as JSON has it; bytes as base64, and numbers that JSON lacks by their names."""
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
    """Return a text as Postgres takes it, which has no NUL, and not too long."""
    text = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return text.replace("\0", "\ufffd") if "\0" in text else text


def document(spans: Iterable[Span]) -> dict[str, Any]:
    """Return spans as OTLP has them in JSON, ``{"resourceSpans": ...}``: by their process, then by their scope."""
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
    # proto3 leaves out what is empty; an empty status is there, as SDKs write it.
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
