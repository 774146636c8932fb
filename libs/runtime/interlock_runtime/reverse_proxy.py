"""Reverse proxy: forwards requests to another service as they are; bodies are streamed both ways, never held."""

from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import httpx
from interlock_contracts.deployment import OUTAGES
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, Scope, Send

from interlock_runtime.problems import problem

HOP_BY_HOP_HEADERS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
"""RFC 9110, 7.6.1: headers of one connection, which are not forwarded; nor are those that ``Connection`` names."""

RawHeaders = Sequence[tuple[bytes, bytes]]

KEEPALIVE_SECONDS = 3.0
"""Our services close idle connections after 5 s; dropped earlier here, none breaks under a request."""


def connections(*, timeout: float | httpx.Timeout, most: int) -> httpx.AsyncClient:
    """Return at most ``most`` connections to our own services; to be closed in the end."""
    limits = httpx.Limits(max_connections=most, keepalive_expiry=KEEPALIVE_SECONDS)
    return httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False)


class ReverseProxy:
    """Forwards requests to the service ``name`` at ``url``.

    ``prefix`` is removed from paths. Beside hop-by-hop headers, ``drop_request`` and ``drop_response`` (in lower case)
    are not forwarded, and ``add_response`` is added to each response.
    """

    def __init__(
        self,
        name: str,
        url: str,
        client: httpx.AsyncClient,
        timeout: httpx.Timeout,
        *,
        prefix: bytes = b"",
        drop_request: Iterable[bytes] = (),
        drop_response: Iterable[bytes] = (),
        add_response: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._client = client
        self._timeout = timeout
        self._prefix = prefix
        self._drop_request = HOP_BY_HOP_HEADERS | {b"host", b"expect", *drop_request}
        # The server that answers the client writes its own date and name.
        self._drop_response = HOP_BY_HOP_HEADERS | {b"date", b"server", *drop_response}
        self._add_response = tuple(add_response)

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the ASGI application that the service is; its problems are forwarded as they are.

        Raises:
            ProblemDetailsException: 404 for a path with dot segments, 503 while the service is down or too many
                requests wait, 504 when it does not answer in time.
        """
        assert scope["type"] == ScopeType.HTTP, "only HTTP routes are forwarded"
        try:
            answer = await self._client.send(self._request(scope, receive), stream=True)
        except httpx.PoolTimeout as error:
            raise self._unavailable(503, "Too many requests wait", error) from error
        except httpx.TimeoutException as error:
            raise self._unavailable(504, "A service does not answer", error) from error
        except httpx.TransportError as error:
            raise self._unavailable(503, "A service is down", error) from error
        try:
            raw = [(name.lower(), value) for name, value in answer.headers.raw]
            headers = [*_end_to_end(raw, self._drop_response), *self._add_response]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await answer.aclose()

    def _request(self, scope: HTTPScope, receive: Receive) -> httpx.Request:
        if any(part in (".", "..") for part in scope["path"].split("/")):
            raise problem(404, "Not Found", "a path with dot segments leads nowhere")
        path = scope["raw_path"].partition(b"?")[0].removeprefix(self._prefix)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        names = {name for name, _ in scope["headers"]}
        return httpx.Request(
            scope["method"],
            self._url + (path + query).decode("ascii"),
            headers=_end_to_end(list(scope["headers"]), self._drop_request),
            content=_body(receive) if names & {b"content-length", b"transfer-encoding"} else None,
            extensions={"timeout": self._timeout.as_dict()},
        )

    def _unavailable(self, status: int, title: str, error: Exception) -> Exception:
        means = OUTAGES.get(self.name, "predictions go on")
        detail = f"{self.name} does not answer ({type(error).__name__}): {means}; try again"
        return problem(status, title, detail, headers={"Retry-After": "2"})


def _end_to_end(headers: RawHeaders, dropped: AbstractSet[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers, named in lower case, without ``dropped`` and those that ``Connection`` names."""
    named = {option.strip().lower() for name, value in headers if name == b"connection" for option in value.split(b",")}
    return [(name, value) for name, value in headers if name not in dropped and name not in named]


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message: Any = await receive()
        if message["type"] != "http.request":
            raise ConnectionAbortedError("the client went away")
        if message["body"]:
            yield message["body"]
        more = message.get("more_body", False)
