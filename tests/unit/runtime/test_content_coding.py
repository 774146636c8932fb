"""Compressed bodies, on a route of any service: unpacked as they are read, or refused in words."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from interlock_runtime.content_coding import AS_SENT, PIECE_BYTES
from interlock_runtime.http import SCOPE, http_app
from litestar import Litestar, Request, post
from litestar.params import JSONBody
from litestar.testing import TestClient

from tests.support.api_keys import KEY, letting_in

LIMIT = 4 * PIECE_BYTES
Client = TestClient[Litestar]


@post("/numbers", status_code=200, opt={SCOPE: "train"})
async def add(data: JSONBody[list[int]]) -> int:
    return sum(data)


@post("/length", status_code=200, request_max_body_size=LIMIT, opt={SCOPE: "train"})
async def measure(request: Request[Any, Any, Any]) -> int:
    return len(await request.body())


@post("/forwarded", status_code=200, opt={SCOPE: "train", AS_SENT: True})
async def forward(request: Request[Any, Any, Any]) -> list[str]:
    return [request.headers["content-encoding"], (await request.body()).hex()]


@post("/deaf", status_code=200, opt={SCOPE: "train"})
async def do_nothing() -> str:
    return "done"


@pytest.fixture
def client() -> Iterator[Client]:
    routes = [add, measure, forward, do_nothing]
    app = http_app("test", letting_in(), routes=routes, pings={}, lifespan=[])
    with TestClient(app) as opened:
        opened.headers["Authorization"] = f"Bearer {KEY}"
        yield opened


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"[1, 2]")),
        ("GZIP", gzip.compress(b"[1, 2]")),
        ("x-gzip", gzip.compress(b"[1, 2]")),
        ("deflate", zlib.compress(b"[1, 2]")),
        ("identity", b"[1, 2]"),
    ],
    ids=["gzip", "case", "x-gzip", "deflate", "identity"],
)
def test_a_compressed_body_is_unpacked(client: Client, coding: str, body: bytes) -> None:
    """By whatever route; handlers know nothing of it."""
    answer = client.post("/numbers", content=body, headers={"Content-Encoding": coding})

    assert (answer.status_code, answer.text) == (200, "3")


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, LIMIT])
@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_every_byte_comes_through_however_the_body_is_cut(client: Client, size: int, pieces: int) -> None:
    """Around the length of a piece, and with packed bodies that come in many parts."""
    packed = gzip.compress(bytes(size))
    step = max(len(packed) // pieces, 1)
    parts = (packed[at : at + step] for at in range(0, len(packed), step))

    assert client.post("/length", content=parts, headers={"Content-Encoding": "gzip"}).json() == size


def test_the_limit_of_a_route_is_that_of_the_unpacked_body(client: Client) -> None:
    """A hundred kilobytes may be a hundred megabytes of zeros."""
    answer = client.post("/length", content=gzip.compress(bytes(LIMIT + 1)), headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 413


WHOLE = gzip.compress(b"[1, 2]", mtime=0)


@pytest.mark.parametrize(
    ("coding", "body", "status", "told"),
    [
        ("br", b"[1, 2]", 415, "send gzip, deflate, or none"),
        ("gzip, gzip", gzip.compress(WHOLE), 415, "'gzip, gzip' is not offered"),
        ("gzip", b"[1, 2]", 400, "not what Content-Encoding says"),
        ("gzip", b"", 400, "cut off"),
        ("gzip", WHOLE[:-1], 400, "cut off"),
        ("gzip", WHOLE + b"more", 400, "more follows"),
    ],
    ids=["unknown", "twice", "none", "empty", "short", "long"],
)
def test_what_cannot_be_unpacked_is_refused_with_the_reason(
    client: Client, coding: str, body: bytes, status: int, told: str
) -> None:
    """As problem details, with what would be right."""
    answer = client.post("/numbers", content=body, headers={"Content-Encoding": coding})

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert told in answer.json()["detail"]


def test_nothing_is_unpacked_for_whoever_may_not_call(client: Client) -> None:
    """The key is asked for first; and a route that reads no body needs none."""
    coding = {"Content-Encoding": "br"}

    assert client.post("/numbers", headers={"Authorization": "Bearer wrong", **coding}).status_code == 401
    assert client.post("/deaf", headers=coding).status_code == 200


def test_what_is_forwarded_stays_as_it_is(client: Client) -> None:
    """The service behind unpacks it."""
    answer = client.post("/forwarded", content=WHOLE, headers={"Content-Encoding": "gzip"})

    assert answer.json() == ["gzip", WHOLE.hex()]
