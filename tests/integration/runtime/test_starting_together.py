"""Replicas of a service that start at once on an empty database migrate it one after the other."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from interlock_contracts.deployment import POSTGRES, services_using
from interlock_contracts.permissions import REPLAYER
from interlock_registry import dead_letters
from interlock_runtime.database import Database
from sqlalchemy import text

from tests.integration.runtime.test_upgrades import PACKAGES
from tests.support.services import package
from tests.support.waiting import until

pytestmark = pytest.mark.integration

REPLICAS = 2
MIGRATE = """
import asyncio, sys
from interlock_runtime.database import Database

async def migrate(url, schemas):
    for each in schemas:
        schema, *packages = each.split(",")
        await Database(url, schema).migrate(*packages)

asyncio.run(migrate(sys.argv[1], sys.argv[2:]))
"""
"""A replica of one service after the other: importing takes most of the time."""

LOCK = text("SELECT pg_advisory_lock(hashtext(:schema))")
UNLOCK = text("SELECT pg_advisory_unlock(hashtext(:schema))")
WAITING = text(
    "SELECT count(*) FROM pg_locks waiting JOIN pg_locks ours USING (locktype, database, classid, objid, objsubid)"
    " WHERE locktype = 'advisory' AND NOT waiting.granted AND ours.granted AND ours.pid = pg_backend_pid()"
)
MADE = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")


def migrated_by(service: str) -> list[str]:
    """Return the packages whose tables a service makes: the outbox, its own, and dead letters where it keeps them."""
    kept = [dead_letters.DATABASE] if service == REPLAYER else []
    return ["interlock_messaging", *kept, package(service).name]


def test_every_migration_is_of_some_service() -> None:
    """The test below leaves none out."""
    assert {each for name in services_using(POSTGRES) for each in migrated_by(name)} == {*PACKAGES}


@asynccontextmanager
async def replicas(*arguments: str) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Start processes that migrate; kill those that have not ended at the end."""
    command = [sys.executable, "-c", MIGRATE, *arguments]
    started = [await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE) for _ in range(REPLICAS)]
    try:
        yield started
    finally:
        for each in started:
            if each.returncode is None:
                each.kill()
                await each.wait()


async def test_replicas_that_start_at_once_migrate_once(servers: dict[str, str]) -> None:
    """Both wait for the lock of their service's schema, then each goes on; all is made once, and nothing before."""
    mark = uuid4().hex[:8]
    schemas = {f"{name}-{mark}": migrated_by(name) for name in services_using(POSTGRES)}
    database = Database(servers["INTERLOCK_POSTGRES_URL"], "public")
    try:
        async with database.engine.connect() as connection:
            for schema in schemas:
                await connection.execute(LOCK, {"schema": schema})
            given = [",".join([schema, *packages]) for schema, packages in schemas.items()]
            async with replicas(servers["INTERLOCK_POSTGRES_URL"], *given) as started:

                async def all_wait() -> bool:
                    assert all(each.returncode is None for each in started)
                    return bool(await connection.scalar(WAITING) == REPLICAS)

                for schema in schemas:
                    await until(all_wait, seconds=120)
                    assert await connection.scalar(MADE, {"schema": schema}) is None
                    await connection.execute(UNLOCK, {"schema": schema})
                ended = await asyncio.gather(*(each.communicate() for each in started))
                assert [each.returncode for each in started] == [0] * REPLICAS, ended
            for schema, packages in schemas.items():
                for each in packages:
                    revisions = await connection.execute(text(f'SELECT version_num FROM "{schema}"."alembic_{each}"'))
                    assert len(revisions.all()) == 1
    finally:
        async with database.engine.begin() as connection:
            for schema in schemas:
                await connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        await database.engine.dispose()
