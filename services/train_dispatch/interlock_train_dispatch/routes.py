"""Routes of training runs."""

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from interlock_contracts.event import trace_id_of
from interlock_contracts.filters import metric_bounds, metric_order, tag_filter
from interlock_contracts.http import ProgressView, RunView
from interlock_contracts.training import parse_run_states
from interlock_messaging import Bus
from interlock_runtime.access import Caller
from interlock_runtime.clients import RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import Before, MetricFilter, TagFilter, parsed_query, require_zone
from interlock_runtime.short_ids import IdOrBeginning, whole_id
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from interlock_train_dispatch import lists, runs, store
from interlock_train_dispatch.logs import RunLogs, TrainingLog
from interlock_train_dispatch.store import RunRow

NO_SPEC = "0" * 64
"""Digest in the view of a run for which no spec was found; readers of the last release expect one."""

ARRIVAL_SECONDS, ARRIVAL_POLL_SECONDS = 3.0, 0.1
"""How long a spec, a dataset or a run is waited for that may be on its way here, and how often it is looked for."""

RunSort = Annotated[
    str | None,
    QueryParameter(
        max_length=100,
        description="A metric to sort by, the smallest first, or with a minus the greatest: rmse, -r2. Runs without "
        "it come last. Default: the newest first.",
    ),
]

_DERIVED = 5
"""Version of the UUIDs that are derived."""


