"""An upgrade in place: data of the oldest revision comes along, and the release that wrote it runs on beside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from interlock_messaging.tables import Base
from interlock_runtime.database import Database, _upgrade
from interlock_runtime.roles import HANDED_OVER
from sqlalchemy import Connection, inspect, text

pytestmark = pytest.mark.integration

OLDEST = Path(__file__).parent / "oldest_rows"
ROOT = Path(__file__).parents[3]
VERSIONS = [*ROOT.glob("libs/*/**/migrations/versions"), *ROOT.glob("services/*/**/migrations/versions")]
PACKAGES = sorted(".".join(path.relative_to(ROOT).parts[2:-2]) for path in VERSIONS)
"""Everything with migrations of its own, packages inside of packages too."""


@asynccontextmanager
async def schema(servers: dict[str, str]) -> AsyncIterator[Database]:
    """Give an empty schema of our own, and drop it."""
    database = Database(servers["INTERLOCK_POSTGRES_URL"], f"upgrade-{uuid4().hex[:8]}")
    try:
        async with database.engine.begin() as connection:
            await connection.execute(text(f'CREATE SCHEMA "{database.schema}"'))
        yield database
    finally:
        async with database.engine.begin() as connection:
            await connection.execute(text(f'DROP SCHEMA "{database.schema}" CASCADE'))
        await database.engine.dispose()


def oldest(package: str) -> str:
    return f"{package.rpartition('.')[2].removeprefix('interlock_')}_0001"


def write(connection: Connection, package: str, n: int) -> None:
    """Write as the oldest release did: the ``n``-th set of rows, at least one in each of its tables."""
    for statement in (OLDEST / f"{package}.sql").read_text().replace("{n}", str(n)).split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)


def read(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    tables = [name for name in inspect(connection).get_table_names() if not name.startswith("alembic_")]
    return {
        name: [row for (row,) in connection.execute(text(f'SELECT to_jsonb(t) FROM "{name}" t ORDER BY to_jsonb(t)'))]
        for name in tables
    }


def bases(package: str) -> set[type[Base]]:
    """Return what declares a package's tables today, all of its modules with tables imported."""
    folder = Path(str(files(package)))
    inside = [Path(str(files(each))) for each in PACKAGES if each.startswith(f"{package}.")]
    own = [path for path in folder.rglob("*.py") if not any(path.is_relative_to(each) for each in inside)]
    written = [path.relative_to(folder) for path in own if "mapped_column" in path.read_text()]
    modules = [import_module(".".join((package, *path.with_suffix("").parts))) for path in written]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    return {each for each in found if issubclass(each, Base) and Base in each.__bases__}


@pytest.mark.parametrize("package", PACKAGES)
async def test_rows_of_the_oldest_revision_come_along_and_its_release_writes_on(
    servers: dict[str, str], package: str
) -> None:
    """Nothing is lost or changed on the way to the newest revision, which takes the oldest one's writes as well."""
    async with schema(servers) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(_upgrade, package, oldest(package))
            await connection.run_sync(write, package, 1)
            before = await connection.run_sync(read)
        await database.migrate(package)
        async with database.engine.begin() as connection:
            after = await connection.run_sync(read)
            await connection.run_sync(write, package, 2)
            both = await connection.run_sync(read)

    assert all(before.values()), "every table of the oldest revision has rows"
    for table, rows in before.items():
        assert [{name: row.get(name) for name in rows[0]} for row in after[table]] == rows
        assert len(both[table]) == 2 * len(rows)


@pytest.mark.parametrize("package", PACKAGES)
async def test_the_newest_revision_has_the_tables_that_the_code_declares(servers: dict[str, str], package: str) -> None:
    """A column that the code has and no migration makes would be found by the first query in production."""
    async with schema(servers) as database:
        await database.migrate(package)
        async with database.engine.connect() as connection:
            differences = await connection.run_sync(_differences, package)

    assert not differences


def _differences(connection: Connection, package: str) -> list[Any]:
    found = bases(package)
    assert found, "the package declares its tables"
    left = {table for (giver, _), tables in HANDED_OVER.items() if package == f"interlock_{giver}" for table in tables}

    def is_ours(_item: Any, name: str | None, kind: str, *_: Any) -> bool:
        """Say whether a thing is compared: tables and columns. Types, indexes and constraints are the migrations' own.

        What has been handed over to another service stays one release longer, for replicas of the last one.
        """
        return kind in ("table", "column") and not (name or "").startswith("alembic_") and name not in left

    context = MigrationContext.configure(connection, opts={"include_object": is_ours, "compare_type": False})
    differences: list[Any] = compare_metadata(context, [each.metadata for each in found])  # type: ignore[arg-type]
    return differences


async def test_replicas_of_one_release_that_start_together_migrate_once(servers: dict[str, str]) -> None:
    """They take turns; whoever comes second finds the work done."""
    async with schema(servers) as database:
        await asyncio.gather(*(database.migrate("interlock_messaging", "interlock_prediction") for _ in range(4)))
        async with database.engine.connect() as connection:
            heads = (await connection.execute(text("SELECT count(*) FROM alembic_interlock_prediction"))).scalar_one()

    assert heads == 1


@pytest.mark.parametrize("package", PACKAGES)
async def test_a_release_that_is_taken_back_starts_on_tables_of_the_newer_one(
    servers: dict[str, str], package: str
) -> None:
    """It does not know the revision that it finds; it leaves the tables alone, and they take its writes."""
    table = f'"alembic_{package}"'
    async with schema(servers) as database:
        await database.migrate(package)
        async with database.engine.begin() as connection:
            await connection.execute(text(f"UPDATE {table} SET version_num = 'newer_9999'"))
            await connection.run_sync(write, package, 1)
            before = await connection.run_sync(read)
        await database.migrate(package)
        async with database.engine.begin() as connection:
            assert await connection.run_sync(read) == before
            stays = await connection.execute(text(f"SELECT version_num FROM {table}"))

    assert stays.scalars().all() == ["newer_9999"]
