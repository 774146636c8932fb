"""The registry over HTTP: pipelines, models, versions, and what gateway workers report."""

import asyncio
import json
from typing import Annotated, Any
from uuid import uuid4

from interlock_artifacts import ArtifactStore
from interlock_contracts import telemetry
from interlock_contracts.datasets import PipelineApplied
from interlock_contracts.http import (
    ModelView,
    PipelineView,
    ServingView,
    VersionView,
)
from interlock_contracts.names import no_pipeline
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import InvalidPipelineError, NotYamlError, parse_pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.rollout import RolloutView, WorkerReport
from interlock_contracts.signature import PromotionSignature
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_runtime.access import Caller
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES, problem
from interlock_runtime.limits import INT32_MAX
from interlock_runtime.openapi import BODY
from interlock_runtime.tracing import request_span
from litestar import Request, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry import audit, convergence, promotion, store
from interlock_registry.handlers import SERVICE
from interlock_registry.store import ModelRow, PromotionRow, SpecRow, VersionRow

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
        if changed is not None:
            event = PipelineApplied(pipeline=name, pipeline_digest=pipeline.digest, spec=ref, revision=changed.revision)
            await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
            caller: Caller = request.user
            about = {"digest": pipeline.digest, "revision": changed.revision}
            audit.record(session, caller.name, "pipeline.applied", f"pipeline/{name}", **about)
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


@get("/pipelines", opt={SCOPE: "read", SERVICES: ("prediction",)})
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
async def what_serves(database: NamedDependency[Database]) -> list[ServingView]:
    """Return what should serve now, for every model; gateways reconcile against it."""
    async with database.sessions() as session:
        return [_serving_view(*found) for found in await store.serving(session)]


@put("/workers/{worker:str}", status_code=200, opt={SCOPE: "admin", SERVICES: ("gateway",)})
async def report_worker(
    worker: FromPath[str], database: NamedDependency[Database], data: JSONBody[WorkerReport]
) -> list[ServingView]:
    """Keep what a gateway worker says of itself, and return what should serve now."""
    async with database.sessions() as session, session.begin():
        await convergence.record(session, worker, data)
        return [_serving_view(*found) for found in await store.serving(session)]


@delete("/workers/{worker:str}", opt={SCOPE: "admin", SERVICES: ("gateway",)})
async def leave_worker(worker: FromPath[str], database: NamedDependency[Database]) -> None:
    """Forget a gateway worker that stops."""
    async with database.sessions() as session, session.begin():
        await convergence.leave(session, worker)


@get("/models/{name:str}/rollout", opt={SCOPE: "read"})
async def read_rollout(name: FromPath[str], database: NamedDependency[Database]) -> RolloutView:
    """Return which gateway workers serve the version promoted last, and why others do not."""
    async with database.sessions() as session:
        if not (found := await store.serving(session, name)):
            raise problem(404, "Nothing is promoted", f"no version of {name!r} is promoted, so none is rolled out")
        ((promoted, _),) = found
        return await convergence.convergence(session, promoted)


def _serving_view(promoted: PromotionRow, version: VersionRow) -> ServingView:
    return ServingView(
        ref=promotion.ref_of(version),
        promotion_seq=promoted.seq,
        cause=promoted.cause,  # type: ignore[arg-type]
        promoted_at=promoted.promoted_at,
        promotion=promoted.traceparent,
        signed=PromotionSignature.model_validate(promoted.signed) if promoted.signed else None,
    )


@get("/models", opt={SCOPE: "read"})
async def list_models(database: NamedDependency[Database]) -> list[ModelView]:
    """Return every applied pipeline as a model, with what serves."""
    async with database.sessions() as session:
        serving = {version.model: _serving_view(row, version) for row, version in await store.serving(session)}
        names = [row.name for row, _ in await store.pipelines(session)]
        counts = {name: await session.get(ModelRow, name) for name in names}
    return [
        ModelView(name=name, serving=serving.get(name), versions=row.versions if (row := counts[name]) else 0)
        for name in names
    ]


