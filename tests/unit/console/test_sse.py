"""The SSE event stream: bounded queues, filters, and the rate limit of ephemeral events."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from interlock_console.sse import EPHEMERAL_PER_SECOND, QUEUE_SIZE, EphemeralTail, Listener
from interlock_contracts.console import EventView
from interlock_contracts.event import Envelope
from interlock_contracts.predictions import PredictionRequested
from litestar.response import ServerSentEventMessage

RUN = uuid4()


def view(kind: str, **more: Any) -> EventView:
    return EventView(
        id="1", type=kind, source="/test", subject="model/flights", time=datetime.now(UTC), data={}, **more
    )


def message(**headers: str) -> Any:
    asked = PredictionRequested(prediction_id=uuid4(), model="flights", request_sha256="a" * 64, rows=[{"x": 1}])
    envelope = Envelope.of(asked, source="gateway", cause="1", now=datetime.now(UTC))
    return aio_pika.Message(asked.body(), headers={**envelope.headers(), **headers}, content_type="application/json")


def test_a_page_that_does_not_read_loses_what_is_new_and_is_told_how_much() -> None:
    """The memory of the console is nobody's to fill."""
    listener = Listener(frozenset())
    for _ in range(QUEUE_SIZE + 3):
        listener.offer(ServerSentEventMessage(event="model.promoted"))

    assert (listener.messages.qsize(), listener.dropped) == (QUEUE_SIZE, 3)


@pytest.mark.parametrize(
    ("listener", "wanted"),
    [
        (Listener(frozenset()), True),
        (Listener(frozenset({"model.promoted"})), True),
        (Listener(frozenset({"model.retired"})), False),
        (Listener(frozenset(), model="flights"), True),
        (Listener(frozenset(), model="students"), False),
        (Listener(frozenset(), run=str(RUN)), True),
        (Listener(frozenset(), run=str(uuid4())), False),
    ],
)
def test_a_page_gets_what_it_subscribed_to(listener: Listener, wanted: bool) -> None:
    """By type, model and run, all of which must fit."""
    assert listener.matches(view("model.promoted", model="flights", run_id=RUN)) is wanted


async def test_a_flood_of_frequent_events_is_shown_in_part_and_counted() -> None:
    """What is no event at all is passed by."""
    given: list[EventView] = []
    tail = EphemeralTail(None, given.append)  # type: ignore[arg-type] # no broker: the messages come from the test
    await tail._on_message(message(cloudEvents_type="no.such"))
    for _ in range(5 * EPHEMERAL_PER_SECOND):
        await tail._on_message(message())
    shown = len(given)

    assert EPHEMERAL_PER_SECOND <= shown + 1 <= 5 * EPHEMERAL_PER_SECOND
    assert shown + tail.take_dropped() == 5 * EPHEMERAL_PER_SECOND
    assert tail.take_dropped() == 0
    assert given[0].data["model"] == "flights"
    assert "rows" not in given[0].data
