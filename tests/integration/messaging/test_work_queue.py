"""The work queue: who gets which row, what a failure does to it and to the others, and what counts as one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NamedTuple

import pytest
from faststream.rabbit import RabbitRouter
from interlock_messaging import Bus, work_queue
from interlock_messaging.tables import Base
from interlock_messaging.work_queue import MAX_ATTEMPTS, WorkItem, process_due
from interlock_runtime.database import Database
from sqlalchemy import MetaData, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tests.support.scratch_database import scratch_database

pytestmark = pytest.mark.integration


class Table(Base):
    __abstract__ = True
    metadata = MetaData()


class Item(WorkItem, Table):
    __tablename__ = "item"

    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="waiting")


class Queue(NamedTuple):
    """A queue of items, and the names of those that were worked on."""

    bus: Bus
    database: Database
    worked: list[str]

    async def add(self, *names: str) -> None:
        for name in names:  # each in a transaction of its own, as the moment of the transaction orders them
            async with self.bus.transaction() as session:
                session.add(Item(name=name))

    async def work(self, _: AsyncSession, item: Item) -> None:
        self.worked.append(item.name)
        if item.name == "bad":
            item.state = "half done"
            raise ValueError("bad it is")
        if item.name == "cut off":
            raise ConnectionError("the store is away")
        item.state = "done"

    async def give_up(self, _: AsyncSession, item: Item, error: Exception) -> None:
        item.state = f"given up: {error}"

    async def process(self) -> None:
        await process_due(self.bus, Item, Item.state == "waiting", work=self.work, give_up=self.give_up)

    async def states(self) -> dict[str, tuple[str, int]]:
        async with self.database.sessions() as session:
            return {item.name: (item.state, item.failures) for item in await session.scalars(select(Item))}


@pytest.fixture
async def queue(servers: dict[str, str]) -> AsyncIterator[Queue]:
    async with scratch_database(servers, "queue") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(Table.metadata.create_all)
        bus = Bus(servers["INTERLOCK_AMQP_URL"], service="lab", router=RabbitRouter(), sessions=database.sessions)
        yield Queue(bus, database, [])


async def test_what_is_due_longest_comes_first_and_once(queue: Queue) -> None:
    """Until nothing is left that is due."""
    await queue.add("b", "a", "c", "later")
    async with queue.bus.transaction() as session:
        await session.execute(
            update(Item).where(Item.name == "later").values(not_before=Item.not_before + timedelta(hours=1))
        )
    await queue.process()

    assert queue.worked == ["b", "a", "c"]
    assert (await queue.states())["later"] == ("waiting", 0)


async def test_a_failure_is_undone_counted_and_put_off_and_the_next_row_does_not_wait(queue: Queue) -> None:
    """It comes again after its backoff, not at once."""
    await queue.add("bad", "good")
    await queue.process()

    assert queue.worked == ["bad", "good"]
    assert await queue.states() == {"bad": ("waiting", 1), "good": ("done", 0)}


async def test_the_last_attempt_gives_the_row_up(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would be worked on for ever."""
    monkeypatch.setattr(work_queue, "BACKOFF", timedelta(0))
    await queue.add("bad")
    await queue.process()

    assert queue.worked == ["bad"] * MAX_ATTEMPTS
    assert await queue.states() == {"bad": ("given up: bad it is", MAX_ATTEMPTS)}


async def test_a_dependency_that_is_away_counts_for_no_row(queue: Queue) -> None:
    """It would fail them all, as often as anyone tried."""
    await queue.add("cut off", "good")
    with pytest.raises(ConnectionError):
        await queue.process()

    assert await queue.states() == {"cut off": ("waiting", 0), "good": ("waiting", 0)}


async def test_two_workers_share_the_rows(queue: Queue) -> None:
    """No worker waits for another's row, and none takes it."""
    await queue.add("a", "b")
    async with queue.bus.transaction() as session:
        (first,) = await work_queue.claim(session, Item, Item.state == "waiting")
        async with asyncio.timeout(60):  # on a lock it would wait for ever
            await queue.process()
        assert (first.name, queue.worked) == ("a", ["b"])
    await queue.process()

    assert queue.worked == ["b", "a"]
