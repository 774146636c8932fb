"""Routes of pipelines, of what serves, and of the reports of gateway workers."""

import asyncio
from typing import Annotated, Any
from uuid import uuid4

from interlock_artifacts import ArtifactStore
from interlock_contracts import telemetry
from interlock_contracts.datasets import PipelineApplied
from interlock_contracts.http import PipelineView, ServingView
from interlock_contracts.names import no_pipeline
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import InvalidPipelineError, NotYamlError, parse_pipeline
from interlock_contracts.rollout import RolloutView, WorkerReport
from interlock_contracts.signature import PromotionSignature
from interlock_contracts.stages import PRODUCTION, StageName, no_stage
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_runtime.access import Caller
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.openapi import BODY
from interlock_runtime.problems import problem
from interlock_runtime.tracing import request_span
from litestar import Request, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import audit, convergence, promotion, stages, store
from interlock_registry.handlers import SERVICE
from interlock_registry.store import ModelRow, PromotionRow, SpecRow, VersionRow

Stage = Annotated[StageName, QueryParameter(description="A deployment stage of the pipeline.")]

Digest = Annotated[str | None, QueryParameter(description="Of a spec; the newest if left out.")]

SPEC_LIMIT = 1024 * 1024
"""Largest pipeline file, in bytes."""


@put(
    "/pipelines/{name:str}",
    status_code=200,
    request_max_body_size=SPEC_LIMIT,
    opt={SCOPE: "promote", BODY: {"application/json": Pipeline, "application/yaml": bytes}},
)
async def apply_pipeline(
    name: FromPath[str],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    artifacts: NamedDependency[ArtifactStore],
) -> PipelineView:
    """Store a pipeline, JSON or YAML; an unchanged one changes nothing."""
    with request_span(telemetry.SPAN_APPLY, request, {telemetry.PIPELINE: name}):
        return await _applied(name, request, bus, artifacts)


async def _applied(name: str, request: Request[Any, Any, Any], bus: Bus, artifacts: ArtifactStore) -> PipelineView:
    pipeline = _parsed(name, await request.body())
    spec = pipeline.model_dump(mode="json")
    ref = await asyncio.to_thread(artifacts.put, pipeline.model_dump_json().encode())
    row = SpecRow(pipeline=name, digest=pipeline.digest, spec=spec, ref=ref.model_dump(mode="json"))
    async with bus.transaction() as session:
        changed = await store.keep_spec(session, row)
        # With the row locked, as a deletion locks it: no spec is applied to a model that is deleted this moment.
        if (deleted := await _deleted_model(session, name)) is not None:
            raise problem(410, "Deleted model", f"{deleted}, and its name is not given again; choose another name")
        if changed is not None:
            event = PipelineApplied(pipeline=name, pipeline_digest=pipeline.digest, spec=ref, revision=changed.revision)
            await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
            caller: Caller = request.user
            about = {"digest": pipeline.digest, "revision": changed.revision}
            audit.record(session, caller.name, "pipeline.applied", f"pipeline/{name}", **about)
            await stages.drop_undeclared(session, name, pipeline.stages)
        crash_point("registry.apply.before_commit")
        ((current, _),) = await store.pipelines(session, name)
    return _pipeline_view(current, pipeline, changed=changed is not None)


def _parsed(name: str, body: bytes) -> Pipeline:
    try:
        pipeline = parse_pipeline(body)
    except NotYamlError as error:
        raise problem(400, "Not a pipeline file", f"the body is no pipeline in JSON or YAML: {error}") from error
    except InvalidPipelineError as error:
        faults = [fault._asdict() for fault in error.faults]
        raise problem(422, "The pipeline is not valid", str(error), errors=faults) from error
    if pipeline.name != name:
        raise problem(422, "The pipeline is not valid", f"name is {pipeline.name!r}, but the address says {name!r}")
    return pipeline


def _pipeline_view(row: store.PipelineRow, spec: Pipeline, *, changed: bool = False) -> PipelineView:
    return PipelineView(
        name=row.name, digest=row.digest, revision=row.revision, applied_at=row.applied_at, changed=changed, spec=spec
    )


@get("/pipelines", opt={SCOPE: "read", SERVICES: ("prediction", "monitor")})
async def list_pipelines(database: NamedDependency[Database]) -> list[PipelineView]:
    """Return every pipeline with its newest spec."""
    async with database.sessions() as session:
        found = await store.pipelines(session)
    return [_pipeline_view(row, Pipeline.model_validate(spec.spec)) for row, spec in found]


