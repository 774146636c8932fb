"""One gateway worker: follows promotions, wherever it hears of them, and says how it went."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from interlock_contracts import telemetry
from interlock_contracts.event import Event
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_contracts.refs import ModelRef
from interlock_modeling import Model
from opentelemetry import context, trace
from opentelemetry.trace import Span, Status, StatusCode

from interlock_gateway.domain import Failure, Promotion
from interlock_gateway.slot import Serving, Slot

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("interlock.gateway")


class Publisher(Protocol):
    """The bus, as far as a worker needs it."""

    async def publish(self, event: Event, *, cause: str) -> object:
        """Publish ``event``; ConnectionError or TimeoutError when the bus is down."""


class Worker:
    """The slots of one process, by model; ``load`` blocks and is called in a thread."""

    def __init__(self, name: str, load: Callable[[ModelRef], Model], bus: Publisher) -> None:
        self.name = name
        self._load = load
        self._bus = bus
        self._slots: dict[str, Slot] = {}
        # Threads of their own: a store that hangs must not take those that large predictions run in.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="load")
        self._unsaid: list[tuple[Event, str, context.Context]] = []
        self._saying = asyncio.Lock()

    def serving(self, model: str) -> Serving | None:
        """Return what serves for ``model`` now."""
        slot = self._slots.get(model)
        return slot.serving if slot is not None else None

    def slots(self) -> Iterator[tuple[str, Slot]]:
        """Iterate over the models that this worker has heard of."""
        return iter(self._slots.items())

    async def follow(self, promotion: Promotion, *, cause: str) -> None:
        """Let ``promotion`` serve unless an equal or newer one does; a failed load keeps the old version.

        Says ``model.serving`` or ``model.load_failed``, now or as soon as the bus is back; ``cause`` is the id of
        what told of the promotion. Raises nothing: the next reconcile tries again.
        """
        slot = self._slots.setdefault(promotion.ref.model, Slot())
        if not slot.wants(promotion):
            return
        about = {
            "model": promotion.ref.model,
            "version": promotion.ref.version,
            "promotion_seq": promotion.seq,
            "worker": self.name,
        }
        with _tracer.start_as_current_span(telemetry.SPAN_SWAP, attributes=_attributes(about)) as span:
            said = await self._swapped(slot, promotion, about, span)
            if said is not None:
                self._unsaid.append((said, cause, context.get_current()))
        await self.say()

    async def _swapped(self, slot: Slot, promotion: Promotion, about: dict[str, Any], span: Span) -> Event | None:
        heard, known = asyncio.get_running_loop().time(), slot.failure
        outcome = await slot.swap(promotion, self._in_thread)
        if outcome is None:
            return None
        if isinstance(outcome, Failure):
            logger.warning("%(model)s %(version)d is not loaded: %(reason)s", {**about, "reason": outcome.reason})
            span.set_status(Status(StatusCode.ERROR, outcome.reason))
            again = known is not None and (known.seq, known.reason) == (outcome.seq, outcome.reason)
            return None if again else ModelLoadFailed(**about, reason=outcome.reason)
        seconds = asyncio.get_running_loop().time() - heard
        logger.info("%(model)s %(version)d serves after %(seconds).3f s", {**about, "seconds": seconds})
        return ModelServing(**about, load_seconds=seconds)

    async def _in_thread(self, ref: ModelRef) -> Model:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._load, ref)

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

    def close(self) -> None:
        """Start no further load."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _attributes(about: dict[str, Any]) -> dict[str, Any]:
    return {
        telemetry.MODEL: about["model"],
        telemetry.VERSION: about["version"],
        telemetry.PROMOTION_SEQ: about["promotion_seq"],
        telemetry.WORKER: about["worker"],
    }
