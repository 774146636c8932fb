"""The limits: nothing but a greeting, on the servers that a gateway could stand on, with and without a framework."""

from typing import Any

from litestar import Litestar, get

_GREETING = b"Hello, world!"
_HEADERS = [(b"content-type", b"text/plain"), (b"content-length", str(len(_GREETING)).encode())]


class Rsgi:
    """The bare greeting in granian's own protocol."""

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto == "http":
            protocol.response_bytes(200, [("content-type", "text/plain")], _GREETING)


rsgi = Rsgi()


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer in bare ASGI."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _GREETING})


@get("/", media_type="text/plain")
async def greet() -> bytes:
    """Answer through Litestar."""
    return _GREETING


litestar = Litestar([greet], openapi_config=None)
