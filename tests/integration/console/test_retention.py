"""The console keeps events and runs for a time; what is older goes, chunk by chunk."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from interlock_console import store
from interlock_console.store import EventRow, RunRow
from interlock_runtime.database import Database
from sqlalchemy import select

from tests.support.scratch_database import scratch_database

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=31), NOW - timedelta(days=29)


@pytest.fixture
async def database(servers: dict[str, str]) -> AsyncIterator[Database]:
    async with scratch_database(servers, "console", "interlock_messaging", "interlock_console") as made:
        yield made


async def add(database: Database, at: datetime, *, events: int, runs: int) -> None:
    async with database.sessions() as session, session.begin():
        for _ in range(events):
            about = {"type": "model.retired", "source": "lab", "subject": "model/m", "time": at, "data": {}}
            await store.insert_event(session, {"id": str(uuid4()), **about})
        for _ in range(runs):
            await store.add_run(
                session, {"run_id": uuid4(), "model": "m", "state": "succeeded", "attempt": 1, "requested_at": at}
            )


async def test_old_events_and_runs_go_in_chunks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller repeats it as long as a chunk was full."""
    monkeypatch.setattr(store, "DELETE_CHUNK", 2)
    await add(database, OLD, events=3, runs=5)
    await add(database, YOUNG, events=1, runs=1)

    more = []
    for _ in range(3):
        async with database.sessions() as session, session.begin():
            more.append(await store.delete_expired(session, NOW - timedelta(days=30)))

    assert more == [True, True, False]
    async with database.sessions() as session:
        assert (await session.scalars(select(EventRow.time))).all() == [YOUNG]
        assert (await session.scalars(select(RunRow.requested_at))).all() == [YOUNG]
