"""What the collector leaves: young objects, and those of a registration on its way. On a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from interlock_artifacts import MemoryStore
from interlock_messaging import Bus
from interlock_registry import handlers
from interlock_registry.collector import Collector, lock_references
from interlock_registry.store import VersionRow
from sqlalchemy import text

from tests.integration.registry.test_deletion import Trained
from tests.integration.registry.test_promotion import Registry
from tests.support.waiting import until

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)


@pytest.fixture
async def beside(servers: dict[str, str]) -> AsyncIterator[tuple[Trained, Collector]]:
    """A model in memory, with a collector that leaves young objects an hour; nobody else looks at this database."""
    registry = Registry(servers)
    memory: Any = MemoryStore()
    bus = Bus(
        servers["INTERLOCK_AMQP_URL"], service="registry", router=handlers.router, sessions=registry.database.sessions
    )
    async with registry.database.ready("interlock_messaging", "interlock_registry"):
        await registry.keep_spec()
        office: Any = None
        yield Trained(office, memory, registry), Collector(bus, memory, grace=HOUR)


async def delete(trained: Trained, number: int, *, ago: timedelta) -> None:
    """Make a version one that was deleted long ago, as no statement could that comes later."""
    async with trained.registry.database.sessions() as session, session.begin():
        row = await session.get_one(VersionRow, (trained.registry.model, number))
        row.deleted_at, row.deleted_by = datetime.now(UTC) - ago, "ada"


async def test_young_objects_wait_and_so_does_a_young_deletion(beside: tuple[Trained, Collector]) -> None:
    """A job stores a model some time before its version is registered, and finds there what it would have stored."""
    trained, collector = beside
    store: MemoryStore = trained.store
    keys = await trained.train("a", "first")
    await trained.train("b", "second")
    for key in store.objects:
        store.times[key] -= 2 * HOUR
    await delete(trained, 1, ago=2 * HOUR)
    await delete(trained, 2, ago=HOUR / 2)
    everything = set(store.objects)
    trained.stored("a", "first")  # by a job that is not registered yet

    await collector.run_once()
    assert everything - set(store.objects) == set(keys[2:])
    await collector.run_once()
    assert set(keys[:2]) <= set(store.objects)

    for key in keys[:2]:
        store.times[key] -= 2 * HOUR
    await collector.run_once()
    assert everything - set(store.objects) == set(keys)


async def test_a_registration_on_its_way_keeps_what_it_refers_to(beside: tuple[Trained, Collector]) -> None:
    """The collector waits for its end, and then sees it; without the lock it would not see what is not committed."""
    trained, collector = beside
    store: MemoryStore = trained.store
    keys = await trained.train("a", "first")
    await delete(trained, 1, ago=2 * HOUR)
    artifact, manifest, _ = trained.stored("a", "first")
    for key in store.objects:
        store.times[key] -= 2 * HOUR
    registry = trained.registry

    async def waits() -> bool:
        async with registry.database.sessions() as looking:
            query = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            return bool(await looking.scalar(text(query)))

    async with registry.database.sessions() as session, session.begin():
        await lock_references(session)
        row = VersionRow(
            model=registry.model,
            version=2,
            stage="registered",
            run_id=uuid4(),
            pipeline_digest=registry.digest,
            artifact=artifact.model_dump(mode="json"),
            manifest=manifest.model_dump(mode="json"),
            datasets=[],
        )
        session.add(row)
        await session.flush()
        collecting = asyncio.create_task(collector.run_once())
        await until(waits)
        assert set(keys) <= set(store.objects)
    await collecting
    assert set(keys) <= set(store.objects), "its engine is not known yet, so nothing is deleted"

    await collector.run_once()
    assert set(keys) - set(store.objects) == set(keys[2:])
    assert artifact.key in store.objects
