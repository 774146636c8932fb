"""Model manager of one worker process: applies promotions, loads models on demand, evicts the least recently used."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Protocol, TypeVar

from interlock_artifacts.signing import SignatureVerifier, UntrustedPromotionError
from interlock_contracts import telemetry
from interlock_contracts.models import ModelServing
from interlock_contracts.refs import ModelRef
from interlock_contracts.rollout import HeldModel
from interlock_messaging.crash_points import crash_point
from interlock_modeling import Model
from opentelemetry import context, trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_gateway.batcher import MAX_IN_FLIGHT
from interlock_gateway.domain import Failure, Promotion
from interlock_gateway.eviction import LoadedModel, lru_victims
from interlock_gateway.last_known import PromotionCache
from interlock_gateway.metrics import note_load
from interlock_gateway.slot import NoRoomError, ServedModel, Slot
from interlock_gateway.status_events import Publisher, StatusPublisher

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("interlock.gateway")
_propagator = TraceContextTextMapPropagator()
_T = TypeVar("_T")

UNLOAD_POLL_SECONDS = 0.25
"""How often a worker checks whether its host was asked, maybe through another worker, to unload or load a model."""


class LoadFailedError(Exception):
    """A model should serve, and cannot be loaded; the text says why."""


class TooLargeError(Exception):
    """A model alone takes more memory than the worker may give to all."""


class Loading(Protocol):
    """The loader, as far as a worker needs it; both block and are called in a thread."""

    def size(self, ref: ModelRef) -> int:
        """Return how many bytes the model of ``ref`` takes."""

    def load(self, ref: ModelRef) -> Model:
        """Return the model of ``ref``, verified and warm."""


class ModelManager:
    """The slots of one process, by model; those loaded take at most ``memory`` bytes, counted as the loader does.

    ``limit`` is how many requests each may have in flight. Wherever a promotion comes from, ``trust`` verifies its
    signature; one that is not the registry's has no effect but the event that says why.
    """

    def __init__(
        self,
        name: str,
        loader: Loading,
        bus: Publisher,
        ledger: PromotionCache,
        trust: SignatureVerifier,
        *,
        memory: int,
        limit: int = MAX_IN_FLIGHT,
    ) -> None:
        self.name = name
        self._loader = loader
        self._ledger = ledger
        self._trust = trust
        self._memory = memory
        self._limit = limit
        self._status = StatusPublisher(name, bus)
        self._slots: dict[str, Slot] = {}
        self._arriving: dict[str, int] = {}
        # Threads of their own: a store that hangs must not take those that large predictions run in.
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="load")

    def serving(self, model: str) -> ServedModel | None:
        """Return what is loaded for ``model`` now, and count it as used."""
        slot = self._slots.get(model)
        if slot is None:
            return None
        slot.used = monotonic()
        return slot.serving

    def slots(self) -> Iterator[tuple[str, Slot]]:
        """Iterate over the models that this worker knows a promotion of."""
        return iter(self._slots.items())

    def held(self) -> list[HeldModel]:
        """Return what this worker knows and has loaded of each model."""
        return [slot.held() for slot in self._slots.values() if slot.promotion is not None]

    async def get_or_load(self, model: str) -> ServedModel | None:
        """Return what serves for ``model``, loaded now if need be; None where nothing is promoted.

        LRU eviction: where memory is short, the models used least recently go. Requests at the same time share a load.

        Raises:
            LoadFailedError: the version is refused, or the model was unloaded by request; the text says which.
            ConnectionError: a dependency is down, or memory is short this moment.
        """
        slot = self._slots.get(model)
        if slot is None or slot.promotion is None:
            return None
        if slot.unloaded:
            raise LoadFailedError(f"{model!r} was unloaded by request; ask for its load first")
        slot.used = monotonic()
        if slot.serving is not None:
            return slot.serving
        promotion = slot.promotion
        around = context.attach(_propagator.extract({"traceparent": promotion.trace} if promotion.trace else {}))
        try:
            outcome = await self._load(slot, promotion, cause=f"promotion/{model}/{promotion.seq}", on_demand=True)
        finally:
            context.detach(around)
        if isinstance(outcome, Failure):
            raise (ConnectionError if outcome.outage else LoadFailedError)(outcome.reason)
        if outcome is None:
            raise ConnectionError(f"memory is short while other models are loaded; {model!r} waits")
        return outcome

    async def apply_promotion(self, promotion: Promotion, *, cause: str) -> None:
        """Load ``promotion`` and swap it in if it is the registry's, unless an equal or newer one serves.

        A model that is not loaded is loaded only where that evicts no other; else the first request for it loads it.
        Publishes ``model.serving`` or ``model.load_failed``, also later; ``cause`` is the causation id. Raises nothing.
        """
        try:
            self._trust.check(promotion.ref, promotion.seq, promotion.signed)
        except UntrustedPromotionError as error:
            self._status.untrusted(promotion, f"{type(error).__name__}: {error}", cause=cause)
            await self.flush()
            return
        slot = self._slot(promotion.ref.model)
        renewed = slot.refresh_signature(promotion)
        if slot.should_load(promotion) and not self._waits_for_room(slot, promotion):
            await self._load(slot, promotion, cause=cause, on_demand=False)
        elif renewed:
            await self._remember(promotion)

    async def flush(self) -> None:
        """Publish what was not published yet, in order, as far as the bus takes it."""
        await self._status.flush()

    def restore_last_known(self) -> list[Promotion]:
        """Return the host's last known promotions; nothing older will be applied from now on."""
        known = self._ledger.promotions()
        for promotion in known:
            self._slot(promotion.ref.model).note(promotion)
        return known

    async def unload(self, model: str) -> bool:
        """Unload ``model`` in all workers of this host until its load is requested; False where nothing is promoted.

        A newer version is only noted meanwhile. Returns once the other workers have had time to do so.
        """
        return await self._request_host_wide(model, self._ledger.unload)

    async def load(self, model: str) -> ServedModel | None:
        """Take an :meth:`unload` back in all workers of this host, and :meth:`get_or_load` ``model`` in this one."""
        await self._request_host_wide(model, self._ledger.load)
        return await self.get_or_load(model)

    async def apply_unload_requests(self) -> None:
        """Unload what this host was asked to unload."""
        unloaded = self._ledger.unloaded()
        for model, slot in self._slots.items():
            slot.unloaded = model in unloaded
            if slot.unloaded and slot.serving is not None:
                slot.drop()
                logger.info("%s is unloaded by request", model)

    def close(self) -> None:
        """Start no further load."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _slot(self, model: str) -> Slot:
        if model not in self._slots:
            self._slots[model] = Slot(unloaded=model in self._ledger.unloaded(), limit=self._limit)
        return self._slots[model]

    async def _request_host_wide(self, model: str, ask: Callable[[str], None]) -> bool:
        slot = self._slots.get(model)
        if slot is None or slot.promotion is None:
            return False
        ask(model)
        await self.apply_unload_requests()
        await asyncio.sleep(2 * UNLOAD_POLL_SECONDS)
        return True

    async def _load(
        self, slot: Slot, promotion: Promotion, *, cause: str, on_demand: bool
    ) -> ServedModel | Failure | None:
        """Load, and report how it went."""
        tried = {promotion.seq: promotion}

        async def load(wanted: Promotion) -> Model:
            tried[wanted.seq] = wanted
            return await self._loaded(slot, wanted, on_demand=on_demand)

        with _tracer.start_as_current_span(telemetry.SPAN_SWAP, attributes=promotion.described(self.name)) as span:
            heard = monotonic()
            outcome = await (slot.get_or_load(load) if on_demand else slot.swap(promotion, load))
            crash_point("gateway.swap.done")
            if slot.failure is not None and slot.failure.seq in tried:
                note_load(promotion.ref.model, "failed", monotonic() - heard)
                self._report_failure(slot, slot.failure, tried[slot.failure.seq], cause)
                span.set_status(Status(StatusCode.ERROR, slot.failure.reason))
                span.set_attribute(telemetry.TASK_RESULT, "error")
            if slot.serving is not None and slot.serving.promotion_seq in tried:
                note_load(promotion.ref.model, "served", monotonic() - heard)
                span.set_attribute(telemetry.TASK_RESULT, "success")
                self._report_serving(slot, tried[slot.serving.promotion_seq], cause, monotonic() - heard)
        if slot.promotion is not None and slot.failure is None:
            await self._remember(slot.promotion)
            crash_point("gateway.swap.remembered")
        await self.flush()
        return outcome

    async def _remember(self, promotion: Promotion) -> None:
        try:
            await self._in_thread(self._ledger.note, promotion)
        except OSError as error:  # a full disk is no reason not to serve
            logger.warning("%s %d is not remembered: %s", promotion.ref.model, promotion.ref.version, error)

    def _report_failure(self, slot: Slot, failure: Failure, promotion: Promotion, cause: str) -> None:
        """Report why a version is not loaded, once for each reason."""
        if slot.reported_failure == (failure.seq, failure.reason):
            return
        slot.reported_failure = failure.seq, failure.reason
        self._status.not_loaded(promotion, failure.reason, cause=cause)

    def _report_serving(self, slot: Slot, promotion: Promotion, cause: str, seconds: float) -> None:
        """Report that a version serves, once, however often it is unloaded and loaded again."""
        ref = promotion.ref
        logger.info("%s %d serves after %.3f s", ref.model, ref.version, seconds)
        if slot.reported_serving >= promotion.seq:
            return
        slot.reported_serving, slot.reported_failure = promotion.seq, None
        event = ModelServing(
            model=ref.model, version=ref.version, promotion_seq=promotion.seq, worker=self.name, load_seconds=seconds
        )
        self._status.add(event, cause=cause)

    async def _loaded(self, slot: Slot, promotion: Promotion, *, on_demand: bool) -> Model:
        if slot.unloaded:
            raise NoRoomError
        model = promotion.ref.model
        size = await self._in_thread(self._loader.size, promotion.ref)
        slot.measured_size = promotion.seq, size
        self._make_room(model, size, others_go=on_demand or slot.serving is not None)
        self._arriving[model] = size
        try:
            with _tracer.start_as_current_span(telemetry.SPAN_LOAD):
                loaded = await self._in_thread(self._loader.load, promotion.ref)
        finally:
            del self._arriving[model]
        slot.bytes = size
        crash_point("gateway.swap.loaded")
        return loaded

    def _waits_for_room(self, slot: Slot, promotion: Promotion) -> bool:
        """Return whether the promotion is known, its model not loaded, and there is still no room for it."""
        seq, size = slot.measured_size
        if slot.serving is not None or seq != promotion.seq:
            return False
        return slot.unloaded or self._lru_victims(promotion.ref.model, size) != []

    def _make_room(self, model: str, size: int, *, others_go: bool) -> None:
        if size > self._memory:
            told = f"it takes {size} bytes, and INTERLOCK_GATEWAY_MODEL_MEMORY allows {self._memory} for all models"
            raise TooLargeError(told)
        gone = self._lru_victims(model, size)
        if gone is None or (gone and not others_go):
            raise NoRoomError
        for name in gone:
            self._slots[name].drop()
            logger.info("%s is unloaded to make room for %s", name, model)

    def _lru_victims(self, model: str, size: int) -> list[str] | None:
        """Return which others must go; what ``model`` itself takes now is given back after its swap."""
        others = [
            LoadedModel(name, slot.bytes, slot.used)
            for name, slot in self._slots.items()
            if slot.serving is not None and name != model and name not in self._arriving
        ]
        return lru_victims(size + sum(self._arriving.values()), self._memory, others)

    async def _in_thread(self, blocking: Callable[..., _T], *values: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, blocking, *values)
