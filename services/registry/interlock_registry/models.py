"""Routes of models and versions: lists and single views."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from interlock_artifacts import ArtifactStore
from interlock_contracts.filters import VERSION_STAGES, bounds, chosen, tag_filter
from interlock_contracts.http import ModelView, StageView, VersionView
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.stages import PRODUCTION
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.limits import INT32_MAX
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import TagFilter, parsed_query, require_zone
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import convergence, lists, stages, store
from interlock_registry.routes import Stage, serving_view, unknown_model
from interlock_registry.store import ModelRow, PromotionRow, VersionRow

_BOUNDS = "Bounds of metrics, for instance r2:0.8, separated by commas; a version without the metric is left out."


@get("/models", opt={SCOPE: "read"})
async def list_models(
    database: NamedDependency[Database],
    *,
    text: Annotated[str | None, QueryParameter(max_length=100, description="A part of the name, in any case.")] = None,
    serving: Annotated[bool | None, QueryParameter(description="Whether a version serves.")] = None,
    owner: Annotated[str | None, QueryParameter(max_length=200)] = None,
    tag: TagFilter = None,
    archived: Annotated[bool, QueryParameter(description="The archived models, in place of the others.")] = False,
    after: Annotated[
        str | None, QueryParameter(max_length=100, description="The name of the last of the page before.")
    ] = None,
    limit: Annotated[int | None, QueryParameter(ge=1, le=1000, description="All of them if left out.")] = None,
) -> list[ModelView]:
    """Return every applied pipeline as a model, with what serves and in how many workers, and its newest version."""
    wanted = lists.ModelFilter(
        text=text, serving=serving, owner=owner, tags=tag_filter(tag), archived=archived, after=after
    )
    async with database.sessions() as session:
        champions = {
            (row.model, row.stage): (row, version) for row, version in await store.serving(session, stage=None)
        }
        newest = await lists.newest_versions(session)
        rollouts = await convergence.counts(session)
        found = await lists.models(session, wanted, limit=limit)
        declared = await lists.stages(session)
    views = [model_view(name, row, champions.get((name, PRODUCTION))) for name, row in found]
    for view in views:
        view.newest = newest.get(view.name)
        view.rollout = rollouts.get((view.name, PRODUCTION)) if view.serving else None
        for stage in declared.get(view.name, [PRODUCTION]):
            promoted = champions.get((view.name, stage)) if view.archived_at is None else None
            here = serving_view(*promoted) if promoted else None
            rollout = rollouts.get((view.name, stage)) if here else None
            view.stages.append(StageView(stage=stage, serving=here, rollout=rollout))
    return views


def model_view(name: str, row: ModelRow | None, champion: tuple[PromotionRow, VersionRow] | None) -> ModelView:
    """Return an applied pipeline as a model; it has no row of its own before there is something to keep."""
    serving = serving_view(*champion) if champion and not (row and row.archived_at) else None
    if row is None:
        return ModelView(name=name, serving=serving, versions=0)
    return ModelView(
        name=name,
        description=row.description,
        owner=row.owner,
        tags=row.tags,
        archived_at=row.archived_at,
        serving=serving,
        versions=row.versions,
    )


@get("/models/{name:str}", opt={SCOPE: "read", SERVICES: ("gateway", "prediction")})
async def read_model(
    name: FromPath[str],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
    *,
    stage: Stage = PRODUCTION,
) -> ModelView:
    """Return one model: what serves in a stage, its signature, its stages, and how many versions there are.

    Of a stage that the pipeline has not nothing serves: ``stages`` are those that it has.
    """
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        row = await session.get(ModelRow, name)
        champions = {found.stage: (found, version) for found, version in await store.serving(session, name, stage=None)}
        known = await stages.declared(session, name)
    view = model_view(name, row, champions.get(stage))
    for each in known:
        promoted = champions.get(each) if view.archived_at is None else None
        view.stages.append(StageView(stage=each, serving=serving_view(*promoted) if promoted else None))
    if view.serving is not None:
        description = await asyncio.to_thread(artifacts.fetch, view.serving.ref.artifact)
        view.signature = json.loads(description).get("signature")
    return view


@get("/models/{name:str}/versions", opt={SCOPE: "read", SERVICES: ("ingest",)})
async def list_versions(
    name: FromPath[str],
    database: NamedDependency[Database],
    *,
    stage: Annotated[
        str | None, QueryParameter(max_length=200, description="One stage, or several separated by commas.")
    ] = None,
    since: Annotated[datetime | None, QueryParameter(description="Only those registered then or later.")] = None,
    at_least: Annotated[str | None, QueryParameter(name="min", description=_BOUNDS, max_length=400)] = None,
    at_most: Annotated[str | None, QueryParameter(name="max", description=_BOUNDS, max_length=400)] = None,
    tag: TagFilter = None,
    dataset: Annotated[str | None, QueryParameter(pattern="^[0-9a-f]{64}$", description="A file's digest.")] = None,
    before: Annotated[
        int | None,
        QueryParameter(ge=1, le=INT32_MAX, description="The last version of the page before."),
    ] = None,
    limit: Annotated[int | None, QueryParameter(ge=1, le=1000, description="All of them if left out.")] = None,
) -> list[VersionView]:
    """Return a model's versions, the newest first; with ``dataset`` those that were trained or judged on it."""
    require_zone(since=since)
    wanted = lists.VersionFilter(
        stages=parsed_query("stage", stage, lambda text: chosen(text, VERSION_STAGES)),
        since=since,
        at_least=parsed_query("min", at_least, bounds),
        at_most=parsed_query("max", at_most, bounds),
        tags=tag_filter(tag),
        dataset=dataset,
        before=before,
    )
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        champions = await store.champions(session, name)
        return [version_view(row, champions) for row in await lists.versions(session, name, wanted, limit=limit)]


