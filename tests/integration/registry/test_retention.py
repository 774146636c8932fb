"""Versions past what the pipeline file declares go by themselves. On a real database, and a real bucket."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from interlock_artifacts import S3Store
from interlock_contracts.pipeline import Pipeline
from interlock_messaging import Bus
from interlock_registry import retention
from interlock_registry.collector import Collector
from interlock_registry.retention import VersionRetention
from interlock_registry.store import VersionRow
from interlock_runtime.database import Database
from sqlalchemy import update

from tests.integration.registry.test_deletion import Trained
from tests.integration.registry.test_keys import Office, opened
from tests.integration.registry.test_promotion import Registry
from tests.support.dependencies import dependency
from tests.support.gateway_process import store_of

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(servers: dict[str, str]) -> S3Store:
    return store_of(servers)


@pytest.fixture(scope="module")
async def office(servers: dict[str, str], store: S3Store) -> AsyncIterator[Office]:
    """A registry that deletes at once."""
    async with opened(servers, artifacts=store, deletion_grace_seconds=0) as made:
        yield made


@pytest.fixture
async def trained(servers: dict[str, str], office: Office, store: S3Store) -> Trained:
    registry = Registry(servers)
    registry.database = dependency(office.app, Database)
    await registry.keep_spec()
    return Trained(office, store, registry)


def replica(office: Office) -> VersionRetention:
    return VersionRetention(dependency(office.app, Bus), dependency(office.app, Collector).woken)


async def declare(trained: Trained, **keep: float) -> None:
    trained.registry.spec["retention"] = {"versions": keep}
    trained.registry.digest = Pipeline.model_validate(trained.registry.spec).digest
    await trained.registry.keep_spec()


async def age(trained: Trained, days: int) -> None:
    """Let all versions have been registered so long ago."""
    async with trained.registry.database.sessions() as session, session.begin():
        at = datetime.now(UTC) - timedelta(days=days)
        mine = VersionRow.model == trained.registry.model
        await session.execute(update(VersionRow).where(mine).values(registered_at=at))


async def test_versions_past_their_retention_go_with_their_objects_and_the_others_stay(
    trained: Trained, office: Office, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same way as a person's deletion: once, whichever replica is first, and in as many chunks as it takes."""
    monkeypatch.setattr(retention, "CHUNK", 2)
    refused = [await trained.train(name, name) for name in "abc"]
    retired = await trained.serve("d", "d")
    former = await trained.serve("e", "e")
    serving = await trained.serve("f", "f")
    late = await trained.train("g", "g")
    await age(trained, 100)
    newest = await trained.train("h", "h")
    path = f"/models/{trained.registry.model}/retention"
    assert (await office.admin.get(path)).json() == [], "nothing is declared"

    tried = (await office.admin.get(path, params={"keep_days": 30})).json()
    await declare(trained, keep_days=30)
    assert (await office.admin.get(path)).json() == tried
    assert {each["version"]: each["kept_because"] for each in tried} == {
        **dict.fromkeys((1, 2, 3, 4, 7)),
        5: "is the one that a rollback goes back to",
        6: "serves; roll back or promote another version first",
    }

    await asyncio.gather(replica(office).run_once(), replica(office).run_once())
    assert await trained.registry.stages() == {5: "retired", 6: "champion", 8: "refused"}
    for number in (1, 2, 3, 4, 7):
        await trained.collected(number)
    left = set(store.list_keys())
    assert not left & {*itertools.chain(*refused), *retired, *late}
    assert left >= {*former, *serving, *newest}

    gone = await office.admin.get(f"{trained.path}/1")
    assert (gone.status_code, "was deleted by pipeline/retention at 20" in gone.text) == (410, True)
    entries = await office.entries(action="version.deleted", model=trained.registry.model)
    assert sorted((each.subject[-1], each.by) for each in entries) == [
        (number, "pipeline/retention") for number in "12347"
    ]
    back = await office.admin.post(f"/models/{trained.registry.model}/rollback", json={})
    assert back.json()["version"] == 5


async def test_an_archived_model_keeps_what_it_has(trained: Trained, office: Office) -> None:
    """Until it is back: archiving deletes nothing."""
    for name in "ab":
        await trained.train(name, name)
    await declare(trained, keep_last=1)
    await trained.registry.archive()
    await replica(office).run_once()
    assert await trained.registry.stages() == {1: "refused", 2: "refused"}
    told = (await office.admin.get(f"/models/{trained.registry.model}/retention")).json()
    assert [(each["version"], each["kept_because"]) for each in told] == [(1, "is of an archived model")]

    await trained.registry.archive(archived=False)
    await replica(office).run_once()
    assert await trained.registry.stages() == {2: "refused"}


async def test_what_would_go_is_asked_of_a_model_that_there_is(office: Office) -> None:
    """And of something that can be meant."""
    assert (await office.admin.get("/models/nobody/retention")).status_code == 404
    assert (await office.admin.get("/models/nobody/retention", params={"keep_last": 0})).status_code == 400
