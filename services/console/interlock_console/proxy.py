"""Reverse proxy to the gateway under ``/gateway``: requests are forwarded with the caller's own credentials only."""

import httpx
from interlock_runtime.content_coding import AS_SENT
from interlock_runtime.http import ANY, SCOPE
from interlock_runtime.reverse_proxy import ReverseProxy
from litestar import route
from litestar.di import NamedDependency
from litestar.types import ASGIApp

PREFIX = b"/gateway"
TIMEOUT = httpx.Timeout(connect=2.0, read=320.0, write=60.0, pool=5.0)
"""Longer than the gateway's own timeouts."""

CONNECTIONS = 100

_DROPPED_REQUEST_HEADERS = (b"cookie", b"origin", b"referer")
_DROPPED_RESPONSE_HEADERS = (
    b"set-cookie",
    b"content-security-policy",
    b"x-content-type-options",
    b"cache-control",
)
_SANDBOX_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
"""Responses of the gateway may hold untrusted bytes; sandboxed, none of them runs as a page of this origin."""


def gateway_proxy(url: str, client: httpx.AsyncClient) -> ReverseProxy:
    return ReverseProxy(
        "gateway",
        url,
        client,
        TIMEOUT,
        prefix=PREFIX,
        drop_request=_DROPPED_REQUEST_HEADERS,
        drop_response=_DROPPED_RESPONSE_HEADERS,
        add_response=_SANDBOX_HEADERS,
    )


@route(
    "/gateway/{path:path}",
    http_method=["GET", "POST", "PUT", "PATCH", "DELETE"],
    opt={SCOPE: ANY, AS_SENT: True},
    include_in_schema=False,
    status_code=200,
)
async def forward_to_gateway(gateway: NamedDependency[ReverseProxy]) -> ASGIApp:
    """Forward a request; the gateway checks the scope."""
    return gateway.forward


ROUTES = [forward_to_gateway]
