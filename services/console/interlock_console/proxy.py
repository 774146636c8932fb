"""The gateway's own API under ``/gateway``: each request goes on in its caller's name, with no right but theirs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from interlock_runtime.http import ANY, SCOPE, problem
from litestar import route
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

PREFIX = b"/gateway"
PATIENCE = httpx.Timeout(connect=2.0, read=320.0, write=60.0, pool=5.0)
"""Longer than the gateway itself waits for anybody."""

_PER_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_NOT_ASKED = _PER_HOP | {b"host", b"expect", b"cookie", b"origin", b"referer"}
_NOT_ANSWERED = _PER_HOP | {b"date", b"server", b"set-cookie", b"content-security-policy", b"x-content-type-options"}
_HARMLESS = [
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
"""What the gateway answers may be anybody's bytes; opened in a browser, none of it runs as a page of ours."""


class Gateway:
    """The gateway at ``url``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # It closes idle connections after 5 s; letting go of them earlier, none breaks under a request.
        limits = httpx.Limits(max_connections=100, keepalive_expiry=3.0)
        self._client = httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Close the connections when the block ends."""
        try:
            yield
        finally:
            await self._client.aclose()

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the gateway does; its absence is a 503, its silence a 504."""
        assert scope["type"] == ScopeType.HTTP, "only HTTP routes are passed on"
        try:
            answer = await self._client.send(self._request(scope, receive), stream=True)
        except httpx.TimeoutException as error:
            raise problem(504, "The gateway does not answer", headers={"Retry-After": "2"}) from error
        except httpx.TransportError as error:
            detail = f"{type(error).__name__}; `interlock status` tells more"
            raise problem(503, "The gateway is down", detail, headers={"Retry-After": "2"}) from error
        try:
            headers = [(name.lower(), value) for name, value in answer.headers.raw]
            headers = [(name, value) for name, value in headers if name not in {*_NOT_ANSWERED, b"cache-control"}]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers + _HARMLESS})
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await answer.aclose()

    def _request(self, scope: HTTPScope, receive: Receive) -> httpx.Request:
        path = scope["raw_path"].partition(b"?")[0].removeprefix(PREFIX)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = [(name, value) for name, value in scope["headers"] if name not in _NOT_ASKED]
        bodied = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        return httpx.Request(
            scope["method"],
            self._url + (path + query).decode("ascii"),
            headers=headers,
            content=_body(receive) if bodied else None,
            extensions={"timeout": PATIENCE.as_dict()},
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
async def gateway(state: State) -> ASGIApp:
    """Pass a request on; the gateway asks for the scope."""
    upstream: Gateway = state.gateway
    return upstream.pass_on


ROUTES = [gateway]
