"""Reverse proxy to the gateway under ``/gateway``: requests are forwarded with the caller's own credentials only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from interlock_runtime.http import ANY, SCOPE, problem
from litestar import route
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

PREFIX = b"/gateway"
TIMEOUT = httpx.Timeout(connect=2.0, read=320.0, write=60.0, pool=5.0)
"""Longer than the gateway's own timeouts."""

HOP_BY_HOP_HEADERS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_DROPPED_REQUEST_HEADERS = HOP_BY_HOP_HEADERS | {b"host", b"expect", b"cookie", b"origin", b"referer"}
_DROPPED_RESPONSE_HEADERS = HOP_BY_HOP_HEADERS | {
    b"date",
    b"server",
    b"set-cookie",
    b"content-security-policy",
    b"x-content-type-options",
}
_SANDBOX_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
"""Responses of the gateway may hold untrusted bytes; sandboxed, none of them runs as a page of this origin."""


class GatewayProxy:
    """Forwards requests to the gateway at ``url``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # The gateway closes idle connections after 5 s; dropped earlier here, none breaks under a request.
        limits = httpx.Limits(max_connections=100, keepalive_expiry=3.0)
        self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Close the connections when the block ends."""
        try:
            yield
        finally:
            await self._client.aclose()

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request and stream the response; 503 while the gateway is down, 504 when it times out."""
        assert scope["type"] == ScopeType.HTTP, "only HTTP routes are forwarded"
        try:
            answer = await self._client.send(self._request(scope, receive), stream=True)
        except httpx.TimeoutException as error:
            raise problem(504, "The gateway does not answer", headers={"Retry-After": "2"}) from error
        except httpx.TransportError as error:
            detail = f"{type(error).__name__}; see `interlock status`"
            raise problem(503, "The gateway is down", detail, headers={"Retry-After": "2"}) from error
        try:
            headers = [(name.lower(), value) for name, value in answer.headers.raw]
            headers = [
                (name, value) for name, value in headers if name not in {*_DROPPED_RESPONSE_HEADERS, b"cache-control"}
            ]
            await send(
                {"type": "http.response.start", "status": answer.status_code, "headers": headers + _SANDBOX_HEADERS}
            )
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await answer.aclose()

    def _request(self, scope: HTTPScope, receive: Receive) -> httpx.Request:
        path = scope["raw_path"].partition(b"?")[0].removeprefix(PREFIX)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = [(name, value) for name, value in scope["headers"] if name not in _DROPPED_REQUEST_HEADERS]
        bodied = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        return httpx.Request(
            scope["method"],
            self._url + (path + query).decode("ascii"),
            headers=headers,
            content=_body(receive) if bodied else None,
            extensions={"timeout": TIMEOUT.as_dict()},
        )


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message: Any = await receive()
        if message["type"] != "http.request":
            raise ConnectionAbortedError("the client went away")
        if message["body"]:
            yield message["body"]
        more = message.get("more_body", False)


@route(
    "/gateway/{path:path}",
    http_method=["GET", "POST", "PUT", "DELETE"],
    opt={SCOPE: ANY},
    include_in_schema=False,
    status_code=200,
)
async def forward_to_gateway(gateway: NamedDependency[GatewayProxy]) -> ASGIApp:
    """Forward a request; the gateway checks the scope."""
    return gateway.forward


ROUTES = [forward_to_gateway]
