"""Batch consumer: many small messages of one type in one transaction; what waits together is handled together.

The rules are those of :mod:`interlock_messaging.delivery`: everything is written before anything is acknowledged, a
dependency's outage is waited for, a failure becomes a retry or a dead letter. Only the unit differs. Where a batch
fails, its messages are handled one by one, so one bad message harms no other.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import aio_pika
import aiormq.exceptions
from faststream.rabbit import RabbitBroker, RabbitQueue
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import Envelope, Event, check_body, is_structured
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_messaging import metrics
from interlock_messaging.crash_points import crash_point
from interlock_messaging.delivery import Delivery, PoisonError, attempts
from interlock_messaging.malformed import check_headers, reason_of
from interlock_messaging.publishing import CONFIRM_SECONDS, is_ended
from interlock_messaging.spans import handling_together, hop
from interlock_messaging.topology import types_of
from interlock_messaging.transient import is_dependency_unavailable
from interlock_messaging.watchdog import PING

logger = logging.getLogger(__name__)


BROKEN = (aiormq.exceptions.AMQPError, aio_pika.exceptions.AMQPError, RuntimeError, ConnectionError)
"""What a channel raises whose connection is lost."""


GATHER_SECONDS = 0.01
"""How long a batch waits for more when the one before it was not alone: a transaction costs more than a message."""


STOP_SECONDS = 15.0
"""How long the batch in flight may take when the service stops, as for messages handled one by one."""

_SLOW = (b"\xef\xbb\xbf", b"NaN", b"Infinity")
"""Bodies with one of these are read as elsewhere: the fast reader knows no byte order mark, and takes such numbers."""


@dataclass(slots=True)
class BatchMessage:
    """One message of a batch: its event and its envelope.

    A handler sets ``retry_error`` to the reason why this one cannot be handled now; it is retried after a backoff.
    """

    event: Any
    envelope: Envelope
    message: aio_pika.abc.AbstractIncomingMessage
    retry_error: Exception | None = None


Handle = Callable[[AsyncSession, Sequence[BatchMessage]], Awaitable[None]]
"""Handles a batch in its one transaction, which is committed when it returns. It must know itself which messages it
has seen before: for events that make a row each, that row is the inbox."""


@dataclass(frozen=True)
class BatchSubscription:
    """A queue whose messages are handled up to ``size`` at once; twice as many are fetched ahead."""

    queue: RabbitQueue
    handle: Handle
    size: int = 256


class _Bus(Protocol):
    consumer: RabbitBroker
    delivery: Delivery

    def transaction(self) -> Any: ...


@asynccontextmanager
async def consuming(subscription: BatchSubscription, bus: _Bus) -> AsyncIterator[None]:
    """Consume while the block lasts; then finish the batch in flight. The rest goes back to the queue."""
    connection: Any = await bus.consumer.connect()
    channel = await connection.channel(publisher_confirms=False)
    await channel.set_qos(prefetch_count=2 * subscription.size)
    queue = await channel.get_queue(subscription.queue.name)
    consumer = _Consumer(subscription, bus)
    tag = await queue.consume(consumer.waiting.put)
    task = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        consumer.stopping.set()
        with suppress(*BROKEN):
            await queue.cancel(tag)
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        task.cancel()  # what waits for a dependency's return is not acknowledged, and so is redelivered
        await asyncio.gather(task, return_exceptions=True)
        with suppress(*BROKEN):
            await channel.close()


class _Consumer:
    def __init__(self, subscription: BatchSubscription, bus: _Bus) -> None:
        self.waiting: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        self.stopping = asyncio.Event()
        self._subscription = subscription
        self._bus = bus
        self._events: dict[str, type[Event]] = {each: BY_TYPE[each].event for each in types_of(subscription.queue)}

    async def run(self) -> None:
        stop, busy = asyncio.create_task(self.stopping.wait()), False
        while not self.stopping.is_set():
            first = asyncio.create_task(self.waiting.get())
            await asyncio.wait({first, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                first.cancel()
                return
            batch = [first.result()]
            if busy:
                await asyncio.sleep(GATHER_SECONDS)
            while len(batch) < self._subscription.size and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            with self._bus.delivery.heartbeat.handling(self._subscription.queue.name):
                await self._survived(batch)
            busy = len(batch) > 1

    async def _survived(self, batch: list[aio_pika.abc.AbstractIncomingMessage]) -> None:
        """Finish a batch; whatever happens to it, the consumer goes on, and the broker delivers it again.

        A connection that is lost cancels whoever waits for an answer on it, which is not our being cancelled.
        """
        try:
            await self._finish(batch)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_ended():
                raise
            logger.exception("a batch of %s is redelivered", self._subscription.queue.name)
            for message in batch:
                with suppress(*BROKEN, TimeoutError):
                    async with asyncio.timeout(CONFIRM_SECONDS):
                        await message.nack(requeue=True)

    async def _finish(self, messages: list[aio_pika.abc.AbstractIncomingMessage]) -> None:
        """Handle messages and acknowledge them; nothing that happens to them stops the consumer."""
        queue, delivery = self._subscription.queue, self._bus.delivery
        batch: list[BatchMessage] = []
        for message in (each for each in messages if PING not in each.headers):
            try:
                batch.append(self._parsed(message))
            except ValueError as error:
                await delivery.dead_letter(message, queue, reason_of(error, message.content_encoding))
        with metrics.timed_batch(queue, [each.envelope for each in batch if not attempts(each.message.headers)]):
            await self._handle(batch)
        for each in batch:
            if each.retry_error is not None:
                await delivery.schedule_retry(each.message, queue, each.retry_error)
        await _acknowledge(messages)

    def _parsed(self, message: aio_pika.abc.AbstractIncomingMessage) -> BatchMessage:
        check_headers(message.headers)
        check_body(message.body, message.content_type)
        if is_structured(message.content_type) or any(each in message.body for each in _SLOW):
            envelope, data = Envelope.parse(message.headers, message.body, message.content_type)
            event = self._type(envelope).model_validate(data)
        else:
            envelope = Envelope.of_headers(message.headers)
            event = self._type(envelope).model_validate_json(message.body)
            refuse_repeated_keys(message.body, keys_in(event))
        self._bus.delivery.check_publisher(message, self._subscription.queue, envelope)
        return BatchMessage(event, envelope, message)

    def _type(self, envelope: Envelope) -> type[Event]:
        if envelope.type not in self._events:
            raise ValueError(
                f"{envelope.type!r} is not {self._subscription.queue.routing_key!r}, which this queue is for"
            )
        return self._events[envelope.type]

    async def _handle(self, batch: Sequence[BatchMessage]) -> None:
        queue, delivery = self._subscription.queue, self._bus.delivery
        if not batch:
            return
        try:
            await delivery.retry_while_unavailable(lambda: self._once(batch))
        except Exception as error:
            # Each by itself would wait for as long again, and the broker's patience ends.
            if is_dependency_unavailable(error):
                for each in batch:
                    each.retry_error = error
            elif len(batch) > 1:
                logger.warning("%d messages of %s are handled one by one: %s", len(batch), queue.name, error)
                await self._handle_each(batch)
            elif isinstance(error, PoisonError):
                await delivery.dead_letter(batch[0].message, queue, str(error))
            else:
                logger.exception("handling %s failed", batch[0].envelope.id)
                batch[0].retry_error = error

    async def _handle_each(self, batch: Sequence[BatchMessage]) -> None:
        outage: Exception | None = None
        for each in batch:
            if outage is None:
                await self._handle([each])
                outage = each.retry_error if each.retry_error and is_dependency_unavailable(each.retry_error) else None
            else:
                each.retry_error = outage

    async def _once(self, batch: Sequence[BatchMessage]) -> None:
        for each in batch:
            each.retry_error = None
        with handling_together([hop(each.message.headers, each.envelope) for each in batch], self._subscription.queue):
            async with self._bus.transaction() as session:
                await self._subscription.handle(session, batch)
                crash_point("batches.before_commit")
            crash_point("batches.after_commit")


async def _acknowledge(messages: Sequence[aio_pika.abc.AbstractIncomingMessage]) -> None:
    """Acknowledge everything up to the last message of each channel; they were delivered in this order."""
    last: dict[int, aio_pika.abc.AbstractIncomingMessage] = {}
    for message in messages:
        with suppress(*BROKEN):  # a message whose channel is gone does not even know it
            last[id(message.channel)] = message
    for message in last.values():
        try:
            await message.ack(multiple=True)
        except BROKEN as error:
            logger.warning("the broker will deliver again what was handled: %s", error)
