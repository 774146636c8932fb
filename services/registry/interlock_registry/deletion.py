"""Deleting a version that does not serve: its row stays as a tombstone, its objects go after a time of grace."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from interlock_contracts.http import DeletedVersionView
from interlock_contracts.models import ModelVersionDeleted
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_runtime.access import Caller
from interlock_runtime.http import SCOPE, problem
from litestar import Request, delete
from litestar.di import NamedDependency
from litestar.params import FromPath

from interlock_registry import audit, store
from interlock_registry.collector import Collector
from interlock_registry.domain import obstacle_to_deletion
from interlock_registry.handlers import SERVICE
from interlock_registry.models import unknown_version
from interlock_registry.store import VersionRow


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
            if (obstacle := obstacle_to_deletion(row.stage)) is not None:
                raise problem(409, "Cannot be deleted", f"version {number} of {name!r} {obstacle}")
            row.deleted_at, row.deleted_by = datetime.now(UTC), caller.name
            row.description, row.tags, row.reasons = None, {}, []
            event = ModelVersionDeleted(
                model=name, version=number, artifact=ArtifactRef.model_validate(row.artifact), by=caller.name
            )
            await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
            audit.record(session, caller.name, "version.deleted", f"model/{name}/{number}", run=str(row.run_id))
            crash_point("registry.delete.before_commit")
        view = _view(row, collector.grace)
    collector.woken.set()
    return view


def _view(row: VersionRow, grace: timedelta) -> DeletedVersionView:
    assert row.deleted_at is not None, "it was deleted just now, or before"
    return DeletedVersionView(
        model=row.model,
        version=row.version,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by or "",
        objects_gone_after=row.deleted_at + grace,
    )


ROUTES = [delete_version]
