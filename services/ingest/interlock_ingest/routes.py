"""Routes of ingest: upload a file, read validation results."""

import asyncio
import hashlib
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

from interlock_artifacts import ArtifactStore
from interlock_contracts import telemetry
from interlock_contracts.filters import DATASET_ROLES, DATASET_STATES, chosen
from interlock_contracts.http import DatasetView
from interlock_contracts.names import no_pipeline
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import MAX_CALLER, DatasetRole
from interlock_messaging import Bus
from interlock_messaging.crash_points import crash_point
from interlock_messaging.outbox import current_traceparent
from interlock_runtime.clients import Missing, RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.openapi import BODY, FILE
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import Before, parsed_query, require_zone
from interlock_runtime.short_ids import COMPARED, SHORTEST, IdOrBeginning, only_one
from interlock_runtime.tracing import request_span
from interlock_runtime.uploads import refuse_wrapped, save
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from interlock_ingest import store, tombstones
from interlock_ingest.change import measured_drift, stored_profile, with_changes
from interlock_ingest.leakage import with_leakage
from interlock_ingest.store import DatasetRow, SpecRow
from interlock_ingest.validation import CheckFailedError, check
from interlock_ingest.views import dataset_view
from interlock_ingest.watermark import with_watermark
from interlock_ingest.workers import OtherRoleError, receive

PipelineDigest = Annotated[str | None, QueryParameter(description="Of a spec; the newest if left out.")]

UPLOAD_SPEC_TIMEOUT_SECONDS = 3.0
"""Seconds that an upload waits for its pipeline's spec, which may still be on its way from the registry."""

DRY_RUN_SECONDS = 500.0
"""How long the check of a dry run may take: whoever asked waits for the answer, at most 600 s at the gateway."""


@post(
    "/datasets/{name:str}",
    status_code=202,
    request_max_body_size=None,
    opt={SCOPE: "ingest", BODY: FILE},
    responses={200: ResponseSpec(DatasetView, description="The result of a dry run", generate_examples=False)},
)
async def upload(
    name: FromPath[str],
    *,
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
    registry: NamedDependency[RegistryClient],
    folder: NamedDependency[Path],
    upload_bytes: NamedDependency[int],
    dry_runs: NamedDependency[asyncio.Semaphore],
    pipeline: PipelineDigest = None,
    dry_run: Annotated[bool, QueryParameter(description="Answer with the result, and store nothing.")] = False,
    file_name: Annotated[str | None, QueryParameter(max_length=255, description="What people call the file.")] = None,
    note: Annotated[str | None, QueryParameter(max_length=1000, description="What is to be known of the file.")] = None,
    role: Annotated[
        DatasetRole, QueryParameter(description="Trained on with a share held out, or all of it for the gate.")
    ] = "training",
) -> Response[DatasetView]:
    """Take in a file, the body as it is; the validation result comes at the address in ``Location``.

    It is checked against the pipeline's newest spec, or the one whose digest ``pipeline`` names. With ``dry_run`` the
    answer is the result itself, and nothing is stored. All rows of an evaluation file are held out; the next runs are
    judged on them, in place of what is held out of the files that they train on.
    """
    refuse_wrapped(request)
    spec = await _spec(database, registry, name, pipeline)
    if dry_run:
        if dry_runs.locked():
            detail = "the limit of concurrent dry runs is reached; try again in a few seconds"
            raise problem(503, "Too many dry runs", detail, headers={"Retry-After": "5"})
        async with dry_runs:
            view = await _checked(request, spec, database, artifacts, role=role, folder=folder, limit=upload_bytes)
            return Response(view, status_code=200)
    with (
        request_span(telemetry.SPAN_UPLOAD, request, {telemetry.PIPELINE: name}, status=202) as span,
        TemporaryDirectory(dir=folder) as upload_folder,
    ):
        path = Path(upload_folder) / "upload"
        await save(request.stream(), path, upload_bytes)
        file = await asyncio.to_thread(artifacts.put_file, path, holdout=True)
        crash_point("ingest.upload.stored")
        span.set_attribute(telemetry.DATASET, file.sha256)
        row = DatasetRow(
            pipeline=name,
            digest=file.sha256,
            pipeline_digest=spec.digest,
            file=file.model_dump(mode="json"),
            bytes=file.bytes,
            cause=str(uuid4()),
            role=role,
            file_name=file_name,
            note=note,
            uploaded_by=request.user.name.replace("\0", "\N{REPLACEMENT CHARACTER}")[:MAX_CALLER],
            traceparent=current_traceparent(),
        )
        try:
            async with bus.transaction() as session:
                known = await receive(session, row)
        except OtherRoleError:
            raise _other_role(row) from None
        crash_point("ingest.upload.committed")
    return Response(dataset_view(known), status_code=202, headers={"Location": f"/datasets/{name}/{file.sha256}"})


