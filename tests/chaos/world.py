"""What a test of dying sees and does: a patient user at the door, an AMQP client, and eyes in every database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import aio_pika
from interlock_contracts.deployment import POSTGRES, services_using
from interlock_contracts.event import Envelope, Event
from interlock_contracts.permissions import work_queues
from interlock_messaging.topology import EXCHANGE
from litestar import Litestar, Request, post
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from yarl import URL

from tests.chaos.processes import SERVICES, System
from tests.chaos.user import PATIENCE, PatientUser, eventually
from tests.support.gateway_app import listening
from tests.support.stack_user import ROW, csv

ANYTHING = {"metrics": {"r2": {"min": 0.1}}, "champion": {"metric": "r2", "min_improvement": -1.0}}
"""A gate that lets every training of the same rows through."""

WITH_OUTBOX = tuple(service for service in SERVICES if service in services_using(POSTGRES))
QUEUES = [queue for service in SERVICES for queue in work_queues(service)]


@dataclass
class World:
    """A running system and the means to look at it; the three models are ready to train, none has yet."""

    system: System
    user: PatientUser
    database: AsyncEngine
    broker: aio_pika.abc.AbstractConnection
    webhooks: str
    model: str = ""
    approved: str = ""
    slow: str = ""
    to_be_told: list[str] = field(default_factory=list)
    """Predictions that a webhook was asked for."""
    hooked: list[dict[str, str]] = field(default_factory=list)
    """The headers of webhooks that came."""

    async def publish(self, event: Event, *, service: str | None = None) -> Envelope:
        """Publish an event as any AMQP client with the rights does, or as a ``service`` that is alone to say it."""
        envelope = Envelope.of(event, source=service or "test", cause=str(uuid4()), now=datetime.now(UTC))
        headers: Any = envelope.headers()
        await self.repeat(event.type, event.body(), headers, service=service)
        return envelope

    async def repeat(self, event_type: str, body: bytes, headers: Any, *, service: str | None = None) -> None:
        """Publish a message as it is."""
        url = self.system.amqp_of(service) if service else self.system.amqp
        message = aio_pika.Message(
            body,
            headers=headers,
            content_type="application/json",
            message_id=headers["cloudEvents_id"],
            delivery_mode=2,
            user_id=URL(url).user,
        )
        async with await aio_pika.connect(url) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange(EXCHANGE.name, ensure=False)
            await exchange.publish(message, routing_key=event_type)

    async def first(self, query: str, **values: Any) -> Any:
        """Return the first value that a query gives."""
        async with self.database.connect() as connection:
            return (await connection.execute(text(query), values)).scalar()

    async def count(self, query: str, **values: Any) -> int:
        """Return how many rows there are: of ``<schema>.<table> where ...``."""
        number: int = await self.first(f"select count(*) from {query}", **values)
        return number

    async def said(self, service: str, event_type: str, about: str) -> int:
        """Return how many events of a type whose data names ``about`` a service has said, published or not."""
        about_it = "type = :type and position(:about in convert_from(payload, 'UTF8')) > 0"
        return await self.count(f"{service}.outbox where {about_it}", type=event_type, about=about)

    async def waiting(self, *queues: str) -> dict[str, int]:
        """Return which of the queues are not empty, and how many messages wait there."""
        async with self.broker.channel() as channel:  # a look that is given up closes its channel
            declared = [await channel.declare_queue(queue, passive=True) for queue in queues]
        counts = {queue.name: queue.declaration_result.message_count or 0 for queue in declared}
        return {name: count for name, count in counts.items() if count}

    async def replicas_share(self, *services: str) -> bool:
        """Say whether every work queue of the services has two consumers or more: the broker gives each its share."""
        async with self.broker.channel() as channel:
            names = [name for service in services for name in work_queues(service)]
            declared = [await channel.declare_queue(name, passive=True) for name in names]
        return all((each.declaration_result.consumer_count or 0) > 1 for each in declared)

    async def letters(self) -> list[str]:
        """Take away the dead letters that the registry keeps; return the ids of their events."""
        async with self.database.begin() as connection:
            return list(await connection.scalars(text("delete from registry.dead_letter returning event_id")))

    async def faults(self, *, asking: bool = True) -> list[str]:
        """Return what is not as it must be once everything has come to rest; an empty list is good news.

        Unless it is not ``asking``, every model must answer with its champion, which the prediction log keeps.
        """
        found = [fault for fault, query in FAULTS.items() if await self.count(query)]
        waiting = await self.waiting(*QUEUES, *(f"{queue}.dead" for queue in QUEUES))
        found += [f"{count} messages wait in {queue}" for queue, count in waiting.items()]
        async with self.database.connect() as connection:
            serving = "select name, champion from registry.model where champion > 0 and archived_at is null"
            champions = await connection.execute(text(serving))
        for name, version in champions if asking else ():
            answer = await self.user.insist("POST", f"/models/{name}/predict", json={"rows": [ROW]})
            if not answer.is_success or answer.json()["version"] != version:
                found.append(f"{name} {version} does not serve: {answer.text}")
        return found


FAULTS = {
    **{f"{name} has not said all": f"{name}.outbox where published_at is null" for name in WITH_OUTBOX},
    "a run has not ended": "train_dispatch.run where state in ('queued', 'running')",
    "the end of a run was said twice, or not": """train_dispatch.run where
        state in ('failed', 'cancelled', 'timed_out') and 1 <> (select count(*) from train_dispatch.outbox
        where type = 'training.failed' and aggregateid = run_id::text)""",
    "a dead letter": "registry.dead_letter",
    "a file has no verdict": "ingest.dataset where state = 'checking'",
    "a prediction has no answer": "prediction.prediction where ended_at is null",
    "a run has two versions": "(select from registry.version group by run_id having count(*) > 1) twice",
    "a version was promoted twice": """(select from registry.promotion where cause <> 'rollback'
        group by model, version, stage having count(*) > 1) twice""",
    "promotion numbers have a gap": "(select from registry.promotion group by model having max(seq) <> count(*)) gaps",
}
"""What must not be, and the rows that would show it."""


@asynccontextmanager
async def world_of(system: System) -> AsyncIterator[World]:
    """Wait for the system, and bring the data of three models."""

    @post("/hook")
    async def hook(request: Request[Any, Any, Any]) -> None:
        world.hooked.append(dict(request.headers))

    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(
            listening(Litestar([hook], openapi_config=None, logging_config=None))
        )
        await system.ready(*SERVICES, seconds=PATIENCE)
        user = PatientUser(system.client)
        await stack.enter_async_context(user.http)
        database = create_async_engine(system.postgres.replace("postgresql", "postgresql+asyncpg", 1))
        stack.push_async_callback(database.dispose)
        connection = await stack.enter_async_context(await aio_pika.connect(system.amqp))
        world = World(system, user, database, connection, f"{receiver}/hook")
        world.model = await user.apply(gate=ANYTHING)
        world.approved = await user.apply(gate=ANYTHING, promotion="approval")
        world.slow = await user.apply(candidates=["random_forest"], trials=1000)
        file = csv(200, seed=1)
        for name in (world.model, world.approved, world.slow):
            await user.insist("POST", f"/datasets/{name}", content=file, headers={"Content-Type": "text/csv"})
        for name in (world.model, world.approved, world.slow):
            await eventually(partial(_trainable, user, name))
        yield world


async def _trainable(user: PatientUser, name: str) -> bool:
    return bool((await user.json("GET", f"/datasets/{name}"))[0]["state"] == "accepted")
