"""Status events of a worker: published in order, each in its own trace, and as soon as the bus can be reached."""

import asyncio
import logging
from collections import deque
from typing import Protocol

from interlock_contracts.event import Event
from interlock_contracts.models import ModelLoadFailed
from opentelemetry import context

from interlock_gateway.domain import Promotion

logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """The bus, as far as a worker needs it."""

    async def publish(self, event: Event, *, cause: str) -> object:
        """Publish ``event``; ConnectionError or TimeoutError when the bus is down."""


class StatusPublisher:
    """Publishes what happens to one worker, and keeps what could not be published yet."""

    def __init__(self, worker: str, bus: Publisher) -> None:
        self._worker = worker
        self._bus = bus
        self._untrusted: deque[tuple[str, int, str]] = deque(maxlen=1000)
        self._pending: list[tuple[Event, str, context.Context]] = []
        self._flushing = asyncio.Lock()

    def add(self, event: Event, *, cause: str) -> None:
        """Publish ``event`` with the next flush, as part of the present trace."""
        self._pending.append((event, cause, context.get_current()))

    def not_loaded(self, promotion: Promotion, reason: str, *, cause: str) -> None:
        """Report why a promotion is not served."""
        ref = promotion.ref
        logger.warning("%s %d is not loaded: %s", ref.model, ref.version, reason)
        event = ModelLoadFailed(
            model=ref.model, version=ref.version, promotion_seq=promotion.seq, worker=self._worker, reason=reason
        )
        self.add(event, cause=cause)

    def untrusted(self, promotion: Promotion, reason: str, *, cause: str) -> None:
        """Report why a promotion is not trusted, once for each reason: reconciling meets it again and again."""
        told = promotion.ref.model, promotion.seq, reason
        if told not in self._untrusted:
            self._untrusted.append(told)
            self.not_loaded(promotion, reason, cause=cause)

    async def flush(self) -> None:
        """Publish what was not published yet, in order, as far as the bus takes it."""
        async with self._flushing:
            while self._pending:
                event, cause, around = self._pending[0]
                token = context.attach(around)
                try:
                    await self._bus.publish(event, cause=cause)
                except (ConnectionError, TimeoutError) as error:
                    logger.warning("%s is published later: %s", event.type, error)
                    return
                finally:
                    context.detach(token)
                self._pending.pop(0)
