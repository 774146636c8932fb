"""What is somebody else's is passed on as it is, in both directions, and its absence is told."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
from interlock_artifacts import MemoryStore

from tests.support.gateway_app import NOWHERE, Door, client, gateway, listening
from tests.support.waiting import until

MEGABYTE = 1024 * 1024


async def test_status_headers_and_body_come_back_as_they_are(door: Door) -> None:
    """A client can't tell that there is a door in between."""
    answer = await door.http.put(
        "/pipelines/flights", content=b"name: flights\n", headers={"Content-Type": "text/yaml"}
    )

    assert answer.status_code == 200
    assert answer.text == "name: flights\n"
    assert answer.headers["x-name"] == "flights"
    assert len(answer.headers.get_list("date")) == len(answer.headers.get_list("server")) == 1


async def test_what_a_service_refuses_keeps_its_words(door: Door) -> None:
    """Problem details and Retry-After reach the client."""
    answer = await door.http.get("/runs/7f000000-0000-0000-0000-000000000000")

    assert answer.status_code == 404
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Unknown run"


async def test_the_key_the_trace_and_the_query_go_through(door: Door) -> None:
    """The service checks the key for itself, and its spans belong to the caller's trace."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await door.http.put("/pipelines/flights", content=b"{}", headers={"traceparent": trace, "Connection": "close"})
    (headers,) = door.behind.asked
    await door.http.get("/datasets/flights", params={"limit": "5"})

    assert headers["authorization"] == door.http.headers["authorization"]
    assert headers["traceparent"] == trace
    assert headers["content-length"] == "2"
    assert headers.get("connection") != "close"
    assert door.behind.asked[-1] == {"query": "limit=5"}


@pytest.mark.parametrize("announced", [True, False])
async def test_uploads_are_streamed_and_never_held(door: Door, announced: bool) -> None:
    """The service reads the first part before the client has sent the last: no body is ever held here."""
    went_on = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * MEGABYTE
        await until(lambda: door.behind.largest_chunk)
        went_on.set()
        yield b"y" * MEGABYTE

    headers = {"Content-Length": str(2 * MEGABYTE)} if announced else {}
    answer = await door.http.post("/datasets/flights", content=parts(), headers=headers)

    assert went_on.is_set()
    assert (answer.status_code, answer.json()) == (202, {"bytes": 2 * MEGABYTE})
    assert answer.headers["location"] == "/datasets/flights/abc"
    assert door.behind.largest_chunk < MEGABYTE


async def test_a_service_that_is_down_is_told_with_a_time_to_come_back(tmp_path: Path) -> None:
    """The door itself stays open."""
    async with listening(gateway(MemoryStore(), tmp_path, NOWHERE)) as url, client(url) as http:
        answer = await http.get("/runs")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "train_dispatch" in answer.json()["detail"]


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    """Half a body is an error at the client, not a short body."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        app = gateway(MemoryStore(), tmp_path, f"http://127.0.0.1:{port}")
        async with listening(app) as url, client(url) as http:
            with pytest.raises(Exception, match=r"closed|disconnected|incomplete"):
                await http.get("/pipelines")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/%2e%2e", 400),
        ("/pipelines/..%2f..%2fhealth", 404),
        ("/models/flights/trainable", 404),
        ("/nowhere", 404),
    ],
)
async def test_only_public_routes_lead_through(door: Door, path: str, status: int) -> None:
    """What a service has for its peers alone is not reached from outside, however it is spelt."""
    async with await _raw(door) as connection:
        assert await connection.status(path) == status


class _Connection:
    """HTTP by hand: clients tidy addresses up before they send them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def status(self, path: str) -> int:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {self._key}\r\n\r\n".encode())
        return int((await self._reader.readline()).split()[1])


async def _raw(door: Door) -> _Connection:
    url = door.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port, family=socket.AF_INET)
    return _Connection(reader, writer, door.http.headers["authorization"])


@pytest.mark.parametrize("kind", ["text/csv; charset=utf-8", "application/vnd.apache.parquet", "application/x-ndjson"])
async def test_a_file_to_be_answered_goes_to_the_service_that_takes_files(door: Door, kind: str) -> None:
    """Only rows in JSON are the gateway's own; a file of any size goes through, with its query."""
    content = b"size\n" * 4_000_000
    answer = await door.http.post(
        "/models/flights/predictions?on_error=null&log=0.1", content=content, headers={"Content-Type": kind}
    )

    assert answer.status_code == 202
    told = answer.json()
    assert (told["kind"], told["query"], told["bytes"]) == (kind, "on_error=null&log=0.1", len(content))


async def test_a_stored_dataset_to_be_answered_goes_there_too(door: Door) -> None:
    """The body has been read to know that it names one, and arrives whole all the same."""
    digest = "ab" * 32
    answer = await door.http.post("/models/flights/predictions", json={"dataset": digest})

    assert (answer.status_code, answer.json()["begin"]) == (202, f'{{"dataset":"{digest}"}}'[:40])
