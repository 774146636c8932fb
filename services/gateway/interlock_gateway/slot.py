"""Hot reload by atomic swap: a promoted version is loaded, verified and warm before it replaces the one that serves.

What serves is one reference, set by one assignment. A request takes it once and so has a version and the model of
that very version, whatever is swapped or unloaded meanwhile; the memory goes with the last request that has it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from interlock_contracts.rollout import HeldModel
from interlock_modeling import Model

from interlock_gateway.batcher import MAX_IN_FLIGHT, DynamicBatcher
from interlock_gateway.domain import Failure, Promotion, failure_of

Load = Callable[[Promotion], Awaitable[Model]]
"""Gives a model that is verified and warm, or raises."""


class NoRoomError(Exception):
    """The model is not loaded now, because memory is short or somebody has asked for that; nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A version and its model, inseparable; ``trace`` is its promotion's context.

    ``limit`` is how many requests it may have in flight.
    """

    version: int
    promotion_seq: int
    model: Model
    trace: str | None = None
    limit: int = MAX_IN_FLIGHT
    batcher: DynamicBatcher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the version's own batcher: requests of another version never share it."""
        object.__setattr__(self, "batcher", DynamicBatcher(self.model, self.limit))


class Slot:
    """What one gateway worker knows and has loaded of one model.

    ``promotion`` is the newest that the worker knows of, ``bytes`` what the loaded model takes, ``used`` the time of
    its last use; one that is ``unloaded`` is not loaded until its load is requested. ``measured_size`` is the number
    of the promotion that was measured last and how many bytes it takes; ``reported_`` is what was published last.
    """

    def __init__(self, *, unloaded: bool = False, limit: int = MAX_IN_FLIGHT) -> None:
        self._limit = limit
        self.serving: ServedModel | None = None
        self.since: datetime | None = None
        self.failure: Failure | None = None
        self.promotion: Promotion | None = None
        self.bytes = 0
        self.used = 0.0
        self.unloaded = unloaded
        self.measured_size = 0, 0
        self.reported_serving = 0
        self.reported_failure: tuple[int, str] | None = None
        self._last_good: Promotion | None = None
        self._one_at_a_time = asyncio.Lock()

    def should_load(self, promotion: Promotion) -> bool:
        """Return whether ``promotion`` is newer than what serves, and has not failed a moment ago."""
        if self.promotion is not None and promotion.seq < self.promotion.seq:
            return False
        if self.serving is not None and promotion.seq <= self.serving.promotion_seq:
            return False
        return self.failure is None or self.failure.seq != promotion.seq or _now() >= self.failure.retry_at

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

    async def swap(self, promotion: Promotion, load: Load) -> ServedModel | Failure | None:
        """Load ``promotion``, then swap it in; None when it should not be, a newer one waits, or memory is short.

        A promotion that comes during a load waits for its end, so the newest has the last word. A load that fails
        changes nothing: what served serves on.
        """
        self.note(promotion)
        async with self._one_at_a_time:
            return await self._swap(promotion, load) if self.should_load(promotion) else None

    async def get_or_load(self, load: Load) -> ServedModel | Failure | None:
        """Return what serves; else load the newest promotion. Who comes while that goes on waits for the same load.

        Where the newest fails, the one that served before it answers again, for nothing newer ever did.
        """
        async with self._one_at_a_time:
            if self.serving is not None or self.promotion is None:
                return self.serving
            outcome = await self._swap(self.promotion, load) if self.should_load(self.promotion) else self.failure
            if isinstance(outcome, Failure) and self._last_good is not None and self._last_good.seq < outcome.seq:
                before = await self._swap(self._last_good, load)
                self.failure = outcome
                return before if isinstance(before, ServedModel) else outcome
            return outcome

    async def _swap(self, promotion: Promotion, load: Load) -> ServedModel | Failure | None:
        try:
            model = await load(promotion)
        except NoRoomError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new, the old answers on
            self.failure = failure_of(promotion, error, now=_now(), last=self.failure)
            return self.failure
        if self.unloaded:
            return None
        self.serving = ServedModel(promotion.ref.version, promotion.seq, model, promotion.trace, self._limit)
        self.since, self.failure, self._last_good = datetime.now(UTC), None, promotion
        return self.serving

    def held(self) -> HeldModel:
        """Return what is reported to the registry of this slot, which knows a promotion."""
        assert self.promotion is not None, "a model is heard of by its first promotion"
        return HeldModel(
            model=self.promotion.ref.model,
            known_seq=self.promotion.seq,
            version=self.serving.version if self.serving else None,
            promotion_seq=self.serving.promotion_seq if self.serving else None,
            since=self.since,
            failed_seq=self.failure.seq if self.failure else None,
            failure=self.failure.reason if self.failure else None,
        )

    def drop(self) -> None:
        """Hold the model no longer; requests that have it finish with it."""
        self.serving, self.since, self.bytes = None, None, 0


def _now() -> float:
    return asyncio.get_running_loop().time()
