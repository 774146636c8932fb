"""Garbage collection: deletes the objects of deleted files from the store, as far as no other file has them.

Objects are named by content, so files share them: the same file under two pipelines, and parts or profiles that are
equal. Two things keep an object for a file that is about to refer to it. A check holds
:func:`~interlock_ingest.store.lock_references` from before it stores the parts until they are in its row. And an upload
stores the file before its row is there, where storing what is there makes it young again: what was stored within the
time of grace is left for the next look.
"""

import asyncio
import logging
from datetime import timedelta

from interlock_artifacts import ArtifactStore, delete_unless_young
from interlock_messaging import Bus
from interlock_messaging.crash_points import crash_point
from sqlalchemy import func, select

from interlock_ingest import store, tombstones
from interlock_ingest.tombstones import GarbageCandidateRow

logger = logging.getLogger(__name__)

CHUNK = 100
"""Objects that are looked at in one transaction: whoever stores parts of a file waits for its end."""


class Collector:
    """Deletes what is due; idempotent, so that any replica may run it at any time, also after another crashed.

    The files of a pipeline that was deleted with its model are deleted here, too: there may be many, and one that was
    checked or on its way at that moment is found by a later look.

    ``grace`` is for whoever still reads a file that was just deleted: a whole-file prediction, or the gate.
    """

    def __init__(self, bus: Bus, artifacts: ArtifactStore, *, grace: timedelta) -> None:
        self.grace = grace
        self.woken = asyncio.Event()
        self._bus = bus
        self._artifacts = artifacts

    async def run_once(self) -> None:
        """Delete every candidate that is old enough; one that is referenced again is dropped from the table."""
        while await self._delete_files():
            pass
        last = ""
        while (found := await self._collect(after=last)) is not None:
            last = found

    async def _delete_files(self) -> int:
        """Make tombstones of the next files of deleted pipelines; return how many there were."""
        async with self._bus.transaction() as session:
            left = await tombstones.left_of_deleted(session, limit=CHUNK)
            for row, by in left:
                await tombstones.delete(session, row, by=by)
                crash_point("ingest.collect.files")
            return len(left)

    async def _collect(self, *, after: str) -> str | None:
        """Collect the next objects by key; return the last key, None where there are no more, or others go first."""
        async with self._bus.transaction() as session:
            if not await store.lock_references_alone(session):
                return None
            due = GarbageCandidateRow.since <= func.now() - self.grace, GarbageCandidateRow.key > after
            query = select(GarbageCandidateRow).where(*due).order_by(GarbageCandidateRow.key).limit(CHUNK)
            rows = (await session.scalars(query.with_for_update())).all()
            for row in rows:
                if await tombstones.is_referenced(session, row.sha256) or await asyncio.to_thread(
                    self._delete, row.key
                ):
                    await session.delete(row)
            return rows[-1].key if rows else None

    def _delete(self, key: str) -> bool:
        """Delete an object unless it was stored within the time of grace; return whether it is gone."""
        if not delete_unless_young(self._artifacts, key, self.grace):
            logger.info("%s was stored just now, and waits", key)
            return False
        crash_point("ingest.collect.deleted")
        logger.info("%s is deleted", key)
        return True
