"""Events of a process without an outbox that may wait: published in order, as soon as the broker can be reached."""

import asyncio
import logging
from collections import deque
from typing import Protocol

from interlock_contracts.event import Event
from opentelemetry import context

logger = logging.getLogger(__name__)

MAX_PENDING = 10_000
"""Events kept at most; beyond, the oldest are dropped."""


class Publisher(Protocol):
    """The bus, as far as pending events need it."""

    async def publish(self, event: Event, *, cause: str) -> object:
        """Publish ``event``; ConnectionError or TimeoutError when the bus is down."""


class PendingEvents:
    """Publishes events of one process in order, each in the trace in which it was added; lost when the process dies."""

    def __init__(self, bus: Publisher) -> None:
        self._bus = bus
        self._pending: deque[tuple[Event, str, context.Context]] = deque(maxlen=MAX_PENDING)
        self._flushing = asyncio.Lock()

    def add(self, event: Event, *, cause: str) -> None:
        """Publish ``event`` with the next flush, as part of the present trace; ``cause`` is its causation id."""
        self._pending.append((event, cause, context.get_current()))

    async def flush(self) -> None:
        """Publish what was not published yet, in order, as far as the bus takes it."""
        async with self._flushing:
            while self._pending:
                event, cause, around = first = self._pending[0]
                token = context.attach(around)
                try:
                    await self._bus.publish(event, cause=cause)
                except (ConnectionError, TimeoutError) as error:
                    logger.warning("%s is published later: %s", event.type, error)
                    return
                finally:
                    context.detach(token)
                if self._pending and self._pending[0] is first:  # else newer ones have pushed it out meanwhile
                    self._pending.popleft()
