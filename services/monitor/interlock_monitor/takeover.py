"""Takeover of what ``prediction`` kept before there was a monitor; goes with the release after this one.

Up to release 0.1 the prediction log and ground truth lay in the schema ``prediction``, and their events in queues of
that service. Its queues are subscribed to in :mod:`interlock_monitor.handlers`; its rows are moved here. Replicas of
the old release may run on meanwhile: what they still write is moved, too.
"""

import logging

from interlock_contracts.predictions import FeedbackReceived, PredictionLogged
from interlock_messaging import topology
from interlock_runtime.database import Database
from sqlalchemy import text

logger = logging.getLogger(__name__)

CHUNK = 10_000
"""Rows moved in one transaction, so that each stays short."""

_MAY_MOVE = """
SELECT c.relname, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
                  AND (c.relname = 'inbox' OR has_table_privilege(c.oid, 'DELETE'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :source AND c.relkind = 'r' AND c.relname = ANY(:tables)
"""

_COPY_INBOX = """
INSERT INTO inbox (consumer, event_id, received_at)
SELECT consumer, event_id, received_at FROM "{source}".inbox WHERE consumer = ANY(:consumers)
ON CONFLICT DO NOTHING
"""

_MOVE = """
WITH moved AS (
    DELETE FROM "{source}".{table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM "{source}".{table} LIMIT :chunk))
    RETURNING {columns}
), kept AS (
    INSERT INTO {table} ({columns}) SELECT {columns} FROM moved ORDER BY {key} ON CONFLICT {conflict}
)
SELECT count(*) FROM moved
"""

_ADD_COUNTS = """(model, version, minute) DO UPDATE SET
    answered = logged_count.answered + excluded.answered,
    dropped = logged_count.dropped + excluded.dropped,
    logged = logged_count.logged + excluded.logged
"""

_NEWER_TRUTH = """(model, prediction) DO UPDATE SET
    actual = CASE WHEN excluded.at > truth.at THEN excluded.actual ELSE truth.actual END,
    at = greatest(excluded.at, truth.at),
    corrections = truth.corrections + excluded.corrections + (excluded.actual <> truth.actual)::int
"""

_TABLES = {
    "logged_version": ("model, version, features, labels", "model, version", "DO NOTHING"),
    "logged": (
        "model, prediction, version, promotion_seq, at, features, answer, probabilities",
        "model, prediction",
        "DO NOTHING",
    ),
    "logged_count": ("model, version, minute, answered, dropped, logged", "model, version, minute", _ADD_COUNTS),
    "truth": ("model, prediction, actual, at, corrections", "model, prediction", _NEWER_TRUTH),
}
"""Of each table: its columns, its primary key, and what becomes of a row whose key is here already."""

CONSUMERS = [each.name for event in (PredictionLogged, FeedbackReceived) for each in topology.former_queues(event)]


class Takeover:
    """Moves rows from the schema ``source`` to the one of ``database``."""

    def __init__(self, database: Database, source: str = "prediction") -> None:
        self._database = database
        self._source = source

    async def copy_inbox(self) -> None:
        """Note which events the old release has handled, so that one delivered again is not counted twice."""
        if await self._may_move("inbox"):
            async with self._database.sessions() as session, session.begin():
                statement = text(_COPY_INBOX.format(source=self._source))
                await session.execute(statement, {"consumers": CONSUMERS})

    async def move_rows(self) -> None:
        """Move every row that is there; idempotent, and exact whenever it is interrupted."""
        for table in await self._may_move(*_TABLES):
            total = 0
            while moved := await self._move_chunk(table):
                total += moved
            if total:
                logger.info("moved %d rows of %s from schema %s", total, table, self._source)

    async def _move_chunk(self, table: str) -> int:
        columns, key, conflict = _TABLES[table]
        statement = _MOVE.format(source=self._source, table=table, columns=columns, key=key, conflict=conflict)
        async with self._database.sessions() as session, session.begin():
            return int(await session.scalar(text(statement), {"chunk": CHUNK}) or 0)

    async def _may_move(self, *tables: str) -> list[str]:
        """Return those of the tables that exist and may be moved; warn of those that may not."""
        async with self._database.sessions() as session:
            found = await session.execute(text(_MAY_MOVE), {"source": self._source, "tables": list(tables)})
            allowed: dict[str, bool] = dict(found.all())
        if refused := sorted(name for name, may in allowed.items() if not may):
            logger.warning(
                "no right to move rows of %s out of schema %s; `python -m interlock_runtime.roles` grants it",
                ", ".join(refused),
                self._source,
            )
        return [name for name in tables if allowed.get(name)]
