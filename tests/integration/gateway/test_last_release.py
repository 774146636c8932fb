"""A rolling upgrade of the gateway, and the way back: both releases on one broker and one object store."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.benchmarks.serving import processes
from tests.support.gateway_app import client
from tests.support.gateway_process import Gateway, model_events, running, running_release, store_of
from tests.support.hot_swap import Watched, asked
from tests.support.last_release import Release, last_release
from tests.support.nginx import balanced
from tests.support.stored_models import put_model
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def before() -> Release:
    return last_release()


async def serves(gateway: Gateway, model: str, version: int) -> None:
    async def all_workers_do() -> bool:
        met = await gateway.workers()
        return len(met) == 2 and all(each.get(model) == version for each in met.values())

    await until(all_workers_do, seconds=120)


async def answers(url: str) -> bool:
    try:
        async with client(url) as http:
            return (await http.get("/health/live")).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("way", ["upgrade", "rollback"])
async def test_predictions_go_on_while_one_release_replaces_the_other(
    before: Release, servers: dict[str, str], tmp_path: Path, way: str
) -> None:
    """Behind a load balancer no request fails, each promotion reaches both, and whichever is left serves the next."""
    model, store, watched = f"m-{uuid4().hex[:8]}", store_of(servers), Watched()
    refs = {version: put_model(store, version, model=model) for version in (1, 2, 3)}
    async with (
        running_release(servers, tmp_path / "before", before) as old,
        running(servers, tmp_path / "now") as new,
        model_events(servers["INTERLOCK_AMQP_URL"], model) as events,
    ):
        leaves, stays = (old, new) if way == "upgrade" else (new, old)
        for gateway in (old, new):
            await until(gateway.is_subscribed, seconds=120)
        await events.promote(refs[1], 1)
        for gateway in (old, new):
            await serves(gateway, model, 1)
        with balanced(tmp_path / "nginx", [leaves.url, stays.url]) as address:
            await until(lambda: answers(address), seconds=60)
            async with asked(address, model, watched) as met:
                await events.promote(refs[2], 2)
                for gateway in (old, new):
                    await serves(gateway, model, 2)
                await processes.stop(leaves.process, 60)
                await events.promote(refs[3], 3)
                await serves(stays, model, 3)
                await until(lambda: 3 in met, seconds=60)

    assert len(watched.answers) > 100
    assert watched.failures() == []
    assert {each.version for each in watched.answers} == {1, 2, 3}
