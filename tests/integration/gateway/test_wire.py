"""Predictions on real sockets, against real worker processes: connections of every kind, and none of them let down."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts import telemetry

from tests.support.gateway_app import KEY
from tests.support.gateway_process import Gateway, running, store_of
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

pytestmark = pytest.mark.integration

MODEL = "wired"
PROMOTION = f"00-{uuid4().hex}-b7ad6b7169203331-01"
_LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


class Connection:
    """One TCP connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Return status, head and body of the next answer; EOFError when the other side is gone."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        return int(head.split(b" ", 2)[1]), head, await self.reader.readexactly(int(length[1]))

    async def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        self.writer.write(request)
        return await self.answer()


def request(
    size: float = 3.0,
    *,
    color: str = "green",
    method: str = "POST",
    more: str = "",
    path: str = f"/models/{MODEL}/predict",
) -> bytes:
    body = json.dumps({"rows": [ROW | {"size": size, "color": color}]})
    head = f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {KEY}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n{more}\r\n{body}".encode()


def predicted(answer: tuple[int, bytes, bytes]) -> float:
    status, _, body = answer
    assert status == 200, answer
    return float(json.loads(body)["predictions"][0])


@asynccontextmanager
async def connected(gateway: Gateway) -> AsyncIterator[Connection]:
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = Connection(*await asyncio.open_connection(host, int(port)))
    try:
        yield connection
    finally:
        connection.writer.close()


@asynccontextmanager
async def serving(servers: dict[str, str], folder: Path) -> AsyncIterator[Gateway]:
    """Run a gateway whose workers serve ``MODEL``, and make spans only where the caller asks for them."""
    async with running(servers, folder, gateway_reconcile_seconds="0.2", predict_sample_ratio="0") as gateway:
        gateway.behind.promote(put_model(store_of(servers), 1, model=MODEL), seq=1, trace=PROMOTION)

        async def all_serve() -> bool:
            workers = await gateway.workers()
            return len(workers) == 2 and all(each.get(MODEL) == 1 for each in workers.values())

        await until(all_serve, seconds=90)
        yield gateway


