"""MLflow's model registry API, as far as it reads: our models and versions under its names."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from interlock_contracts.mlflow import (
    SERVING_ALIASES,
    MlflowAlias,
    MlflowDownload,
    MlflowLatestVersions,
    MlflowModel,
    MlflowModelAnswer,
    MlflowModels,
    MlflowVersion,
    MlflowVersionAnswer,
    MlflowVersions,
)
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.limits import INT32_MAX
from interlock_runtime.mlflow_api import (
    Filter,
    MaxResults,
    OrderBy,
    PageToken,
    milliseconds,
    mlflow_router,
    page_of,
    tags_of,
)
from interlock_runtime.mlflow_filters import Searchable, milliseconds_in
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import parsed_query
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from sqlalchemy import Float, String, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import store
from interlock_registry.models import existing_version
from interlock_registry.routes import unknown_model
from interlock_registry.store import ModelRow, PipelineRow, VersionRow

STAGES = {"champion": "Production", "retired": "Archived"}
"""MLflow's stage of a version by ours; any other is None."""

_OTHER, _ALL = "None", ("None", "Staging", "Production", "Archived")

Name = Annotated[str, QueryParameter(max_length=200)]
Version = Annotated[int, QueryParameter(ge=1, le=INT32_MAX)]

_PROMPT = "mlflow.prompt.is_prompt"
"""A tag by which clients leave out prompts, of which there are none here, from every search."""

_FIRST, _LAST = (
    select(moment(VersionRow.registered_at)).where(VersionRow.model == PipelineRow.name).scalar_subquery()
    for moment in (func.min, func.max)
)
_CREATED = func.least(PipelineRow.applied_at, _FIRST)
_UPDATED = func.greatest(PipelineRow.applied_at, _LAST)

MODELS = Searchable(
    texts={"name": PipelineRow.name},
    numbers={"creation_timestamp": milliseconds_in(_CREATED), "last_updated_timestamp": milliseconds_in(_UPDATED)},
    groups={"tags": lambda name: literal("false") if name == _PROMPT else ModelRow.tags[name].as_string()},
    order=[PipelineRow.name.asc()],
)
_STAGE = case(STAGES, value=VersionRow.stage, else_=_OTHER)
_SYSTEM_TAGS = {"interlock.stage": VersionRow.stage, "interlock.pipeline_digest": VersionRow.pipeline_digest}
_SEARCHED_TAGS: Mapping[str, Any] = {_PROMPT: literal("false"), **_SYSTEM_TAGS}
VERSIONS = Searchable(
    texts={"name": VersionRow.model, "run_id": cast(VersionRow.run_id, String), "current_stage": _STAGE},
    numbers={
        "version_number": cast(VersionRow.version, Float),
        "creation_timestamp": milliseconds_in(VersionRow.registered_at),
        "last_updated_timestamp": milliseconds_in(VersionRow.registered_at),
    },
    groups={
        "metrics": lambda name: VersionRow.metrics[name].as_float(),
        "tags": lambda name: _SEARCHED_TAGS.get(name, VersionRow.tags[name].as_string()),
    },
    order=[VersionRow.registered_at.desc(), VersionRow.model.asc(), VersionRow.version.desc()],
)


@get("/registered-models/get", opt={SCOPE: "read"}, operation_id="mlflow_get_registered_model")
async def get_registered_model(name: Name, database: NamedDependency[Database]) -> MlflowModelAnswer:
    """Return one registered model; 404 for one that is unknown."""
    async with database.sessions() as session:
        found = (await session.execute(_models().where(PipelineRow.name == name))).one_or_none()
        if found is None:
            raise await unknown_model(session, name)
        return MlflowModelAnswer(registered_model=(await _model_views(session, [found]))[0])


