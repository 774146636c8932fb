"""A bad model never replaces a good one: real worker processes, asked all the while.

Changed bytes and answers that are not finite are in test_workers.py.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from interlock_contracts.models import ModelLoadFailed
from interlock_contracts.refs import ModelRef

from tests.support import prediction_process
from tests.support.bad_models import TABLE, Bad, endless, truncated
from tests.support.gateway_app import client
from tests.support.gateway_process import Gateway, ModelEvents, model_events, running, store_of
from tests.support.signing import SIGNER, STRANGER
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SMOKE_TEST_SECONDS = "3"


@pytest.fixture(scope="module")
async def gateway(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    async with running(servers, folder, gateway_validation_seconds=SMOKE_TEST_SECONDS) as gateway:
        await until(gateway.is_subscribed, seconds=90)
        yield gateway


@pytest.fixture
async def events(servers: dict[str, str]) -> AsyncIterator[ModelEvents]:
    async with model_events(servers["INTERLOCK_AMQP_URL"], f"m-{uuid4().hex[:8]}") as received:
        yield received


@asynccontextmanager
async def asked_all_the_while(gateway: Gateway, model: str) -> AsyncIterator[list[tuple[int, int]]]:
    """Ask without a pause while the block lasts; give status and version of every answer."""
    answers: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def ask() -> None:
        async with client(gateway.url) as http:
            while not done.is_set():
                answer = await http.post(f"/models/{model}/predict", json={"rows": [ROW]}, timeout=10)
                answers.append((answer.status_code, answer.json().get("version")))

    clients = [asyncio.create_task(ask()) for _ in range(2)]
    try:
        yield answers
    finally:
        done.set()
        await asyncio.gather(*clients)


def reasons(events: ModelEvents, seq: int) -> set[str]:
    published = [event for _, event in events.received if isinstance(event, ModelLoadFailed)]
    return {event.reason for event in published if event.promotion_seq == seq}


async def is_refused(events: ModelEvents, seq: int, told: str) -> None:
    """Wait until both workers have published that they do not serve a promotion, and see why."""
    await until(lambda: len(events.workers("model.load_failed", seq)) == 2, seconds=60)
    assert all(told in reason for reason in reasons(events, seq)), reasons(events, seq)


@asynccontextmanager
async def good_before_and_after(gateway: Gateway, events: ModelEvents, servers: dict[str, str]) -> AsyncIterator[None]:
    """Serve version 1; whatever the block does, it serves on without a failed request, and version 3 comes next."""
    store = store_of(servers)
    await events.promote(put_model(store, 1, model=events.model), 1)
    await events.all_serve(1)
    async with asked_all_the_while(gateway, events.model) as answers:
        yield
        count = len(answers)
        await until(lambda: len(answers) > count + 20)
        assert set(answers) == {(200, 1)}
        await events.promote(put_model(store, 3, model=events.model), 3)
        await events.all_serve(3)
    assert set(answers) == {(200, 1), (200, 3)}
    assert not events.workers("model.serving", 2)


@pytest.mark.parametrize(("bad", "told"), TABLE.values(), ids=TABLE)
async def test_a_bad_model_is_refused_by_every_worker_and_the_next_good_one_served(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str], bad: Bad, told: str
) -> None:
    """Promoted by the registry itself: its own signature does not make bytes sound."""
    async with good_before_and_after(gateway, events, servers):
        await events.promote(bad(store_of(servers), events.model), 2)
        await is_refused(events, 2, told)


@pytest.mark.parametrize("seq", [2, 1_000_000])
async def test_a_promotion_that_the_registry_has_not_signed_is_refused_by_every_worker(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str], seq: int
) -> None:
    """Published by somebody without the key; a number far ahead does not keep the true ones out either."""
    async with good_before_and_after(gateway, events, servers):
        ref = put_model(store_of(servers), 2, model=events.model)
        await events.promote(ref, seq, by=STRANGER)
        await is_refused(events, seq, f"UntrustedPromotionError: it is signed by the unknown key {STRANGER.key_id}")


def _children(pid: int) -> list[int]:
    """Return the children of all of a process's threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(each) for each in task.read_text().split()]
    return found


def smoke_tests(gateway: Gateway) -> list[int]:
    """Return the processes in which models are being tried."""
    helpers = [helper for worker in gateway.children() for helper in _children(worker)]
    return [child for helper in helpers for child in _children(helper)]


async def test_a_model_that_crashes_what_loads_it_crashes_no_worker(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """A fault in a parser written in C ends the process of the smoke test, and that alone."""
    workers = gateway.children()
    async with good_before_and_after(gateway, events, servers):
        await events.promote(endless(store_of(servers), events.model), 2)
        (child,) = await until(lambda: smoke_tests(gateway), seconds=30)
        os.kill(child, signal.SIGSEGV)
        await is_refused(events, 2, "crashes its process (SIGSEGV)")
    assert gateway.children() == workers


async def test_a_replica_of_prediction_answers_with_the_old_version_and_says_why(
    servers: dict[str, str], tmp_path: Path
) -> None:
    """Neither unsigned nor broken bytes are answered with, there as in the gateway; a good version is, next."""
    model = f"m-{uuid4().hex[:8]}"
    async with (
        model_events(servers["INTERLOCK_AMQP_URL"], model) as events,
        prediction_process.running(servers, tmp_path, replicas=1) as predictions,
    ):

        async def version() -> int:
            view = await predictions.ended(await predictions.ask(model))
            return int(view["version"])

        async def refused(ref: ModelRef, seq: int, told: str, *, signed: bool) -> None:
            await events.promote(ref, seq, by=SIGNER if signed else STRANGER)

            async def why() -> set[str]:
                assert await version() == 1
                return reasons(events, seq)

            assert told in (await until(why)).pop()

        predictions.serve(model, 1)
        assert await version() == 1
        await refused(put_model(predictions.store, 2, model=model), 2, "UntrustedPromotionError", signed=False)
        await refused(truncated(predictions.store, model), 3, "CorruptArtifactError", signed=True)
        await predictions.promote(model, 4)

        async def good() -> bool:
            return await version() == 4

        await until(good)
