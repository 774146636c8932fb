"""Delivery of one message: decode, inbox, transaction, acknowledge; on failure hold, retry or dead-letter."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import aio_pika.exceptions
from faststream import BaseMiddleware, Context, ContextRepo, StreamMessage
from faststream.rabbit import RabbitBroker, RabbitExchange, RabbitQueue
from interlock_contracts import telemetry
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.event import Envelope, Event
from interlock_contracts.permissions import RETRY_SECONDS, user_of
from opentelemetry.trace import Status, StatusCode
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_messaging import metrics
from interlock_messaging.crash_points import crash_point
from interlock_messaging.malformed import check_headers, in_words, reason_of, sendable
from interlock_messaging.publisher_identity import PUBLISHED_BY, check, published_by, user_of_connection
from interlock_messaging.publishing import publish
from interlock_messaging.spans import handling, happened
from interlock_messaging.tables import InboxRow
from interlock_messaging.topology import DEAD_EXCHANGE, readers, retry_exchange, types_of
from interlock_messaging.transient import is_dependency_unavailable, is_unstorable
from interlock_messaging.wakeups import Wakeups
from interlock_messaging.watchdog import PING, Heartbeat

logger = logging.getLogger(__name__)

ATTEMPT = "x-attempt"
ERROR = "x-error"
DIED = "x-died-at"
TRIED_BEFORE = "x-tried-before"
"""Attempts before a message was replayed; its attempts begin anew then."""

HOLD_SECONDS = 600.0
"""How long a message waits in the process for a dependency; well under RabbitMQ's consumer timeout of 30 minutes."""

SPREAD_SECONDS = 1.0
"""Longest pause of a message that is tried again: those that failed together come back together."""

LEVELS = len(RETRY_SECONDS)

FURTHER_KEYS = ("CC", "BCC")
"""Headers by which RabbitMQ would send a copy to others than the queue that it is for."""

CausationEnvelope = Annotated[Envelope, Context("envelope")]
"""In a handler: the envelope of the event being handled; its identity is the causation id of what it enqueues."""

Publisher = Annotated[str | None, Context("publisher")]
"""In a handler: the broker's user that published the event being handled, None where it vouches for no user."""

Session = Annotated[AsyncSession, Context("session")]
"""In a handler: the message's one transaction; the inbox row is in it, and the middleware commits it."""


class Message(Protocol):
    """What FastStream's and aio-pika's messages have in common, and what a copy needs."""

    headers: Any
    body: bytes
    message_id: Any
    content_type: Any


class PoisonError(Exception):
    """A message that no repeat can make right; it goes to the dead letters at once, with the reason."""


async def decode_event(message: StreamMessage[Any]) -> Event:
    """Return the typed event of a message.

    Raises:
        ValueError: the message is no CloudEvent, its type is unknown, or its data does not fit the type.
    """
    envelope, data = Envelope.parse(message.headers, message.body, message.content_type)
    route = BY_TYPE.get(envelope.type)
    if route is None:
        raise ValueError(f"unknown event type {envelope.type!r}")
    return route.event.model_validate(data)


def attempts(headers: dict[str, Any]) -> int:
    """Return how often the message has been tried before; the count travels in the message itself."""
    return _count(headers, ATTEMPT)


def tried_before(headers: dict[str, Any]) -> int:
    """Return how many attempts a message had before it was replayed."""
    return _count(headers, TRIED_BEFORE)


def _count(headers: dict[str, Any], name: str) -> int:
    value = headers.get(name, 0)
    return max(value, 0) if type(value) is int else 0


