"""Work queue: rows of a table that wait for a worker; claimed by row lock, retried with backoff, given up in the end.

The claim is the row's lock, held by a transaction that lasts as long as the work: no two workers have the same row,
none waits for another, and a worker that dies loses its lock with its connection, so that the next one takes the
row at once. A lease is for work that must not keep a transaction open; it begins with :func:`claim` as well.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnExpressionArgument, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_messaging.bus import Bus
from interlock_messaging.transient import is_dependency_unavailable

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
BACKOFF = timedelta(seconds=5)
"""Delay before the second attempt, twice that before the third."""


class Due:
    """Column of a row that may be claimed from a moment on."""

    not_before: Mapped[datetime] = mapped_column(server_default=func.now())


class WorkItem(Due):
    """Columns of an item of work; ``failures`` counts its failed attempts."""

    failures: Mapped[int] = mapped_column(server_default=text("0"))


DueT = TypeVar("DueT", bound=Due)
ItemT = TypeVar("ItemT", bound=WorkItem)


async def claim(
    session: AsyncSession, table: type[DueT], *waiting: ColumnExpressionArgument[bool], limit: int = 1
) -> Sequence[DueT]:
    """Claim, until the transaction ends, the rows that are ``waiting`` and due longest; others' claims are skipped."""
    query = select(table).where(*waiting, table.not_before <= func.now()).order_by(table.not_before).limit(limit)
    return (await session.scalars(query.with_for_update(skip_locked=True))).all()


async def process_due(
    bus: Bus,
    table: type[ItemT],
    *waiting: ColumnExpressionArgument[bool],
    work: Callable[[AsyncSession, ItemT], Awaitable[None]],
    give_up: Callable[[AsyncSession, ItemT, Exception], Awaitable[None]],
) -> None:
    """Claim the rows that are ``waiting`` and due, one after the other, and do the ``work`` in the claim's transaction.

    A failed attempt is rolled back, counted, and repeated after a backoff; after the last one, ``give_up`` has to take
    the row out of the queue. An unavailable dependency would fail every row: it is raised, and counts for none.
    """
    while True:
        key = None
        try:
            async with bus.transaction() as session:
                for row in await claim(session, table, *waiting):
                    key = inspect(row).identity
                    await work(session, row)
        except Exception as error:  # the next row must not wait for this one
            if key is None or is_dependency_unavailable(error):
                raise
            async with bus.transaction() as session:
                row = await session.get_one(table, key, with_for_update=True)
                if _count_failure(row, error) >= MAX_ATTEMPTS:
                    await give_up(session, row, error)
        if key is None:
            return


def _count_failure(item: WorkItem, error: Exception) -> int:
    item.failures += 1
    logger.error("%s %s, attempt %d: %r", type(item).__name__, inspect(item).identity, item.failures, error)
    item.not_before = datetime.now(UTC) + item.failures * BACKOFF
    return item.failures
