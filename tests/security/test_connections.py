"""What a client may send before its request counts, and how slowly: bounds that hold before any key is looked at."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from interlock_runtime import connections
from interlock_runtime.connections import HEAD_BYTES, HEADERS

from tests.security.connections import closed, connected, served, told

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, answer its length; ``/much`` answers 64 MiB."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1024 if scope["path"] == "/much" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"%d" % size})


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    async with served(app) as port:
        yield port


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let seconds be hundredths."""
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.02)
    for name, seconds in (("HEAD_SECONDS", 0.1), ("BODY_SECONDS", 0.3), ("STALL_SECONDS", 0.2)):
        monkeypatch.setattr(connections, name, seconds)


async def test_a_request_within_bounds_is_answered(port: int) -> None:
    """As many headers as are allowed, and trailers, and a body in many parts."""
    head = GET + b"X: y\r\n" * (HEADERS - 2) + b"Connection: close\r\n\r\n"
    assert (await told(port, head)).startswith(b"HTTP/1.1 200")
    chunks = b"5\r\nhello\r\n" * 1000 + b"0\r\nTrailer: x\r\n\r\n"
    async with connected(port) as (reader, writer):
        writer.write(POST + chunks)
        assert b"5000" in await reader.readuntil(b"5000")


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: y\r\n" * (HEADERS + 1) + b"\r\n",
        GET + b"X: y\r\n" * 100_000,
        GET + b"X: " + b"y" * (8 * HEAD_BYTES),
        b"GET /" + b"a" * (8 * HEAD_BYTES),
        POST + b"5\r\nhello\r\n0\r\n" + b"Trailer: x\r\n" * 100_000,
        POST + b"5;" + b"e" * (8 * HEAD_BYTES),
    ],
    ids=["one header too many", "headers without end", "a long header", "a long address", "trailers", "extensions"],
)
async def test_what_never_ends_is_refused(port: int, head: bytes) -> None:
    """Headers, an address, trailers or chunk extensions without end would fill the memory of a process."""
    said = await told(port, head)
    assert said == b"" or said.startswith(b"HTTP/1.1 431"), said[:100]


async def test_a_refusal_says_what_is_allowed(port: int) -> None:
    """As problem details, as every other refusal."""
    said = await told(port, GET + b"X: y\r\n" * (HEADERS + 1) + b"\r\n")
    assert b"application/problem+json" in said
    assert b'"status": 431' in said
    assert b"100 headers" in said


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("begin", [b"", b"\r\n", GET, b"GET / HT"], ids=["nothing", "newline", "headers", "line"])
async def test_a_head_that_does_not_come_is_not_waited_for(port: int, begin: bytes) -> None:
    """Slowloris: a client that sends a little now and then holds no connection."""
    async with connected(port) as (reader, writer):
        writer.write(begin)
        said = asyncio.create_task(closed(reader))
        while not said.done():
            writer.write(b"X: y\r\n" if begin.startswith(GET) else b"\r\n" if begin == b"\r\n" else b"")
            await asyncio.wait([said], timeout=0.02)
    assert await said == b"" or (await said).startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))


@pytest.mark.usefixtures("hurried")
async def test_a_body_that_trickles_is_not_waited_for(port: int) -> None:
    """A byte now and then is progress, but no reason to hold an upload's place."""
    async with connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        said = asyncio.create_task(closed(reader))
        while not said.done():
            writer.write(b"x")
            await asyncio.wait([said], timeout=0.02)
    assert (await said).startswith(b"HTTP/1.1 408")


@pytest.mark.usefixtures("hurried")
async def test_an_answer_that_nobody_reads_ends(port: int) -> None:
    """A client that asks for much and reads nothing holds neither memory nor a connection for long."""
    async with connected(port) as (_, writer):
        writer.write(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(20):
                while True:
                    writer.write(b"\r\n")  # notices that the other end is gone
                    await writer.drain()
                    await asyncio.sleep(0.02)


@pytest.mark.usefixtures("hurried")
async def test_who_is_slow_but_steady_is_served(port: int) -> None:
    """The bounds are for those that come to nothing: four times as long as a stalled body may take is fine."""
    async with connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(60):
            writer.write(b"x" * 1000)
            await asyncio.sleep(0.02)  # the pace is what is tried
        assert b"60000" in await closed(reader)


async def test_a_flood_of_pipelined_requests_is_answered_in_order(port: int) -> None:
    """Reading stops while one is in hand, so what waits is what one read brought."""
    last = GET + b"Connection: close\r\n\r\n"
    said = await told(port, (GET + b"\r\n") * 5000 + last)
    assert said.count(b"HTTP/1.1 200") == 5001