@get("/models/{name:str}/versions/{number:int}", opt={SCOPE: "read"})
async def read_version(
    name: FromPath[str],
    number: FromPath[int],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
) -> VersionView:
    """Return one version with its gate report and its manifest."""
    async with database.sessions() as session:
        row = await existing_version(session, name, number)
        view = version_view(row, await store.champions(session, name))
    if row.report is not None:
        report = await asyncio.to_thread(artifacts.fetch, ArtifactRef.model_validate(row.report))
        view.report = json.loads(report)
    view.details = json.loads(await asyncio.to_thread(artifacts.fetch, view.manifest))
    return view


def version_view(row: VersionRow, champions: Mapping[str, int]) -> VersionView:
    """Return a version; ``champions`` are those of its model's stages."""
    return VersionView(
        model=row.model,
        version=row.version,
        stage=row.stage,
        run_id=row.run_id,
        pipeline_digest=row.pipeline_digest,
        artifact=ArtifactRef.model_validate(row.artifact),
        manifest=ArtifactRef.model_validate(row.manifest),
        datasets=[dataset["digest"] for dataset in row.datasets],
        evaluation=row.evaluation["digest"] if row.evaluation else None,
        registered_at=row.registered_at,
        against=row.against,
        metrics=row.metrics,
        champion_metrics=row.champion_metrics,
        reasons=row.reasons,
        serves_in=[stage for stage, number in champions.items() if number == row.version],
        bound_for=row.bound_for if row.stage in ("registered", "passed") else None,
        description=row.description,
        tags=row.tags,
    )


async def existing_version(session: AsyncSession, name: str, number: int, *, lock: bool = False) -> VersionRow:
    """Return a version's row, locked until the transaction ends where ``lock`` says so.

    Raises:
        HTTPException: 404, there is none; 410, it was deleted.
    """
    row = await session.get(VersionRow, (name, number), with_for_update=lock)
    if row is None:
        raise await unknown_version(session, name, number)
    if (deleted := store.deletion_of(row)) is not None:
        raise problem(410, "Deleted version", deleted)
    return row


async def unknown_version(session: AsyncSession, name: str, number: int) -> Exception:
    if not await store.pipelines(session, name):
        return await unknown_model(session, name)
    model = await session.get(ModelRow, name)
    newest = f"the newest is {model.versions}" if model and model.versions else "it has none yet"
    return problem(404, "Unknown version", f"model {name!r} has no version {number}; {newest}")


ROUTES = [list_models, read_model, list_versions, read_version]
