"""Rate limit: how many requests each caller may send a second to this worker, a token bucket a caller."""

from math import ceil

from interlock_runtime.access import Access
from interlock_runtime.limits import refuse
from interlock_runtime.token_bucket import TokenBuckets
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

COUNTED = "interlock.rate.counted"
"""In a request's state, where the fast path took its token before it handed the request on."""


class RateLimitMiddleware:
    """The ASGI application ``app`` for callers that keep within ``rates``; it refuses unknown callers itself."""

    def __init__(self, app: ASGIApp, rates: TokenBuckets, access: Access) -> None:
        self.app = app
        self._rates = rates
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward to ``app``, or answer 429 with ``Retry-After``."""
        if scope["type"] == ScopeType.HTTP and not scope["state"].get(COUNTED):
            caller = self._access.admit(dict(scope["headers"]).get(b"authorization", b""))
            if caller is not None:
                if wait := self._rates.wait(caller.name):
                    detail = f"{caller.name} sends more requests than its rate limit allows"
                    await refuse(send, 429, "Too many requests", detail, after=ceil(wait))
                    return
                self._rates.take(caller.name)
        await self.app(scope, receive, send)
