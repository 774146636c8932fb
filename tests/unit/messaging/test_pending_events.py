"""Events that wait for the broker in a process without an outbox."""

import pytest
from interlock_contracts.event import Event
from interlock_contracts.models import ModelServing
from interlock_messaging import pending_events
from interlock_messaging.pending_events import PendingEvents


class Bus:
    """Keeps what is published; refuses while it is ``down``."""

    def __init__(self) -> None:
        self.published: list[tuple[int, str]] = []
        self.down = True

    async def publish(self, event: Event, *, cause: str) -> None:
        if self.down:
            raise ConnectionError("RabbitMQ is down")
        assert isinstance(event, ModelServing)
        self.published.append((event.version, cause))


def serving(version: int) -> ModelServing:
    return ModelServing(model="m", version=version, promotion_seq=version, worker="w", load_seconds=0.1)


async def test_what_waits_is_published_in_order_and_once() -> None:
    """As soon as the bus takes it, with its own cause."""
    bus = Bus()
    events = PendingEvents(bus)
    for version in (1, 2, 3):
        events.add(serving(version), cause=f"c{version}")
        await events.flush()
    assert not bus.published

    bus.down = False
    await events.flush()
    await events.flush()
    assert bus.published == [(1, "c1"), (2, "c2"), (3, "c3")]


async def test_of_too_many_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can make a process report something takes no memory without limit."""
    monkeypatch.setattr(pending_events, "MAX_PENDING", 5)
    bus = Bus()
    events = PendingEvents(bus)
    for version in range(1, 9):
        events.add(serving(version), cause="c")
    bus.down = False
    await events.flush()

    assert [version for version, _ in bus.published] == [4, 5, 6, 7, 8]
