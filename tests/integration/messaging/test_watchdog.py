"""A process that no longer hears notices it; one whose broker is away, or that is busy, is left alone."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from typing import Any

import aio_pika
import pytest
from interlock_contracts.models import ModelPromoted
from interlock_contracts.training import RetrainRequested
from interlock_messaging import publishing, topology, watchdog
from interlock_messaging.watchdog import Heartbeat, Watchdog

from tests.integration.gateway.test_outages import Cable
from tests.integration.messaging.test_delivery import Lab
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SECONDS = 1.5
"""Between two looks; a ping is on its way for one second."""


def watched(servers: dict[str, str], handle: Any = None) -> Lab:
    return Lab(servers, handle, ends_when_consumer_lost=False, watch_seconds=SECONDS)


async def test_a_consumer_that_was_cancelled_silently_is_missed_and_comes_back(servers: dict[str, str]) -> None:
    """Nothing fails and nothing is logged, but pings stay away; who connects anew hears what was said meanwhile."""
    async with watched(servers).running() as lab:
        (subscriber,) = lab.bus.consumer.subscribers
        channel = await subscriber._queue_obj.channel.get_underlay_channel()  # type: ignore[attr-defined]
        await channel.basic_cancel(subscriber._consumer_tag)  # type: ignore[attr-defined]
        said = await lab.enqueue("unheard")

        await until(lambda: _is_unwell(lab))
        await until(lab.bus.consumer_lost.is_set)
        assert not lab.seen
        await lab.bus.consumer.stop()
        await lab.bus.consumer.start()
        await until(lambda: lab.seen == [said.id])


async def _is_unwell(lab: Lab) -> bool:
    with suppress(ConnectionError):
        await lab.bus.ping()
        return False
    return True


async def test_a_queue_that_was_deleted_is_missed(servers: dict[str, str]) -> None:
    """Its consumer has nothing to hear from, and may not make it again; the start waits until an admin has."""
    async with watched(servers).running() as lab:
        async with await aio_pika.connect(lab.url) as connection:
            await (await connection.channel()).queue_delete(f"{lab.name}.retrain.requested")
        await until(lab.bus.consumer_lost.is_set)


async def test_pings_of_workers_that_died_hold_up_no_retry(servers: dict[str, str]) -> None:
    """A queue of retries keeps what has nowhere to go, and gives out 32 messages at a time: no ping goes that way."""

    async def fail_once(_: RetrainRequested) -> None:
        if len(lab.seen) == 1:
            raise ValueError("at first")

    lab = Lab(servers, fail_once)
    async with lab.running():
        died = [topology.worker_queue("gateway", ModelPromoted, f"died-{n}") for n in range(40)]
        watch = Watchdog(lab.url, lab.bus.publisher, Heartbeat(), seconds=0.01, on_consumer_lost=lambda: None)
        async with watch.watching(died):
            await until(lambda: _missed(watch) > 0)
        said = await lab.enqueue("fails at first")
        await until(lambda: lab.seen == [said.id, said.id])


def _missed(watch: Watchdog) -> int:
    return max(watch._missed.values(), default=0)


async def test_a_connection_that_is_stuck_while_others_get_through_is_noticed(
    servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reconnecting may hang; a fresh connection tells our fault from the broker's."""

    async def stuck(*_: Any, **__: Any) -> None:
        raise TimeoutError

    async with watched(servers).running() as lab:
        monkeypatch.setattr(watchdog, "publish", stuck)
        await until(lab.bus.consumer_lost.is_set)


async def test_long_work_and_a_broker_outage_do_not_count_as_a_lost_consumer(
    servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a message in hand hears; and starting anew would not bring the broker back."""
    begun, done = asyncio.Event(), asyncio.Event()
    for module in (watchdog, publishing):
        monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.5)

    async def work(_: RetrainRequested) -> None:
        begun.set()
        await done.wait()

    cable = Cable(servers["INTERLOCK_AMQP_URL"])
    await cable.plug()
    async with watched({**servers, "INTERLOCK_AMQP_URL": cable.url}, work).running() as lab:
        looks = _counting(lab)
        said = await lab.enqueue("long work")
        await begun.wait()
        await until(lambda: looks() > watchdog.PATIENCE)
        await cable.cut()
        away = looks()
        await until(lambda: looks() > away + watchdog.PATIENCE, seconds=40)
        assert not lab.bus.consumer_lost.is_set()

        await cable.plug()
        done.set()
        await until(lambda: lab.seen[-1] == said.id)
        last = await lab.enqueue("hears again")
        await until(lambda: last.id in lab.seen, seconds=40)
    await cable.close()


def _counting(lab: Lab) -> Any:
    """Return what tells how often the watchdog has looked."""
    heartbeat, count = lab.bus.delivery.heartbeat, [0]
    take = heartbeat.take

    def counted() -> set[str]:
        count[0] += 1
        return take()

    heartbeat.take = counted  # type: ignore[method-assign]
    return lambda: count[0]


@pytest.mark.parametrize(("stubborn", "status"), [("", -15), ("signal.signal(signal.SIGTERM, signal.SIG_IGN);", 75)])
def test_a_process_that_lost_a_consumer_ends_for_its_supervisor(stubborn: str, status: int) -> None:
    """Gently where it can, so that requests in hand are answered; after a while in any case; never with success."""
    code = f"""
import signal, threading
from interlock_messaging import publishing, watchdog
{stubborn}
watchdog.END_SECONDS = 0.1
watchdog.end_process()
threading.Event().wait(20)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == status
