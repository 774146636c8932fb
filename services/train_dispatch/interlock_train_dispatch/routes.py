"""Training runs over HTTP."""

from typing import Annotated, Any
from uuid import UUID, uuid4

from interlock_contracts.event import trace_id_of
from interlock_contracts.http import ProgressView, RunView
from interlock_messaging import Bus
from interlock_runtime.access import Caller
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES, problem
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from interlock_train_dispatch import runs, store
from interlock_train_dispatch.store import RunRow


@get("/runs", opt={SCOPE: "read"})
async def list_runs(
    database: NamedDependency[Database],
    model: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> list[RunView]:
    """Return the newest runs, of one model or of all."""
    async with database.sessions() as session:
        return [_view(run) for run in await store.runs(session, model, limit)]


@get("/runs/{run_id:uuid}", opt={SCOPE: "read"})
async def read_run(run_id: FromPath[UUID], database: NamedDependency[Database]) -> RunView:
    """Return one run; 404 with Retry-After for one that is announced but has not come through the bus yet."""
    async with database.sessions() as session:
        return _view(_known(await session.get(RunRow, run_id), run_id))


@post("/runs/{run_id:uuid}/cancel", status_code=202, opt={SCOPE: "train"})
async def cancel_run(
    run_id: FromPath[UUID], request: Request[Any, Any, Any], bus: NamedDependency[Bus]
) -> Response[RunView]:
    """Stop a run, queued or running; 409 for one that has ended, or is trained and waits for its verdict."""
    async with bus.transaction() as session:
        run = _known(await session.get(RunRow, run_id, with_for_update=True), run_id)
        if run.state not in ("queued", "running"):
            raise problem(
                409, "The run has ended", f"run {run_id} is {run.state}; only a queued or running one can stop"
            )
        if run.trained_at is not None:
            detail = f"run {run_id} is trained, and the gate decides; only a queued or training one can stop"
            raise problem(409, "The run is trained", detail)
        caller: Caller = request.user
        await runs.cancel(session, run, f"cancelled over REST by {caller.name}", str(uuid4()), by=caller.name)
    return Response(_view(run), status_code=202, headers={"Location": f"/runs/{run_id}"})


@get("/models/{name:str}/trainable", opt={SCOPE: "read", SERVICES: ("gateway",)})
async def trainable(name: FromPath[str], database: NamedDependency[Database]) -> dict[str, int]:
    """Return how many accepted datasets the newest spec of a pipeline can train on."""
    async with database.sessions() as session:
        spec = await store.spec(session, name)
        if spec is None:
            raise problem(404, "Unknown pipeline", f"no pipeline is called {name!r}; apply one first")
        return {"datasets": len(await store.datasets(session, name, spec.data_digest))}


def _known(run: RunRow | None, run_id: UUID) -> RunRow:
    if run is None:
        detail = f"no run {run_id} is known yet; a request just accepted takes a moment to come through the bus"
        raise problem(404, "Unknown run", detail, headers={"Retry-After": "1"})
    return run


def _view(run: RunRow) -> RunView:
    progress: dict[str, Any] | None = run.progress
    return RunView(
        run_id=run.run_id,
        model=run.model,
        state=run.state,
        attempt=run.attempt,
        pipeline_digest=run.pipeline_digest,
        datasets=[ref["digest"] for ref in run.datasets],
        cause=run.causation_id,
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
    )


ROUTES = [list_runs, read_run, cancel_run, trainable]