@pytest.fixture(scope="module")
async def gateway(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with serving(servers, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


async def test_a_connection_is_kept_for_requests_of_every_kind(gateway: Gateway) -> None:
    """Ordinary ones, odd ones, wrong ones and other routes, one after the other."""
    async with connected(gateway) as connection:
        for size in range(50):
            assert predicted(await connection.ask(request(size))) == 1000 + size
            odd = await connection.ask(request(size, color="violet"))
            assert b"warnings" in odd[2]
            assert (await connection.ask(request(size).replace(KEY.encode(), b"x" * len(KEY))))[0] == 401
            assert (await connection.ask(b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n"))[0] == 200


async def test_pipelined_requests_are_answered_in_their_order(gateway: Gateway) -> None:
    """Whichever of them are ordinary: an answer never overtakes another."""
    colors = ["green", "violet", "green", "green", "violet", "green"] * 5
    async with connected(gateway) as connection:
        connection.writer.write(b"".join(request(size, color=color) for size, color in enumerate(colors)))
        answers = [await connection.answer() for _ in colors]

    assert [predicted(each) for each in answers] == [1000.0 + size for size in range(len(colors))]
    assert [b"warnings" in each[2] for each in answers] == [color == "violet" for color in colors]


@pytest.mark.parametrize("color", ["green", "violet"])
async def test_a_slow_client_is_answered_when_its_last_byte_has_come(gateway: Gateway, color: str) -> None:
    """And meanwhile everybody else is."""
    async with connected(gateway) as slow, connected(gateway) as other:
        for place, byte in enumerate(whole := request(7, color=color)):
            slow.writer.write(bytes([byte]))
            await slow.writer.drain()
            if place % 50 == 0 or place == len(whole) - 1:
                assert predicted(await other.ask(request(1))) == 1001
        assert predicted(await slow.answer()) == 1007


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (request().replace(b"HTTP/1.1", b"HTTP/9.9"), 400),
        (request().replace(b"Content-Length: ", b"Content-Length: x"), 400),
        (request(more="Transfer-Encoding: chunked\r\n"), 400),
        (request(more="Connection: close\r\n"), 200),
        (request().replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
    ],
    ids=["no HTTP", "version", "length", "two lengths", "close", "HTTP/1.0"],
)
async def test_a_connection_that_ends_ends_after_its_answer(gateway: Gateway, raw: bytes, status: int) -> None:
    """What is no HTTP is refused, and the worker answers the next client."""
    async with connected(gateway) as connection:
        assert (await connection.ask(raw))[0] == status
        assert await connection.reader.read() == b""
    async with connected(gateway) as next_client:
        assert predicted(await next_client.ask(request(2))) == 1002


async def test_clients_that_expect_or_upgrade_are_answered(gateway: Gateway) -> None:
    """Rare headers take the ordinary way."""
    async with connected(gateway) as connection:
        head, _, body = request(4, more="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        connection.writer.write(head + b"\r\n\r\n")
        assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        assert predicted(await connection.ask(body)) == 1004
        assert predicted(await connection.ask(request(5, path=f"/models/{MODEL[:-1]}%64/predict"))) == 1005
        status, _, told = await connection.ask(request(6, path=f"/models/{MODEL}/predict?why=not"))
        assert (status, json.loads(told)["title"]) == (422, "Unknown query parameter")
        assert (await connection.ask(request(method="PUT")))[0] == 405


async def test_a_client_that_goes_away_is_no_matter(gateway: Gateway) -> None:
    """In the middle of its request or before its answer, many at once."""
    for _ in range(20):
        async with connected(gateway) as hasty, connected(gateway) as half:
            hasty.writer.write(request())
            half.writer.write(request()[:-5])

    async with connected(gateway) as connection:
        assert predicted(await connection.ask(request(2))) == 1002


async def test_a_traced_caller_gets_a_span_that_links_to_the_promotion(gateway: Gateway) -> None:
    """Whoever looks at a prediction finds how its model came to be; untraced callers leave none at this ratio."""
    trace_id = uuid4().hex
    traced = f"traceparent: 00-{trace_id}-b7ad6b7169203332-01\r\n"
    async with connected(gateway) as connection:
        assert (await connection.ask(request()))[0] == 200
        assert (await connection.ask(request(more=traced)))[0] == 200
        assert (await connection.ask(request(more=traced, color="violet")))[0] == 200

    def told() -> list[dict[str, Any]]:
        return [each for each in gateway.spans() if each["name"] == telemetry.SPAN_PREDICT]

    await until(lambda: len(told()) >= 2)  # a span is written after its answer
    spans = told()
    assert [(each["trace_id"], each["parent_id"]) for each in spans] == [(trace_id, "b7ad6b7169203332")] * 2
    assert [each["links"][0]["trace_id"] for each in spans] == [PROMOTION.split("-")[1]] * 2
    assert [each["attributes"]["http.response.status_code"] for each in spans] == [200, 200]


async def test_graceful_shutdown_under_load_fails_no_request(servers: dict[str, str], tmp_path: Path) -> None:
    """Every request that was taken is answered; a half sent one is waited for; then the connection closes cleanly."""
    async with serving(servers, tmp_path) as gateway:
        answered = 0
        ends: list[bytes] = []

        async def ask() -> None:
            """Ask on until the gateway closes the connection between two requests."""
            nonlocal answered
            async with connected(gateway) as connection:
                while True:
                    try:
                        answer = await connection.ask(request(answered % 100))
                    except (asyncio.IncompleteReadError, ConnectionError) as error:
                        ends.append(getattr(error, "partial", b""))
                        return
                    assert answer[0] == 200
                    answered += 1
                    if b"connection: close" in answer[1]:
                        return

        async with connected(gateway) as half:
            half.writer.write(request(9)[:-9])
            clients = [asyncio.create_task(ask()) for _ in range(16)]
            await until(lambda: answered > 500)
            assert not ends
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*clients)
            assert not any(ends), "an answer was cut off"
            assert predicted(await half.ask(request(9)[-9:])) == 1009
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