@get("/models/{name:str}", opt={SCOPE: "read", SERVICES: ("gateway", "prediction")})
async def read_model(
    name: FromPath[str], database: NamedDependency[Database], artifacts: NamedDependency[ArtifactStore]
) -> ModelView:
    """Return one model: what serves, its signature, and how many versions there are."""
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        row = await session.get(ModelRow, name)
        serving = [_serving_view(*found) for found in await store.serving(session, name)]
    view = ModelView(name=name, serving=serving[0] if serving else None, versions=row.versions if row else 0)
    if view.serving is not None:
        description = await asyncio.to_thread(artifacts.fetch, view.serving.ref.artifact)
        view.signature = json.loads(description).get("signature")
    return view


@get("/models/{name:str}/versions", opt={SCOPE: "read"})
async def list_versions(
    name: FromPath[str],
    database: NamedDependency[Database],
    *,
    dataset: Annotated[str | None, QueryParameter(pattern="^[0-9a-f]{64}$", description="A file's digest.")] = None,
    before: Annotated[
        int | None,
        QueryParameter(ge=1, le=INT32_MAX, description="The last version of the page before."),
    ] = None,
    limit: Annotated[int | None, QueryParameter(ge=1, le=1000, description="All of them if left out.")] = None,
) -> list[VersionView]:
    """Return a model's versions, the newest first; with ``dataset`` those that were trained on it."""
    async with database.sessions() as session:
        if not await store.pipelines(session, name):
            raise await unknown_model(session, name)
        return [
            _version_view(row)
            for row in await store.versions(session, name, dataset=dataset, before=before, limit=limit)
        ]


@get("/models/{name:str}/versions/{number:int}", opt={SCOPE: "read"})
async def read_version(
    name: FromPath[str],
    number: FromPath[int],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
) -> VersionView:
    """Return one version with its gate report and its manifest."""
    async with database.sessions() as session:
        row = await session.get(VersionRow, (name, number))
        if row is None:
            raise await _unknown_version(session, name, number)
    view = _version_view(row)
    if row.report is not None:
        report = await asyncio.to_thread(artifacts.fetch, ArtifactRef.model_validate(row.report))
        view.report = json.loads(report)
    view.details = json.loads(await asyncio.to_thread(artifacts.fetch, view.manifest))
    return view


def _version_view(row: VersionRow) -> VersionView:
    return VersionView(
        model=row.model,
        version=row.version,
        stage=row.stage,
        run_id=row.run_id,
        pipeline_digest=row.pipeline_digest,
        artifact=ArtifactRef.model_validate(row.artifact),
        manifest=ArtifactRef.model_validate(row.manifest),
        datasets=[dataset["digest"] for dataset in row.datasets],
        registered_at=row.registered_at,
        against=row.against,
        metrics=row.metrics,
        reasons=row.reasons,
    )


async def _unknown_version(session: AsyncSession, name: str, number: int) -> Exception:
    if not await store.pipelines(session, name):
        return await unknown_model(session, name)
    model = await session.get(ModelRow, name)
    newest = f"the newest is {model.versions}" if model and model.versions else "it has none yet"
    return problem(404, "Unknown version", f"model {name!r} has no version {number}; {newest}")


async def unknown_model(session: AsyncSession, name: str) -> Exception:
    """Return the 404 for a model whose pipeline nobody has applied."""
    return await unknown_pipeline(session, name, title="Unknown model")


async def unknown_pipeline(session: AsyncSession, name: str, *, title: str = "Unknown pipeline") -> Exception:
    """Return the 404 for a pipeline that nobody has applied, with the name that was perhaps meant."""
    return problem(404, title, no_pipeline(name, await store.pipeline_names(session)))


ROUTES = [
    apply_pipeline,
    list_pipelines,
    read_pipeline,
    what_serves,
    report_worker,
    leave_worker,
    read_rollout,
    list_models,
    read_model,
    list_versions,
    read_version,
]
