"""What an outbox remembers, and for how long: it must not grow without end where predictions are many."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from interlock_contracts.event import Event
from interlock_contracts.models import ModelRetired
from interlock_contracts.predictions import PredictionCompleted
from interlock_messaging import outbox
from interlock_messaging.outbox import (
    EPHEMERAL_RETENTION,
    INBOX_RETENTION,
    OUTBOX_RETENTION,
    OutboxEntry,
    delete_expired,
    enqueue_all,
)
from interlock_messaging.tables import InboxRow, OutboxRow
from interlock_runtime.database import Database
from sqlalchemy import func, select, update

from tests.support.scratch_database import scratch_database

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def database(servers: dict[str, str]) -> AsyncIterator[Database]:
    async with scratch_database(servers, "outbox", "interlock_messaging") as made:
        yield made


def answered() -> PredictionCompleted:
    name = uuid4()
    answer = {"id": str(name), "model": "student-math", "version": 1, "predictions": [66.25]}
    until = datetime.now(UTC) + timedelta(days=1)
    return PredictionCompleted(
        prediction_id=name, model="student-math", version=1, rows=1, answer=answer, expires_at=until
    )


async def published(database: Database, event: Event, age: timedelta) -> None:
    """Let an event have been published so long ago."""
    async with database.sessions() as session, session.begin():
        ((envelope),) = await enqueue_all(session, [OutboxEntry(event, str(uuid4()))], source="lab")
        when = datetime.now(UTC) - age
        await session.execute(update(OutboxRow).where(OutboxRow.id == envelope.id).values(published_at=when))


async def kept(database: Database) -> list[str]:
    async with database.sessions() as session:
        return sorted((await session.scalars(select(OutboxRow.type))).all())


async def test_ephemeral_events_are_deleted_after_an_hour_and_the_others_after_a_week(database: Database) -> None:
    """What is not published yet is never forgotten, however old it is."""
    retired = ModelRetired(model="student-math", version=1, replaced_by=2)
    for event, age in ((answered(), EPHEMERAL_RETENTION), (retired, OUTBOX_RETENTION)):
        await published(database, event, age + MINUTE)
        await published(database, event.model_copy(), age - MINUTE)
    async with database.sessions() as session, session.begin():
        await enqueue_all(session, [OutboxEntry(answered(), "waits")], source="lab")
        await session.execute(update(OutboxRow).values(created_at=datetime.now(UTC) - 2 * OUTBOX_RETENTION))
        for age in (INBOX_RETENTION + MINUTE, INBOX_RETENTION - MINUTE):
            session.add(InboxRow(consumer="lab", event_id=str(age), received_at=datetime.now(UTC) - age))

    assert await delete_expired(database.sessions) is False

    assert await kept(database) == ["model.retired", "prediction.completed", "prediction.completed"]
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(InboxRow)) == 1


async def test_much_is_forgotten_in_bounded_steps(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay publishes between two of them."""
    monkeypatch.setattr(outbox, "DELETE_AT_ONCE", 2)
    for _ in range(5):
        await published(database, answered(), EPHEMERAL_RETENTION + MINUTE)

    steps = [await delete_expired(database.sessions) for _ in range(3)]

    assert steps == [True, True, False]
    assert await kept(database) == []
