"""Spans of a process, and that nothing waits for their receiver."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from interlock_contracts import telemetry
from interlock_runtime.logs import AsJson, InWords
from interlock_runtime.telemetry import (
    HEADERS_FILE,
    PipelinesAlways,
    _headers_in_a_file,
    _Ids,
    _OfOneRun,
    _Provider,
    sending,
    span_id,
)
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Recording:
    """A provider as services have it, which keeps its spans."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(sampler=PipelinesAlways(), id_generator=_Ids())
        provider.add_span_processor(_OfOneRun())
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracer = provider.get_tracer("tests")

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """Return what was recorded, by name."""
        return {span.name: span for span in self._kept.get_finished_spans()}


@pytest.fixture
def recording() -> Recording:
    return Recording()


def remote(traceparent: str) -> Any:
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


@pytest.mark.parametrize(
    ("attributes", "recorded"),
    [
        ({telemetry.PIPELINE: "flights"}, True),
        ({telemetry.EVENT_TYPE: "retrain.requested"}, True),
        ({telemetry.EVENT_TYPE: "prediction.requested"}, False),
        ({telemetry.EVENT_TYPE: "feedback.received"}, False),
        ({telemetry.MODEL: "flights"}, False),
        ({}, False),
    ],
)
def test_pipelines_are_recorded_though_the_caller_does_not_record(
    recording: Recording, attributes: dict[str, str], *, recorded: bool
) -> None:
    """A caller's sampling is for its own calls; how a model came to be must be known in any case."""
    recording.tracer.start_span("here", remote(UNSAMPLED), SpanKind.SERVER, attributes).end()

    assert ("here" in recording.spans) is recorded


def test_what_follows_a_recorded_pipeline_is_recorded_and_stays_in_the_caller_s_trace(recording: Recording) -> None:
    """Once it is decided, everything below follows, under the trace id that the caller knows."""
    about = {telemetry.PIPELINE: "flights"}
    with recording.tracer.start_as_current_span("upload", remote(UNSAMPLED), SpanKind.SERVER, about):
        recording.tracer.start_span("below").end()
    below = recording.spans["below"].get_span_context()

    assert below is not None
    assert f"{below.trace_id:032x}" == UNSAMPLED.split("-")[1]


def test_spans_within_a_run_name_it(recording: Recording) -> None:
    """The run is set once, and whatever is done below it can be found by it."""
    with recording.tracer.start_as_current_span("outer", attributes={telemetry.RUN_ID: "r-1"}):
        recording.tracer.start_span("inner").end()
    recording.tracer.start_span("elsewhere").end()

    runs = {name: (span.attributes or {}).get(telemetry.RUN_ID) for name, span in recording.spans.items()}
    assert runs == {"outer": "r-1", "inner": "r-1", "elsewhere": None}


def test_a_span_s_id_can_be_chosen_before_it_is_recorded(recording: Recording) -> None:
    """Its children know it long before it ends; others get ids by chance as ever."""
    with span_id(0xABCDEF):
        recording.tracer.start_span("chosen").end()
    recording.tracer.start_span("other").end()
    ids = {name: span.get_span_context().span_id for name, span in recording.spans.items()}  # type: ignore[union-attr]

    assert ids["chosen"] == 0xABCDEF
    assert ids["other"] != 0xABCDEF


def line(**more: Any) -> logging.LogRecord:
    record = logging.LogRecord("interlock.tests", logging.WARNING, "f.py", 1, "%d of %s", (3, "flights"), None)
    vars(record).update(more)
    return record


def test_a_log_line_is_json_with_trace_span_and_run(recording: Recording) -> None:
    """A line leads to the trace that it was written in, and to its run."""
    with recording.tracer.start_as_current_span("here", attributes={telemetry.RUN_ID: "r-1"}) as span:
        told = json.loads(AsJson("registry").format(line()))
        words = InWords().format(line())
    context = span.get_span_context()

    assert told["time"].endswith("+00:00")
    assert {name: told[name] for name in ("level", "logger", "message", "service", "run_id")} == {
        "level": "WARNING",
        "logger": "interlock.tests",
        "message": "3 of flights",
        "service": "registry",
        "run_id": "r-1",
    }
    assert (told["trace_id"], told["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert words.endswith(f"WARNING interlock.tests 3 of flights [run r-1, trace {context.trace_id:032x}]")


def test_a_line_outside_of_any_trace_may_name_its_run() -> None:
    """Loops that look at many runs have no span, and name the run with the line."""
    told = json.loads(AsJson("train_dispatch").format(line(run_id="r-2")))

    assert told["run_id"] == "r-2"
    assert "trace_id" not in told
    assert InWords().format(line()).endswith("flights")


def test_a_traceback_stays_in_its_line() -> None:
    """One event is one line, whatever is wrong."""
    error = ValueError("wrong\nin two lines")
    written = AsJson("gateway").format(line(exc_info=(ValueError, error, None)))

    assert "\n" not in written
    assert "wrong\nin two lines" in json.loads(written)["error"]


@pytest.fixture(params=["hangs", "refuses"])
def exporting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchSpanProcessor]:
    """Yield what sends to a receiver that takes connections and never answers, or to none at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        if request.param == "refuses":
            server.close()
        processor = sending()
        yield processor
    end_export(processor)


def end_export(processor: BatchSpanProcessor) -> None:
    """End the exporter's thread: it takes random numbers for its backoff, which would disturb later property tests."""
    batches = processor._batch_processor
    batches._shutdown_timeout_exceeded = True  # no further batch
    batches._exporter.shutdown()  # type: ignore[no-untyped-call]  # no further try of this one
    batches._worker_thread.join(30)
    assert not batches._worker_thread.is_alive()


def test_nothing_waits_for_a_receiver_that_is_down(exporting: BatchSpanProcessor) -> None:
    """Thousands of spans more than its queue takes are ended at once, and the process ends in time."""
    provider = _Provider(shutdown_on_exit=False)
    provider.add_span_processor(exporting)
    tracer = provider.get_tracer("tests")
    begin = monotonic()
    for _ in range(5_000):
        tracer.start_span("here").end()
    made = monotonic() - begin
    provider.shutdown()
    stopped = monotonic() - begin - made

    assert made < 15.0, "a span is made without waiting for anybody, who would wait for a minute"
    assert stopped < 15.0, "an end is waited for, but not long"


def test_headers_may_come_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As container secrets do; what it holds is written as in the variable."""
    monkeypatch.delenv(HEADERS_FILE, raising=False)
    assert _headers_in_a_file() is None

    file = tmp_path / "headers"
    file.write_text("authorization=Bearer%20ilk_key,x-tenant=a\n")
    monkeypatch.setenv(HEADERS_FILE, str(file))
    assert _headers_in_a_file() == {"authorization": "Bearer ilk_key", "x-tenant": "a"}


def test_without_a_span_a_line_names_none() -> None:
    """Outside of spans there is no trace to lead to."""
    assert not trace.get_current_span().get_span_context().is_valid
    assert "trace_id" not in json.loads(AsJson("gateway").format(line()))
