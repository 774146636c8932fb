"""Descriptions of models and versions: text, owner, tags, archived; changed by merge patches (RFC 7396)."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from interlock_contracts.descriptions import ModelPatch, VersionPatch
from interlock_contracts.http import ModelView, VersionView
from interlock_contracts.models import ModelArchived
from interlock_contracts.tags import MAX_TAGS
from interlock_messaging import Bus, enqueue
from interlock_runtime.access import Caller
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from litestar import Request, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import audit, store
from interlock_registry.handlers import SERVICE
from interlock_registry.models import existing_version, model_view, version_view
from interlock_registry.routes import unknown_model
from interlock_registry.store import ModelRow, VersionRow


@patch("/models/{name:str}", opt={SCOPE: "promote"})
async def describe_model(
    name: FromPath[str], request: Request[Any, Any, Any], bus: NamedDependency[Bus], data: JSONBody[ModelPatch]
) -> ModelView:
    """Change a model's description, owner or tags, or archive it: what is left out stays, null removes."""
    async with bus.transaction() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        row = await store.lock_model(session, name)
        _change(session, row, data, by=request.user, action="model.described", subject=f"model/{name}")
        if data.archived is not None and data.archived != (row.archived_at is not None):
            await _archive(session, row, archived=data.archived, by=request.user)
        serving = await store.serving(session, name)
    return model_view(name, row, serving[0] if serving else None)


@patch("/models/{name:str}/versions/{number:int}", opt={SCOPE: "promote"})
async def describe_version(
    name: FromPath[str],
    number: FromPath[int],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    data: JSONBody[VersionPatch],
) -> VersionView:
    """Change a version's description or tags: what is left out stays, null removes."""
    async with bus.transaction() as session:
        row = await existing_version(session, name, number, lock=True)
        _change(session, row, data, by=request.user, action="version.described", subject=f"model/{name}/{number}")
        return version_view(row, await store.champions(session, name))


async def _archive(session: AsyncSession, row: ModelRow, *, archived: bool, by: Caller) -> None:
    """Archive a model or bring it back, and enqueue ``model.archived``.

    What it has served stays known, so nothing is promoted anew.
    """
    row.archived_at = datetime.now(UTC) if archived else None
    row.archive_seq += 1
    event = ModelArchived(model=row.name, archived=archived, seq=row.archive_seq, by=by.name)
    await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
    audit.record(session, by.name, "model.archived" if archived else "model.restored", f"model/{row.name}")


def _change(
    session: AsyncSession,
    row: ModelRow | VersionRow,
    wanted: ModelPatch | VersionPatch,
    *,
    by: Caller,
    action: str,
    subject: str,
) -> None:
    """Apply a patch, and note what it has changed; a patch that changes nothing is none."""
    given = wanted.model_dump(exclude_unset=True, exclude={"archived"})
    wanted_tags = given.pop("tags", {})
    if wanted_tags is None:  # all of them are removed
        wanted_tags = dict.fromkeys(row.tags)
    texts = {name: value or None for name, value in given.items() if (value or None) != getattr(row, name)}
    tags = {name: value for name, value in wanted_tags.items() if value != row.tags.get(name)}
    if not texts and not tags:
        return
    kept = {name: value for name, value in {**row.tags, **tags}.items() if value is not None}
    if len(kept) > MAX_TAGS:
        detail = f"tags: these would be {len(kept)}, and {MAX_TAGS} are the most; remove some by null"
        raise problem(422, "Too many tags", detail)
    for name, value in texts.items():
        setattr(row, name, value)
    row.tags = kept
    # The log leaves out what has no value, and what was removed is to be in it.
    told: dict[str, Any] = {name: value or "" for name, value in texts.items()}
    audit.record(session, by.name, action, subject, **told, tags=tags or None)


ROUTES = [describe_model, describe_version]
