"""Spans of one process: OTLP where an endpoint is set, a local span file where a folder is."""

import importlib.metadata
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from uuid import uuid4

from interlock_contracts import telemetry
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import format_span_id, format_trace_id
from opentelemetry.util.re import parse_env_headers

from interlock_runtime.logs import setup_logs
from interlock_runtime.settings import TelemetrySettings

OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
OTLP_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
DELAY = "OTEL_BSP_SCHEDULE_DELAY"
HEADERS_FILE = "OTEL_EXPORTER_OTLP_HEADERS_FILE"
"""Ours: the file of what ``OTEL_EXPORTER_OTLP_HEADERS`` would hold, for a key among them is a secret."""

EXPORT_TIMEOUT_SECONDS = 60.0
"""How long an export is retried while its receiver is down; only the exporter's thread waits."""

DELAY_MILLIS = 1000.0
"""How long a span waits for others: people look on while a run goes on."""

STOP_SECONDS = 2.0
"""How long a process that ends may take to send its last spans."""


class SpanFile(SpanExporter):
    """Appends each span as one JSON line to ``<folder>/<service>-<pid>.jsonl``, for ``interlock trace``."""

    def __init__(self, folder: Path, service: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{service}-{os.getpid()}.jsonl").open("a", buffering=1)
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            for span in spans:
                self._file.write(json.dumps(_line(span), default=str) + "\n")
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


def _line(span: ReadableSpan) -> dict[str, Any]:
    context = span.get_span_context()
    assert context is not None, "a recorded span has a context"
    return {
        "trace_id": format_trace_id(context.trace_id),
        "span_id": format_span_id(context.span_id),
        "parent_id": format_span_id(span.parent.span_id) if span.parent else None,
        "service": span.resource.attributes.get(telemetry.SERVICE_NAME),
        "name": span.name,
        "kind": span.kind.name,
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name,
        "status_message": span.status.description,
        "attributes": dict(span.attributes or {}),
        "events": [
            {"name": event.name, "time_ns": event.timestamp, "attributes": dict(event.attributes or {})}
            for event in span.events
        ],
        "links": [
            {
                "trace_id": format_trace_id(link.context.trace_id),
                "span_id": format_span_id(link.context.span_id),
                "attributes": dict(link.attributes or {}),
            }
            for link in span.links
        ],
    }


class PipelinesAlways(Sampler):
    """Records what belongs to a pipeline, whoever asked for it and however; all else as its parent is."""

    def __init__(self) -> None:
        self._else = ParentBased(ALWAYS_ON)

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, *args: Any, **more: Any
    ) -> SamplingResult:
        """Return the parent's decision, unless that would leave out a span of a pipeline or one of its events."""
        result = self._else.should_sample(parent_context, trace_id, name, *args, **more)
        attributes = more.get("attributes") or (args[1] if len(args) > 1 else None) or {}
        if result.decision is Decision.DROP and _of_a_pipeline(attributes):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        """Return the sampler's name."""
        return "PipelinesAlways"


def _of_a_pipeline(attributes: Any) -> bool:
    event = attributes.get(telemetry.EVENT_TYPE)
    return telemetry.PIPELINE in attributes or (event is not None and not event.startswith(telemetry.SAMPLED_EVENTS))


class _OfOneRun(SpanProcessor):
    """Gives a span the run of the one around it, so that logs and searches find all that was done for a run."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        around: Any = getattr(trace.get_current_span(parent_context), "attributes", None) or {}
        if telemetry.RUN_ID in around and telemetry.RUN_ID not in (span.attributes or {}):
            span.set_attribute(telemetry.RUN_ID, around[telemetry.RUN_ID])


_next_id: ContextVar[int | None] = ContextVar("span_id", default=None)


@contextmanager
def span_id(chosen: int) -> Iterator[None]:
    """Give the spans that are started in the block this id, so it is known before the span is recorded: use for one."""
    token = _next_id.set(chosen)
    try:
        yield
    finally:
        _next_id.reset(token)


class _Ids(RandomIdGenerator):
    def generate_span_id(self) -> int:
        return _next_id.get() or super().generate_span_id()


class _Provider(TracerProvider):
    def shutdown(self) -> None:
        """Send the last spans; a receiver that hangs must not keep the process from ending."""
        stopping = threading.Thread(target=super().shutdown, daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)


def setup_telemetry(service: str, settings: TelemetrySettings, *, instance: str | None = None) -> TracerProvider:
    """Set up logs and the process's tracer provider; call once, before any span is made.

    ``instance`` names this process among others of its service, if it has a name.
    """
    setup_logs(service, level=settings.log_level, form=settings.log_format)
    provider = _Provider(resource=_resource(service, instance), sampler=PipelinesAlways(), id_generator=_Ids())
    provider.add_span_processor(_OfOneRun())
    if settings.spans_dir is not None:
        provider.add_span_processor(SimpleSpanProcessor(SpanFile(settings.spans_dir, service)))
    if any(os.environ.get(name) for name in OTLP_ENDPOINTS):
        provider.add_span_processor(sending())
    trace.set_tracer_provider(provider)
    return provider


def sending() -> BatchSpanProcessor:
    """Return what exports spans, by the standard ``OTEL_*`` variables: from a thread of its own.

    Its queue is bounded; spans that it has no room for, as the receiver is down too long, are dropped.
    """
    timeout = None if any(os.environ.get(name) for name in OTLP_TIMEOUTS) else EXPORT_TIMEOUT_SECONDS
    delay = None if os.environ.get(DELAY) else DELAY_MILLIS
    exporter = OTLPSpanExporter(timeout=timeout, headers=_headers_in_a_file())
    return BatchSpanProcessor(exporter, schedule_delay_millis=delay)


def _headers_in_a_file() -> Mapping[str, str] | None:
    """Return the headers of exports from the file that is named for them; None where none is."""
    path = os.environ.get(HEADERS_FILE)
    return parse_env_headers(Path(path).read_text().strip(), liberal=True) if path else None


def _resource(service: str, instance: str | None) -> Resource:
    return Resource.create(
        {
            telemetry.SERVICE_NAME: f"interlock-{service}",
            telemetry.SERVICE_NAMESPACE: "interlock",
            telemetry.SERVICE_VERSION: _version(service),
            telemetry.SERVICE_INSTANCE: instance or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}",
        }
    )


def _version(service: str) -> str:
    try:
        return importlib.metadata.version(f"interlock-{service.replace('_', '-')}")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