@get("/runs", opt={SCOPE: "read", SERVICES: ("ingest", "registry")})
async def list_runs(
    database: NamedDependency[Database],
    *,
    model: FromQuery[str | None] = None,
    states: Annotated[
        str | None,
        QueryParameter(name="state", max_length=200, description="One state, or several separated by commas."),
    ] = None,
    tag: TagFilter = None,
    metric: MetricFilter = None,
    since: Annotated[datetime | None, QueryParameter(description="Only those created then or later.")] = None,
    before: Before = None,
    sort: RunSort = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> list[RunView]:
    """Return the newest runs, of one model or of all; ``before`` is the ``created_at`` of the last of a page.

    Runs that were created in one moment are never on two pages, so a page may be longer than ``limit``. With ``sort``
    they are the first ``limit`` by a metric, and there is no next page.
    """
    require_zone(since=since, before=before)
    order = parsed_query("sort", sort, metric_order, status=422)
    if order is not None and before is not None:
        raise problem(422, "No next page", "before: pages go by time; with sort ask for more by limit, up to 500")
    wanted = lists.RunFilter(
        model=model,
        states=parsed_query("state", states, parse_run_states),
        tags=tag_filter(tag),
        metrics=parsed_query("metric", metric, metric_bounds, status=422),
        since=since,
        before=before,
    )
    async with database.sessions() as session:
        return [run_view(run) for run in await lists.runs(session, wanted, limit=limit, order=order)]


@get("/runs/{run_id:str}", opt={SCOPE: "read"})
async def read_run(run_id: IdOrBeginning, database: NamedDependency[Database]) -> RunView:
    """Return one run; one that has just been requested is waited for, while its event comes through the bus."""
    return run_view(await arrived(database, await whole_id(database, RunRow.run_id, run_id, "run")))


@get("/runs/{run_id:str}/logs", media_type="text/plain", opt={SCOPE: "read"})
async def read_log(
    run_id: IdOrBeginning,
    database: NamedDependency[Database],
    logs: NamedDependency[RunLogs],
    attempt: Annotated[int | None, QueryParameter(ge=1, description="Which attempt; default: the newest.")] = None,
) -> Response[str]:
    """Return the end of what a run's training has printed; empty while it has printed nothing.

    At most 256 KiB and 10,000 lines; the first line says so where the beginning is missing. Header
    ``Interlock-Log-Complete`` is ``true`` once nothing can follow, ``Interlock-Attempt`` the number of the attempt.
    404 for a log that was never made, or that Ray has lost.
    """
    run = await arrived(database, await whole_id(database, RunRow.run_id, run_id, "run"))
    wanted = attempt or run.attempt
    if wanted > run.attempt:
        raise problem(404, "No such attempt", f"attempts of run {run.run_id} so far: {run.attempt}")
    found = await logs.read(run, wanted) if wanted else _untrained(run)
    if found is None:
        detail = f"neither Ray nor the object store has what attempt {wanted} of run {run.run_id} printed"
        raise problem(404, "The log is lost", detail)
    told = {"Interlock-Attempt": str(wanted), "Interlock-Log-Complete": str(found.complete).lower()}
    return Response(found.text, media_type="text/plain", headers={**told, "Cache-Control": "no-store"})


def _untrained(run: RunRow) -> TrainingLog:
    """Return the empty log of a run that is queued.

    Raises:
        ProblemDetailsException: it has ended, so there will never be one.
    """
    if run.ended_at is None:
        return TrainingLog("", complete=False)
    why = f"it joined run {run.coalesced_into}" if run.coalesced_into else run.reason or run.state
    raise problem(404, "No training", f"run {run.run_id} has trained nothing: {why}")


@post("/runs/{run_id:uuid}/cancel", status_code=202, opt={SCOPE: "train"})
async def cancel_run(
    run_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    database: NamedDependency[Database],
) -> Response[RunView]:
    """Stop a run, queued or running; 409 for one that has ended, or is trained and waits for its verdict."""
    await arrived(database, run_id)
    async with bus.transaction() as session:
        run = await session.get_one(RunRow, run_id, with_for_update=True)
        if run.state not in ("queued", "running"):
            raise problem(
                409, "The run has ended", f"run {run_id} is {run.state}; only a queued or running one can stop"
            )
        if run.trained_at is not None:
            detail = f"run {run_id} is trained, and the gate decides; only a queued or training one can stop"
            raise problem(409, "The run is trained", detail)
        caller: Caller = request.user
        await runs.cancel(session, run, f"cancelled over REST by {caller.name}", str(uuid4()), by=caller.name)
    return Response(run_view(run), status_code=202, headers={"Location": f"/runs/{run_id}"})


@get("/models/{name:str}/trainable", opt={SCOPE: "read", SERVICES: ("gateway",)})
async def trainable(
    name: FromPath[str],
    database: NamedDependency[Database],
    registry: NamedDependency[RegistryClient],
    pipeline: FromQuery[str | None] = None,
) -> dict[str, int]:
    """Return how many accepted datasets the newest spec, or the one with the digest ``pipeline``, can train on.

    404 for an unknown pipeline, 410 for a deleted one, 409 without any dataset, or for an archived model. A spec that
    the registry has, or a dataset that ingest has accepted, may still be on its way here: it is waited for.
    """
    return {"datasets": await require_trainable(database, registry, name, pipeline)}


async def require_trainable(
    database: Database, registry: RegistryClient, name: str, pipeline: str | None = None
) -> int:
    """Return how many accepted datasets a spec can train on.

    Raises:
        ProblemDetailsException: there is no such spec, or no dataset, or the model is archived or deleted.
    """
    until = time.monotonic() + ARRIVAL_SECONDS
    async with database.sessions() as session:
        if (archive := await store.archive_of(session, name)) is not None:
            status, title = (410, "Deleted model") if archive.deleted_by else (409, "The model is archived")
            raise problem(status, title, runs.out_of_use(archive))
    found = await _trainable(database, name, pipeline)
    if found is None:
        with suppress(ConnectionError):
            if (missing := await registry.missing_pipeline(name, pipeline)) is not None:
                raise problem(missing.status, missing.title, missing.why)
    while not found and time.monotonic() < until:
        await asyncio.sleep(ARRIVAL_POLL_SECONDS)
        found = await _trainable(database, name, pipeline)
    if not found:
        raise problem(409, "Nothing to train on", f"{name!r} has no accepted dataset; upload one first")
    return found


async def _trainable(database: Database, name: str, digest: str | None) -> int | None:
    async with database.sessions() as session:
        return await store.trainable(session, name, digest)


async def arrived(database: Database, run_id: UUID) -> RunRow:
    """Return a run, waited for where its id may be one of ours: those follow from the request (UUIDv5).

    Raises:
        ProblemDetailsException: 404 with Retry-After for one that is unknown, or does not come in time; 410 for one
            that was deleted with its model.
    """
    until = time.monotonic() + ARRIVAL_SECONDS if run_id.version == _DERIVED else 0.0
    while True:
        async with database.sessions() as session:
            run = await session.get(RunRow, run_id)
            if run is not None and run.deleted_at is not None:
                archive = await store.archive_of(session, run.model)
                raise problem(410, "Deleted run", runs.out_of_use(archive) if archive else "its model was deleted")
        if run is not None:
            return run
        if time.monotonic() >= until:
            detail = f"no run {run_id} is known yet; a request just accepted takes a moment to arrive"
            raise problem(404, "Unknown run", detail, headers={"Retry-After": "1"})
        await asyncio.sleep(ARRIVAL_POLL_SECONDS)


def run_view(run: RunRow) -> RunView:
    """Return a run as it is shown; every stored row can be."""
    progress: dict[str, Any] | None = run.progress
    asked_for = [run.dataset] if run.state == "queued" and run.dataset is not None else []
    return RunView(
        run_id=run.run_id,
        model=run.model,
        state=run.state,
        attempt=run.attempt,
        pipeline_digest=run.pipeline_digest or NO_SPEC,
        datasets=[ref["digest"] for ref in run.datasets] or asked_for,
        evaluation=run.evaluation["digest"] if run.evaluation else None,
        imported=run.imported["sha256"] if run.imported else None,
        cause=run.causation_id,
        requested_by=run.requested_by,
        request_reason=run.request_reason,
        tags=run.tags,
        reason=run.reason,
        into=run.coalesced_into,
        version=run.version,
        trace_id=trace_id_of(run.traceparent),
        created_at=run.created_at,
        started_at=run.started_at,
        trained_at=run.trained_at,
        ended_at=run.ended_at,
        deadline=run.deadline,
        progress=ProgressView.model_validate(progress) if progress else None,
        metrics=run.metrics or {},
    )


ROUTES = [list_runs, read_run, read_log, cancel_run, trainable]
