"""Consumer watchdog: a process sends heartbeats through its own queues, and ends where they no longer come.

A consumer can be lost without an error: cancelled while a broker restarts, its queue deleted, its task dead, its
connection stuck. No single check sees all of that, so the way itself is tried: out through the exchange of pings, and
back through the queue and the handlers' own consumer. A consumer lives that receives a message now and then, whichever:
replicas share a queue and get each other's pings in turn. One that is handling a message lives as well.
"""

import asyncio
import logging
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aio_pika
import aio_pika.exceptions
import aiormq.exceptions
from faststream.rabbit import RabbitBroker, RabbitQueue

from interlock_messaging.publishing import CONFIRM_SECONDS, publish
from interlock_messaging.topology import PING_EXCHANGE

logger = logging.getLogger(__name__)

PING = "x-interlock-ping"
"""Header of a message that is nothing but a ping; its consumer lives, and ignores it."""

WATCH_SECONDS = 15.0
MAX_MISSED_PINGS = 4
"""Pings missed in a row after which a consumer is lost."""

CONSUMER_LOST = 75
"""Exit status of a process that did not end by itself after SIGTERM: a temporary failure, by sysexits.h."""

END_SECONDS = 40.0
"""How long it may take to finish what is in flight."""

_LOST = (OSError, aio_pika.exceptions.AMQPError, aiormq.exceptions.AMQPError, RuntimeError)


def end_process() -> None:
    """End as by SIGTERM, so that a supervisor starts the process anew; the hard way where that hangs."""
    timer = threading.Timer(END_SECONDS, os._exit, [CONSUMER_LOST])
    timer.daemon = True
    timer.start()
    signal.raise_signal(signal.SIGTERM)


class Heartbeat:
    """What the consumers of one process receive: from which queues since the last check, and what is in flight."""

    def __init__(self) -> None:
        self._received: set[str] = set()
        self._in_flight: Counter[str] = Counter()

    @contextmanager
    def handling(self, queue: str) -> Iterator[None]:
        """Record that a message of ``queue`` has come, and is in flight while the block lasts."""
        self._received.add(queue)
        self._in_flight[queue] += 1
        try:
            yield
        finally:
            self._in_flight[queue] -= 1

    def take(self) -> set[str]:
        """Return the queues whose consumers live, and forget them."""
        alive = self._received | {queue for queue, count in self._in_flight.items() if count}
        self._received.clear()
        return alive


class Watchdog:
    """Checks consumers; calls ``on_consumer_lost`` once when one of them, or the connection, is lost.

    A broker that is down, or takes nothing because of an alarm, is not the process's fault, and changes nothing.
    """

    def __init__(
        self,
        url: str,
        publisher: RabbitBroker,
        heartbeat: Heartbeat,
        *,
        seconds: float,
        on_consumer_lost: Callable[[], Any],
    ) -> None:
        self._url = url
        self._publisher = publisher
        self._heartbeat = heartbeat
        self._seconds = seconds
        self._on_consumer_lost = on_consumer_lost
        self._queues: Sequence[RabbitQueue] = ()
        self._pinged = False
        self._missed: Counter[str] = Counter()

    def check(self) -> None:
        """Raise ConnectionError where two pings in a row were missed."""
        for what, missed in self._missed.items():
            if missed > 1:
                raise ConnectionError(f"{what} is lost: {missed} pings were missed")

    @asynccontextmanager
    async def watching(self, queues: Sequence[RabbitQueue]) -> AsyncIterator[None]:
        """Watch over the consumers of ``queues`` while the block lasts."""
        self._queues, self._pinged = queues, False
        self._missed.clear()
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while max(self._missed.values(), default=0) < MAX_MISSED_PINGS:
            await asyncio.sleep(self._seconds)
            try:
                await self._check()
            except Exception:
                logger.exception("the watchdog could not check")
        logger.critical("consumer lost: pings missed by %s; restarting", dict(self._missed))
        self._on_consumer_lost()

    async def _check(self) -> None:
        alive = self._heartbeat.take()
        for queue in self._queues:
            lost = self._pinged and queue.name not in alive
            self._missed[queue.name] = self._missed[queue.name] + 1 if lost else 0
        self._pinged = await self._ping()
        stuck = not self._pinged and await self._others_get_through()
        self._missed["the connection"] = self._missed["the connection"] + 1 if stuck else 0

    async def _ping(self) -> bool:
        try:
            for queue in self._queues:
                await publish(
                    self._publisher, b"{}", exchange=PING_EXCHANGE, routing_key=queue.name, headers={PING: "1"}
                )
        except aio_pika.exceptions.DeliveryError as refusal:
            logger.warning("the exchange of pings does not take one: %s", refusal)
        except (ConnectionError, TimeoutError) as error:
            logger.warning("no ping got out: %s", error)
        else:
            return True
        return False

    async def _others_get_through(self) -> bool:
        """Return whether a fresh connection can publish, so that ours is at fault and not the broker."""
        if not self._queues:
            return False
        try:
            async with (
                asyncio.timeout(2 * CONFIRM_SECONDS),
                await aio_pika.connect(self._url, timeout=CONFIRM_SECONDS) as connection,
            ):
                exchange = await (await connection.channel()).get_exchange(PING_EXCHANGE.name, ensure=False)
                await exchange.publish(aio_pika.Message(b"{}", headers={PING: "1"}), routing_key=self._queues[0].name)
        except _LOST:
            return False
        return True
