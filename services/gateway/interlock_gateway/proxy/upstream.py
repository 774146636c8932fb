"""Requests for other services, passed on as they are: bodies are streamed both ways, never held."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
from interlock_runtime.http import problem
from litestar import Response
from litestar.enums import ScopeType
from litestar.status_codes import HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN
from litestar.types import HTTPRequestEvent, HTTPScope, Method, Receive, Scope, Send
from pydantic import SecretStr

from interlock_gateway.settings import GatewaySettings

ASK_SECONDS = 5.0
"""How long the gateway waits for an answer that it needs itself."""

FILE_SECONDS = 600.0
"""How long the answer to a file may take."""

HOP_BY_HOP_HEADERS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_NOT_ASKED = HOP_BY_HOP_HEADERS | {b"host", b"expect"}
_NOT_ANSWERED = HOP_BY_HOP_HEADERS | {b"date", b"server"}
"""uvicorn says its own."""

_NOT_LET_IN = (HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN)


def connections() -> httpx.AsyncClient:
    """Return the connections to all services; to be closed in the end."""
    # Our services close idle connections after 5 s; letting go of them earlier, none breaks under a request.
    limits = httpx.Limits(max_connections=200, keepalive_expiry=3.0)
    return httpx.AsyncClient(timeout=ASK_SECONDS, limits=limits, trust_env=False)


class Upstream:
    """One of the services behind the gateway; ``read_timeout`` is how many seconds its answer to a client may take."""

    def __init__(
        self, name: str, url: str, key: SecretStr, client: httpx.AsyncClient, *, read_timeout: float = 60.0
    ) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._key = key
        self._client = client
        self._timeout = httpx.Timeout(connect=2.0, read=read_timeout, write=60.0, pool=5.0)

    async def get(self, path: str, *, authorization: str | None = None) -> httpx.Response:
        """Ask in the gateway's own name, or in that of whom ``authorization`` names, as :meth:`send`."""
        return await self.send("GET", path, authorization=authorization)

    async def send(
        self, method: Method, path: str, body: bytes | None = None, *, authorization: str | None = None
    ) -> httpx.Response:
        """Send a request, with JSON as its body, in the gateway's own name or another's; the answer may be a refusal.

        Raises:
            ConnectionError: the service is down, or what it needs is, or it does not let the gateway in.
        """
        headers = {
            "Authorization": authorization or f"Bearer {self._key.get_secret_value()}",
            "Content-Type": "application/json",
        }
        try:
            answer = await self._client.request(method, self._url + path, headers=headers, content=body)
        except httpx.TransportError as error:
            raise ConnectionError(f"{self.name}: {error!r}") from error
        if answer.is_server_error or answer.status_code in _NOT_LET_IN:
            raise ConnectionError(f"{self.name} answers {answer.status_code}")
        return answer

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the ASGI application that the service is; its problems are answered as they are, its absence as 503."""
        assert scope["type"] == ScopeType.HTTP, "only HTTP routes are passed on"
        try:
            answer = await self._client.send(self._request(scope, receive), stream=True)
        except httpx.PoolTimeout as error:
            raise self._absent(503, "Too many requests wait", error) from error
        except httpx.TimeoutException as error:
            raise self._absent(504, "A service does not answer", error) from error
        except httpx.TransportError as error:
            raise self._absent(503, "A service is down", error) from error
        try:
            headers = [(name.lower(), value) for name, value in answer.headers.raw]
            headers = [(name, value) for name, value in headers if name not in _NOT_ANSWERED]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await answer.aclose()

    def _request(self, scope: HTTPScope, receive: Receive) -> httpx.Request:
        if any(part in (".", "..") for part in scope["path"].split("/")):
            raise problem(404, "Not Found", "an address with dots leads nowhere")
        path = scope["raw_path"].partition(b"?")[0]
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = [(name, value) for name, value in scope["headers"] if name not in _NOT_ASKED]
        sized = any(name == b"content-length" for name, _ in headers)
        chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
        return httpx.Request(
            scope["method"],
            self._url + (path + query).decode("ascii"),
            headers=headers,
            content=_body(receive) if sized or chunked else None,
            extensions={"timeout": self._timeout.as_dict()},
        )

    def _absent(self, status: int, title: str, error: Exception) -> Exception:
        detail = f"{self.name}: {type(error).__name__}; try again, predictions go on meanwhile"
        return problem(status, title, detail, headers={"Retry-After": "2"})


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The services behind the gateway."""

    registry: Upstream
    ingest: Upstream
    train_dispatch: Upstream
    prediction: Upstream

    @classmethod
    def of(cls, settings: GatewaySettings, client: httpx.AsyncClient) -> "Upstreams":
        """Return the services at the addresses that are set; files may take them long."""
        key = settings.service_key
        return cls(
            Upstream("registry", settings.registry_url, key, client),
            Upstream("ingest", settings.ingest_url, key, client, read_timeout=FILE_SECONDS),
            Upstream("train_dispatch", settings.train_dispatch_url, key, client),
            Upstream("prediction", settings.prediction_url, key, client, read_timeout=FILE_SECONDS),
        )


class ProxyResponse(Response[Any]):
    """Another service's answer, for a handler that answers other requests itself.

    ``body`` is what was read of the request already, all of it.
    """

    def __init__(self, upstream: Upstream, body: bytes | None = None) -> None:
        super().__init__(None)
        self._upstream = upstream
        self._body = body

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return the ASGI application that passes the request on."""
        return self._upstream.forward if self._body is None else self._again

    async def _again(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        body = self._body or b""

        async def read() -> HTTPRequestEvent:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._upstream.forward(scope, read, send)


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionAbortedError("the client went away")
        if message["body"]:
            yield message["body"]
        more = message.get("more_body", False)
