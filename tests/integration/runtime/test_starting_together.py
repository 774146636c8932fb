"""Replicas of one service that start at once on an empty database migrate it one after the other."""

import asyncio
import sys
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
from interlock_contracts.permissions import REPLAYER
from interlock_registry import dead_letters
from interlock_runtime.database import Database
url, schema, *packages = sys.argv[1:]
asyncio.run(Database(url, schema).migrate(*packages))
"""
WAITING = text(
    "SELECT count(*) FROM pg_locks waiting JOIN pg_locks ours USING (locktype, database, classid, objid, objsubid)"
    " WHERE locktype = 'advisory' AND NOT waiting.granted AND ours.granted AND ours.pid = pg_backend_pid()"
)


def migrated_by(service: str) -> list[str]:
    """Return the packages whose tables a service makes: the outbox, its own, and dead letters where it keeps them."""
    kept = [dead_letters.DATABASE] if service == REPLAYER else []
    return ["interlock_messaging", *kept, package(service).name]


def test_every_migration_is_of_some_service() -> None:
    """The test below leaves none out."""
    assert {each for name in services_using(POSTGRES) for each in migrated_by(name)} == {*PACKAGES}


@pytest.mark.parametrize("service", services_using(POSTGRES))
async def test_replicas_that_start_at_once_migrate_once(servers: dict[str, str], service: str) -> None:
    """All of them wait for the lock, then each goes on; tables, revisions and the schema are made once."""
    database = Database(servers["INTERLOCK_POSTGRES_URL"], f"together-{uuid4().hex[:8]}")
    command = [sys.executable, "-c", MIGRATE, servers["INTERLOCK_POSTGRES_URL"], database.schema]
    packages = migrated_by(service)
    known = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
    about = {"schema": database.schema}
    replicas: list[asyncio.subprocess.Process] = []
    try:
        async with database.engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), about)
            starting = [
                asyncio.create_subprocess_exec(*command, *packages, stderr=asyncio.subprocess.PIPE)
                for _ in range(REPLICAS)
            ]
            replicas += await asyncio.gather(*starting)

            async def all_wait() -> bool:
                return bool(await connection.scalar(WAITING) == REPLICAS)

            await until(all_wait, seconds=120)
            assert await connection.scalar(known, about) is None, "nobody makes anything without the lock"
        ended = await asyncio.gather(*(each.communicate() for each in replicas))
        assert [each.returncode for each in replicas] == [0] * REPLICAS, ended
        async with database.engine.connect() as connection:
            for name in packages:
                assert len((await connection.execute(text(f'SELECT version_num FROM "alembic_{name}"'))).all()) == 1
    finally:
        for each in replicas:
            if each.returncode is None:
                each.kill()
                await each.wait()
        async with database.engine.begin() as connection:
            await connection.execute(text(f'DROP SCHEMA IF EXISTS "{database.schema}" CASCADE'))
        await database.engine.dispose()
