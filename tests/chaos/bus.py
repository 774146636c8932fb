"""Consumer and publisher of the chaos run: every event is recorded whatever dies, and some are published again."""

import asyncio
import json
import random
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

import aio_pika
import aio_pika.exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from interlock_contracts.catalog import BY_TYPE, OUTSIDE
from interlock_contracts.event import Envelope
from interlock_messaging import topology
from interlock_messaging.publishing import is_ended
from yarl import URL

from tests.chaos.stack import Stack

_LOST = (OSError, TimeoutError, aio_pika.exceptions.AMQPError, RuntimeError)
SECONDS = 5.0
Copy = tuple[str, bytes, dict[str, Any]]


class Publisher:
    """Publishes with a confirm, as the service that may say the event; one connection for each of them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._open: dict[str | None, tuple[AbstractConnection, AbstractExchange]] = {}

    async def publish(self, event_type: str, body: bytes, headers: dict[str, Any]) -> bool:
        """Publish one event; return whether the broker has confirmed it."""
        published_by = [each for each in BY_TYPE[event_type].producers if each != OUTSIDE]
        speaker = None if BY_TYPE[event_type].external else published_by[0]
        message = aio_pika.Message(
            body,
            headers=headers,
            content_type="application/json",
            message_id=headers["cloudEvents_id"],
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            user_id=URL(self._stack.amqp(speaker)).user,
        )
        try:
            async with asyncio.timeout(SECONDS):
                exchange = await self._exchange(speaker)
                await exchange.publish(message, routing_key=event_type)
        except (*_LOST, asyncio.CancelledError):
            if is_ended():
                raise
            await self._hang_up(speaker)
            return False
        return True

    async def _exchange(self, speaker: str | None) -> AbstractExchange:
        if speaker not in self._open:
            connection = await aio_pika.connect(self._stack.amqp(speaker), timeout=SECONDS)
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            # Not declared: people outside may publish, and change nothing.
            self._open[speaker] = connection, await channel.get_exchange(topology.EXCHANGE.name, ensure=False)
        return self._open[speaker][1]

    async def _hang_up(self, speaker: str | None) -> None:
        connection, _ = self._open.pop(speaker, (None, None))
        if connection is not None:
            with suppress(*_LOST):
                await asyncio.wait_for(connection.close(), 1)

    async def close(self) -> None:
        """Close every connection."""
        for speaker in tuple(self._open):
            await self._hang_up(speaker)


class Listener(Protocol):
    """Whoever is told what is said; it contains the ids of the events that it knows."""

    def record(self, envelope: Envelope, data: dict[str, Any]) -> None: ...

    def __contains__(self, event_id: str) -> bool: ...


class Consumer:
    """A durable queue bound to everything; a share of what it receives is published again, late, in another order."""

    def __init__(self, stack: Stack, listener: Listener, publisher: Publisher, *, seed: int, repeated: float) -> None:
        self._stack = stack
        self._listener = listener
        self._publisher = publisher
        self._random = random.Random(seed)
        self._repeated = repeated
        self._name = f"chaos.{uuid4().hex[:8]}"
        self._copies: list[Copy] = []
        self._saying = 0
        self._only: str | None = None
        self.listening = asyncio.Event()

    def only(self, model: str) -> None:
        """Tell from now on only what is said about one model."""
        self._only = model

    def again(self, event_type: str, body: bytes, headers: dict[str, Any]) -> None:
        """Say this event once more, some time."""
        self._copies.append((event_type, body, headers))

    @property
    def copies(self) -> int:
        """Return how many are still to be said again."""
        return len(self._copies) + self._saying

    async def consume(self) -> None:
        """Consume until cancelled; whatever was not taken down when a connection broke comes again."""
        while True:
            try:
                async with await aio_pika.connect(self._stack.admin("AMQP_URL"), timeout=SECONDS) as connection:
                    await self._consume(await connection.channel())
            except (*_LOST, asyncio.CancelledError):
                if is_ended():
                    raise
                await asyncio.sleep(0.3)

    async def _consume(self, channel: AbstractChannel) -> None:
        await channel.set_qos(prefetch_count=500)
        queue = await channel.declare_queue(self._name, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(topology.EXCHANGE.name, "#")
        self.listening.set()
        async with queue.iterator() as messages:
            async for message in messages:
                self._note(message)
                await message.ack()

    def _note(self, message: AbstractIncomingMessage) -> None:
        headers: dict[str, Any] = dict(message.headers)
        envelope = Envelope.of_headers(headers)
        data = json.loads(message.body)
        if self._only is not None and data.get("model") != self._only:
            return
        # Redelivered, it is our own connection's repeat, unless it was never taken down.
        if not message.redelivered or envelope.id not in self._listener:
            self._listener.record(envelope, data)
        if self._random.random() < self._repeated:
            self.again(envelope.type, message.body, headers)

    async def repeat(self) -> None:
        """Say copies again until cancelled, in another order than they came."""
        while True:
            await asyncio.sleep(self._random.uniform(0.2, 1.0))
            self._random.shuffle(self._copies)
            due, self._copies = self._copies[:50], self._copies[50:]
            self._saying = len(due)
            for copy in due:
                await self._publisher.publish(*copy)
            self._saying = 0

    async def close(self) -> None:
        """Delete the queue."""
        async with await aio_pika.connect(self._stack.admin("AMQP_URL"), timeout=SECONDS) as connection:
            await (await connection.channel()).queue_delete(self._name)
