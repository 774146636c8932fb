"""The end of the way: a promoted version is loaded completely, proven, and only then swapped in.

What serves is one reference, set by one assignment. A request takes it once and so has a version and the model of
that very version, whatever is swapped or unloaded meanwhile; the memory goes with the last request that has it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from interlock_contracts.rollout import HeldModel
from interlock_modeling import Model

from interlock_gateway.domain import Failure, Promotion, failure_of
from interlock_gateway.lane import ROOM, Lane

Load = Callable[[Promotion], Awaitable[Model]]
"""Gives a model that is verified and warm, or raises."""


class NoRoomError(Exception):
    """The model is not loaded now, because memory is short or somebody has asked for that; nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers now: a version and its model, inseparable; ``trace`` is its promotion's context.

    ``room`` is how many requests it may have in hand.
    """

    version: int
    promotion_seq: int
    model: Model
    trace: str | None = None
    room: int = ROOM
    lane: Lane = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Open the version's own lane: requests of another never share it."""
        object.__setattr__(self, "lane", Lane(self.model, self.room))


class Slot:
    """One model's place in one gateway worker.

    ``promotion`` is the newest that the worker knows of, ``bytes`` what the loaded model takes, ``used`` when it was
    asked last; one that is ``unloaded`` is not held until somebody asks for its load. ``needs`` is the sequence number
    of the promotion that was measured last and how many bytes it takes; ``told_`` is what the bus was told last.
    """

    def __init__(self, *, unloaded: bool = False, room: int = ROOM) -> None:
        self._room = room
        self.serving: Serving | None = None
        self.since: datetime | None = None
        self.failure: Failure | None = None
        self.promotion: Promotion | None = None
        self.bytes = 0
        self.used = 0.0
        self.unloaded = unloaded
        self.needs = 0, 0
        self.told_serving = 0
        self.told_failure: tuple[int, str] | None = None
        self._sound: Promotion | None = None
        self._one_at_a_time = asyncio.Lock()

    def wants(self, promotion: Promotion) -> bool:
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

    def renew(self, promotion: Promotion) -> bool:
        """Take over ``promotion`` where it is the one that is known, signed anew; return whether it is."""
        known = self.promotion
        if known is None or known.seq != promotion.seq or known.signed == promotion.signed:
            return False
        self.promotion = promotion
        return True

    async def swap(self, promotion: Promotion, load: Load) -> Serving | Failure | None:
        """Load ``promotion``, then let it serve; None when it is not wanted, a newer one waits, or there is no room.

        A promotion that comes during a load waits for its end, so the newest has the last word. A load that fails
        changes nothing: what served serves on.
        """
        self.note(promotion)
        async with self._one_at_a_time:
            return await self._swap(promotion, load) if self.wants(promotion) else None

    async def summon(self, load: Load) -> Serving | Failure | None:
        """Return what serves; else load the newest promotion. Who comes while that goes on waits for the same load.

        Where the newest fails, the one that served before it answers again, for nothing newer ever did.
        """
        async with self._one_at_a_time:
            if self.serving is not None or self.promotion is None:
                return self.serving
            outcome = await self._swap(self.promotion, load) if self.wants(self.promotion) else self.failure
            if isinstance(outcome, Failure) and self._sound is not None and self._sound.seq < outcome.seq:
                before = await self._swap(self._sound, load)
                self.failure = outcome
                return before if isinstance(before, Serving) else outcome
            return outcome

    async def _swap(self, promotion: Promotion, load: Load) -> Serving | Failure | None:
        try:
            model = await load(promotion)
        except NoRoomError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new, the old answers on
            self.failure = failure_of(promotion, error, now=_now(), last=self.failure)
            return self.failure
        if self.unloaded:
            return None
        self.serving = Serving(promotion.ref.version, promotion.seq, model, promotion.trace, self._room)
        self.since, self.failure, self._sound = datetime.now(UTC), None, promotion
        return self.serving

    def held(self) -> HeldModel:
        """Return what the registry is told of this slot, which knows a promotion."""
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
