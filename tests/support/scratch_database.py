"""A schema of a test's own in the database that tests share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from interlock_runtime.database import Database
from sqlalchemy import text


@asynccontextmanager
async def scratch_database(servers: dict[str, str], name: str, *packages: str) -> AsyncIterator[Database]:
    """Yield a database whose new schema has the tables of ``packages``, and drop that schema at the end."""
    database = Database(servers["INTERLOCK_POSTGRES_URL"], f"{name}-{uuid4().hex[:8]}")
    async with database.ready(*packages):
        try:
            yield database
        finally:
            async with database.engine.begin() as connection:
                await connection.execute(text(f'DROP SCHEMA "{database.schema}" CASCADE'))
