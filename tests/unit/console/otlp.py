"""Spans as an exporter sends them, for tests of what becomes of them."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

TRACE = "83a9efd15c1c98a977e0711cc93ee28b"
OTHER = "4bf92f3577b34da6a3ce929d0e0e4736"
START = 1_706_678_909_209_712_345
SCOPE = InstrumentationScope("interlock_gateway", "0.1.0")


def context(span_id: str, trace_id: str = TRACE) -> SpanContext:
    """Return what names a span."""
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))


def made(name: str, span_id: str, parent: str | None = None, *, trace_id: str = TRACE, **more: Any) -> ReadableSpan:
    """Return a span of the SDK that has ended; ``more`` as it takes it, besides ``start`` and ``took`` in ns."""
    start, took = more.pop("start", START), more.pop("took", 1_500_000)
    service = more.pop("service", "interlock-gateway")
    return ReadableSpan(
        name,
        context(span_id, trace_id),
        context(parent, trace_id) if parent else None,
        Resource({"service.name": service, "service.version": "0.1.0"}),
        instrumentation_scope=SCOPE,
        start_time=start,
        end_time=start + took,
        **more,
    )


def whole() -> ReadableSpan:
    """Return a span that has everything a span can have."""
    return made(
        "predict",
        "e127af99e3b3e074",
        "909541b92cf05311",
        kind=SpanKind.SERVER,
        attributes={"rows": 3, "share": 1.0, "warm": True, "model": "flights", "names": ("a", "b")},
        events=[Event("slow", {"why": "cold"}, timestamp=START + 1_000_000)],
        links=[Link(context("00f067aa0ba902b7", OTHER), {"interlock.link": "model.promotion"})],
        status=Status(StatusCode.ERROR, "too late"),
    )


def sent(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the body of the request that brings the spans."""
    return bytes(encode_spans(spans).SerializeToString())
