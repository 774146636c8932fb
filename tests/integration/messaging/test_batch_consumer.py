"""A consumer of batches whose connection is cut, at any moment of a batch, goes on when it is back."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from faststream.rabbit import RabbitRouter
from interlock_contracts.event import Envelope
from interlock_contracts.training import RetrainRequested
from interlock_messaging import BatchSubscription, Bus, topology
from interlock_messaging.batch_consumer import BatchMessage
from interlock_runtime.database import Database
from sqlalchemy.ext.asyncio import AsyncSession

from tests.integration.gateway.test_outages import Cable
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("retry_error", [False, True], ids=["acknowledging", "postponing"])
async def test_a_cut_while_a_batch_is_in_hand_does_not_end_the_consumer(
    servers: dict[str, str], retry_error: bool
) -> None:
    """The acknowledgement, or the copy for later, meets a dead channel; the next batch is handled all the same."""
    name, cable = f"lab-{uuid4().hex[:8]}", Cable(servers["INTERLOCK_AMQP_URL"])
    database = Database(servers["INTERLOCK_POSTGRES_URL"], name)
    handled: list[str] = []
    ends_now = asyncio.Event()

    async def handle(_: AsyncSession, messages: Sequence[BatchMessage]) -> None:
        handled.extend(each.event.reason for each in messages)
        if not ends_now.is_set():
            await cable.cut()
            await cable.plug()
            ends_now.set()
            if retry_error:
                messages[0].retry_error = LookupError("not now")

    queue = topology.queue(name, RetrainRequested)
    bus = Bus(
        cable.url,
        service=name,
        router=RabbitRouter(),
        sessions=database.sessions,
        subscriptions=[BatchSubscription(queue, handle)],
    )
    await cable.plug()
    await topology.declare(servers["INTERLOCK_AMQP_URL"], bus.queues)
    async with await aio_pika.connect(servers["INTERLOCK_AMQP_URL"]) as connection:
        channel = await connection.channel()

        async def ask(reason: str) -> None:
            event = RetrainRequested(model=name, reason=reason)
            headers: Any = Envelope.of(event, source="lab", cause=str(uuid4()), now=datetime.now(UTC)).headers()
            message = aio_pika.Message(event.body(), headers=headers, content_type="application/json")
            await channel.default_exchange.publish(message, routing_key=queue.name)

        try:
            async with database.ready("interlock_messaging"), bus.running():
                await ask("first")
                await until(ends_now.is_set)
                await ask("second")
                await until(lambda: "second" in handled, seconds=30)
        finally:
            await cable.close()
            for each in (queue.name, f"{queue.name}.dead"):
                await channel.queue_delete(each)
