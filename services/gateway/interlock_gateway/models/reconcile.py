"""Level-triggered reconciler: events make a swap fast, periodic comparison with the registry makes it right."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from interlock_contracts.rollout import WorkerReport
from interlock_messaging import Bus
from interlock_runtime.clients import RegistryClient
from interlock_serving.manager import ModelManager
from interlock_serving.promotion import Promotion, attached

from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.last_known import PromotionCache
from interlock_gateway.models.status_events import StatusPublisher

logger = logging.getLogger(__name__)

START_SECONDS = 20.0
"""How long a worker that starts waits for its models before it takes requests without them."""

RETRY_SECONDS = 1.0
"""Pause before the next try, as long as none has got through."""

STOP_SECONDS = 20.0
"""How long messages in hand may take when the worker stops."""


class Reconciler:
    """Converges one worker to the registry's state; starts and goes on without registry and bus."""

    def __init__(
        self,
        manager: ModelManager[BatchedModel],
        status: StatusPublisher,
        last_known: PromotionCache,
        registry: RegistryClient,
        bus: Bus,
        *,
        seconds: float,
    ) -> None:
        self._manager = manager
        self._status = status
        self._last_known = last_known
        self._registry = registry
        self._bus = bus
        self._seconds = seconds
        self._wake = asyncio.Event()
        self._reconciled = False
        self._remembered = False
        self.consuming = False

    async def reconcile(self) -> None:
        """Report to the registry what this worker has loaded, and serve what it answers.

        Raises:
            ConnectionError: the registry does not answer, or the store was down for a model that has no version yet.
        """
        await self._apply_all(await self._promoted())
        self._reconciled = True

    async def remember(self) -> None:
        """Serve what this host served last, while the registry cannot be asked.

        Raises:
            ConnectionError: the store was down for a model that is not in the host's folder.
        """
        if known := self._restored():
            await self._apply_all(known)
            self._remembered = True

    def _restored(self) -> list[Promotion]:
        known = self._last_known.promotions()
        self._manager.restore(known)
        return known

    async def _apply_all(self, promotions: list[Promotion]) -> None:
        await asyncio.gather(*(self._apply(each) for each in promotions))
        await self._status.flush()
        slots = self._manager.slots()
        missing = [slot.model for slot in slots if slot.serving is None and slot.failure and slot.failure.outage]
        if missing:
            raise ConnectionError(f"not loaded yet: {', '.join(missing)}")

    async def _promoted(self) -> list[Promotion]:
        report = WorkerReport(seconds=self._seconds, models=self._manager.held(), stage=self._manager.stage)
        views = await self._registry.report(self._manager.process, report)
        archived = frozenset(view.ref.model for view in views if view.archived)
        if archived:
            for model in archived:
                self._manager.withdraw(model)
            await self._last_known.forget(archived)
        return [Promotion.of(view) for view in views if not view.archived]

    async def _apply(self, promotion: Promotion) -> None:
        """Apply it as part of the promotion's own trace."""
        with attached(promotion.trace_context):
            await self._manager.apply_promotion(promotion, cause=promotion.cause)

    async def registry_answered(self) -> None:
        """Raise until all that should serve has once been loaded, refused, or left for its first request.

        What should serve is what the registry says; while it has not answered yet, what this host served last.
        """
        if not self._reconciled and not self._remembered:
            raise ConnectionError("what should serve is not known yet")

    async def bus_answered(self) -> None:
        """Raise until promotions have been consumed once; later on, predictions need no bus."""
        if not self.consuming:
            raise ConnectionError("RabbitMQ has not answered yet")

    @asynccontextmanager
    async def reconcile_loop(self) -> AsyncIterator[None]:
        """Reconcile periodically while the block lasts; it begins after the first try, with models if possible."""
        self._restored()
        tried = asyncio.Event()
        task = asyncio.create_task(self._reconcile_forever(tried))
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await tried.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(ConnectionError):
                await self._registry.withdraw(self._manager.process)

    async def _reconcile_forever(self, tried: asyncio.Event) -> None:
        while True:
            self._wake.clear()
            try:
                await self.reconcile()
            except ConnectionError as error:
                logger.warning("reconciling waits: %s", error)
                await self._fall_back_to_cache()
            except Exception:
                logger.exception("reconciling failed")
            tried.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds if self._reconciled else RETRY_SECONDS):
                    await self._wake.wait()

    async def _fall_back_to_cache(self) -> None:
        if not self._reconciled and not self._remembered:
            with suppress(ConnectionError):
                await self.remember()

    @asynccontextmanager
    async def consume_promotions(self) -> AsyncIterator[None]:
        """Consume promotions while the block lasts, from when the bus is there; the block does not wait for it."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._consume(stop))
        try:
            yield
        finally:
            stop.set()
            if not self.consuming:
                task.cancel()
            await asyncio.wait({task}, timeout=STOP_SECONDS)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _consume(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with self._bus.running():
                    connection: Any = await self._bus.consumer.connect()
                    connection.reconnect_callbacks.add(self._reconnected)
                    self.consuming = True
                    self._wake.set()
                    await self._stopped_or_consumer_lost(stop)
            except Exception:
                logger.exception("no promotions are consumed for %.0f s", RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    async def _stopped_or_consumer_lost(self, stop: asyncio.Event) -> None:
        """Wait for the end, or until a consumer is lost though the broker is up: then connect anew."""
        waits = [asyncio.create_task(each.wait()) for each in (stop, self._bus.consumer_lost)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _reconnected(self, *_: Any) -> None:
        """Reconcile at once: events published while disconnected are not redelivered."""
        self._wake.set()
