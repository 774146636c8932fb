"""With one service's database role you see and change its own tables, and nobody else's."""

import asyncpg  # type: ignore[import-untyped]
import pytest
from interlock_contracts.deployment import NAMES

from tests.security.stolen import WITH_DATABASE, environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

DENIED = asyncpg.exceptions.InsufficientPrivilegeError


@pytest.mark.parametrize("service", WITH_DATABASE)
async def test_a_role_works_in_its_own_schema_and_in_no_other(stack: dict[str, str], service: str) -> None:
    """Neither reading nor writing, neither new schemas nor a place in the common one, neither roles nor settings."""
    connection = await asyncpg.connect(environment(stack, service)["INTERLOCK_POSTGRES_URL"])
    try:
        await connection.fetch(f"SELECT * FROM {service}.outbox LIMIT 1")
        for other in WITH_DATABASE:
            if other != service:
                for statement in (
                    f"SELECT * FROM {other}.outbox",
                    f"INSERT INTO {other}.inbox VALUES ('x', 'y', now())",
                    f"CREATE TABLE {other}.planted (x int)",
                    f"SET ROLE interlock_{other}",
                ):
                    with pytest.raises(DENIED):
                        await connection.execute(statement)
        for statement in (
            "CREATE SCHEMA planted",
            "CREATE TABLE public.planted (x int)",
            "CREATE TEMPORARY TABLE planted (x int)",
            "CREATE ROLE planted",
            "ALTER ROLE interlock PASSWORD 'planted'",
            "SELECT * FROM pg_authid",
            "SELECT pg_read_file('postgresql.conf')",
            "COPY (SELECT 1) TO PROGRAM 'true'",
        ):
            with pytest.raises(DENIED):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("service", [name for name in WITH_DATABASE if name != "registry"])
async def test_nobody_but_the_registry_promotes_in_its_tables(stack: dict[str, str], service: str) -> None:
    """Stages, versions and the audit log are closed to the roles of others, table by table."""
    registry = await asyncpg.connect(environment(stack, "registry")["INTERLOCK_POSTGRES_URL"])
    thief = await asyncpg.connect(environment(stack, service)["INTERLOCK_POSTGRES_URL"])
    try:
        tables = await registry.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'registry'")
        assert {"outbox", "audit"} <= {row["tablename"] for row in tables}
        for (table,) in tables:
            for statement in ('SELECT * FROM registry."{}"', 'DELETE FROM registry."{}"', 'TRUNCATE registry."{}"'):
                with pytest.raises(DENIED):
                    await thief.execute(statement.format(table))
    finally:
        await registry.close()
        await thief.close()


@pytest.mark.parametrize("service", [name for name in NAMES if name not in WITH_DATABASE])
def test_who_has_no_tables_has_no_way_to_the_database(stack: dict[str, str], service: str) -> None:
    """Gateway and gate have neither address nor password of it."""
    assert not [name for name in environment(stack, service) if "POSTGRES" in name]
