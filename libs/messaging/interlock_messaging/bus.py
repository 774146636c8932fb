"""The bus of one process: two connections, the delivery middleware, and the relay of its outbox."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import aio_pika.exceptions
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue, RabbitRouter
from interlock_contracts.event import Envelope, Event
from prometheus_client.core import Metric
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from yarl import URL

from interlock_messaging import malformed, metrics, topology
from interlock_messaging.batch_consumer import BatchSubscription, consuming
from interlock_messaging.connecting import connected, to_its_end
from interlock_messaging.delivery import Delivery, decode_event
from interlock_messaging.outbox import current_traceparent, publish_batch
from interlock_messaging.publisher_identity import IdentifiedPublisher
from interlock_messaging.publishing import CONFIRM_SECONDS, Outcome, is_recorded, send, send_together
from interlock_messaging.relay import Relay
from interlock_messaging.tables import OutboxRow
from interlock_messaging.watchdog import WATCH_SECONDS, Watchdog, end_process

logger = logging.getLogger(__name__)

PREFETCH = 8
CONNECT_SECONDS = 5.0
DRAIN_SECONDS = 15.0
"""How long messages in flight may take when the service stops; what takes longer is rolled back and redelivered."""


class Bus:
    """Two FastStream brokers of one service and its outbox relay.

    ``consumer`` carries the subscribers, ``publisher`` everything that goes out: RabbitMQ blocks a whole connection
    under a memory or disk alarm, and acknowledgements must not wait behind a blocked publish. A process
    that has lost a consumer ends itself, to be restarted; where it must not, ``consumer_lost`` is set for its owner.
    """

    def __init__(
        self,
        url: str,
        *,
        service: str,
        router: RabbitRouter,
        sessions: async_sessionmaker[AsyncSession] | None,
        subscriptions: Sequence[BatchSubscription] = (),
        ends_when_consumer_lost: bool = True,
        watch_seconds: float = WATCH_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        malformed.install()
        name = f"{service}@{socket.gethostname()}:{os.getpid()}"
        address = URL(url).update_query(name=name, heartbeat="20")
        self.service = service
        self.publisher = IdentifiedPublisher(
            address,
            timeout=CONNECT_SECONDS,
            reconnect_interval=1,
            default_channel=Channel(on_return_raises=True),
            logger=None,
        )
        self.delivery = Delivery(self.publisher, sessions, service=service)
        self.consumer = RabbitBroker(
            address,
            timeout=CONNECT_SECONDS,
            reconnect_interval=1,
            default_channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
            middlewares=[self.delivery],
            decoder=decode_event,
            routers=[router],
            graceful_timeout=drain_seconds,
            logger=None,
        )
        self._sessions = sessions
        woken = self.delivery.wakeups.of(OutboxRow)
        self._relay = Relay(sessions, self.publisher, woken) if sessions is not None else None
        self._subscriptions = subscriptions
        self.consumer_lost = asyncio.Event()
        self._ends_when_consumer_lost = ends_when_consumer_lost
        self._watchdog = Watchdog(
            str(address),
            self.publisher,
            self.delivery.heartbeat,
            seconds=watch_seconds,
            on_consumer_lost=self._consumer_lost,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction outside of a message; who waits for what it adds is woken after the commit."""
        assert self._sessions is not None, "a service without a database has no transactions"
        async with self._sessions() as session, session.begin():
            yield session
        self.delivery.wakeups.committed(session)

    async def publish(self, event: Event, *, cause: str, n: int = 0) -> Envelope:
        """Publish ``event`` at once and confirmed, for a service without a database.

        Raises:
            ConnectionError, TimeoutError: RabbitMQ cannot be reached; nothing is known to be published.
        """
        envelope = Envelope.of(
            event, source=self.service, cause=cause, n=n, now=datetime.now(UTC), traceparent=current_traceparent()
        )
        if is_recorded(envelope):
            reason: Outcome = await send(self.publisher, envelope, event.body())
        else:
            (reason,) = await send_together(self.publisher, [(envelope, event.body())])
        if isinstance(reason, OSError):
            raise reason
        if reason is not None:
            raise ConnectionError(f"RabbitMQ refused {event.type}: {reason}")
        return envelope

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect, wait for the topology, consume and relay until the block ends; then finish what is in flight.

        Both connections are closed whatever fails: one that is left behind goes on reconnecting and consuming, and
        keeps a process whose start has failed from ending.
        """
        relay: asyncio.Task[None] | None = None
        self.consumer_lost.clear()
        try:
            await _connect(self.publisher)
            await topology.wait_for_topology(self.publisher, self.queues)
            await to_its_end(self.consumer.start())
            relay = asyncio.create_task(self._relay.run()) if self._relay is not None else None
            async with AsyncExitStack() as stack:
                for each in self._subscriptions:
                    await stack.enter_async_context(consuming(each, self))
                await stack.enter_async_context(self._watchdog.watching(self.queues))
                yield
        finally:
            await self.consumer.stop()
            if relay is not None:
                relay.cancel()
                await asyncio.gather(relay, return_exceptions=True)
                await self._publish_the_last()
            await self.publisher.stop()

    async def _publish_the_last(self) -> None:
        """Publish what the last messages enqueued, if that is quick; the rest waits for the next start."""
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self.drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep the process from ending
            logger.warning("the last events are published after the next start: %s", error)

    @property
    def queues(self) -> list[RabbitQueue]:
        """Return the queues that the service reads."""
        subscribed: list[RabbitQueue] = [each.queue for each in self.consumer.subscribers]  # type: ignore[attr-defined]
        return [*subscribed, *(each.queue for each in self._subscriptions)]

    @property
    def metric_collectors(self) -> list[Callable[[], Awaitable[list[Metric]]]]:
        """Return the collectors of this service's lag: in its queues, and in its outbox if it has one.

        Each raises ConnectionError or TimeoutError where the server that it asks cannot be reached.
        """
        sessions = self._sessions
        queues = partial(metrics.lag, self.consumer, self.queues)
        return [queues] if sessions is None else [queues, partial(metrics.unpublished, sessions)]

    async def ping(self) -> None:
        """Raise where either connection is down, or a consumer is lost."""
        self._watchdog.check()
        for broker in (self.publisher, self.consumer):
            if not await broker.ping(timeout=2):
                raise ConnectionError("RabbitMQ does not answer")

    def _consumer_lost(self) -> None:
        self.consumer_lost.set()
        if self._ends_when_consumer_lost:
            end_process()

    async def drain(self) -> int:
        """Publish what the outbox holds now, once; return how many rows went out."""
        assert self._sessions is not None, "a service without a database has no outbox"
        return (await publish_batch(self._sessions, self.publisher)).published


async def _connect(broker: RabbitBroker) -> None:
    """Connect, waiting for a broker that is not there yet; a refused login is an error at once."""
    while True:
        try:
            await connected(broker)
        except aio_pika.exceptions.AuthenticationError:
            raise
        except (ConnectionError, TimeoutError) as error:
            logger.warning("waiting for RabbitMQ: %s", error)
            await asyncio.sleep(1)
        else:
            return
