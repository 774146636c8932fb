"""Takes every dead letter out of its queue and keeps it: kept first, acknowledged then."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aio_pika.abc
from interlock_contracts.deployment import NAMES
from interlock_contracts.permissions import work_queues
from sqlalchemy.dialects.postgresql import insert

from interlock_messaging.batch_consumer import BROKEN
from interlock_messaging.bus import Bus
from interlock_messaging.dead_letters.letters import values_of
from interlock_messaging.dead_letters.table import DeadLetterRow

logger = logging.getLogger(__name__)

PREFETCH = 8
RETRY_SECONDS = 5.0
"""Pause before a letter that could not be kept is tried again."""

QUEUES = tuple(dict.fromkeys(queue for service in NAMES for queue in work_queues(service)))
"""Every queue that has dead letters."""


class Collector:
    """Keeps the dead letters of ``queues`` in the database of ``bus``."""

    def __init__(self, bus: Bus, queues: Iterable[str] = QUEUES) -> None:
        self._bus = bus
        self._queues = tuple(queues)
        self._arrived: asyncio.Queue[tuple[str, aio_pika.abc.AbstractIncomingMessage]] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Collect while the block lasts; the bus must be running. What is in flight then goes back to its queue."""
        connection: Any = await self._bus.consumer.connect()
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH)
        for name in self._queues:
            queue = await channel.get_queue(f"{name}.dead")
            await queue.consume(self._taking(name))
        task = asyncio.create_task(self._keep_all())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(*BROKEN):
                await channel.close()

    def _taking(self, queue: str) -> Any:
        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            await self._arrived.put((queue, message))

        return take

    async def _keep_all(self) -> None:
        while True:
            queue, message = await self._arrived.get()
            kept = False
            while not kept:
                try:
                    await self._store(queue, message)
                    kept = True
                except Exception:
                    logger.exception("a dead letter of %s could not be kept; it is tried again", queue)
                    await asyncio.sleep(RETRY_SECONDS)

    async def _store(self, queue: str, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        """Keep one letter; one that has come before is there already, unless it was replayed or discarded since."""
        async with self._bus.transaction() as session:
            await session.execute(insert(DeadLetterRow).values(values_of(queue, message)).on_conflict_do_nothing())
        try:
            await message.ack()
        except BROKEN as error:
            logger.warning("a dead letter of %s will be delivered again: %s", queue, error)
