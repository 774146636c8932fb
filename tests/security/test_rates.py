"""How much one caller may ask: more is answered 429, everybody else and health are served on."""

from collections.abc import AsyncIterator
from time import thread_time

import grpc
import pytest
from interlock_gateway.protocols import open_inference_pb2 as pb
from interlock_runtime.token_bucket import MAX_KEYS, TokenBuckets

from tests.support.api_keys import KEY
from tests.support.gateway_app import Door, bound, opened
from tests.support.stored_models import ROW, put_model

MOST_SECONDS = 10e-6
"""Of the processor, for one question and one count; about one on a quiet machine."""


class Clock:
    """A clock that a test winds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(rates: TokenBuckets, caller: str, times: int) -> int:
    """Return how many of so many requests are let through."""
    through = 0
    for _ in range(times):
        if not rates.wait(caller):
            rates.take(caller)
            through += 1
    return through


def test_a_burst_and_then_a_rate() -> None:
    """Ten at once, then two a second, and never more than ten at once again; each caller by itself."""
    clock = Clock()
    rates = TokenBuckets(2.0, 10, clock)

    assert taken(rates, "one", 100) == 10
    assert rates.wait("one") == pytest.approx(0.5)
    assert taken(rates, "other", 3) == 3
    clock.now = 3.0
    assert taken(rates, "one", 100) == 6
    clock.now = 1000.0
    assert taken(rates, "one", 100) == 10


def test_callers_that_come_no_more_are_forgotten() -> None:
    """Tokens of an issuer may name more people than a worker should remember."""
    clock = Clock()
    rates = TokenBuckets(1000.0, 1, clock)
    for number in range(5 * MAX_KEYS):
        clock.now += 0.001
        rates.take(f"caller {number}")

    assert len(rates._left) <= MAX_KEYS


def test_a_token_costs_next_to_nothing() -> None:
    """It is on the way of every prediction."""
    rates = TokenBuckets(1e9, 1000)
    seconds = []
    for _ in range(5):
        start = thread_time()
        for _ in range(10_000):
            rates.wait("one")
            rates.take("one")
        seconds.append((thread_time() - start) / 10_000)
    assert min(seconds) < MOST_SECONDS


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Door, str]]:
    """Return a gateway that lets five requests through, and then one in a thousand seconds; its address for gRPC."""
    sock = bound()
    port = sock.getsockname()[1]
    sock.close()
    folder = tmp_path_factory.mktemp("models")
    async with opened(folder, rate_limit=0.001, rate_burst=5, grpc_port=port) as door:
        yield door, f"127.0.0.1:{port}"


async def test_who_asks_too_much_is_told_when_to_come_again(door: tuple[Door, str]) -> None:
    """The same for the fast path, for what is passed on, and over gRPC; probes and strangers are answered as ever."""
    at, grpc_address = door
    at.behind.promote(put_model(at.store, 1), seq=1)
    answers = [await at.predict(ROW) for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert len(answers) - len(refused) == 5
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert 900 < int(refused[0].headers["retry-after"]) <= 1000
    assert (await at.http.get("/models")).status_code == 429
    assert (await at.http.get("/health/live", headers={"Authorization": ""})).status_code == 200
    assert (await at.http.get("/models", headers={"Authorization": "Bearer nobody"})).status_code == 401
    async with grpc.aio.insecure_channel(grpc_address) as channel:
        ask = channel.unary_unary(
            "/inference.GRPCInferenceService/ServerMetadata",
            request_serializer=pb.ServerMetadataRequest.SerializeToString,
            response_deserializer=pb.ServerMetadataResponse.FromString,
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(pb.ServerMetadataRequest(), metadata=[("authorization", f"Bearer {KEY}")])
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
