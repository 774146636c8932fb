"""MLflow's tracking API, as far as it reads: pipelines as experiments, and our runs under its names."""

from typing import Annotated, Any

from interlock_contracts.mlflow import (
    MlflowExperiment,
    MlflowExperimentAnswer,
    MlflowExperiments,
    MlflowExperimentSearch,
    MlflowMetric,
    MlflowMetrics,
    MlflowRun,
    MlflowRunAnswer,
    MlflowRunData,
    MlflowRunInfo,
    MlflowRuns,
    MlflowRunSearch,
)
from interlock_contracts.names import no_pipeline
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
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
from interlock_runtime.short_ids import whole_id
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from sqlalchemy import String, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch.routes import arrived
from interlock_train_dispatch.store import ArchiveRow, RunRow, SpecRow

STATUS = {
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "succeeded": "FINISHED",
    "refused": "FINISHED",
    "failed": "FAILED",
    "timed_out": "FAILED",
    "cancelled": "KILLED",
    "coalesced": "KILLED",
}
"""MLflow's status of a run by our state."""

CANDIDATE = "candidate"
"""The parameter that names the winner; the others are its own."""

VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")

_SYSTEM_TAGS = {
    "mlflow.user": RunRow.requested_by,
    "mlflow.source.git.commit": RunRow.commit,
    "interlock.state": RunRow.state,
    "interlock.version": RunRow.version,
    "interlock.pipeline_digest": RunRow.pipeline_digest,
    "interlock.request_reason": RunRow.request_reason,
    "interlock.reason": RunRow.reason,
}
_STARTED = func.coalesce(RunRow.started_at, RunRow.created_at)
_ARCHIVED = func.coalesce(ArchiveRow.archived, False)

Identity = Annotated[str, QueryParameter(max_length=100)]


def _param(name: str) -> Any:
    # Not by a path: a name may have the signs in it that a path is written with.
    return (RunRow.progress if name == CANDIDATE else RunRow.progress["params"])[name].as_string()


def _tag(name: str) -> Any:
    return cast(_SYSTEM_TAGS[name], String) if name in _SYSTEM_TAGS else RunRow.tags[name].as_string()


RUNS = Searchable(
    texts={
        "run_id": cast(RunRow.run_id, String),
        "status": case(STATUS, value=RunRow.state),
        "user_id": RunRow.requested_by,
    },
    numbers={"start_time": milliseconds_in(_STARTED), "end_time": milliseconds_in(RunRow.ended_at)},
    groups={"metrics": lambda name: RunRow.metrics[name].as_float(), "params": _param, "tags": _tag},
    order=[_STARTED.desc(), RunRow.run_id.asc()],
)
EXPERIMENTS = Searchable(
    texts={"name": SpecRow.pipeline, "experiment_id": SpecRow.pipeline}, order=[SpecRow.pipeline.asc()]
)


@get("/experiments/get", opt={SCOPE: "read"}, operation_id="mlflow_get_experiment")
async def get_experiment(experiment_id: Identity, database: NamedDependency[Database]) -> MlflowExperimentAnswer:
    """Return the pipeline of that name as an experiment; 404 for one that is unknown."""
    return await _experiment(database, experiment_id)


@get("/experiments/get-by-name", opt={SCOPE: "read"}, operation_id="mlflow_get_experiment_by_name")
async def get_experiment_by_name(
    experiment_name: Identity, database: NamedDependency[Database]
) -> MlflowExperimentAnswer:
    """Return the pipeline of that name as an experiment; 404 for one that is unknown."""
    return await _experiment(database, experiment_name)


@get("/experiments/search", opt={SCOPE: "read"}, operation_id="mlflow_search_experiments")
async def search_experiments(
    database: NamedDependency[Database],
    *,
    wanted: Filter = None,
    order_by: OrderBy = None,
    max_results: MaxResults = None,
    page_token: PageToken = None,
    view_type: Identity = VIEWS[0],
) -> MlflowExperiments:
    """Return pipelines as experiments, by name."""
    most = 1000 if max_results is None else max_results
    search = MlflowExperimentSearch(
        filter=wanted, order_by=order_by or [], max_results=most, page_token=page_token, view_type=view_type
    )
    return await _found(search, database)


@post("/experiments/search", status_code=200, opt={SCOPE: "read"}, operation_id="mlflow_find_experiments")
async def find_experiments(
    data: JSONBody[MlflowExperimentSearch], database: NamedDependency[Database]
) -> MlflowExperiments:
    """Return pipelines as experiments, by name."""
    return await _found(data, database)


async def _found(data: MlflowExperimentSearch, database: Database) -> MlflowExperiments:
    page, archived = page_of(data.page_token, data.max_results), _archived(data.view_type)
    query = _experiments().where(*parsed_query("filter", data.filter, EXPERIMENTS.conditions))
    if archived is not None:
        query = query.where(_ARCHIVED.is_(archived))
    query = query.order_by(*parsed_query("order_by", data.order_by, EXPERIMENTS.ordering))
    async with database.sessions() as session:
        found = (await session.execute(page.of(query))).all()
    shown, token = page.cut(found)
    return MlflowExperiments(experiments=[_experiment_view(*row) for row in shown], next_page_token=token)


