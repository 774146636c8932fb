"""The span of a message that is handled: whose child it is, what it tells, and how few names there are."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from interlock_contracts import telemetry
from interlock_contracts.event import Envelope
from interlock_contracts.models import ModelPromoted
from interlock_contracts.training import RetrainRequested
from interlock_messaging import spans, topology
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.spans import RecordSpans

TRACE, ENQUEUED, SENT = "0af7651916cd43dd8448eb211c80319c", "a" * 16, "b" * 16


@pytest.fixture
def kept(record_spans: RecordSpans) -> InMemorySpanExporter:
    return record_spans(spans)


def handled(kept: InMemorySpanExporter, queue: Any, *, subject: str, headers: dict[str, str]) -> ReadableSpan:
    envelope = Envelope(
        id="e-1",
        source="/interlock/gateway",
        type=queue.routing_key,
        subject=subject,
        time=datetime.now(UTC) - timedelta(seconds=60),
        traceparent=f"00-{TRACE}-{ENQUEUED}-01",
    )
    message = SimpleNamespace(raw_message=SimpleNamespace(redelivered=True), headers=headers, body=b"12345")
    with spans.handling(message, envelope, queue, attempt=2):
        spans.happened(telemetry.EVENT_RETRIED, **{telemetry.ATTEMPT: 2})
    (span,) = kept.get_finished_spans()
    return span


def test_a_handling_is_the_child_of_its_hop_and_linked_to_the_creation_of_its_event(kept: InMemorySpanExporter) -> None:
    """Its wait, its attempt and its outcome are recorded; the run is known where the event is about one."""
    queue = topology.queue("train_dispatch", RetrainRequested)
    span = handled(kept, queue, subject="run/r-1", headers={"traceparent": f"00-{TRACE}-{SENT}-01"})
    assert span.parent is not None
    assert span.attributes is not None

    assert (span.name, f"{span.parent.span_id:016x}") == ("process train_dispatch.retrain.requested", SENT)
    assert [(f"{link.context.span_id:016x}", dict(link.attributes or {})) for link in span.links] == [
        (ENQUEUED, {telemetry.LINK: telemetry.LINK_ORIGIN})
    ]
    told = (telemetry.ATTEMPT, telemetry.REDELIVERED, telemetry.RUN_ID, telemetry.MESSAGING_BODY_SIZE)
    assert [span.attributes[name] for name in told] == [2, True, "r-1", 5]
    waited = span.attributes[telemetry.WAITED]
    assert isinstance(waited, float)
    assert 60 <= waited < 120
    assert [event.name for event in span.events] == [telemetry.EVENT_RETRIED]


def test_a_worker_s_own_queue_is_an_attribute_but_is_not_in_the_name(kept: InMemorySpanExporter) -> None:
    """Backends group by a span's name, and workers come and go."""
    queue = topology.worker_queue("gateway", ModelPromoted, "host-17-ab")
    span = handled(kept, queue, subject="model/flights", headers={})
    assert span.attributes is not None
    assert span.parent is not None

    assert span.name == "process gateway.model.promoted"
    assert span.attributes[telemetry.MESSAGING_DESTINATION] == "gateway.model.promoted.host-17-ab"
    assert span.attributes[telemetry.MESSAGING_TEMPLATE] == "gateway.model.promoted"
    assert f"{span.parent.span_id:016x}" == ENQUEUED, "without a hop's context, that of the event itself counts"