class Delivery:
    """Makes the middleware of one process; ``sessions`` is None for a service without a database.

    Where the service has a broker user of its own, each message must come from a user that may publish such an event.
    Where all share one user of the broker, that cannot be checked.
    """

    def __init__(
        self, publisher: RabbitBroker, sessions: async_sessionmaker[AsyncSession] | None, *, service: str
    ) -> None:
        self._publisher = publisher
        self._sessions = sessions
        self._knows_publishers = user_of_connection(publisher) == user_of(service)
        self.wakeups = Wakeups()
        self.heartbeat = Heartbeat()

    def __call__(self, msg: Any, /, *, context: ContextRepo) -> "_DeliveryMiddleware":
        """Return the middleware for one message, as FastStream asks for it."""
        return _DeliveryMiddleware(msg, context=context, delivery=self)

    async def run(self, message: StreamMessage[Any], context: ContextRepo, handle: Callable[[], Awaitable[Any]]) -> Any:
        """Handle ``message`` once, waiting while a dependency is down; failures become retries or dead letters."""
        queue: RabbitQueue = context.get_local("handler_").queue
        try:
            envelope = await _parsed(message, queue)
            publisher = self.check_publisher(message, queue, envelope)
        except ValueError as error:
            return await self.dead_letter(message, queue, reason_of(error, _original(message).content_encoding))
        if tried := attempts(message.headers):
            await asyncio.sleep(_spread(tried))
        spanned, timed = handling(message, envelope, queue, attempt=tried + 1), metrics.timed(queue, envelope, tried)
        given = context.scope("envelope", envelope), context.scope("publisher", publisher)
        with spanned as span, timed, given[0], given[1]:
            try:
                return await self.retry_while_unavailable(lambda: self._once(queue, envelope, context, handle))
            except PoisonError as error:
                span.set_status(Status(StatusCode.ERROR, str(error)))
                return await self.dead_letter(message, queue, str(error))
            except Exception as error:
                logger.exception("handling %s %s failed", envelope.type, envelope.id)
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, str(error)))
                return await self.schedule_retry(message, queue, error)

    def check_publisher(self, message: Message, queue: RabbitQueue, envelope: Envelope) -> str | None:
        """Return the user that published a message; where all share one user, the one that its source names.

        Raises:
            ValueError: the user may not publish such an event; with the user and the event type.
        """
        if not self._knows_publishers:
            return user_of(envelope.service) if envelope.service else None
        publisher = _published_by(message, queue)
        check(publisher, envelope.type)
        return publisher

    async def _once(
        self, queue: RabbitQueue, envelope: Envelope, context: ContextRepo, handle: Callable[[], Awaitable[Any]]
    ) -> Any:
        if self._sessions is None:
            return await handle()
        crash_point("delivery.before_inbox")
        async with self._sessions() as session, session.begin():
            if await _is_repeat(session, queue, envelope):
                logger.info("%s %s was handled before", envelope.type, envelope.id)
                metrics.trouble(queue, "repeated")
                happened(telemetry.EVENT_ALREADY_HANDLED)
                return None
            with context.scope("session", session):
                result = await handle()
            crash_point("delivery.before_commit")
        crash_point("delivery.after_commit")
        self.wakeups.committed(session)
        return result

    async def retry_while_unavailable(
        self, attempt: Callable[[], Awaitable[Any]], seconds: float = HOLD_SECONDS
    ) -> Any:
        """Return what ``attempt`` gives, tried again while a dependency is down, for at most ``seconds``."""
        loop = asyncio.get_running_loop()
        until, wait = loop.time() + seconds, 0.2
        while True:
            try:
                return await attempt()
            except Exception as error:
                if not is_dependency_unavailable(error) or loop.time() + wait > until:
                    raise
                logger.warning("holding a message, a dependency is down: %s", error)
                happened(telemetry.EVENT_HELD, **{telemetry.ERROR_TYPE: type(error).__qualname__})
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                wait = min(wait * 2, 10.0)

    async def schedule_retry(self, message: Message, queue: RabbitQueue, error: Exception) -> None:
        """Retry ``message`` after a backoff, or dead-letter it when its attempts are used up.

        An outage longer than the hold costs no attempt: the message waits in a retry queue. One of a process's own
        queue does not: the process may be gone by then, and it catches up by reconciling.
        """
        tried, outage = attempts(message.headers), is_dependency_unavailable(error)
        reason = f"{type(error).__name__}: {in_words(error)}"
        if not queue.durable or is_unstorable(error) or (tried >= LEVELS and not outage):
            await self.dead_letter(message, queue, reason)
            return
        metrics.trouble(queue, "postponed" if outage else "retried")
        happened(telemetry.EVENT_RETRIED, **{telemetry.ATTEMPT: tried + 1})
        crash_point("delivery.before_retry")
        exchange = retry_exchange(RETRY_SECONDS[min(tried, LEVELS - 1)])
        await self._copy(message, exchange, queue, reason, {ATTEMPT: tried if outage else tried + 1})
        crash_point("delivery.after_retry")

    async def dead_letter(self, message: Message, queue: RabbitQueue, reason: str) -> None:
        """Make ``message`` a dead letter; one of a process's own queue is only logged: it has no dead letters."""
        logger.error("dead letter for %s: %s", queue.name, reason)
        metrics.trouble(queue, "dead")
        if not queue.durable:
            return
        happened(telemetry.EVENT_DEAD_LETTERED, **{telemetry.ERROR_TYPE: reason.partition(":")[0]})
        crash_point("delivery.before_dead_letter")
        died = {ATTEMPT: attempts(message.headers) + 1, DIED: datetime.now(UTC).isoformat()}
        await self._copy(message, DEAD_EXCHANGE, queue, reason, died)
        crash_point("delivery.after_dead_letter")

    async def _copy(
        self, message: Message, exchange: RabbitExchange, queue: RabbitQueue, reason: str, changed: dict[str, Any]
    ) -> None:
        """Publish a confirmed copy before the original is acknowledged; wait for the broker as long as it takes."""
        error = reason[:2000].encode(errors="backslashreplace").decode()
        kept = {name: sendable(value) for name, value in message.headers.items() if name not in FURTHER_KEYS}
        headers = {**kept, ERROR: error, PUBLISHED_BY: _published_by(message, queue) or "", **changed}

        async def copy() -> None:
            try:
                await publish(
                    self._publisher,
                    message.body,
                    exchange=exchange,
                    routing_key=queue.name,
                    headers=headers,
                    message_id=message.message_id,
                    content_type=message.content_type,
                    content_encoding=_original(message).content_encoding,
                )
            except aio_pika.exceptions.DeliveryError as refusal:  # its queue is full, or gone: not for good, we hope
                raise ConnectionError(
                    f"{exchange.name} does not take a message of {queue.name}: {refusal}"
                ) from refusal

        await self.retry_while_unavailable(copy, seconds=float("inf"))


