"""A connection to a real Postgres that breaks while a request uses it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, http_app
from litestar import get
from litestar.di import NamedDependency
from sqlalchemy import text

from tests.support.api_keys import KEY, letting_in
from tests.support.scratch_database import scratch_database
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@get("/slow", opt={SCOPE: "read"})
async def slow(database: NamedDependency[Database]) -> str:
    async with database.sessions() as session:
        await session.execute(text("SELECT pg_sleep(600)"))
    return "done"


@get("/fast", opt={SCOPE: "read"})
async def fast(database: NamedDependency[Database]) -> str:
    async with database.sessions() as session:
        return str(await session.scalar(text("SELECT 'fine'")))


@pytest.fixture
async def database(servers: dict[str, str]) -> AsyncIterator[Database]:
    async with scratch_database(servers, "outage") as made:
        yield made


async def test_the_client_is_asked_to_come_again_and_the_next_request_is_answered(database: Database) -> None:
    """The pool replaces the connection."""
    app = http_app(
        "test",
        letting_in(),
        routes=[slow, fast],
        is_outage=is_dependency_unavailable,
        pings={},
        lifespan=[],
        dependencies={"database": database},
    )
    backends = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")

    async def terminated() -> bool:
        async with database.engine.connect() as connection:
            return bool((await connection.execute(backends)).all())

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        waits = asyncio.create_task(http.get("/slow"))
        await until(terminated)
        broken = await waits
        answers = [await http.get("/fast") for _ in range(3)]

    assert (broken.status_code, broken.headers["retry-after"]) == (503, "2")
    assert broken.headers["content-type"] == "application/problem+json"
    assert "pg_sleep" not in broken.text
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "fine")] * 3
