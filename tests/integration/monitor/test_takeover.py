"""The first start of the monitor on a database of the last release: what prediction kept of its rows moves over."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg  # type: ignore[import-untyped]
import pytest
from aio_pika.abc import AbstractQueue
from interlock_contracts.event import Envelope, Event
from interlock_contracts.predictions import Feedback, FeedbackReceived, PredictionLogged
from interlock_messaging import topology
from interlock_messaging.watchdog import PING
from interlock_monitor import store, takeover
from interlock_monitor.app import create_app
from interlock_monitor.settings import MonitorSettings
from interlock_monitor.takeover import CONSUMERS, Takeover
from interlock_runtime import roles
from interlock_runtime.database import Database, _upgrade
from sqlalchemy import Connection, text
from yarl import URL

from tests.integration.runtime.test_upgrades import read, write
from tests.support.api_keys import SETTINGS
from tests.support.gateway_app import listening
from tests.support.waiting import until

pytestmark = pytest.mark.integration

TABLES = ("logged_version", "logged", "logged_count", "truth")
LAST_RELEASE = "prediction_0004"
RIGHTS = roles.HANDED_OVER["prediction", "monitor"]
NOW = datetime(2026, 11, 21, 8, 0, 30, tzinfo=UTC)


def fill(connection: Connection) -> None:
    """Write as the last release did; its tables had the columns that the monitor's have."""
    write(connection, "interlock_monitor", 1)
    write(connection, "interlock_monitor", 2)


class Handover:
    """The schema of the last release, filled, and the monitor's, each with a role that may do nothing else."""

    def __init__(self, servers: dict[str, str]) -> None:
        suffix = uuid4().hex[:8]
        self.giver, self.taker = f"giver_{suffix}", f"taker_{suffix}"
        self._admin = servers["INTERLOCK_POSTGRES_URL"]
        self.old = Database(self._url(self.giver), self.giver)
        self.new = Database(self._url(self.taker), self.taker)

    def _url(self, service: str) -> str:
        return str(URL(self._admin).with_user(f"interlock_{service}").with_password("a-password"))

    async def make_roles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do what an administrator does before each start."""
        monkeypatch.setattr(roles, "HANDED_OVER", {(self.giver, self.taker): RIGHTS})
        await roles.make_roles(self._admin, {self.giver: "a-password", self.taker: "a-password"})

    async def last_release(self) -> dict[str, list[dict[str, Any]]]:
        """Let the last release fill its tables; return their rows."""
        await self.old.migrate("interlock_messaging")
        async with self.old.engine.begin() as connection:
            await connection.run_sync(_upgrade, "interlock_prediction", LAST_RELEASE)
            await connection.run_sync(fill)
            rows = await connection.run_sync(read)
        return {name: rows[name] for name in TABLES}

    async def rows(self, database: Database) -> dict[str, list[dict[str, Any]]]:
        async with database.engine.begin() as connection:
            rows = await connection.run_sync(read)
        return {name: rows[name] for name in TABLES}

    async def end(self) -> None:
        await self.old.engine.dispose()
        await self.new.engine.dispose()
        connection = await asyncpg.connect(self._admin)
        try:
            for service in (self.giver, self.taker):
                await connection.execute(f"DROP OWNED BY interlock_{service} CASCADE")
                await connection.execute(f"DROP SCHEMA IF EXISTS {service} CASCADE")
                await connection.execute(f"DROP ROLE interlock_{service}")
        finally:
            await connection.close()


@pytest.fixture
async def handover(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Handover]:
    made = Handover(servers)
    try:
        await made.make_roles(monkeypatch)
        yield made
    finally:
        await made.end()


async def test_every_row_of_the_last_release_is_moved(handover: Handover, monkeypatch: pytest.MonkeyPatch) -> None:
    """In many small transactions, and what the last release still writes meanwhile comes along the next time."""
    before = await handover.last_release()
    await handover.new.migrate("interlock_messaging", "interlock_monitor")
    taking = Takeover(handover.new, source=handover.giver)
    await taking.move_rows()
    assert not any((await handover.rows(handover.new)).values()), "without the rights nothing is touched"

    await handover.make_roles(monkeypatch)
    monkeypatch.setattr(takeover, "CHUNK", 1)
    await taking.move_rows()
    assert await handover.rows(handover.new) == before
    assert not any((await handover.rows(handover.old)).values())

    async with handover.old.engine.begin() as connection:
        await connection.run_sync(write, "interlock_monitor", 3)
    await taking.move_rows()
    assert {name: len(rows) for name, rows in (await handover.rows(handover.new)).items()} == {
        name: 3 * len(rows) // 2 for name, rows in before.items()
    }


async def test_what_both_releases_have_counted_adds_up_and_the_newer_truth_wins(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicas of both run side by side for a while."""
    await handover.last_release()
    await handover.make_roles(monkeypatch)
    await handover.new.migrate("interlock_messaging", "interlock_monitor")
    about = {"model": "flights-1", "version": 1, "promotion_seq": 1, "worker": "w", "until": NOW, "ratio": 1.0}
    counted = PredictionLogged.model_validate(about | {"answered": 7, "dropped": 1, "features": ["distance"]})
    told = [Feedback(prediction="a/0", actual=9.5)]
    async with handover.new.sessions() as session, session.begin():
        await store.record_logged(session, counted)
        await store.record_feedback(session, FeedbackReceived(model="flights-1", feedback=told, at=NOW))

    await Takeover(handover.new, source=handover.giver).move_rows()

    async with handover.new.sessions() as session:
        count = await session.get_one(store.LoggedCountRow, ("flights-1", 1, NOW.replace(second=0)))
        truth = await session.get_one(store.GroundTruthRow, ("flights-1", "a/0"))
    assert (count.answered, count.dropped, count.logged) == (9_000_000_007, 3, 5)
    assert (truth.actual, truth.corrections) == (2.5, 2), "the last release was told later, and corrected it before"


