"""A broker that takes nothing for a while, a queue that is full, a stop in the middle: all wait, nothing is lost."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import aio_pika
import pytest
from interlock_contracts.catalog import BY_TYPE, Route
from interlock_contracts.training import RetrainRequested
from interlock_messaging import enqueue, topology
from interlock_messaging.outbox import waiting
from interlock_messaging.tables import OutboxRow

from tests.chaos.stack import Stack
from tests.conftest import leased
from tests.integration.messaging.test_delivery import Lab
from tests.support.stack_parts import Parts
from tests.support.waiting import until

pytestmark = pytest.mark.integration

ALARMS = {
    "memory": (
        ("set_vm_memory_high_watermark", "absolute", "1"),
        ("set_vm_memory_high_watermark", "absolute", "512MB"),
    ),
    "disk": (("set_disk_free_limit", "100000GB"), ("set_disk_free_limit", "200MB")),
}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """Return a broker and a database of this test alone: an alarm stops all users."""
    with leased("delivery", only="rabbitmq,postgres") as settings:
        parts = Parts(Path(settings["INTERLOCK_HOME"]))
        yield Stack(settings, parts, ("rabbitmq", "postgres"))
        parts.close()


@pytest.mark.parametrize("alarm", ALARMS)
async def test_an_alarm_of_the_broker_holds_events_back_and_loses_none(own: Stack, alarm: str) -> None:
    """Transactions go on and their events wait; a direct request is refused at once; then everything arrives, once."""
    on, off = ALARMS[alarm]
    servers = {f"INTERLOCK_{name}": own.admin(name) for name in ("AMQP_URL", "POSTGRES_URL")}
    async with Lab(servers).running() as lab:
        first = await lab.enqueue("before")
        await until(lambda: lab.seen == [first.id])
        await asyncio.to_thread(own.rabbitmqctl, *on)
        try:
            said = [(await lab.enqueue(f"meanwhile {n}")).id for n in range(20)]
            with pytest.raises((ConnectionError, TimeoutError)):
                await lab.bus.publish(lab.event(), cause="a person waits")
            (held,) = await waiting(lab.database.sessions)
            assert held.events >= 19, "one may have been on its way"
        finally:
            await asyncio.to_thread(own.rabbitmqctl, *off)
        await until(lambda: set(said) <= set(lab.seen), seconds=60)
        assert [lab.seen.count(each) for each in said] == [1] * 20


class Crowded(RetrainRequested):
    """True in this test only: its queue holds three."""

    type: ClassVar[str] = f"lab.crowded.{uuid4().hex[:8]}"


async def test_a_full_queue_holds_its_own_events_back_in_order_and_no_others(
    servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow consumer slows its publisher: its events wait in the outbox, all others go on."""
    monkeypatch.setitem(BY_TYPE, Crowded.type, Route(Crowded, ("lab",), ("lab",)))
    async with Lab(servers).running() as lab, await aio_pika.connect(lab.url) as connection:
        channel = await connection.channel()
        bound: Any = {"x-max-length": 3, "x-overflow": "reject-publish"}
        queue = await channel.declare_queue(f"{lab.name}.crowded", exclusive=True, arguments=bound)
        await queue.bind("interlock.events", Crowded.type)
        async with lab.bus.transaction() as session:
            events = [Crowded(model=f"m-{n}") for n in range(9)]
            said = [(await enqueue(session, each, source="lab", cause=each.model)).id for each in events]
        await until(lambda: lab.count((OutboxRow.failures > 0) & (OutboxRow.type == Crowded.type)))
        other = await lab.enqueue("meanwhile")
        await until(lambda: lab.seen == [other.id])

        heard: list[str] = []
        while len(heard) < len(said):
            message = await until(lambda: queue.get(fail=False, no_ack=True))
            heard.append(message.headers["cloudEvents_id"])
        assert sorted(heard) == sorted(said)


async def test_a_graceful_stop_finishes_short_work_and_publishes_its_events(servers: dict[str, str]) -> None:
    """A handler in flight ends; its message is acknowledged, and its events are published."""
    begun, told = asyncio.Event(), asyncio.Event()

    async def work(_: RetrainRequested) -> None:
        begun.set()
        await told.wait()

    lab = Lab(servers, work)
    await topology.declare(lab.url, lab.bus.queues)
    async with lab.database.ready("interlock_messaging"):
        async with lab.bus.running():
            said = await lab.enqueue("short")
            await begun.wait()
            asyncio.get_running_loop().call_later(0.5, told.set)
        assert lab.seen == [said.id]
        async with lab.bus.running():
            last = await lab.enqueue("after the next start")
            await until(lambda: last.id in lab.seen)
            assert lab.seen == [said.id, last.id], "it was acknowledged"
            await lab._delete_queues()


async def test_a_graceful_stop_requeues_what_takes_too_long(servers: dict[str, str]) -> None:
    """What is not finished in time is undone, and done by whoever starts next: once."""
    begun, released = asyncio.Event(), asyncio.Event()

    async def work(_: RetrainRequested) -> None:
        begun.set()
        await released.wait()

    lab = Lab(servers, work, drain_seconds=0.3)
    await topology.declare(lab.url, lab.bus.queues)
    async with lab.database.ready("interlock_messaging"):
        async with lab.bus.running():
            said = await lab.enqueue("long")
            await begun.wait()
        released.set()
        async with lab.bus.running():
            last = await lab.enqueue("after the next start")
            await until(lambda: last.id in lab.seen)
            assert lab.seen == [said.id, said.id, last.id]
            await lab._delete_queues()
