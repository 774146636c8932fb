"""Wake-ups: what a transaction leaves to do is done right after its commit; polling only finds what others left."""

import asyncio
from collections import defaultdict

from sqlalchemy.ext.asyncio import AsyncSession

from interlock_messaging.tables import Base

_TABLES = "interlock.wakeups"
"""Key of ``session.info``: the tables to which the session's transaction adds work."""


def wake_after_commit(session: AsyncSession, table: type[Base]) -> None:
    """Wake this process's workers of ``table`` once the session's transaction is committed."""
    session.info.setdefault(_TABLES, set()).add(table)


class Wakeups:
    """Events of one process, one for each table that holds work for a loop of it: the relay, or a work queue's."""

    def __init__(self) -> None:
        self._events: defaultdict[type[Base], asyncio.Event] = defaultdict(asyncio.Event)

    def of(self, table: type[Base]) -> asyncio.Event:
        """Return the event of ``table``; clear it before each look into the table, and none is missed."""
        return self._events[table]

    def committed(self, session: AsyncSession) -> None:
        """Set the events of the tables that the committed transaction has added work to."""
        for table in session.info.pop(_TABLES, ()):
            self._events[table].set()
