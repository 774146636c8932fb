"""How many requests each caller may send a second: a token bucket a caller, as one number in memory."""

from collections.abc import Callable
from time import monotonic

MANY = 10_000
"""Callers kept; beyond, those whose bucket is full again are forgotten, which changes nothing for them."""


class RateLimiter:
    """``per_second`` requests in the long run, ``burst`` at once, for each caller of this worker.

    The generic cell rate algorithm: of each caller only the moment is kept when its bucket is full again.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._step = 1.0 / per_second
        self._most = (burst - 1) / per_second
        self._full_at: dict[str, float] = {}
        self._clock = clock

    def wait(self, caller: str) -> float:
        """Return in how many seconds the caller may send the next request; 0 for now."""
        return max(0.0, self._full_at.get(caller, 0.0) - self._clock() - self._most)

    def count(self, caller: str) -> None:
        """Take a token."""
        now = self._clock()
        self._full_at[caller] = max(self._full_at.get(caller, 0.0), now) + self._step
        if len(self._full_at) > MANY:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
