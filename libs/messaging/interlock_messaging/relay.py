"""The relay: publishes what the outbox holds, and waits for a broker that does not take it."""

import asyncio
import logging
import random
from contextlib import suppress

from faststream.rabbit import RabbitBroker
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from interlock_messaging.outbox import BATCH, delete_expired, publish_batch, waiting
from interlock_messaging.transient import is_dependency_unavailable

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
IDLE_SECONDS = 2.0
"""Time between two polls of an empty outbox: only a replica that was killed leaves rows there unpublished."""

MAX_PAUSE_SECONDS = 30.0
"""Longest time between two tries of a type that the broker refuses."""

MAX_WAIT_SECONDS = 5.0
"""Longest time between two tries of a broker that does not answer."""

CLEANUP_SECONDS = 600.0


class Relay:
    """Publishes one service's outbox, oldest first; ``woken`` is set after a commit that adds to it.

    What the broker refuses is refused by type: its queue is full, or not bound. So a type pauses, longer each time,
    while the others go on, and events of one type leave in the order in which they were enqueued. Between types, and
    between the relays of several replicas, there is no order to rely on.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession], broker: RabbitBroker, woken: asyncio.Event) -> None:
        self._sessions = sessions
        self._broker = broker
        self._woken = woken
        self._pauses: dict[str, tuple[float, float]] = {}

    async def run(self) -> None:
        """Publish until cancelled."""
        loop = asyncio.get_running_loop()
        cleanup_at, retry, limit = 0.0, POLL_SECONDS, BATCH
        while True:
            self._woken.clear()
            try:
                busy, limit = await self.publish(limit), BATCH
                wait = POLL_SECONDS if self._pauses else IDLE_SECONDS
                retry = POLL_SECONDS
                if loop.time() > cleanup_at and not await delete_expired(self._sessions):
                    cleanup_at = loop.time() + CLEANUP_SECONDS
            except Exception as error:
                # One at a time: what is sent and not confirmed may arrive all the same, and is sent again.
                busy, limit = False, 1
                wait = retry = min(retry * 2, MAX_WAIT_SECONDS)
                logger.warning("the relay waits %.1f s: %s", wait, error, exc_info=not is_dependency_unavailable(error))
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                        await self._woken.wait()

    async def publish(self, limit: int = BATCH) -> bool:
        """Publish at most ``limit`` rows; return whether there may be more to do at once.

        Raises:
            ConnectionError, TimeoutError: the broker cannot be reached.
        """
        now = asyncio.get_running_loop().time()
        paused = [each for each, (until, _) in self._pauses.items() if until > now]
        published, refused = await publish_batch(self._sessions, self._broker, limit=limit, without=paused)
        for each in [each for each in self._pauses if each not in paused and each not in refused]:
            del self._pauses[each]
        for each in refused:
            pause = min(self._pauses.get(each, (0.0, POLL_SECONDS / 2))[1] * 2, MAX_PAUSE_SECONDS)
            self._pauses[each] = now + pause * random.uniform(0.5, 1.0), pause  # noqa: S311 - jitter
        if refused:
            await self._log_refused(refused)
        return bool(published or refused)

    async def _log_refused(self, refused: dict[str, str]) -> None:
        for each in await waiting(self._sessions):
            if each.type in refused:
                text = "%d events of type %s wait, the oldest for %.0f s; the broker refuses them: %s"
                logger.error(text, each.events, each.type, each.oldest_seconds, refused[each.type])