@get("/registered-models/search", opt={SCOPE: "read"}, operation_id="mlflow_search_registered_models")
async def search_registered_models(
    database: NamedDependency[Database],
    *,
    wanted: Filter = None,
    order_by: OrderBy = None,
    max_results: MaxResults = None,
    page_token: PageToken = None,
) -> MlflowModels:
    """Return registered models by name and tags, those that are not archived."""
    page = page_of(page_token, max_results)
    query = _models().where(ModelRow.archived_at.is_(None), *parsed_query("filter", wanted, MODELS.conditions))
    query = query.order_by(*parsed_query("order_by", order_by or [], MODELS.ordering))
    async with database.sessions() as session:
        found = (await session.execute(page.of(query))).all()
        shown, token = page.cut(found)
        return MlflowModels(registered_models=await _model_views(session, shown), next_page_token=token)


@get("/registered-models/get-latest-versions", opt={SCOPE: "read"}, operation_id="mlflow_get_latest_versions")
async def get_latest_versions(
    name: Name, database: NamedDependency[Database], stages: Annotated[list[str] | None, QueryParameter()] = None
) -> MlflowVersions:
    """Return the newest version of each stage, or of those that are named."""
    return await _latest(database, name, stages or [])


@post(
    "/registered-models/get-latest-versions",
    status_code=200,
    opt={SCOPE: "read"},
    operation_id="mlflow_find_latest_versions",
)
async def find_latest_versions(
    data: JSONBody[MlflowLatestVersions], database: NamedDependency[Database]
) -> MlflowVersions:
    """Return the newest version of each stage, or of those that are named."""
    return await _latest(database, data.name, data.stages)


@get("/registered-models/alias", opt={SCOPE: "read"}, operation_id="mlflow_get_version_by_alias")
async def get_version_by_alias(name: Name, alias: Name, database: NamedDependency[Database]) -> MlflowVersionAnswer:
    """Return the version that serves, which ``champion`` and ``production`` are; 404 where none does."""
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        if alias not in SERVING_ALIASES:
            detail = f"model {name!r} has no alias {alias!r}; there are {' and '.join(SERVING_ALIASES)}, of what serves"
            raise problem(404, "Unknown alias", detail)
        champion = (await _champions(session, [name])).get(name)
        if champion is None:
            raise problem(404, "Nothing is promoted", f"no version of {name!r} serves, so {alias!r} is none")
        row = await existing_version(session, name, champion)
    return MlflowVersionAnswer(model_version=version_view(row, {name: champion}))


@get("/model-versions/get", opt={SCOPE: "read"}, operation_id="mlflow_get_model_version")
async def get_model_version(name: Name, version: Version, database: NamedDependency[Database]) -> MlflowVersionAnswer:
    """Return one version; 404 for one that is unknown, 410 for one that was deleted."""
    async with database.sessions() as session:
        row = await existing_version(session, name, version)
        return MlflowVersionAnswer(model_version=version_view(row, await _champions(session, [name])))


@get("/model-versions/search", opt={SCOPE: "read"}, operation_id="mlflow_search_model_versions")
async def search_model_versions(
    database: NamedDependency[Database],
    *,
    wanted: Filter = None,
    order_by: OrderBy = None,
    max_results: MaxResults = None,
    page_token: PageToken = None,
) -> MlflowVersions:
    """Return versions by model, run, number, stage, tags and the gate's metrics, the newest first."""
    page = page_of(page_token, max_results)
    query = select(VersionRow).where(
        VersionRow.deleted_at.is_(None), *parsed_query("filter", wanted, VERSIONS.conditions)
    )
    query = query.order_by(*parsed_query("order_by", order_by or [], VERSIONS.ordering))
    async with database.sessions() as session:
        found = (await session.scalars(page.of(query))).all()
        shown, token = page.cut(found)
        champions = await _champions(session, [row.model for row in shown])
    return MlflowVersions(model_versions=[version_view(row, champions) for row in shown], next_page_token=token)


@get("/model-versions/get-download-uri", opt={SCOPE: "read"}, operation_id="mlflow_get_download_uri")
async def get_download_uri(name: Name, version: Version, database: NamedDependency[Database]) -> MlflowDownload:
    """Return where a version's export is, below the gateway's address."""
    async with database.sessions() as session:
        row = await existing_version(session, name, version)
    return MlflowDownload(artifact_uri=f"{_source(row)}/export")


