"""Every event is delivered twice, to two replicas of every service, at once and again later; it has its effect once.

The rows of every consumer are compared, so the inbox is seen to work; the test walks the catalog, so a new event that
this flow does not publish fails it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest
from interlock_contracts.catalog import OUTSIDE, ROUTES
from interlock_contracts.models import ModelLoadFailed, RollbackRequested
from interlock_contracts.training import TrainingCancelRequested
from interlock_messaging.topology import EXCHANGE
from sqlalchemy import text

from tests.chaos import deletions, matrix
from tests.chaos.processes import SERVICES
from tests.chaos.user import eventually
from tests.chaos.world import WITH_OUTBOX, World
from tests.support.stack_user import ROW

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

CONSUMED = {route.event.type for route in ROUTES if route.consumers}
PUBLISHER = {
    route.event.type: None if route.external else next(each for each in route.producers if each != OUTSIDE)
    for route in ROUTES
}
REDELIVERED = "x-redelivered"
CHANGING = {"inbox", "outbox", "worker", "worker_model"}
"""Tables with times of the last delivery, publication or report; published events are compared by id instead."""


class Duplicator:
    """Publishes every consumed event once more as soon as it arrives; ``seen`` has each of them once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seen: list[aio_pika.abc.AbstractIncomingMessage] = []

    async def receive(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        if message.routing_key in CONSUMED and REDELIVERED not in message.headers:
            self.seen.append(message)
            await self.publish_again(message)

    async def publish_again(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        kind = str(message.routing_key)
        headers = {**message.headers, REDELIVERED: "yes"}
        await self._world.repeat(kind, message.body, headers, service=PUBLISHER[kind])


@asynccontextmanager
async def duplicating(world: World) -> AsyncIterator[Duplicator]:
    """Publish every event twice while the block lasts, with two replicas of each service to consume it."""
    duplicator = Duplicator(world)
    doubled = [service for service in SERVICES if service != "gateway"]
    beside = [world.system.start_beside(service) for service in doubled]
    try:
        await eventually(lambda: world.replicas_share(*doubled))
        async with world.broker.channel() as channel:
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(EXCHANGE.name, "#")
            await queue.consume(duplicator.receive, no_ack=True)
            yield duplicator
    finally:
        for process in beside:
            process.signal(15)
        for process in beside:
            await asyncio.to_thread(process.wait)


async def test_every_event_has_its_effect_once_per_consumer(world: World) -> None:
    """A file goes in, versions are refused, promoted, rolled back, asked, much is deleted: all is delivered twice."""
    async with duplicating(world) as duplicator:
        await matrix.applies(world)
        await matrix.submits(world)
        await matrix.uploads(world)
        await matrix.trains(world)
        await matrix.trains(world)
        await _is_cancelled(world)
        await matrix.asks_later(world)
        await deletions.deletes(world)
        await matrix.deletes_file(world)
        await deletions.deletes_model(world)
        await _rolls_back_by_event(world)
        await _sends_ground_truth(world)
        await _is_erased(world)
        await _cannot_load(world)
        await _is_archived(world)
        await eventually(lambda: {str(each.routing_key) for each in duplicator.seen} >= CONSUMED)
        await _settled(world)
        once = await _rows(world)
        for message in duplicator.seen:
            await duplicator.publish_again(message)
        await _settled(world)

        assert await _rows(world) == once


async def _settled(world: World) -> None:
    faults: list[str] = []

    async def right() -> bool:
        faults[:] = await world.faults(asking=False)
        return not faults

    try:
        await eventually(right)
    except TimeoutError:
        pytest.fail("; ".join(faults))


async def _rows(world: World) -> dict[str, list[str]]:
    """Return every row of every table of the consumers, and the ids of all events that they have published."""
    found: dict[str, list[str]] = {}
    async with world.database.connect() as connection:
        for service in WITH_OUTBOX:
            named = text("select table_name from information_schema.tables where table_schema = :schema")
            for table in await connection.scalars(named, {"schema": service}):
                what = "id::text" if table == "outbox" else "row_to_json(t)::text"
                if table == "outbox" or table not in CHANGING:
                    query = text(f'select {what} from {service}."{table}" t order by 1')
                    found[f"{service}.{table}"] = list(await connection.scalars(query))
    return found


async def _is_cancelled(world: World) -> None:
    """Cancel a run that trains, over the bus."""
    run: str = (await world.user.json("POST", f"/models/{world.slow}/retrain", json={}))["run_id"]
    await eventually(lambda: f"{run}-a1" in world.system.jobs.submissions)
    await world.publish(TrainingCancelRequested(run_id=UUID(run), reason="wrong data"))
    assert (await world.user.ended(run))["state"] == "cancelled"


async def _rolls_back_by_event(world: World) -> None:
    """Roll back over the bus: promoted once more, and not twice."""
    promotions = "registry.promotion where model = :model"
    before = await world.count(promotions, model=world.model)
    served = "select version from registry.promotion where model = :model and seq = :seq"
    earlier = await world.first(served, model=world.model, seq=before - 1)
    await world.publish(RollbackRequested(model=world.model, version=earlier, reason="complaints"))
    await eventually(lambda: world.count(f"{promotions} and seq = :seq", model=world.model, seq=before + 1))


async def _sends_ground_truth(world: World) -> None:
    """Predict, which is logged, and give feedback on it."""
    answer: dict[str, Any] = await world.user.json("POST", f"/models/{world.model}/predict", json={"rows": [ROW]})
    row = f"{answer['id']}/0"
    feedback = {"feedback": [{"prediction": row, "actual": 3.5}]}
    await world.user.json("POST", f"/models/{world.model}/feedback", json=feedback)
    await eventually(lambda: world.count("monitor.logged where prediction = :row", row=row))  # it is in no hurry


async def _is_erased(world: World) -> None:
    """Erase what was logged of a subject; the audit log records it."""
    asked = {"column": "size", "value": ROW["size"]}
    await world.user.json("POST", f"/models/{world.model}/predictions/erase", json=asked)
    noted = "registry.audit where action = 'predictions.erased' and subject = :subject"
    await eventually(lambda: world.count(noted, subject=f"model/{world.model}/predictions"))


async def _is_archived(world: World) -> None:
    """Take a model out of use, and bring it back."""
    name = await world.user.apply()
    for archived in (True, False):
        await world.user.json("PATCH", f"/models/{name}", json={"archived": archived})
        kept = "train_dispatch.archive where model = :name and archived = :archived"
        await eventually(partial(world.count, kept, name=name, archived=archived))


async def _cannot_load(world: World) -> None:
    """Report that a worker could not load what serves."""
    serving = (await world.user.json("GET", f"/models/{world.model}"))["serving"]
    failed = ModelLoadFailed(
        model=world.model,
        version=serving["ref"]["version"],
        promotion_seq=serving["promotion_seq"],
        worker=f"worker-{uuid4().hex[:8]}",
        reason="nothing is wrong with it",
    )
    await world.publish(failed, service="gateway")
