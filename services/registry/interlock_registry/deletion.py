"""Deleting a version that does not serve, or a model with all its versions.

Their rows stay as tombstones, their objects go after a time of grace.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from interlock_contracts.deletion import DeletedModelView, DeletedVersionView, ModelDeletion
from interlock_contracts.models import DeletedVersion, ModelDeleted, ModelVersionDeleted
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_runtime.access import Caller
from interlock_runtime.clients import TrainDispatchClient
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from litestar import Request, delete
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import audit, ledger, store
from interlock_registry.collector import Collector
from interlock_registry.domain import obstacle_to_deletion
from interlock_registry.handlers import SERVICE
from interlock_registry.models import unknown_version
from interlock_registry.routes import unknown_model
from interlock_registry.store import ModelRow, VersionRow


@delete("/models/{name:str}/versions/{number:int}", status_code=200, opt={SCOPE: "admin"})
async def delete_version(
    name: FromPath[str],
    number: FromPath[int],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    collector: NamedDependency[Collector],
) -> DeletedVersionView:
    """Delete a version that does not serve, for good; one that is deleted already stays so."""
    caller: Caller = request.user
    async with bus.transaction() as session:
        # The model's lock first, as whoever promotes takes it: nobody rolls back to the version meanwhile.
        if await session.get(store.ModelRow, name, with_for_update=True) is None:
            raise await unknown_version(session, name, number)
        row = await session.get(VersionRow, (name, number))
        if row is None:
            raise await unknown_version(session, name, number)
        if row.deleted_at is None:
            champions = await store.champions(session, name)
            serves_in = [stage for stage, version in champions.items() if version == number]
            if (obstacle := obstacle_to_deletion(row.stage, serves_in)) is not None:
                raise problem(409, "Cannot be deleted", f"version {number} of {name!r} {obstacle}")
            await delete_row(session, row, by=caller.name)
            crash_point("registry.delete.before_commit")
        view = _view(row, collector.grace)
    collector.woken.set()
    return view


async def delete_row(session: AsyncSession, row: VersionRow, *, by: str) -> None:
    """Make a version a tombstone, and enqueue ``model.version_deleted``; its model must be locked."""
    _make_tombstone(row, by, datetime.now(UTC))
    artifact = ArtifactRef.model_validate(row.artifact)
    event = ModelVersionDeleted(model=row.model, version=row.version, artifact=artifact, by=by)
    await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
    audit.record(session, by, "version.deleted", f"model/{row.model}/{row.version}", run=str(row.run_id))


@delete("/models/{name:str}", status_code=200, opt={SCOPE: "admin"})
async def delete_model(
    name: FromPath[str],
    *,
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    collector: NamedDependency[Collector],
    dispatcher: NamedDependency[TrainDispatchClient | None],
    data: JSONBody[ModelDeletion],
) -> DeletedModelView:
    """Delete an archived model for good, with all that hangs on it; one that is deleted already stays so.

    The body repeats its name. 409 where it is not archived, or a run of it is queued or running. Its versions, files,
    predictions, ground truth and schedules go, and its name is not given again. The audit log keeps who, when and why.
    """
    caller: Caller = request.user
    if data.name != name:
        detail = f"name: {data.name!r} is not the model's name; repeat {name!r}, as this cannot be taken back"
        raise problem(422, "The name is not repeated", detail)
    async with bus.transaction() as session:
        # The pipeline's lock, as whoever applies a spec takes it; the model's, as whoever registers or promotes does.
        pipeline = await store.lock_pipeline(session, name)
        if pipeline is None:
            raise await unknown_model(session, name)
        model = await store.lock_model(session, name)
        if model.deleted_at is None:
            await _require_deletable(model, dispatcher)
            await _delete(session, model, by=caller.name, reason=data.reason)
            crash_point("registry.delete_model.before_commit")
        view = _model_view(model, collector.grace)
    collector.woken.set()
    return view


async def _require_deletable(model: ModelRow, dispatcher: TrainDispatchClient | None) -> None:
    """Raise a 409 that says what to do first, unless the model is archived and nothing of it trains."""
    if model.archived_at is None:
        detail = f'model {model.name!r} is not archived; archive it first (PATCH with {{"archived": true}})'
        raise problem(409, "Cannot be deleted", detail)
    if dispatcher is not None and (runs := await dispatcher.unfinished_runs(model.name)):
        detail = f"run {runs[0].run_id} of {model.name!r} is {runs[0].state}; cancel it, or delete once it has ended"
        raise problem(409, "Cannot be deleted", detail)


async def _delete(session: AsyncSession, model: ModelRow, *, by: str, reason: str | None) -> None:
    """Make tombstones of a model and of its versions, and enqueue their events."""
    now = datetime.now(UTC)
    model.deleted_at, model.deleted_by, model.deletion_reason = now, by, reason
    model.description, model.owner, model.tags = None, None, {}
    model.archive_seq += 1
    await session.flush()  # the database lets what serves go with its model alone
    await ledger.forget(session, model.name)
    left = VersionRow.model == model.name, VersionRow.deleted_at.is_(None)
    rows = (await session.scalars(select(VersionRow).where(*left).order_by(VersionRow.version))).all()
    for row in rows:
        _make_tombstone(row, by, now)
    versions = [DeletedVersion(version=row.version, artifact=ArtifactRef.model_validate(row.artifact)) for row in rows]
    event = ModelDeleted(model=model.name, versions=versions, seq=model.archive_seq, by=by, reason=reason)
    await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
    audit.record(session, by, "model.deleted", f"model/{model.name}", versions=len(rows), reason=reason)


def _make_tombstone(row: VersionRow, by: str, at: datetime) -> None:
    """Make a row a tombstone: description, tags and the gate's reasons are cleared."""
    row.deleted_at, row.deleted_by = at, by
    row.description, row.tags, row.reasons = None, {}, []


def _model_view(row: ModelRow, grace: timedelta) -> DeletedModelView:
    assert row.deleted_at is not None, "it was deleted just now, or before"
    return DeletedModelView(
        model=row.name,
        versions=row.versions,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by or "",
        reason=row.deletion_reason,
        objects_gone_after=row.deleted_at + grace,
    )


def _view(row: VersionRow, grace: timedelta) -> DeletedVersionView:
    assert row.deleted_at is not None, "it was deleted just now, or before"
    return DeletedVersionView(
        model=row.model,
        version=row.version,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by or "",
        objects_gone_after=row.deleted_at + grace,
    )


ROUTES = [delete_version, delete_model]
