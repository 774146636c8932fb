"""What a worker says on the bus: in order, each in the trace it belongs to, and as soon as the bus can be reached."""

import asyncio
import logging
from typing import Protocol

from interlock_contracts.event import Event
from opentelemetry import context

logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """The bus, as far as a worker needs it."""

    async def publish(self, event: Event, *, cause: str) -> object:
        """Publish ``event``; ConnectionError or TimeoutError when the bus is down."""


class Announcer:
    """Keeps what could not be published yet."""

    def __init__(self, bus: Publisher) -> None:
        self._bus = bus
        self._unsaid: list[tuple[Event, str, context.Context]] = []
        self._saying = asyncio.Lock()

    def add(self, event: Event, *, cause: str) -> None:
        """Have ``event`` said next, as part of the present trace."""
        self._unsaid.append((event, cause, context.get_current()))

    async def say(self) -> None:
        """Publish what was not published yet, in order, as far as the bus takes it."""
        async with self._saying:
            while self._unsaid:
                event, cause, around = self._unsaid[0]
                token = context.attach(around)
                try:
                    await self._bus.publish(event, cause=cause)
                except (ConnectionError, TimeoutError) as error:
                    logger.warning("%s is said later: %s", event.type, error)
                    return
                finally:
                    context.detach(token)
                self._unsaid.pop(0)
