"""What becomes of each event that is published: confirmed, refused, not confirmed in time, or lost with its channel."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import aiormq.exceptions
import pytest
from faststream.rabbit import RabbitBroker
from interlock_contracts.event import UNTRACED, Envelope
from interlock_messaging import outbox, publishing
from interlock_messaging.outbox import publish_all
from interlock_messaging.publishing import Outcome, send_together
from pamqp.commands import Basic

from tests.support.waiting import until

RECORDED = f"00-{2:032x}-{2:016x}-01"
Fate = Callable[[], Awaitable[None]]


def message(name: str, traceparent: str = UNTRACED) -> tuple[Envelope, bytes]:
    kind = "prediction.completed"
    return Envelope(id=name, source="/interlock/prediction", type=kind, traceparent=traceparent), b"{}"


async def confirmed() -> None:
    await asyncio.sleep(0)


async def refused() -> None:
    raise aiormq.exceptions.DeliveryError(None, Basic.Nack())


async def never() -> None:
    await asyncio.Event().wait()


async def channel_gone() -> None:
    raise aiormq.exceptions.ChannelInvalidStateError("closed")


async def connection_gone() -> None:
    raise asyncio.CancelledError


class Channel:
    """A channel with an outcome for each message in ``fates``; the others are confirmed."""

    def __init__(self, **fates: Fate) -> None:
        self.taken: list[str] = []
        self._fates = fates

    async def basic_publish(self, body: bytes, *, properties: Any, **options: Any) -> None:
        assert body == b"{}"
        assert options["routing_key"] == "prediction.completed"
        self.taken.append(properties.message_id)
        await self._fates.get(properties.message_id, confirmed)()


def broker(channel: Channel, *, connects: Fate = confirmed) -> RabbitBroker:
    async def underlay() -> Channel:
        return channel

    async def declare_exchange(_: Any) -> Any:
        return SimpleNamespace(channel=SimpleNamespace(get_underlay_channel=underlay))

    async def connect() -> None:
        await connects()

    return cast("RabbitBroker", SimpleNamespace(declare_exchange=declare_exchange, connect=connect))


def words(outcomes: list[Outcome]) -> list[str | None]:
    return [each if each is None or isinstance(each, str) else type(each).__name__ for each in outcomes]


async def test_each_message_has_its_own_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens to the others, what was confirmed counts as published."""
    monkeypatch.setattr(publishing, "CONFIRM_SECONDS", 0.2)
    channel = Channel(b=refused, c=never, d=channel_gone, e=connection_gone)

    outcomes = await send_together(broker(channel), [message(name) for name in "abcdef"])

    assert channel.taken == list("abcdef")
    assert isinstance(outcomes[1], str)
    assert "Nack" in outcomes[1]
    assert words([outcomes[0], *outcomes[2:]]) == [None, "TimeoutError", "ConnectionError", "TimeoutError", None]


async def unreachable() -> None:
    raise TimeoutError


@pytest.mark.parametrize(
    ("connects", "error"),
    [(unreachable, TimeoutError), (channel_gone, ConnectionError), (connection_gone, ConnectionError)],
    ids=["unreachable", "closed", "lost"],
)
async def test_without_a_connection_nothing_was_published(connects: Fate, error: type[OSError]) -> None:
    """Where the broker cannot be reached, every message has that outcome."""
    channel = Channel()

    outcomes = await send_together(broker(channel, connects=connects), [message("a"), message("b")])

    assert channel.taken == []
    assert [type(each) for each in outcomes] == [error, error]


async def test_who_is_stopped_while_it_publishes_stops() -> None:
    """A cancellation that is meant for us is no lost connection."""
    channel = Channel(a=never)
    sending = asyncio.create_task(send_together(broker(channel), [message("a")]))
    await until(lambda: bool(channel.taken))
    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_recorded_and_unrecorded_events_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events with a span and those without are sent differently; each outcome stands where its event stood."""

    async def send(_: RabbitBroker, envelope: Envelope, body: bytes) -> str | None:
        assert body == b"{}"
        if envelope.id == "lost":
            raise ConnectionError("lost")
        return f"span of {envelope.id}"

    monkeypatch.setattr(outbox, "send", send)
    asked = [message("a"), message("b", RECORDED), message("c"), message("lost", RECORDED), message("d", RECORDED)]

    outcomes = await publish_all(broker(Channel(c=channel_gone)), asked)

    assert words(outcomes) == [None, "span of b", "ConnectionError", "ConnectionError", "span of d"]


async def test_without_messages_the_broker_is_not_asked() -> None:
    """A relay with nothing to do holds a transaction meanwhile, and the broker may be away."""
    asked: list[str] = []

    async def connects() -> None:
        asked.append("connect")

    assert await publish_all(broker(Channel(), connects=connects), []) == []
    assert asked == []
