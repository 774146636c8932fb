"""Retention: expired rows are deleted in chunks, each a short transaction's worth.

Replicas may do it at the same time: rows that another has locked are skipped (``SKIP LOCKED``).
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_messaging.tables import Base


def lock_chunk(table: type[Base], *expired: ColumnElement[bool], limit: int) -> Select[Any]:
    """Return the query that locks up to ``limit`` rows that are ``expired``, and gives their primary keys."""
    keys = select(*table.__mapper__.primary_key).where(*expired)
    return keys.limit(limit).with_for_update(skip_locked=True)


async def delete_chunk(session: AsyncSession, table: type[Base], *expired: ColumnElement[bool], limit: int) -> int:
    """Delete up to ``limit`` rows that are ``expired``; return how many: as many as ``limit`` means maybe more."""
    # A CTE is evaluated once; a subquery of WHERE could be more than once, and then deletes more than the limit.
    chunk = lock_chunk(table, *expired, limit=limit).cte("chunk")
    keys = (column == chunk.c[column.name] for column in table.__mapper__.primary_key)
    deleted = await session.execute(delete(table).where(*keys))
    return int(deleted.rowcount)  # type: ignore[attr-defined]
