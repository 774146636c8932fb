"""Hot reload by atomic swap: a promoted version is loaded, verified and warm before it replaces the one that serves.

What serves is one reference, set by one assignment. A request takes it once and so has a version and the model of
that very version, whatever is swapped or unloaded meanwhile; the memory goes with the last request that has it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Generic, Protocol, Self, TypeVar

from interlock_contracts import telemetry
from interlock_contracts.refs import ModelRef
from interlock_contracts.rollout import HeldModel
from interlock_modeling import Model
from opentelemetry import trace

from interlock_serving.eviction import MemoryLimitError, ModelMemory
from interlock_serving.load_backoff import FIRST_RETRY_SECONDS, LoadFailure, load_failure
from interlock_serving.promotion import Promotion

_tracer = trace.get_tracer("interlock.serving")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A version and its model, inseparable; ``trace`` is its promotion's trace context."""

    version: int
    promotion_seq: int
    model: Model
    trace: str | None = None

    @classmethod
    def of(cls, promotion: Promotion, model: Model) -> Self:
        return cls(promotion.ref.version, promotion.seq, model, promotion.trace)


S = TypeVar("S", bound=ServedModel)


@dataclass(frozen=True, slots=True)
class Swapped(Generic[S]):
    """A version was loaded, and serves."""

    promotion: Promotion
    served: S


Outcome = Swapped[S] | LoadFailure


class Loading(Protocol):
    """Loads models; verified and warm, or it raises."""

    async def size(self, ref: ModelRef) -> int:
        """Return how many bytes the model of ``ref`` takes."""

    async def load(self, ref: ModelRef) -> Model: ...


class Slot(Generic[S]):
    """What one process knows and has loaded of one model; it decides what is loaded, and one load lasts at a time.

    ``promotion`` is the newest that is known, ``bytes`` what the loaded model takes, ``used`` the time of its last
    use. A model that is ``unloaded`` is not loaded until that is taken back. ``serve`` makes of a loaded model what
    requests are given.
    """

    def __init__(
        self, model: str, loader: Loading, memory: ModelMemory, serve: Callable[[Promotion, Model], S]
    ) -> None:
        self.model = model
        self.serving: S | None = None
        self.since: datetime | None = None
        self.failure: LoadFailure | None = None
        self.promotion: Promotion | None = None
        self.bytes = 0
        self.used = 0.0
        self.unloaded = False
        self._loader = loader
        self._memory = memory
        self._serve = serve
        self._measured_size = 0, 0
        self._last_good: Promotion | None = None
        self._one_at_a_time = asyncio.Lock()
        memory.add(self)

    def use(self) -> S | None:
        """Return what serves, and count it as used."""
        self.used = monotonic()
        return self.serving

    def should_load(self, promotion: Promotion) -> bool:
        """Return whether ``promotion`` is newer than what serves, and its backoff, if it failed, is over."""
        if self.promotion is not None and promotion.seq < self.promotion.seq:
            return False
        if self.serving is not None and promotion.seq <= self.serving.promotion_seq:
            return False
        return self.failure is None or not self._has_failed(promotion) or _now() >= self.failure.retry_at

    def should_replace(self, promotion: Promotion) -> bool:
        """Return whether a request should wait for ``promotion`` to take the place of what serves.

        As :meth:`should_load`, but after an outage only a while later: each request would wait for it to end.
        """
        if self.failure is not None and self.failure.outage and self._has_failed(promotion):
            return self.should_load(promotion) and _now() >= self.failure.retry_at + FIRST_RETRY_SECONDS
        return self.should_load(promotion)

    def lacks_memory(self, promotion: Promotion) -> bool:
        """Return whether ``promotion`` was measured, its model is not loaded, and memory is still short for it."""
        seq, size = self._measured_size
        if self.serving is not None or seq != promotion.seq:
            return False
        return self.unloaded or not self._memory.fits(self.model, size)

    def note(self, promotion: Promotion) -> None:
        """Remember ``promotion`` as what should serve, unless a newer one is known."""
        if self.promotion is None or promotion.seq > self.promotion.seq:
            self.promotion = promotion

    def refresh_signature(self, promotion: Promotion) -> bool:
        """Take over the signature of ``promotion`` where it is the known one, signed anew; return whether it is."""
        known = self.promotion
        if known is None or known.seq != promotion.seq or known.signed == promotion.signed:
            return False
        self.promotion = promotion
        return True

    async def swap(self, promotion: Promotion) -> list[Outcome[S]]:
        """Load ``promotion``, then swap it in; nothing happens when an equal or newer one serves, or memory is short.

        A promotion that comes during a load waits for its end, so the newest has the last word. A load that fails
        changes nothing: what served serves on. Others are evicted only for a model that serves already.
        """
        self.note(promotion)
        async with self._one_at_a_time:
            if not self.should_load(promotion):
                return []
            return await self._swap(promotion, evict=self.serving is not None)

    async def load_newest(self, *, replace: bool = False) -> list[Outcome[S]]:
        """Load the newest promotion where nothing serves, or with ``replace`` also where an older one does.

        Others are evicted for it, and it counts as used, so that it is not the next to go. Requests that come while
        that goes on wait for the same load. Where the newest fails, the one that served before it is loaded again, for
        nothing newer ever did.
        """
        self.used = monotonic()
        async with self._one_at_a_time:
            newest, before, outcomes = self.promotion, self._last_good, []
            if newest is None or (self.serving is not None and not replace):
                return []
            due = self.should_load if self.serving is None else self.should_replace
            if due(newest):
                outcomes = await self._swap(newest, evict=True)
            if self.serving is None and before is not None and self._has_failed(newest) and before.seq < newest.seq:
                failure = self.failure
                outcomes += await self._swap(before, evict=True)
                self.failure = failure
            return outcomes

    def _has_failed(self, promotion: Promotion) -> bool:
        return self.failure is not None and self.failure.promotion.seq == promotion.seq

    async def _swap(self, promotion: Promotion, *, evict: bool) -> list[Outcome[S]]:
        if self.unloaded:
            return []
        try:
            size = await self._loader.size(promotion.ref)
            self._measured_size = promotion.seq, size
            with (
                self._memory.reserved(self.model, size, evict=evict),
                _tracer.start_as_current_span(telemetry.SPAN_LOAD),
            ):
                model = await self._loader.load(promotion.ref)
            served = self._serve(promotion, model)
        except MemoryLimitError:
            return []
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new, the old answers on
            self.failure = load_failure(promotion, error, now=_now(), last=self.failure)
            return [self.failure]
        if self.unloaded:
            return []
        self.bytes, self.serving = size, served
        self.since, self.failure, self._last_good = datetime.now(UTC), None, promotion
        return [Swapped(promotion, served)]

    def held(self) -> HeldModel:
        """Return what is reported to the registry of this slot, which knows a promotion."""
        assert self.promotion is not None, "a model is known by its first promotion"
        return HeldModel(
            model=self.promotion.ref.model,
            known_seq=self.promotion.seq,
            version=self.serving.version if self.serving else None,
            promotion_seq=self.serving.promotion_seq if self.serving else None,
            since=self.since,
            failed_seq=self.failure.promotion.seq if self.failure else None,
            failure=self.failure.reason if self.failure else None,
        )

    def drop(self) -> None:
        """Hold the model no longer; requests that have it finish with it."""
        self.serving, self.since, self.bytes = None, None, 0


def _now() -> float:
    return asyncio.get_running_loop().time()
