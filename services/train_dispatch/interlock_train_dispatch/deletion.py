"""Deletes what is kept of deleted models: logs, uploads and inputs of their runs, the runs' texts, specs and files.

The row of a run stays as a tombstone, with its state and times: others name it by its id, and it counts as before.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus
from interlock_messaging.retention import delete_chunk
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from interlock_train_dispatch.logs import lock_references
from interlock_train_dispatch.store import ArchiveRow, DatasetRow, DeletedRow, LogRow, RunRow, SpecRow

logger = logging.getLogger(__name__)

DELETE_SECONDS = 5.0
"""Interval at which something of deleted models is looked for."""

CHUNK = 50
"""Runs, or rows, that are deleted in one transaction: whoever keeps a log waits for its end."""


class Deletion:
    """Deletes what is due; idempotent, so that any replica may run it at any time, also after another crashed.

    What comes late (a spec or a file that was on its way) is found by a later look.
    """

    def __init__(self, bus: Bus, artifacts: ArtifactStore) -> None:
        self._bus = bus
        self._artifacts = artifacts

    async def run_once(self) -> None:
        """Delete all that is left of deleted models, but for runs whose job or log is still waited for."""
        while await self._delete_runs():
            pass
        while await self._delete_rows():
            pass

    async def _delete_runs(self) -> int:
        """Make tombstones of the next runs; return how many there were."""
        async with self._bus.transaction() as session:
            if not await session.scalar(select(exists().where(*_due()))):
                return 0
            await lock_references(session, alone=True)
            query = select(RunRow).where(*_due()).order_by(RunRow.created_at).limit(CHUNK)
            runs = (await session.scalars(query.with_for_update())).all()
            ids = [run.run_id for run in runs]
            logs = (await session.scalars(select(LogRow).where(LogRow.run_id.in_(ids)))).all()
            unwanted = [log.ref for log in logs if log.ref and not await _is_shared(session, log, ids)]
            unwanted += [run.job for run in runs if run.job]
            unwanted += [run.imported for run in runs if run.imported and not await _is_imported(session, run, ids)]
            await asyncio.to_thread(self._delete, [ArtifactRef.model_validate(each) for each in unwanted])
            for log in logs:
                await session.delete(log)
            for run in runs:
                _make_tombstone(run)
        logger.info("%d runs of deleted models are deleted", len(runs))
        return len(runs)

    def _delete(self, refs: Sequence[ArtifactRef]) -> None:
        for ref in refs:
            self._artifacts.delete(ref.key)

    async def _delete_rows(self) -> int:
        """Delete the next specs and files; return how many there were."""
        async with self._bus.transaction() as session:
            gone = 0
            for table in (SpecRow, DatasetRow, DeletedRow):
                gone += await delete_chunk(session, table, _of_deleted_model(table.pipeline), limit=CHUNK)
            return gone


def _of_deleted_model(name: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return exists().where(ArchiveRow.model == name, ArchiveRow.deleted_by.is_not(None))


def _due() -> tuple[ColumnElement[bool], ...]:
    """Return what holds of a run that may go: nobody stops its job any more, or waits for what that has printed."""
    waits = exists().where(LogRow.run_id == RunRow.run_id, LogRow.ref.is_(None), ~LogRow.lost)
    over = RunRow.ended_at.is_not(None), ~RunRow.submitted | RunRow.trained_at.is_not(None)
    return _of_deleted_model(RunRow.model), RunRow.deleted_at.is_(None), *over, ~waits


async def _is_shared(session: AsyncSession, log: LogRow, going: Sequence[object]) -> bool:
    """Return whether a run that stays has printed the same."""
    assert log.ref is not None, "it is kept"
    same = LogRow.ref["sha256"].astext == log.ref["sha256"], LogRow.run_id.not_in(going)
    return bool(await session.scalar(select(exists().where(*same))))


async def _is_imported(session: AsyncSession, run: RunRow, going: Sequence[object]) -> bool:
    """Return whether a run that stays imports the same."""
    assert run.imported is not None, "it imports"
    same = RunRow.imported["sha256"].astext == run.imported["sha256"], RunRow.run_id.not_in(going)
    return bool(await session.scalar(select(exists().where(*same))))


def _make_tombstone(run: RunRow) -> None:
    """Forget what the run read, what it was asked for and by whom, and what became of it in words."""
    run.deleted_at = datetime.now(UTC)
    run.datasets, run.tags = [], {}
    run.evaluation = run.job = run.imported = run.progress = run.metrics = None
    run.dataset = run.commit = run.requested_by = run.request_reason = run.reason = None
