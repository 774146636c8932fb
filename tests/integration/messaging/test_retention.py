"""Rows that expired are deleted in chunks, and no replica waits for another."""

from collections.abc import AsyncIterator

import pytest
from interlock_messaging.retention import delete_chunk, lock_chunk
from interlock_messaging.tables import InboxRow
from interlock_runtime.database import Database
from sqlalchemy import select, text

from tests.support.scratch_database import scratch_database

pytestmark = pytest.mark.integration

EXPIRED = InboxRow.consumer == "expired"


@pytest.fixture
async def database(servers: dict[str, str]) -> AsyncIterator[Database]:
    """Return a database with five expired rows, and one that has the id of an expired one and is kept."""
    async with scratch_database(servers, "retention", "interlock_messaging") as made:
        async with made.sessions() as session, session.begin():
            session.add_all(InboxRow(consumer="expired", event_id=str(number)) for number in range(5))
            session.add(InboxRow(consumer="kept", event_id="0"))
        yield made


async def rows(database: Database) -> list[tuple[str, str]]:
    async with database.sessions() as session:
        found = (await session.scalars(select(InboxRow))).all()
    return sorted((row.consumer, row.event_id) for row in found)


async def test_a_chunk_has_so_many_rows_at_most_and_only_expired_ones(database: Database) -> None:
    """A full chunk means that there may be more."""
    deleted = []
    for _ in range(4):
        async with database.sessions() as session, session.begin():
            deleted.append(await delete_chunk(session, InboxRow, EXPIRED, limit=2))

    assert deleted == [2, 2, 1, 0]
    assert await rows(database) == [("kept", "0")]


async def test_rows_that_another_replica_has_locked_are_skipped(database: Database) -> None:
    """They go with their owner; whoever waited for them would hold up its own transaction."""
    async with database.sessions() as other, other.begin():
        locked = (await other.execute(lock_chunk(InboxRow, EXPIRED, limit=3))).all()
        async with database.sessions() as session, session.begin():
            await session.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert await delete_chunk(session, InboxRow, EXPIRED, limit=10) == 2

    assert await rows(database) == [*sorted(map(tuple, locked)), ("kept", "0")]
