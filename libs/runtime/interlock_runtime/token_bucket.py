"""Token buckets: so much in the long run, a burst at once, for each key by itself."""

from collections.abc import Callable, Hashable
from time import monotonic

MAX_KEYS = 10_000
"""Buckets kept; beyond, those that are full again are forgotten, which changes nothing for their keys."""


class TokenBuckets:
    """A bucket for each key: ``burst`` tokens when it is full, ``per_second`` come back.

    ``clock`` gives seconds. One that stands still gains no tokens meanwhile, as the prediction log's does until it is
    published.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left: dict[Hashable, tuple[float, float]] = {}

    def wait(self, key: Hashable) -> float:
        """Return in how many seconds there is a token; 0 for now."""
        return max(0.0, (1.0 - self._tokens(key, self._clock())) / self._per_second)

    def take(self, key: Hashable, wanted: int = 1) -> int:
        """Take up to ``wanted`` whole tokens; return how many there were."""
        now = self._clock()
        tokens = self._tokens(key, now)
        taken = wanted if wanted <= tokens else int(tokens)
        self._left[key] = tokens - taken, now
        if len(self._left) > MAX_KEYS:
            self._left = {each: left for each, left in self._left.items() if self._tokens(each, now) < self._burst}
        return taken

    def _tokens(self, key: Hashable, now: float) -> float:
        tokens, since = self._left.get(key, (self._burst, now))
        return tokens if now == since else min(self._burst, tokens + (now - since) * self._per_second)
