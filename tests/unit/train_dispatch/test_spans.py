"""A run in its trace: its own span is known before it ends, and tells how it ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from interlock_contracts import telemetry
from interlock_contracts.manifest import Phase, TrainingManifest
from interlock_contracts.training import RunState
from interlock_runtime.telemetry import _Ids
from interlock_train_dispatch import spans
from interlock_train_dispatch.store import RunRow
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

TRACE, ASKED = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RUN = UUID("6c3f2a52-4f0a-5a35-9d3e-1f6f3a0c7b11")
MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider(id_generator=_Ids())
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("tests"))
    return kept


def run(state: RunState, **more: Any) -> RunRow:
    row = RunRow(
        run_id=RUN,
        model="flights",
        state=state,
        request_traceparent=f"00-{TRACE}-{ASKED}-01",
        attempt=1,
        created_at=MORNING,
    )
    row.traceparent = spans.traceparent_of(row)
    for name, value in more.items():
        setattr(row, name, value)
    return row


def told(kept: InMemorySpanExporter) -> Sequence[ReadableSpan]:
    return kept.get_finished_spans()


def parent(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


def own(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    assert f"{context.trace_id:032x}" == TRACE
    return f"{context.span_id:016x}"


def test_what_happens_in_a_run_is_part_of_a_span_that_ends_later(recorded: InMemorySpanExporter) -> None:
    """The wait, the dispatch and the training have the run's span as parent, whoever records that in the end."""
    of = run("running", started_at=MORNING + timedelta(seconds=90))
    spans.emit_queue(of)
    with spans.dispatch(of):
        pass
    phases = [Phase(name="train", start_ns=1, end_ns=9), Phase(name="read", parent="train", start_ns=2, end_ns=3)]
    spans.emit_training(of, TrainingManifest(status="failed", reason="no rows", spans=phases))
    of.state, of.ended_at, of.version = "succeeded", MORNING + timedelta(hours=3), 7
    spans.emit_run(of)

    queue, dispatch, train, read, whole = told(recorded)
    assert (whole.name, parent(whole), own(whole)) == ("RUN flights", ASKED, f"{RUN.int % 2**64:016x}")
    assert {parent(each) for each in (queue, dispatch, train)} == {own(whole)}
    assert parent(read) == own(train)
    assert queue.end_time is not None
    assert queue.start_time is not None
    assert queue.end_time - queue.start_time == 90 * 10**9
    assert whole.attributes is not None
    assert whole.attributes[telemetry.VERSION] == 7
    assert train.status.description == "no rows"


@pytest.mark.parametrize(
    ("state", "result", "status"),
    [
        ("succeeded", "success", StatusCode.UNSET),
        ("refused", "failure", StatusCode.UNSET),
        ("failed", "error", StatusCode.ERROR),
        ("cancelled", "cancellation", StatusCode.UNSET),
        ("timed_out", "timeout", StatusCode.ERROR),
        ("coalesced", "skip", StatusCode.UNSET),
    ],
)
def test_every_end_has_a_word_of_the_conventions(
    recorded: InMemorySpanExporter, state: RunState, result: str, status: StatusCode
) -> None:
    """A refusal is a result, not an error; what did not come to its end is one."""
    spans.emit_run(run(state, ended_at=MORNING, reason="because"), into=f"00-{TRACE}-{'c' * 16}-01")
    (whole,) = told(recorded)

    assert whole.attributes is not None
    assert (whole.attributes[telemetry.RESULT], whole.status.status_code) == (result, status)
    assert [f"{link.context.span_id:016x}" for link in whole.links] == ["c" * 16]


def test_a_run_of_an_older_release_ends_without_a_span(recorded: InMemorySpanExporter) -> None:
    """Its parts are children of another span, and nobody knows any more who asked."""
    spans.emit_run(run("failed", request_traceparent=None, ended_at=MORNING))

    assert told(recorded) == ()


def test_a_lost_attempt_is_seen(recorded: InMemorySpanExporter) -> None:
    """A retry is no secret: the attempt that came to nothing stands beside the next, with the reason."""
    spans.emit_lost(run("running"), "Ray does not know the job any more")
    (lost,) = told(recorded)

    assert (lost.name, lost.status.status_code) == ("train", StatusCode.ERROR)
    assert lost.status.description == "Ray does not know the job any more"
