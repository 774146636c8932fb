"""A client that writes what it likes to a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from interlock_runtime.connections import LimitedHttpProtocol
from litestar.types import ASGIApp

from tests.support.gateway_app import bound
from tests.support.waiting import until


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """Serve ``app`` as every service is; return its port."""
    sock = bound()
    sock.listen()
    server = uvicorn.Server(uvicorn.Config(app, http=LimitedHttpProtocol, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await until(lambda: server.started or task.done())
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        sock.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and let go in the end whatever the server did."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def told(port: int, data: bytes) -> bytes:
    """Return all that the server says to ``data`` before it closes."""
    async with connected(port) as (reader, writer):
        writer.write(data)
        return await closed(reader)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Return what still comes until the other end closes, in 10 s at most."""
    said = b""
    async with asyncio.timeout(10):
        try:
            while part := await reader.read(65536):
                said += part
        except ConnectionResetError:
            pass  # closed with data of ours unread
    return said
