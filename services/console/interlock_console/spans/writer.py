"""Writer of the trace store: bulk COPY into daily partitions, which are dropped when they expire."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped]
import msgspec
from interlock_runtime.database import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from interlock_console.spans import Origin, Span
from interlock_console.spans.tables import PARTITIONED, LinkRow, SpanRow

DATABASE_ERRORS = (
    OSError,
    DBAPIError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)
"""Errors of a Postgres that is down, starting or full; the exporter may retry."""

SPAN_COLUMNS = [column.name for column in SpanRow.__table__.columns]
LINK_COLUMNS = [column.name for column in LinkRow.__table__.columns]

INSERT_ORIGIN = """
INSERT INTO span_origin (day, origin_id, service, resource, scope) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""

PARTITIONS_OF = """
SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = CAST(:table AS regclass)
"""

_encode = msgspec.json.Encoder().encode


class _Rows(NamedTuple):
    """Rows of one batch, in the order of the tables' columns."""

    origins: list[tuple[Any, ...]]
    spans: list[tuple[Any, ...]]
    links: list[tuple[Any, ...]]


class SpanWriter:
    """Writes spans, kept for ``days`` days after arrival; ``on_written`` is called with the ids of their traces."""

    def __init__(self, database: Database, *, days: int, on_written: Callable[[set[str]], None]) -> None:
        self._database = database
        self._days = days
        self._on_written = on_written
        self._known_days: set[date] = set()
        self._known_origins: set[tuple[date, int]] = set()

    async def write(self, spans: Sequence[Span]) -> None:
        """Append the spans in one transaction.

        Raises:
            DATABASE_ERRORS: nothing was written.
        """
        if not spans:
            return
        day = datetime.now(UTC).date()
        rows = await asyncio.to_thread(_rows, day, spans)
        # In one order, so that two batches with the same new origins cannot deadlock.
        new = sorted((row for row in rows.origins if (day, row[1]) not in self._known_origins), key=itemgetter(1))
        await self._make_partitions(day)
        async with self._database.engine.connect() as connection:
            # SQLAlchemy has no COPY; hence the driver's own connection and transaction.
            driver: Any = (await connection.get_raw_connection()).driver_connection
            async with driver.transaction():
                if new:
                    await driver.executemany(INSERT_ORIGIN, new)
                await driver.copy_records_to_table("span", records=rows.spans, columns=SPAN_COLUMNS)
                if rows.links:
                    await driver.copy_records_to_table("span_link", records=rows.links, columns=LINK_COLUMNS)
        self._known_origins.update((day, row[1]) for row in new)
        self._on_written({span.trace_id for span in spans})

    async def _make_partitions(self, day: date) -> None:
        if day in self._known_days:
            return
        async with self._database.engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('partitions of spans'))"))
            for table in PARTITIONED:
                bounds = f"FROM ('{day}') TO ('{day + timedelta(days=1)}')"
                await connection.execute(
                    text(
                        f"CREATE TABLE IF NOT EXISTS {_partition(table, day)} PARTITION OF {table} FOR VALUES {bounds}"
                    )
                )
        self._known_days.add(day)

    async def drop_expired(self) -> None:
        """Drop the partitions of expired days, with a short lock timeout against long reads."""
        first = datetime.now(UTC).date() - timedelta(days=self._days)
        async with self._database.engine.begin() as connection:
            await connection.execute(text("SET LOCAL lock_timeout = '3s'"))
            for table in PARTITIONED:
                found = await connection.execute(text(PARTITIONS_OF), {"table": table})
                for name in found.scalars().all():
                    if name < _partition(table, first):
                        await connection.execute(text(f"DROP TABLE {name}"))
            await connection.execute(text("DELETE FROM span_origin WHERE day < :first"), {"first": first})
        self._known_origins = {(day, origin) for day, origin in self._known_origins if day >= first}


def _partition(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def _rows(day: date, spans: Sequence[Span]) -> _Rows:
    rows = _Rows([], [], [])
    ids: dict[int, int] = {}
    for span in spans:
        # Spans of one process share their origin, so identity is enough and cheaper than a digest for each.
        origin_id = ids.get(id(span.origin))
        if origin_id is None:
            origin_id = ids[id(span.origin)] = _origin_id(span.origin)
            rows.origins.append(
                (day, origin_id, span.origin.service, _json(span.origin.resource), _json(span.origin.scope))
            )
        trace_id, span_id = bytes.fromhex(span.trace_id), bytes.fromhex(span.span_id)
        rows.spans.append(
            (
                day,
                trace_id,
                span_id,
                bytes.fromhex(span.parent_id) if span.parent_id else None,
                origin_id,
                span.origin.service,
                span.name,
                span.kind,
                span.start_ns,
                span.duration_ns,
                span.status,
                span.status_message,
                _json(span.attributes),
                _more(span),
            )
        )
        of_span = (trace_id, span_id, span.origin.service, span.name, span.start_ns)
        rows.links.extend(
            (day, bytes.fromhex(link.trace_id), bytes.fromhex(link.span_id), *of_span) for link in span.links
        )
    return rows


def _origin_id(origin: Origin) -> int:
    return int.from_bytes(sha256(_encode(origin)).digest()[:8], signed=True)


def _json(value: Any) -> str:
    return _encode(value).decode()


def _more(span: Span) -> str | None:
    more = {
        "events": span.events,
        "links": span.links,
        "state": span.state,
        "dropped": any(span.dropped) and span.dropped,
    }
    found = {name: value for name, value in more.items() if value}
    return _json(found) if found else None
