"""The end of the way: a promoted version is loaded completely, proven, and only then swapped in.

What serves is one reference, set by one assignment. A request takes it once and so has a version and the model of
that very version, whatever is swapped meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from interlock_contracts.refs import ModelRef
from interlock_modeling import Model

from interlock_gateway.domain import Failure, Promotion, failure_of

Load = Callable[[ModelRef], Awaitable[Model]]
"""Gives a model that is verified and warm, or raises."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers now: a version and its model, inseparable; ``trace`` is the context of its promotion."""

    version: int
    promotion_seq: int
    model: Model
    trace: str | None = None


class Slot:
    """One model's place in one gateway worker."""

    def __init__(self) -> None:
        self.serving: Serving | None = None
        self.failure: Failure | None = None
        self._newest = 0
        self._one_at_a_time = asyncio.Lock()

    def wants(self, promotion: Promotion) -> bool:
        """Return whether ``promotion`` is newer than what serves, and has not failed a moment ago."""
        if self.serving is not None and promotion.seq <= self.serving.promotion_seq:
            return False
        return self.failure is None or self.failure.seq != promotion.seq or _now() >= self.failure.retry_at

    async def swap(self, promotion: Promotion, load: Load) -> Serving | Failure | None:
        """Load ``promotion``, then let it serve; None when it is not wanted, or a newer one waits already.

        A promotion that comes during a load waits for its end, so the newest has the last word. A load that fails
        changes nothing: what served serves on.
        """
        self._newest = max(self._newest, promotion.seq)
        async with self._one_at_a_time:
            if promotion.seq < self._newest or not self.wants(promotion):
                return None
            try:
                model = await load(promotion.ref)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the new, the old answers on
                self.failure = failure_of(promotion, error, now=_now(), last=self.failure)
                return self.failure
            self.serving = Serving(promotion.ref.version, promotion.seq, model, promotion.trace)
            self.failure = None
            return self.serving


def _now() -> float:
    return asyncio.get_running_loop().time()
