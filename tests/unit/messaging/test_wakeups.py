"""Workers are woken after the commit that adds work, and only then."""

from interlock_messaging.tables import InboxRow, OutboxRow
from interlock_messaging.wakeups import Wakeups, wake_after_commit
from sqlalchemy.ext.asyncio import AsyncSession


async def test_only_the_workers_of_the_tables_with_new_work_are_woken() -> None:
    """A commit that adds nothing wakes no worker: the loops themselves commit at each poll."""
    wakeups, session = Wakeups(), AsyncSession()
    wake_after_commit(session, OutboxRow)
    assert not wakeups.of(OutboxRow).is_set(), "nothing is committed yet"

    wakeups.committed(session)

    assert wakeups.of(OutboxRow).is_set()
    assert not wakeups.of(InboxRow).is_set()


async def test_the_next_transaction_of_a_session_wakes_no_worker_for_the_one_before() -> None:
    """A session may be used again."""
    wakeups, session = Wakeups(), AsyncSession()
    wake_after_commit(session, OutboxRow)
    wakeups.committed(session)
    wakeups.of(OutboxRow).clear()

    wakeups.committed(session)

    assert not wakeups.of(OutboxRow).is_set()
