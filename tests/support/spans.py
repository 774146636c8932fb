"""What a module records of itself, kept in memory for a test."""

from collections.abc import Callable
from types import ModuleType

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

RecordSpans = Callable[[ModuleType], InMemorySpanExporter]


@pytest.fixture
def record_spans(monkeypatch: pytest.MonkeyPatch) -> RecordSpans:
    """Return a function that gives a module's ``_tracer`` a provider of its own, and returns what keeps its spans."""

    def record(module: ModuleType) -> InMemorySpanExporter:
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        monkeypatch.setattr(module, "_tracer", provider.get_tracer("tests"))
        return exporter

    return record
