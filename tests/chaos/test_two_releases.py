"""A rolling upgrade, and the way back: services of two releases on one database, one broker and one object store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.chaos import matrix
from tests.chaos.processes import SERVICES
from tests.chaos.user import PATIENCE, eventually
from tests.chaos.world import World
from tests.support.last_release import last_release
from tests.support.stack_user import ROW

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ORDER = ("registry", "train_dispatch", "evaluation_gate", "monitor", "prediction", "ingest", "gateway")
"""That of ``docs/deploy/upgrade.md``; the console is no part of what is asked here."""


async def test_one_release_replaces_the_other_and_is_taken_back(world: World) -> None:
    """One service after another, while files, trainings and predictions go on; each is done, and done once."""
    assert set(ORDER) == set(SERVICES)
    before = last_release()
    await matrix.trains(world)
    async with predictions_go_on(world):
        for service in reversed(ORDER):
            world.system.stop(service)
            world.system.start_release(service, before)
            await runs(world, service)
        await everything_is_done(world)
        async with AsyncExitStack() as stack:
            for service in ORDER[:-1]:
                replica = world.system.start_beside(service)
                stack.push_async_callback(asyncio.to_thread, replica.wait)
                stack.callback(replica.signal, 15)
            await eventually(lambda: world.replicas_share(*ORDER[:-1]))
            await everything_is_done(world)
            for service in ORDER:
                world.system.stop(service)
                world.system.start(service)
                await runs(world, service)
        await everything_is_done(world)

    async def no_faults() -> bool:
        return not await world.faults()

    await eventually(no_faults)


async def runs(world: World, service: str) -> None:
    """Wait until a service is ready; one that has ended is not."""
    await world.system.ready(service, seconds=PATIENCE)
    assert world.system.processes[service].status is None, world.system.log(service)


async def everything_is_done(world: World) -> None:
    """Apply, upload, train, approve and ask, each with its effect exactly once."""
    for step in (matrix.applies, matrix.uploads, matrix.trains, matrix.approves, matrix.asks_later, matrix.sends_file):
        await step(world)


@asynccontextmanager
async def predictions_go_on(world: World) -> AsyncIterator[None]:
    """Ask all the while; whoever asks again where a connection is lost gets an answer, of a version that served."""
    answered: list[int] = []

    async def ask() -> None:
        while True:
            answer = await world.user.insist("POST", f"/models/{world.model}/predict", json={"rows": [ROW]})
            assert answer.is_success, answer.text
            answered.append(answer.json()["version"])

    asking = asyncio.ensure_future(ask())
    try:
        yield
        assert not asking.done(), asking.exception()
        assert len(answered) > 100
        assert answered[-1] > answered[0]
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
