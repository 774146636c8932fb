"""A gateway that consumes no promotions though its broker is up connects anew, and answers meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from interlock_gateway.models.reconcile import Reconciler

from tests.support.waiting import until


class DeafBus:
    """A bus that stops hearing when it is told to; it counts how often it was connected."""

    def __init__(self) -> None:
        self.consumer_lost = asyncio.Event()
        self.starts = 0
        self.stops = 0
        self.consumer = SimpleNamespace(connect=self._connect)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.consumer_lost.clear()
        self.starts += 1
        try:
            yield
        finally:
            self.stops += 1

    async def _connect(self) -> Any:
        return SimpleNamespace(reconnect_callbacks=set())


async def test_a_gateway_that_lost_a_consumer_connects_anew_and_stays_ready() -> None:
    """Ending the process would drop requests; what it has loaded serves on all the while."""
    bus: Any = DeafBus()
    nothing: Any = SimpleNamespace()
    reconciler = Reconciler(nothing, nothing, nothing, nothing, bus, seconds=10)
    async with reconciler.consume_promotions():
        await until(lambda: reconciler.consuming)
        bus.consumer_lost.set()
        await until(lambda: bus.starts == 2)
        await reconciler.bus_answered()
    assert bus.stops == 2
