"""Rate limit: how many requests each caller may send a second, a token bucket a caller, as one number in memory."""

from collections.abc import Callable
from math import ceil
from time import monotonic

from interlock_runtime.access import Access
from interlock_runtime.limits import refuse
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

COUNTED = "interlock.rate.counted"
"""In a request's state, where the fast path took its token before it handed the request on."""

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


class RateLimitMiddleware:
    """The ASGI application ``app`` for callers that keep within ``rates``; it refuses strangers itself."""

    def __init__(self, app: ASGIApp, rates: RateLimiter, access: Access) -> None:
        self.app = app
        self._rates = rates
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let ``app`` answer, or say when to come again."""
        if scope["type"] == ScopeType.HTTP and not scope["state"].get(COUNTED):
            caller = self._access.admit(dict(scope["headers"]).get(b"authorization", b""))
            if caller is not None:
                if wait := self._rates.wait(caller.name):
                    detail = f"{caller.name} sends more than may be"
                    await refuse(send, 429, "Too many requests", detail, after=ceil(wait))
                    return
                self._rates.count(caller.name)
        await self.app(scope, receive, send)
