"""WebhookSender and the table they wait in: slow receivers, replicas that share the work, and one that dies."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from faststream.rabbit import RabbitRouter
from interlock_contracts.predictions import PredictionState
from interlock_messaging import Bus
from interlock_prediction import store
from interlock_prediction.store import PredictionRow, WebhookRow
from interlock_prediction.webhooks import LEASE, WebhookSender
from interlock_runtime.database import Database
from litestar import Litestar, Request, Response, post
from sqlalchemy import update

from tests.support.gateway_app import listening
from tests.support.scratch_database import scratch_database
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture
async def database(servers: dict[str, str]) -> AsyncIterator[Database]:
    async with scratch_database(servers, "webhooks", "interlock_messaging", "interlock_prediction") as made:
        yield made


class Receiver:
    """Receives webhooks, and answers the first only when released."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.go_on = asyncio.Event()

        @post("/hook")
        async def hook(request: Request[Any, Any, Any]) -> Response[None]:
            self.received.append(request.headers["webhook-id"])
            if len(self.received) == 1:
                await self.go_on.wait()
                return Response(None, status_code=500)
            return Response(None, status_code=204)

        self.app = Litestar([hook], openapi_config=None, logging_config=None)


def replica(servers: dict[str, str], database: Database) -> WebhookSender:
    bus = Bus(servers["INTERLOCK_AMQP_URL"], service=database.schema, router=RabbitRouter(), sessions=database.sessions)
    return WebhookSender(bus, b"m" * 32, private=True)


async def awaited(database: Database, url: str, state: PredictionState = "failed") -> UUID:
    """Let a prediction, one that has failed, wait for its webhook to be told."""
    prediction_id = uuid4()
    async with database.sessions() as session, session.begin():
        ended = datetime.now(UTC)
        session.add(PredictionRow(prediction_id=prediction_id, model="m", state=state, reason="none", ended_at=ended))
        await store.enqueue_webhooks(session, [(prediction_id, url)])
    return prediction_id


async def hook_of(database: Database, prediction_id: UUID) -> WebhookRow:
    async with database.sessions() as session:
        return await session.get_one(WebhookRow, prediction_id)


async def test_a_slow_receiver_holds_neither_a_transaction_nor_a_lock(
    servers: dict[str, str], database: Database
) -> None:
    """While it thinks, its row can be read, locked and changed, and no connection of ours is in a transaction."""
    receiver = Receiver()
    async with listening(receiver.app) as url:
        prediction_id = await awaited(database, f"{url}/hook")
        telling = asyncio.create_task(replica(servers, database).deliver_due())
        await until(lambda: receiver.received)
        async with database.sessions() as session, session.begin():
            row = await session.get_one(WebhookRow, prediction_id, with_for_update={"nowait": True})
            attempts = row.attempts
        open_transactions = database.engine.pool.checkedout()  # type: ignore[attr-defined]
        receiver.go_on.set()
        await telling

    assert attempts == 1
    assert open_transactions == 0
    assert (await hook_of(database, prediction_id)).status == 500


async def test_a_webhook_of_a_file_waits_for_its_end(servers: dict[str, str], database: Database) -> None:
    """It is there from the submission on, and no attempt is made, or counted, before there is anything to tell."""
    receiver = Receiver()
    receiver.go_on.set()
    async with listening(receiver.app) as url:
        prediction_id = await awaited(database, f"{url}/hook", "running")
        await replica(servers, database).deliver_due()
        before = (await hook_of(database, prediction_id)).attempts
        async with database.sessions() as session, session.begin():
            await session.execute(update(PredictionRow).values(state="failed"))
        await replica(servers, database).deliver_due()

    assert before == 0
    assert receiver.received == [f"msg_{prediction_id.hex}"]
    assert (await hook_of(database, prediction_id)).attempts == 1


async def test_a_webhook_is_delivered_by_one_replica_at_a_time_and_by_another_when_that_dies(
    servers: dict[str, str], database: Database
) -> None:
    """Within the lease nobody else tells it; after it somebody does under the same id, and the last try counts."""
    receiver = Receiver()
    async with listening(receiver.app) as url:
        prediction_id = await awaited(database, f"{url}/hook")
        slow = asyncio.create_task(replica(servers, database).deliver_due())
        await until(lambda: receiver.received)
        await replica(servers, database).deliver_due()
        within = len(receiver.received)

        async with database.sessions() as session, session.begin():
            await session.execute(update(WebhookRow).values(not_before=WebhookRow.not_before - LEASE))
        await replica(servers, database).deliver_due()
        delivered = await hook_of(database, prediction_id)
        receiver.go_on.set()
        await slow

    after = await hook_of(database, prediction_id)
    assert within == 1
    assert receiver.received == [f"msg_{prediction_id.hex}"] * 2
    assert (delivered.state, delivered.attempts) == (after.state, after.attempts) == ("delivered", 2)
    assert after.error is None, "the first replica's late word changes nothing"


async def test_a_try_counts_when_it_begins(database: Database) -> None:
    """Whoever dies in each try does not try for ever before all others."""
    prediction_id = await awaited(database, "http://127.0.0.1:1/hook")
    for n in range(1, 4):
        async with database.sessions() as session, session.begin():
            await session.execute(update(WebhookRow).values(not_before=WebhookRow.not_before - LEASE))
            ((hook, _),) = await store.claim_webhooks(session, 10, LEASE)
        assert (hook.prediction_id, hook.attempts) == (prediction_id, n)