async def test_an_event_that_the_last_release_has_handled_is_not_handled_again(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped between its commit and its acknowledgement; only what its own queues held is of interest."""
    await handover.last_release()
    async with handover.old.engine.begin() as connection:
        for consumer in (*CONSUMERS, "prediction.prediction.requested"):
            statement = text("INSERT INTO inbox (consumer, event_id) VALUES (:consumer, 'seen')")
            await connection.execute(statement, {"consumer": consumer})
    await handover.make_roles(monkeypatch)
    await handover.new.migrate("interlock_messaging", "interlock_monitor")
    for _ in range(2):
        await Takeover(handover.new, source=handover.giver).copy_inbox()

    async with handover.new.sessions() as session:
        found = (await session.execute(text("SELECT consumer FROM inbox ORDER BY consumer"))).scalars().all()
    assert found == sorted(CONSUMERS)


async def test_events_that_wait_in_queues_of_the_last_release_are_consumed(servers: dict[str, str]) -> None:
    """Nothing new comes into them, and what lies there is handled."""
    url, model = servers["INTERLOCK_AMQP_URL"], f"m-{uuid4().hex[:8]}"
    event = FeedbackReceived(model=model, feedback=[Feedback(prediction="x/0", actual=1.0)], at=NOW)
    (old,) = topology.former_queues(FeedbackReceived)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(old.name, passive=True)
        # As the last release left it: bound, and with an event that nobody has consumed.
        exchange = await channel.get_exchange(topology.EXCHANGE.name)
        await queue.bind(exchange, routing_key=FeedbackReceived.type)
        await topology.declare(url)
        await channel.default_exchange.publish(message(event, "old"), routing_key=old.name)
        await exchange.publish(message(event.model_copy(update={"model": f"{model}-2"}), "new"), event.type)

        # A monitor that has just been stopped leaves a ping there, so what waits is looked at and not counted.
        await channel.default_exchange.publish(aio_pika.Message(b"{}", headers={PING: "1"}), routing_key=old.name)

        assert await models_waiting(queue) == [model]

        async with listening(create_app(settings(servers))):
            database = Database(servers["INTERLOCK_POSTGRES_URL"], "monitor")

            async def both_told() -> bool:
                async with database.sessions() as session:
                    found = [await session.get(store.GroundTruthRow, (each, "x/0")) for each in (model, f"{model}-2")]
                return all(found)

            try:
                await until(both_told, seconds=30)
            finally:
                await database.engine.dispose()


async def models_waiting(queue: AbstractQueue) -> list[str]:
    """Return the models that the queue's events are about; they stay there, as nothing is acknowledged."""
    found, taken = [], []
    while (each := await queue.get(fail=False)) is not None:
        taken.append(each)
        if PING not in each.headers:
            found.append(json.loads(each.body)["model"])
    for each in taken:
        await each.nack(requeue=True)
    return found


def message(event: Event, cause: str) -> aio_pika.Message:
    headers: Any = (envelope := Envelope.of(event, source="gateway", cause=cause, now=NOW)).headers()
    return aio_pika.Message(
        event.body(), headers=headers, content_type="application/json", message_id=envelope.id, delivery_mode=2
    )


def settings(servers: dict[str, str]) -> MonitorSettings:
    own: dict[str, Any] = {name: servers[f"INTERLOCK_{name.upper()}"] for name in ("amqp_url", "postgres_url")}
    return MonitorSettings(**SETTINGS, registry_url="http://127.0.0.1:1", **own)
