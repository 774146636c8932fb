"""A model is deleted: what was logged of it goes, in chunks, and so does what comes later. In a real database."""

from collections.abc import AsyncIterator

import pytest
from interlock_contracts.models import ModelDeleted
from interlock_monitor import store
from interlock_monitor.handlers import forget_model
from interlock_monitor.store import LoggedCountRow, LoggedVersionRow
from sqlalchemy import select

from tests.integration.monitor.test_erasure import Log

pytestmark = pytest.mark.integration


@pytest.fixture
async def log(servers: dict[str, str]) -> AsyncIterator[Log]:
    made = Log(servers)
    async with made.database.ready("interlock_messaging", "interlock_monitor"), made.http:
        yield made


async def delete(log: Log) -> int:
    """Delete as the service does; return in how many transactions."""
    steps, gone = 0, 1
    while gone:
        async with log.database.sessions() as session, session.begin():
            gone = await store.delete_models(session)
        steps += 1
    return steps


async def test_log_ground_truth_and_counts_of_a_deleted_model_go(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered twice, it is done once; another model keeps all of it, and the answer names who deleted it."""
    monkeypatch.setattr(store, "PRUNE_CHUNK", 2)
    for model in ("m", "n"):
        for version in (1, 2):
            await log.logged(model, ["x"], {f"{each}{version}": [each] for each in range(3)}, version=version)
    event = ModelDeleted(model="m", versions=[], seq=2, by="ada")
    for _ in range(2):
        async with log.database.sessions() as session, session.begin():
            await forget_model(event, session)
    assert await delete(log) > 2
    await log.logged("m", ["x"], {"late": [1]})  # from a worker's buffer, or a dead letter that is replayed
    await delete(log)

    for table in ("logged", "truth"):
        assert (await log.left(table, "m"), len(await log.left(table, "n"))) == ([], 6)
    async with log.database.sessions() as session:
        for kind in (LoggedCountRow, LoggedVersionRow):
            assert set(await session.scalars(select(kind.model))) == {"n"}
    for method, path, body in (
        ("POST", "/models/m/predictions/erase", {"column": "x", "value": 1}),
        ("GET", "/models/m/quality", None),
    ):
        answer = await log.http.request(method, path, json=body)
        assert (answer.status_code, "was deleted by ada" in answer.text) == (410, True)
