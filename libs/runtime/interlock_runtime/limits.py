"""Limits of all requests, whatever their route: safe paths, numbers in range, and how many are in flight at once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote_plus

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ASGIApp, Receive, Scope, Send

INT32_MAX = 2**31 - 1
"""In an address: what a column of the database takes."""

_ALWAYS = ("/health/", "/v2/health/")
"""Probes are answered however many requests are in flight: a service that is busy is not dead."""


def reject_unsafe_path(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse an address that no name of ours could stand in, as a guard of every route.

    Raises:
        ProblemDetailsException: 400 for control characters, backslashes, dot segments and what is encoded twice;
            404 for a number that nothing has.
    """
    path, query = connection.scope["path"], connection.scope.get("query_string", b"")
    if not path.isprintable() or "\\" in path or "%" in path or {".", ".."} & set(path.split("/")):
        raise _not_found(400, "names have no control characters, backslashes or percent signs, and are no dots")
    if b"%" in query and "\0" in unquote_plus(query.decode("latin-1")):
        raise _not_found(400, "a query has no NUL characters")
    if any(isinstance(each, int) and abs(each) > INT32_MAX for each in connection.path_params.values()):
        raise _not_found(404, f"numbers go up to {INT32_MAX}")


def _not_found(status: int, detail: str) -> ProblemDetailsException:
    return ProblemDetailsException(status_code=status, title="No such address", detail=detail)


class ConcurrencyLimit:
    """At most ``limit`` requests in flight; one more is refused (load shedding)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Count as a request in flight while the block lasts.

        Raises:
            ProblemDetailsException: 503 with Retry-After when the limit is reached.
        """
        if self.in_flight >= self.limit:
            detail = f"{self.limit} requests are in flight already"
            raise ProblemDetailsException(
                status_code=503, title="Too many requests wait", detail=detail, headers={"Retry-After": "1"}
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class ConcurrencyLimitMiddleware:
    """The ASGI application ``app`` with at most ``limit`` requests in flight; probes are not counted."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = ConcurrencyLimit(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let ``app`` answer, or refuse with ``Retry-After``."""
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
        elif self._limit.in_flight < self._limit.limit:
            with self._limit.acquire():
                await self._app(scope, receive, send)
        else:
            await refuse(send, 503, "Too many requests wait", f"{self._limit.limit} are in flight already", after=1)


async def refuse(send: Send, status: int, title: str, detail: str, *, after: int) -> None:
    """Answer with problem details, outside of any route; ``after`` are the seconds to wait."""
    body = json.dumps({"status": status, "title": title, "detail": detail}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % after),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