@get("/runs/get", opt={SCOPE: "read"}, operation_id="mlflow_get_run")
async def get_run(database: NamedDependency[Database], run_id: Identity) -> MlflowRunAnswer:
    """Return one run; one that has just been requested is waited for, while its event comes through the bus."""
    return MlflowRunAnswer(run=run_view(await _run(database, run_id)))


@post("/runs/search", status_code=200, opt={SCOPE: "read"}, operation_id="mlflow_search_runs")
async def search_runs(data: JSONBody[MlflowRunSearch], database: NamedDependency[Database]) -> MlflowRuns:
    """Return runs of some experiments by metrics, parameters, tags and attributes, the one started last first."""
    page = page_of(data.page_token, data.max_results)
    query = select(RunRow).where(RunRow.deleted_at.is_(None), RunRow.model.in_(data.experiment_ids))
    query = query.where(*parsed_query("filter", data.filter, RUNS.conditions))
    query = query.order_by(*parsed_query("order_by", data.order_by, RUNS.ordering))
    if _archived(data.run_view_type):
        return MlflowRuns(runs=[])  # a deleted run is in no list
    async with database.sessions() as session:
        found = (await session.scalars(page.of(query))).all()
    shown, token = page.cut(found)
    return MlflowRuns(runs=[run_view(run) for run in shown], next_page_token=token)


@get("/metrics/get-history", opt={SCOPE: "read"}, operation_id="mlflow_get_metric_history")
async def get_metric_history(
    database: NamedDependency[Database], run_id: Identity, metric_key: Identity
) -> MlflowMetrics:
    """Return a metric of a run: the gate measures it once."""
    view = run_view(await _run(database, run_id))
    return MlflowMetrics(metrics=[each for each in view.data.metrics if each.key == metric_key])


async def _run(database: Database, run_id: str) -> RunRow:
    return await arrived(database, await whole_id(database, RunRow.run_id, run_id, "run"))


def _archived(view: str) -> bool | None:
    """Return which experiments a view shows: archived ones, others, or (None) all.

    Raises:
        ProblemDetailsException: 400, there is no such view.
    """
    if view not in VIEWS:
        raise problem(400, "Unknown view", f"the view type {view[:60]!r} is none of {', '.join(VIEWS)}")
    return None if view == "ALL" else view == "DELETED_ONLY"


def _experiments() -> Any:
    """Return the query for the names of all pipelines, each with whether it is archived; deleted ones are left out."""
    query = select(SpecRow.pipeline, _ARCHIVED).distinct()
    query = query.outerjoin(ArchiveRow, ArchiveRow.model == SpecRow.pipeline)
    return query.where(ArchiveRow.deleted_by.is_(None))


async def _experiment(database: Database, name: str) -> MlflowExperimentAnswer:
    async with database.sessions() as session:
        found = (await session.execute(_experiments().where(SpecRow.pipeline == name))).one_or_none()
        if found is None:
            raise problem(404, "Unknown experiment", no_pipeline(name, await _names(session)))
    return MlflowExperimentAnswer(experiment=_experiment_view(*found))


async def _names(session: AsyncSession) -> list[str]:
    return [name for name, _ in await session.execute(_experiments())]


def _experiment_view(name: str, archived: bool) -> MlflowExperiment:  # noqa: FBT001 - a column's value
    return MlflowExperiment(
        experiment_id=name,
        name=name,
        artifact_location=f"interlock:/models/{name}",
        lifecycle_stage="deleted" if archived else "active",
    )


def run_view(run: RunRow) -> MlflowRun:
    """Return a run as MLflow has it."""
    progress: dict[str, Any] = run.progress or {}
    measured_at = milliseconds(run.ended_at or run.trained_at or run.created_at)
    info = MlflowRunInfo(
        run_id=str(run.run_id),
        run_uuid=str(run.run_id),
        run_name=f"{run.model}-{str(run.run_id)[:8]}",
        experiment_id=run.model,
        user_id=run.requested_by or "",
        status=STATUS[run.state],
        start_time=milliseconds(run.started_at or run.created_at),
        end_time=milliseconds(run.ended_at) if run.ended_at else None,
        artifact_uri=f"interlock:/runs/{run.run_id}",
    )
    metrics = sorted((run.metrics or {}).items())
    data = MlflowRunData(
        metrics=[MlflowMetric(key=name, value=value, timestamp=measured_at) for name, value in metrics],
        params=tags_of(progress.get("params") or {}, {CANDIDATE: progress.get("candidate")}),
        tags=tags_of(run.tags, {name: getattr(run, column.key) for name, column in _SYSTEM_TAGS.items()}),
    )
    return MlflowRun(info=info, data=data)


ROUTES = [
    mlflow_router(
        [
            get_experiment,
            get_experiment_by_name,
            search_experiments,
            find_experiments,
            get_run,
            search_runs,
            get_metric_history,
        ],
        is_dependency_unavailable,
    )
]
