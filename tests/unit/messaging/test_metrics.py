"""What is counted of messages."""

from datetime import UTC, datetime, timedelta

import pytest
from faststream.rabbit import RabbitQueue
from interlock_contracts.event import Envelope
from interlock_contracts.models import ModelPromoted
from interlock_contracts.training import RetrainRequested
from interlock_messaging import metrics, topology
from prometheus_client import REGISTRY

SHARED = topology.queue("train_dispatch", RetrainRequested)


def said(ago: float) -> Envelope:
    """Return the envelope of an event that was enqueued so many seconds ago."""
    event = RetrainRequested(model="flights")
    now = datetime.now(UTC) - timedelta(seconds=ago)
    return Envelope.of(event, source="gateway", cause="a-test", n=0, now=now, traceparent=None)


def told(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("queue", "label"),
    [
        (SHARED, "train_dispatch.retrain.requested"),
        (topology.worker_queue("gateway", ModelPromoted, "host-17-ab12"), "gateway.model.promoted"),
    ],
)
def test_a_process_is_no_label(queue: RabbitQueue, label: str) -> None:
    """Each would leave series behind when it ends."""
    assert metrics.named(queue) == label


def test_an_event_waits_until_it_is_taken_for_the_first_time() -> None:
    """Outbox, broker and queue together; a retry waits by design, and clocks may differ."""
    name, label = "interlock_message_wait_seconds", {"queue": "train_dispatch.retrain.requested"}
    count, total = told(f"{name}_count", **label), told(f"{name}_sum", **label)
    for ago, tried in ((3.0, 0), (100.0, 1), (-60.0, 0)):
        with metrics.timed(SHARED, said(ago), tried):
            pass

    assert told(f"{name}_count", **label) == count + 2
    assert told(f"{name}_sum", **label) - total == pytest.approx(3.0, abs=0.5)


def test_messages_that_fail_are_timed_as_well() -> None:
    """What takes long often ends badly."""
    name, label = "interlock_message_seconds_count", {"queue": "train_dispatch.retrain.requested"}
    before = told(name, **label)
    with pytest.raises(ValueError, match="no"), metrics.timed(SHARED, said(0), 0):
        raise ValueError("no")
    with metrics.timed_batch(SHARED, [said(0), said(0)]):
        pass

    assert told(name, **label) == before + 3