async def _checked(
    request: Request[Any, Any, Any],
    spec: SpecRow,
    database: Database,
    artifacts: ArtifactStore,
    *,
    role: DatasetRole,
    folder: Path,
    limit: int,
) -> DatasetView:
    """Return the validation result of the body; the file and its parts are gone afterwards."""
    received_at, pipeline = datetime.now(UTC), Pipeline.model_validate(spec.spec)
    with (
        request_span(telemetry.SPAN_UPLOAD, request, {telemetry.PIPELINE: spec.pipeline}),
        TemporaryDirectory(dir=folder) as check_folder,
    ):
        path, parts = Path(check_folder) / "file", Path(check_folder) / "check"
        parts.mkdir()
        await save(request.stream(), path, limit)
        async with database.sessions() as session:
            form = await store.hash_form(session, spec.pipeline)
            pipeline = await with_watermark(session, pipeline)
        try:
            result = await check(path, pipeline, parts, role=role, form=form, timeout_s=DRY_RUN_SECONDS)
        except CheckFailedError as error:
            raise problem(503, "The check did not finish", str(error)) from error
        digest = await asyncio.to_thread(_sha256, path)
        async with database.sessions() as session:
            row = DatasetRow(pipeline=spec.pipeline, digest=digest, role=role, received_at=received_at)
            if await store.known_in_other_role(session, row):
                raise _other_role(row)
            result = await with_changes(session, artifacts, row, pipeline, result)
            result = await with_leakage(session, artifacts, row, pipeline, result)
        return DatasetView(
            pipeline=spec.pipeline,
            digest=digest,
            pipeline_digest=spec.digest,
            state="accepted" if result.accepted else "rejected",
            role=role,
            dry_run=True,
            bytes=path.stat().st_size,
            received_at=received_at,
            decided_at=datetime.now(UTC),
            profile=result.profile,
            reasons=result.reasons,
            warnings=result.warnings,
        )


def _other_role(row: DatasetRow) -> Exception:
    return problem(409, "The file has another role", str(OtherRoleError(row)))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@get("/datasets/{name:str}", opt={SCOPE: "read", SERVICES: ("prediction",)})
async def list_datasets(
    name: FromPath[str],
    *,
    database: NamedDependency[Database],
    registry: NamedDependency[RegistryClient],
    states: Annotated[
        str | None,
        QueryParameter(name="state", max_length=200, description="One state, or several separated by commas."),
    ] = None,
    since: Annotated[datetime | None, QueryParameter(description="Only those received then or later.")] = None,
    roles: Annotated[str | None, QueryParameter(name="role", max_length=200, description="One, or both.")] = None,
    text: Annotated[
        str | None,
        QueryParameter(max_length=200, description="A part of the file's name or note, or how its digest begins."),
    ] = None,
    before: Before = None,
    limit: Annotated[int, QueryParameter(ge=1, le=store.LISTED)] = store.LISTED,
) -> list[DatasetView]:
    """Return a pipeline's files, the newest first; ``before`` is the ``received_at`` of the last of a page.

    Files that were received in one moment are never on two pages, so a page may be longer than ``limit``.
    """
    require_zone(before=before, since=since)
    wanted = store.DatasetFilter(
        states=parsed_query("state", states, lambda named: chosen(named, DATASET_STATES)),
        roles=parsed_query("role", roles, lambda named: chosen(named, DATASET_ROLES)),
        since=since,
        before=before,
        text=text,
    )
    await _refuse_deleted(database, name)
    if await _stored(database, name, None) is None:
        await _spec(database, registry, name, None)
    async with database.sessions() as session:
        return [dataset_view(row) for row in await store.datasets(session, name, wanted, limit=limit)]


