"""One service's place in Postgres: its schema, its sessions, its migrations."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import PostgresDsn
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

logger = logging.getLogger(__name__)


class Database:
    """An engine whose connections see only ``schema``; ``sessions`` makes sessions that outlive their commit."""

    def __init__(self, url: PostgresDsn | str, schema: str, *, pool_size: int = 8) -> None:
        self.schema = schema
        self.engine: AsyncEngine = create_async_engine(
            str(url).replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=pool_size,
            pool_pre_ping=True,
            hide_parameters=True,  # an error is logged, and they may be what a person wants erased
            connect_args={"server_settings": {"search_path": schema}, "timeout": 10},
        )
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(self.engine, expire_on_commit=False)

    async def migrate(self, *packages: str) -> None:
        """Bring each package's ``migrations/versions`` to their newest revision.

        Where no administrator has made the schema, it is made here. Replicas that start together do so one at a time by
        an advisory lock. What a newer release has migrated stays as it is, so that a release can be taken back.
        """
        async with self.engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": self.schema})
            # IF NOT EXISTS asks for the right to create before it looks, and a service's own role has none.
            known = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
            if (await connection.execute(known, {"schema": self.schema})).scalar() is None:
                await connection.execute(text(f'CREATE SCHEMA "{self.schema}"'))
            for package in packages:
                await connection.run_sync(_upgrade, package)

    async def ping(self) -> None:
        """Ask the server for nothing, to know that it answers."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def ready(self, *packages: str) -> AsyncIterator[None]:
        """Wait for the server, migrate, and close every connection when the block ends."""
        while True:
            try:
                await self.migrate(*packages)
                break
            except (OSError, DBAPIError) as error:
                if isinstance(error, ProgrammingError):
                    raise
                logger.warning("waiting for Postgres: %s", error)
                await asyncio.sleep(1)
        try:
            yield
        finally:
            await self.engine.dispose()


def _upgrade(connection: Connection, package: str, revision: str = "head") -> None:
    config = Config()
    config.set_main_option("script_location", str(files("interlock_runtime") / "migrations"))
    config.set_main_option("version_locations", str(files(package) / "migrations" / "versions"))
    config.set_main_option("path_separator", "os")
    attributes: dict[str, Any] = {"connection": connection, "version_table": f"alembic_{package}"}
    config.attributes.update(attributes)
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    context = MigrationContext.configure(connection, opts={"version_table": f"alembic_{package}"})
    if newer := set(context.get_current_heads()) - known:
        logger.warning("%s is at %s of a newer release; its tables stay as they are", package, ", ".join(sorted(newer)))
        return
    command.upgrade(config, revision)