@get("/pipelines/{name:str}", opt={SCOPE: "read", SERVICES: ("gateway", "ingest", "prediction", "train_dispatch")})
async def read_pipeline(
    name: FromPath[str], database: NamedDependency[Database], digest: Digest = None
) -> PipelineView:
    """Return a pipeline's newest spec, or the one with ``digest``."""
    async with database.sessions() as session:
        found = await store.pipelines(session, name)
        if not found:
            raise await unknown_pipeline(session, name)
        row, spec = found[0]
        if digest is not None and digest != row.digest:
            older = await store.spec_of(session, name, digest)
            if older is None:
                raise problem(404, "Unknown pipeline", f"pipeline {name!r} has no spec with digest {digest}")
            spec = older
    view = _pipeline_view(row, Pipeline.model_validate(spec.spec))
    return view.model_copy(update={"digest": spec.digest})


@get("/serving", opt={SCOPE: "read", SERVICES: ("gateway", "prediction")})
async def what_serves(database: NamedDependency[Database], *, stage: Stage = PRODUCTION) -> list[ServingView]:
    """Return what should serve in a stage now, for every model that has it; gateways reconcile against it."""
    async with database.sessions() as session:
        return await _all_serving(session, stage)


@put("/workers/{worker:str}", status_code=200, opt={SCOPE: "admin", SERVICES: ("gateway",)})
async def report_worker(
    worker: FromPath[str], database: NamedDependency[Database], data: JSONBody[WorkerReport]
) -> list[ServingView]:
    """Keep what a gateway worker says of itself, and return what should serve in its stage now."""
    async with database.sessions() as session, session.begin():
        await convergence.record(session, worker, data)
        return await _all_serving(session, data.stage)


async def _all_serving(session: AsyncSession, stage: str) -> list[ServingView]:
    archived = await store.archived(session)
    return [
        serving_view(row, version).model_copy(update={"archived": dropped or version.model in archived})
        for dropped in (False, True)
        for row, version in await store.serving(session, stage=stage, dropped=dropped)
    ]


@delete("/workers/{worker:str}", opt={SCOPE: "admin", SERVICES: ("gateway",)})
async def leave_worker(worker: FromPath[str], database: NamedDependency[Database]) -> None:
    """Forget a gateway worker that stops."""
    async with database.sessions() as session, session.begin():
        await convergence.leave(session, worker)


@get("/models/{name:str}/rollout", opt={SCOPE: "read"})
async def read_rollout(
    name: FromPath[str], database: NamedDependency[Database], *, stage: Stage = PRODUCTION
) -> RolloutView:
    """Return which of a stage's gateway workers serve the version promoted to it last, and why others do not."""
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        await require_stage(session, name, stage)
        found = await store.serving(session, name, stage=stage)
        if not found or name in await store.archived(session):
            if not await store.pipelines(session, name):
                raise await unknown_model(session, name)
            where = "" if stage == PRODUCTION else f" to {stage}"
            detail = f"no version of {name!r} is promoted{where}, so none is rolled out"
            raise problem(404, "Nothing is promoted", detail)
        ((promoted, _),) = found
        return await convergence.convergence(session, promoted)


def serving_view(promoted: PromotionRow, version: VersionRow) -> ServingView:
    return ServingView(
        ref=promotion.ref_of(version),
        promotion_seq=promoted.seq,
        cause=promoted.cause,  # type: ignore[arg-type]
        promoted_at=promoted.promoted_at,
        promotion=promoted.traceparent,
        signed=PromotionSignature.model_validate(promoted.signed) if promoted.signed else None,
        pipeline_digest=version.pipeline_digest,
        stage=promoted.stage,
    )


async def require_stage(session: AsyncSession, name: str, stage: str) -> None:
    """Raise a 404 that names the stages of a pipeline, unless ``stage`` is one of them."""
    if stage not in (known := await stages.declared(session, name)):
        raise problem(404, "No such stage", no_stage(name, stage, known))


async def unknown_model(session: AsyncSession, name: str) -> Exception:
    """Return the 404 for a model whose pipeline nobody has applied."""
    return await unknown_pipeline(session, name, title="Unknown model")


async def unknown_pipeline(session: AsyncSession, name: str, *, title: str = "Unknown pipeline") -> Exception:
    """Return the 404 for a pipeline that nobody has applied, with the name that was perhaps meant; 410 if deleted."""
    if (deleted := await _deleted_model(session, name)) is not None:
        return problem(410, "Deleted model", deleted)
    return problem(404, title, no_pipeline(name, await store.pipeline_names(session)))


async def _deleted_model(session: AsyncSession, name: str) -> str | None:
    row = await session.get(ModelRow, name)
    return store.deletion_of(row) if row is not None else None


ROUTES = [
    apply_pipeline,
    list_pipelines,
    read_pipeline,
    what_serves,
    report_worker,
    leave_worker,
    read_rollout,
]