@get("/datasets/{name:str}/{digest:str}", opt={SCOPE: "read", SERVICES: ("prediction",)})
async def read_dataset(
    name: FromPath[str],
    digest: IdOrBeginning,
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
    pipeline: PipelineDigest = None,
) -> DatasetView:
    """Return the newest validation result of a file, or the one under the pipeline digest ``pipeline``.

    It comes with the file's profile, and with how far its columns have moved from the file accepted before.
    """
    await _refuse_deleted(database, name)
    async with database.sessions() as session:
        if SHORTEST <= len(digest) < store.DIGEST_DIGITS:
            digest = only_one(await store.digests(session, name, digest, COMPARED), digest, "dataset")
        row = await store.dataset(session, name, digest, pipeline)
        if row is None:
            raise problem(404, "Unknown dataset", f"pipeline {name!r} has no file with digest {digest}")
        if (deleted := tombstones.deletion_of(row)) is not None:
            raise problem(410, "Deleted dataset", deleted)
        before = await store.accepted_before(session, row)
        spec = await session.get_one(SpecRow, (name, row.pipeline_digest))
    view = dataset_view(row)
    view.profile = await stored_profile(artifacts, row)
    if view.profile is not None and before is not None:
        view.drift = await measured_drift(artifacts, before, view.profile, Pipeline.model_validate(spec.spec))
    return view


async def _spec(database: Database, registry: RegistryClient, name: str, digest: str | None) -> SpecRow:
    """Return a pipeline's newest spec, or the one with ``digest``; one that is on its way here is waited for.

    Which one is the newest the registry says: it has stored the spec before anything is published. While it is down,
    the newest one here counts.
    """
    await _refuse_deleted(database, name)
    applied = False
    with suppress(ConnectionError):
        if digest is None:
            digest = await registry.newest_digest(name)
            applied = digest is not None
        elif await _stored(database, name, digest) is None:
            applied = await registry.missing_pipeline(name, digest) is None
        if digest is None:
            missing = await registry.missing_pipeline(name) or Missing(no_pipeline(name, ()))
            raise problem(missing.status, missing.title if missing.deleted else "Unknown pipeline", missing.why)
    until = time.monotonic() + UPLOAD_SPEC_TIMEOUT_SECONDS
    found = await _stored(database, name, digest)
    while found is None and time.monotonic() < until:
        await asyncio.sleep(0.1)
        found = await _stored(database, name, digest)
    if found is not None:
        return found
    if applied:
        detail = f"spec {digest} of pipeline {name!r} is applied, but has not arrived here yet; send the file again"
        raise problem(503, "The pipeline is on its way", detail, headers={"Retry-After": "2"})
    raise _unknown_pipeline(name, digest)


async def _refuse_deleted(database: Database, name: str) -> None:
    async with database.sessions() as session:
        if (deleted := await tombstones.deletion_of_pipeline(session, name)) is not None:
            raise problem(410, "Deleted model", deleted)


async def _stored(database: Database, name: str, digest: str | None) -> SpecRow | None:
    async with database.sessions() as session:
        return await SpecRow.find(session, name, digest)


def _unknown_pipeline(name: str, digest: str | None = None) -> Exception:
    if digest is not None:
        return problem(404, "Unknown pipeline", f"pipeline {name!r} has no spec with digest {digest}; apply it first")
    return problem(404, "Unknown pipeline", no_pipeline(name, ()))


ROUTES = [upload, list_datasets, read_dataset]
