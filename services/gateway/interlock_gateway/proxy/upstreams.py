"""The services behind the gateway: what it asks them itself, and reverse proxies for the requests of clients."""

from dataclasses import dataclass
from typing import Any

import httpx
from interlock_runtime.clients import PredictionClient, RegistryClient, TrainDispatchClient
from interlock_runtime.reverse_proxy import ReverseProxy
from litestar import Response
from litestar.types import HTTPRequestEvent, Receive, Scope, Send

from interlock_gateway.settings import GatewaySettings

CONNECTIONS = 200
ANSWER_SECONDS = 60.0
FILE_SECONDS = 600.0
"""How long the answer to a file may take."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Clients of the services behind the gateway, in its own name."""

    registry: RegistryClient
    train_dispatch: TrainDispatchClient
    prediction: PredictionClient

    @classmethod
    def of(cls, settings: GatewaySettings, client: httpx.AsyncClient) -> "Upstreams":
        """Return the services at the addresses that are set."""
        key = settings.service_key
        return cls(
            RegistryClient("registry", settings.registry_url, key, client, stage=settings.stage),
            TrainDispatchClient("train_dispatch", settings.train_dispatch_url, key, client),
            PredictionClient("prediction", settings.prediction_url, key, client),
        )


@dataclass(frozen=True, slots=True)
class Proxies:
    """Reverse proxies of the services behind the gateway, each with the client's own credentials."""

    registry: ReverseProxy
    ingest: ReverseProxy
    train_dispatch: ReverseProxy
    prediction: ReverseProxy
    monitor: ReverseProxy

    @classmethod
    def of(cls, settings: GatewaySettings, client: httpx.AsyncClient) -> "Proxies":
        """Return the services at the addresses that are set; files may take them long."""
        return cls(
            ReverseProxy("registry", settings.registry_url, client, _timeout(ANSWER_SECONDS)),
            ReverseProxy("ingest", settings.ingest_url, client, _timeout(FILE_SECONDS)),
            ReverseProxy("train_dispatch", settings.train_dispatch_url, client, _timeout(ANSWER_SECONDS)),
            ReverseProxy("prediction", settings.prediction_url, client, _timeout(FILE_SECONDS)),
            ReverseProxy("monitor", settings.monitor_url, client, _timeout(ANSWER_SECONDS)),
        )


def _timeout(read: float) -> httpx.Timeout:
    return httpx.Timeout(connect=2.0, read=read, write=60.0, pool=5.0)


class ProxyResponse(Response[Any]):
    """Another service's answer, for a handler that answers other requests itself.

    ``body`` is what was read of the request already, all of it.
    """

    def __init__(self, proxy: ReverseProxy, body: bytes | None = None) -> None:
        super().__init__(None)
        self._proxy = proxy
        self._body = body

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return the ASGI application that forwards the request."""
        return self._proxy.forward if self._body is None else self._forward_read

    async def _forward_read(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        body = self._body or b""

        async def read() -> HTTPRequestEvent:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._proxy.forward(scope, read, send)
