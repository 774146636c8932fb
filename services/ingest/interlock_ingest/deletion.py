"""Deleting a file: its row stays as a tombstone, its objects go after a time of grace."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from interlock_contracts.datasets import DatasetDeleted
from interlock_contracts.deletion import DeletedDatasetView
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_runtime.access import Caller
from interlock_runtime.clients import TrainDispatchClient
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from litestar import Request, delete
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_ingest import store, tombstones
from interlock_ingest.collector import Collector
from interlock_ingest.store import SERVICE, DatasetRow


@delete("/datasets/{name:str}/{digest:str}", status_code=200, opt={SCOPE: "admin"})
async def delete_dataset(
    name: FromPath[str],
    digest: FromPath[str],
    *,
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    collector: NamedDependency[Collector],
    dispatcher: NamedDependency[TrainDispatchClient | None],
) -> DeletedDatasetView:
    """Delete a file for good, under every spec it was checked by; one that is deleted already stays so.

    409 while it is checked, or a run uses it that is queued or running. No training uses it from then on, and one that
    has begun with it that very moment ends as failed. The same bytes may be uploaded again: they are a new file then.
    """
    caller: Caller = request.user
    async with bus.transaction() as session:
        # The lock of the pipeline's order first, as uploads take it: a file that comes now gets a number of its own.
        await store.lock_order(session, name)
        rows = await _of_file(session, name, digest)
        if not rows:
            raise problem(404, "Unknown dataset", f"pipeline {name!r} has no file with digest {digest}")
        if left := [row for row in rows if row.state != "deleted"]:
            if dispatcher is not None and (runs := await dispatcher.runs_with(name, digest)):
                detail = f"run {runs[0]} uses file {digest}; delete it once the run has ended, or cancel that first"
                raise problem(409, "Cannot be deleted", detail)
            await delete_file(session, left, by=caller.name)
            crash_point("ingest.delete.before_commit")
        view = _view(rows, collector.grace)
    collector.woken.set()
    return view


async def delete_file(session: AsyncSession, rows: Sequence[DatasetRow], *, by: str) -> None:
    """Make tombstones of the rows of one file, and enqueue `dataset.deleted`; the pipeline's order must be locked."""
    event = DatasetDeleted(pipeline=rows[0].pipeline, digest=rows[0].digest, batch=_number(rows), by=by)
    for row in rows:
        await tombstones.delete(session, row, by=by)
    await enqueue(session, event, source=SERVICE, cause=str(uuid4()))


async def _of_file(session: AsyncSession, name: str, digest: str) -> Sequence[DatasetRow]:
    """Return the rows of a file, locked.

    Raises:
        HTTPException: 409, it is being checked. Waiting for that would take as long as the check.
    """
    query = select(DatasetRow).where(DatasetRow.pipeline == name, DatasetRow.digest == digest)
    locked = (await session.scalars(query.with_for_update(skip_locked=True))).all()
    known = (await session.scalars(query)).all()
    if len(locked) < len(known) or any(row.state == "checking" for row in known):
        detail = f"file {digest} of pipeline {name!r} is being checked; delete it once it has its result"
        raise problem(409, "Cannot be deleted", detail)
    return locked


def _number(rows: Sequence[DatasetRow]) -> int | None:
    return max((row.number for row in rows if row.number is not None), default=None)


def _view(rows: Sequence[DatasetRow], grace: timedelta) -> DeletedDatasetView:
    row = max(rows, key=lambda row: row.received_at)
    assert row.deleted_at is not None, "it was deleted just now, or before"
    return DeletedDatasetView(
        pipeline=row.pipeline,
        digest=row.digest,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by or "",
        objects_gone_after=row.deleted_at + grace,
    )


ROUTES = [delete_dataset]
