"""Makes a role and a schema for each service, as an administrator of Postgres.

``echo '{"registry": "its password", ...}' | INTERLOCK_POSTGRES_URL=postgresql://admin:... python -m
interlock_runtime.roles`` makes the role ``interlock_registry``, which owns the schema ``registry`` and may do nothing
else, but for moving rows of the last release that are in another schema. Repeating it changes nothing but passwords.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Mapping

import asyncpg  # type: ignore[import-untyped]

ITERATIONS = 4096
"""As Postgres itself takes them."""

ADOPT = """
DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' LOOP
        EXECUTE format('ALTER TABLE {schema}.%I OWNER TO {role}', each.tablename);
    END LOOP;
END $$
"""
"""What was made before there were roles changes hands; a table's sequences and indexes follow it."""

HANDED_OVER = {
    ("prediction", "monitor"): {
        **dict.fromkeys(("logged_version", "logged", "logged_count", "truth"), "SELECT, DELETE"),
        "inbox": "SELECT",
    }
}
"""From which service to which: the tables whose rows the last release kept there, and what moving them takes."""


async def make_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Make the roles of the services that have ``passwords``; no other role may connect to the database any more."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            # Two that run at once would trip over each other's rows of the catalog.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('interlock roles'))")
            database = f'"{await connection.fetchval("SELECT current_database()")}"'
            await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for service, password in passwords.items():
                await _make(connection, database, service, password)
            for (giver, taker), tables in HANDED_OVER.items():
                if {giver, taker} <= passwords.keys():
                    await _hand_over(connection, giver, taker, tables)
    finally:
        await connection.close()


async def _make(connection: asyncpg.Connection, database: str, service: str, password: str) -> None:
    if not service.isidentifier():
        raise ValueError(f"{service!r} is no service; a name such as 'registry' is expected")
    role = f"interlock_{service}"
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role}")
    await connection.execute(f"ALTER ROLE {role} LOGIN NOINHERIT PASSWORD '{_verifier(password)}'")
    await connection.execute(f"ALTER ROLE {role} SET search_path = {service}")
    await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {service}")
    await connection.execute(f"ALTER SCHEMA {service} OWNER TO {role}")
    await connection.execute(ADOPT.format(schema=service, role=role))


async def _hand_over(connection: asyncpg.Connection, giver: str, taker: str, tables: Mapping[str, str]) -> None:
    await connection.execute(f"GRANT USAGE ON SCHEMA {giver} TO interlock_{taker}")
    for table, rights in tables.items():
        if await connection.fetchval("SELECT to_regclass($1)", f"{giver}.{table}") is not None:
            await connection.execute(f"GRANT {rights} ON {giver}.{table} TO interlock_{taker}")


def _verifier(password: str) -> str:
    """Return what Postgres keeps of a password (SCRAM-SHA-256, RFC 5803), so that no statement or log shows it."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    keys = (hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))
    stored, server = (base64.b64encode(key).decode() for key in keys)
    return f"SCRAM-SHA-256${ITERATIONS}:{base64.b64encode(salt).decode()}${stored}:{server}"


if __name__ == "__main__":
    asyncio.run(make_roles(os.environ["INTERLOCK_POSTGRES_URL"], json.load(sys.stdin)))