def _models() -> Any:
    """Return the query for models: name, row where there is one, and when it was made and changed."""
    query = select(PipelineRow.name, ModelRow, _CREATED, _UPDATED)
    return query.outerjoin(ModelRow, ModelRow.name == PipelineRow.name).where(ModelRow.deleted_at.is_(None))


async def _champions(session: AsyncSession, models: Sequence[str]) -> dict[str, int]:
    """Return which version of each of these models serves, if any."""
    query = select(ModelRow.name, ModelRow.champion).where(
        ModelRow.name.in_(set(models)), ModelRow.champion.is_not(None), ModelRow.archived_at.is_(None)
    )
    return {name: version for name, version in await session.execute(query) if version is not None}


async def _newest(session: AsyncSession, models: Sequence[str]) -> Sequence[VersionRow]:
    """Return the newest version of each of MLflow's stages, of each of these models."""
    query = select(VersionRow).where(VersionRow.model.in_(models), VersionRow.deleted_at.is_(None))
    query = query.ext(distinct_on(VersionRow.model, _STAGE))
    return (await session.scalars(query.order_by(VersionRow.model, _STAGE, VersionRow.version.desc()))).all()


async def _latest(database: Database, name: str, stages: Sequence[str]) -> MlflowVersions:
    known = {each.lower(): each for each in _ALL}
    if unknown := [each for each in stages if each.lower() not in known]:
        raise problem(400, "Unknown stage", f"stages: {unknown[0][:60]!r} is none of {', '.join(_ALL)}")
    wanted = {known[each.lower()] for each in stages} or set(_ALL)
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        champions = await _champions(session, [name])
        views = [version_view(row, champions) for row in await _newest(session, [name])]
    return MlflowVersions(model_versions=[view for view in views if view.current_stage in wanted])


async def _model_views(session: AsyncSession, found: Sequence[Any]) -> list[MlflowModel]:
    names = [name for name, *_ in found]
    champions = await _champions(session, names)
    newest: dict[str, list[MlflowVersion]] = {name: [] for name in names}
    for row in await _newest(session, names):
        newest[row.model].append(version_view(row, champions))
    return [
        MlflowModel(
            name=name,
            creation_timestamp=milliseconds(created),
            last_updated_timestamp=milliseconds(updated),
            description=(row.description if row else None) or "",
            latest_versions=newest[name],
            tags=tags_of({"interlock.owner": row.owner, "interlock.archived_at": row.archived_at}, row.tags)
            if row
            else [],
            aliases=[MlflowAlias(alias=alias, version=str(champions[name])) for alias in SERVING_ALIASES]
            if name in champions
            else [],
        )
        for name, row, created, updated in found
    ]


def version_view(row: VersionRow, champions: Mapping[str, int]) -> MlflowVersion:
    """Return a version as MLflow has it; ``champions`` says which version of its model serves."""
    return MlflowVersion(
        name=row.model,
        version=str(row.version),
        creation_timestamp=milliseconds(row.registered_at),
        last_updated_timestamp=milliseconds(row.registered_at),
        current_stage=STAGES.get(row.stage, _OTHER),
        description=row.description or "",
        source=_source(row),
        run_id=str(row.run_id),
        status_message="; ".join(row.reasons),
        tags=tags_of(row.tags, {name: getattr(row, column.key) for name, column in _SYSTEM_TAGS.items()}),
        aliases=list(SERVING_ALIASES) if champions.get(row.model) == row.version else [],
    )


def _source(row: VersionRow) -> str:
    return f"interlock:/models/{row.model}/versions/{row.version}"


ROUTES = [
    mlflow_router(
        [
            get_registered_model,
            search_registered_models,
            get_latest_versions,
            find_latest_versions,
            get_version_by_alias,
            get_model_version,
            search_model_versions,
            get_download_uri,
        ],
        is_dependency_unavailable,
    )
]
