"""Spans and logs of one process: OTLP where an endpoint is set, a local span file where a folder is."""

import json
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_span_id, format_trace_id

from interlock_runtime.settings import TelemetrySettings

OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class SpanFile(SpanExporter):
    """Appends each span as one JSON line to ``<folder>/<service>-<pid>.jsonl``, for ``interlock trace``."""

    def __init__(self, folder: Path, service: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{service}-{os.getpid()}.jsonl").open("a", buffering=1)
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append the spans."""
        with self._lock:
            for span in spans:
                self._file.write(json.dumps(_line(span), default=str) + "\n")
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def _line(span: ReadableSpan) -> dict[str, Any]:
    context = span.get_span_context()
    assert context is not None, "a recorded span has a context"
    return {
        "trace_id": format_trace_id(context.trace_id),
        "span_id": format_span_id(context.span_id),
        "parent_id": format_span_id(span.parent.span_id) if span.parent else None,
        "service": span.resource.attributes.get("service.name"),
        "name": span.name,
        "kind": span.kind.name,
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name,
        "status_message": span.status.description,
        "attributes": dict(span.attributes or {}),
        "links": [
            {"trace_id": format_trace_id(link.context.trace_id), "span_id": format_span_id(link.context.span_id)}
            for link in span.links
        ],
    }


def setup_telemetry(service: str, settings: TelemetrySettings) -> TracerProvider:
    """Set up logging and the process's tracer provider; call once, before any span is made."""
    logging.basicConfig(
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for chatty in ("aio_pika", "aiormq", "httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    provider = TracerProvider(resource=Resource.create({"service.name": f"interlock-{service}"}))
    if settings.spans_dir is not None:
        provider.add_span_processor(SimpleSpanProcessor(SpanFile(settings.spans_dir, service)))
    if any(os.environ.get(name) for name in OTLP_ENDPOINTS):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
