"""Results whose time is over: gone from the table, gone from the store, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from faststream.rabbit import RabbitRouter
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ModelDeleted
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoringPart
from interlock_messaging import Bus
from interlock_prediction import store
from interlock_prediction.batch.expiry import Expiry
from interlock_prediction.batch.store import BatchRow
from interlock_prediction.domain import TOMBSTONE_RETENTION
from interlock_prediction.handlers import forget_model
from interlock_prediction.store import PredictionRow
from interlock_runtime.database import Database
from sqlalchemy import select, update

from tests.support.scratch_database import scratch_database

pytestmark = pytest.mark.integration

PAST, FUTURE = timedelta(seconds=-1), timedelta(days=1)


class Lab:
    """A database and a store of our own, and two replicas that sweep them."""

    def __init__(self, servers: dict[str, str], database: Database) -> None:
        self.database, self.store = database, MemoryStore()
        url = servers["INTERLOCK_AMQP_URL"]
        bus = Bus(url, service=database.schema, router=RabbitRouter(), sessions=database.sessions)
        self.replicas = [Expiry(bus, self.store), Expiry(bus, self.store)]

    async def completed(self, until: timedelta, result: ArtifactRef | None = None, **fields: Any) -> UUID:
        about = {"model": "m", "state": "completed", "version": 1, "result_format": "json"} | fields
        prediction_id, now = uuid4(), datetime.now(UTC)
        row = PredictionRow(prediction_id=prediction_id, ended_at=now, expires_at=now + until, **about)
        row.result = result.model_dump(mode="json") if result else None
        row.answer = b"{}" if result is None else None
        await self.add(row)
        return prediction_id

    async def add(self, *rows: PredictionRow | BatchRow) -> None:
        async with self.database.sessions() as session, session.begin():
            for row in rows:
                session.add(row)
                await session.flush()

    async def file(self, until: timedelta, result: ArtifactRef | None, *parts: int, **fields: Any) -> UUID:
        """Let a file have ended, with the parts of these numbers scored."""
        prediction_id = await self.completed(until, result, result_format="parquet", **fields)
        for number in parts:
            answer = self.store.put(f"{prediction_id} part {number}".encode())
            note = ScoringPart(number=number, rows=1, answer=answer).model_dump_json().encode()
            self.store.put_once(f"predictions/{prediction_id}/parts/{number:06}.json", note)
            self.store.put_once(f"predictions/{prediction_id}/logged/{number:06}.jsonl", b"{}\n")
        self.store.put_once(f"predictions/{prediction_id}/report.json", b"{}")
        job = self.store.put(f"{prediction_id} job".encode()).model_dump(mode="json")
        await self.add(BatchRow(prediction_id=prediction_id, runner="process", job=job, waiting=False))
        return prediction_id

    async def expire(self) -> None:
        await asyncio.gather(*(replica.run_once() for replica in self.replicas))

    async def row(self, prediction_id: UUID) -> PredictionRow | None:
        async with self.database.sessions() as session:
            return await session.get(PredictionRow, prediction_id)


@pytest.fixture
async def lab(servers: dict[str, str]) -> AsyncIterator[Lab]:
    async with scratch_database(servers, "expiry", "interlock_messaging", "interlock_prediction") as database:
        yield Lab(servers, database)


async def test_an_expired_answer_leaves_the_store_and_others_stay(lab: Lab) -> None:
    """More than one batch of them, swept by two replicas at a time; what still holds is not touched."""
    for number in range(120):
        await lab.completed(PAST, lab.store.put(f"old {number}".encode()))
    kept = await lab.completed(FUTURE, lab.store.put(b"new"))
    other = lab.store.put(b"a model, say")

    await lab.expire()

    row = await lab.row(kept)
    assert row is not None
    assert row.state == "completed"
    assert set(lab.store.objects) == {other.key, ArtifactRef.model_validate(row.result).key}
    async with lab.database.sessions() as session:
        states = (await session.execute(select(PredictionRow.state, PredictionRow.result))).all()
    assert sorted(state for state, _ in states) == ["completed", *["expired"] * 120]
    assert sum(result is not None for _, result in states) == 1


async def test_a_file_takes_its_parts_and_notes_with_it(lab: Lab) -> None:
    """Of one that was answered, and of one that failed on the way with a part missing in the middle."""
    await lab.file(PAST, lab.store.put(b"result"), 0, 1, 2)
    await lab.file(PAST, None, 0, 2, state="failed", reason="a row does not fit")
    kept = await lab.file(FUTURE, lab.store.put(b"kept"), 0)
    upload = lab.store.put(b"an upload, which may be a dataset as well")

    await lab.expire()

    mine = {key for key in lab.store.objects if str(kept) in key}
    assert len(mine) == 3
    assert len(lab.store.objects) == len(mine) + 4, "result, part, job, and the upload"
    assert upload.key in lab.store.objects


async def test_an_answer_that_two_have_goes_with_the_last(lab: Lab) -> None:
    """Files that release 0.1.0 answered alike share one object."""
    shared = lab.store.put(b"the same rows, the same version")
    await lab.completed(PAST, shared, result_format="parquet")
    other = await lab.completed(FUTURE, shared, result_format="parquet")
    await lab.expire()
    assert shared.key in lab.store.objects

    async with lab.database.sessions() as session, session.begin():
        row = await session.get_one(PredictionRow, other)
        row.expires_at = datetime.now(UTC) + PAST
    await lab.expire()

    assert shared.key not in lab.store.objects


async def test_a_cancellation_whose_request_never_came_is_forgotten_and_holds_up_nobody(lab: Lab) -> None:
    """It has no model, and so could not be marked as expired: the sweep of all others failed with it."""
    early, expired = uuid4(), await lab.completed(PAST)
    async with lab.database.sessions() as session, session.begin():
        assert await store.cancel(session, early, datetime.now(UTC) + PAST)

    await lab.expire()

    assert await lab.row(early) is None
    row = await lab.row(expired)
    assert row is not None
    assert row.state == "expired"
    assert row.answer is None


async def test_a_name_is_forgotten_a_week_after_its_result(lab: Lab) -> None:
    """Not before the store was swept: else nobody would know any more what to delete."""
    old, swept = await lab.completed(PAST, lab.store.put(b"large")), await lab.completed(PAST)
    async with lab.database.sessions() as session, session.begin():
        await session.execute(update(PredictionRow).values(expires_at=datetime.now(UTC) - 2 * TOMBSTONE_RETENTION))
        await store.expire(session)

    assert await lab.row(swept) is None
    assert await lab.row(old) is not None
    await lab.expire()
    await lab.expire()
    assert await lab.row(old) is None
    assert lab.store.objects == {}


async def test_nothing_is_left_of_the_answers_of_a_deleted_model(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers, objects and files, also those that are recorded later; what waits is cancelled, and others stay."""
    monkeypatch.setattr(store, "EXPIRE_CHUNK", 2)
    kept = lab.store.put(b"kept")
    others = [await lab.completed(FUTURE, kept, model="other"), await lab.file(FUTURE, None, 0, model="other")]
    mine = [await lab.completed(FUTURE) for _ in range(5)]
    mine += [await lab.completed(FUTURE, lab.store.put(b"large")), await lab.file(FUTURE, lab.store.put(b"file"), 0, 1)]
    waiting = uuid4()
    job = lab.store.put(b"job").model_dump(mode="json")
    await lab.add(
        PredictionRow(prediction_id=waiting, model="m", state="running", version=1),
        BatchRow(prediction_id=waiting, runner="process", job=job, waiting=False, ttl_seconds=3600),
    )
    event = ModelDeleted(model="m", versions=[], seq=2, by="ada")
    for _ in range(2):
        async with lab.database.sessions() as session, session.begin():
            await forget_model(event, session)
        await lab.expire()
    late = await lab.completed(FUTURE, lab.store.put(b"late"))
    await lab.expire()

    for prediction_id in (*mine, waiting, late):
        row = await lab.row(prediction_id)
        assert row is not None
        assert (row.state, row.answer, row.result) == ("expired", None, None), prediction_id
    row = await lab.row(waiting)
    assert row is not None
    assert row.reason == "its model was deleted"
    assert {row.state for each in others if (row := await lab.row(each))} == {"completed"}
    of_others = {key for key in lab.store.objects if str(others[1]) in key} | {kept.key}
    assert not [key for key in set(lab.store.objects) - of_others if not key.startswith("sha256/")]
    assert {lab.store.objects[key] for key in set(lab.store.objects) - of_others} <= {
        f"{others[1]} part 0".encode(),
        f"{others[1]} job".encode(),
    }
