"""The console's part with spans, over HTTP and a real Postgres."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from interlock_console import trace_routes
from interlock_console.jaeger.routes import ROUTES as JAEGER
from interlock_console.spans.writer import SpanWriter
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.limits import ConcurrencyLimit
from opentelemetry.sdk.trace import ReadableSpan
from sqlalchemy import text

from tests.support.api_keys import KEY, letting_in
from tests.support.scratch_database import scratch_database
from tests.unit.console.otlp import sent

PROTOBUF = {"Content-Type": "application/x-protobuf"}


class Console:
    """The console's part with spans, in a schema of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.written: list[set[str]] = []
        self.span_writer = SpanWriter(database, days=7, on_written=self.written.append)
        self.limit = ConcurrencyLimit(2)
        self.app = http_app(
            "console",
            letting_in(),
            routes=[*trace_routes.ROUTES, *JAEGER],
            pings={},
            lifespan=[],
            dependencies={"database": database, "span_writer": self.span_writer, "span_limit": self.limit},
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),  # type: ignore[arg-type]
            base_url="http://console",
            headers={"Authorization": f"Bearer {KEY}"},
        )

    async def send(self, *spans: ReadableSpan, **headers: str) -> httpx.Response:
        return await self.http.post("/v1/traces", content=sent(spans), headers=PROTOBUF | headers)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def partitions(self) -> set[str]:
        async with self.database.engine.connect() as connection:
            return set(
                await connection.scalars(
                    text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'span'::regclass")
                )
            )


@asynccontextmanager
async def console_in(servers: dict[str, str]) -> AsyncIterator[Console]:
    async with scratch_database(servers, "spans", "interlock_console") as database:
        yield Console(database)