class _DeliveryMiddleware(BaseMiddleware[Any, Any]):
    def __init__(self, msg: Any, /, *, context: ContextRepo, delivery: Delivery) -> None:
        super().__init__(msg, context=context)
        self._delivery = delivery

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]) -> Any:
        with self._delivery.heartbeat.handling(self.context.get_local("handler_").queue.name):
            if PING in msg.headers:
                return None
            return await self._delivery.run(msg, self.context, lambda: call_next(msg))


async def _is_repeat(session: AsyncSession, queue: RabbitQueue, envelope: Envelope) -> bool:
    """Write down that the queue's consumer has this event; return whether it was written down before."""
    row = insert(InboxRow).values(consumer=queue.name, event_id=envelope.identity).on_conflict_do_nothing()
    if (await session.execute(row)).rowcount == 0:  # type: ignore[attr-defined]
        return True
    # Release 0.1 wrote ids without their source; its rows end with the inbox's retention.
    before = None if envelope.identity == envelope.id else await session.get(InboxRow, (queue.name, envelope.id))
    return before is not None


async def _parsed(message: StreamMessage[Any], queue: RabbitQueue) -> Envelope:
    """Return the envelope of a message that is an event of a type that its queue is for; else raise ValueError."""
    check_headers(message.headers)
    envelope, _ = Envelope.parse(message.headers, message.body, message.content_type)
    await message.decode()
    if envelope.type not in types_of(queue):
        raise ValueError(f"{envelope.type!r} is not {queue.routing_key!r}, which this queue is for")
    return envelope


def _published_by(message: Message, queue: RabbitQueue) -> str | None:
    return published_by(_original(message).user_id, message.headers, *readers(queue.name))


def _original(message: Message) -> Any:
    """Return aio-pika's message, which FastStream's wraps."""
    return getattr(message, "raw_message", message)


def _spread(tried: int) -> float:
    """Return a pause, in seconds, by chance: at most a quarter of the wait that the message had, and little."""
    waited = RETRY_SECONDS[min(tried, LEVELS) - 1]
    return random.uniform(0, min(SPREAD_SECONDS, waited / 4))  # noqa: S311 - jitter
