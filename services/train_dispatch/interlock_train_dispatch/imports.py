"""Route that takes in a model which was trained elsewhere: a run that imports it, and goes to the gate as any other."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

from interlock_artifacts import ArtifactStore
from interlock_artifacts.folder_archive import BadArchiveError, read_member
from interlock_contracts import telemetry
from interlock_contracts.http import RunAccepted
from interlock_contracts.mlmodel import MAX_BYTES, MLMODEL, parse_mlmodel
from interlock_contracts.refs import MAX_CALLER
from interlock_messaging import Bus
from interlock_runtime.access import Caller
from interlock_runtime.clients import RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.openapi import BODY, FILE
from interlock_runtime.problems import problem
from interlock_runtime.tracing import request_span
from interlock_runtime.uploads import refuse_wrapped, save
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from interlock_train_dispatch import runs
from interlock_train_dispatch.logs import lock_references
from interlock_train_dispatch.routes import require_trainable

UPLOAD_BYTES = 64 << 20
"""Of an uploaded archive, compressed or not."""


@post("/models/{name:str}/import", status_code=202, request_max_body_size=None, opt={SCOPE: "promote", BODY: FILE})
async def import_model(
    name: FromPath[str],
    *,
    request: Request[Caller, Any, Any],
    bus: NamedDependency[Bus],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
    registry: NamedDependency[RegistryClient],
    folder: NamedDependency[Path],
    reason: Annotated[str | None, QueryParameter(max_length=1000, description="Why; kept with the run.")] = None,
) -> Response[RunAccepted]:
    """Import a model that MLflow has saved as ONNX or XGBoost: the body is its folder as a tar archive.

    A run translates it, compares it with the original's own answers, and registers it as a version, which the gate
    judges like one that was trained. At most 64 MiB, plain or compressed. 404 for an unknown pipeline, 409 without an
    accepted dataset, 422 for an archive or a flavour that is not taken.
    """
    refuse_wrapped(request)
    await require_trainable(database, registry, name)
    about = {telemetry.PIPELINE: name, telemetry.MODEL: name}
    with (
        request_span(telemetry.SPAN_IMPORT, request, about, status=202) as span,
        TemporaryDirectory(dir=folder) as upload_folder,
    ):
        path = Path(upload_folder) / "upload"
        await save(request.stream(), path, UPLOAD_BYTES)
        try:
            parse_mlmodel(await asyncio.to_thread(read_member, path, MLMODEL, MAX_BYTES + 1))
        except (BadArchiveError, ValueError) as error:
            raise problem(422, "The model is not imported", str(error)) from error
        async with bus.transaction() as session:
            await lock_references(session)
            run = await runs.request(
                session,
                name,
                str(uuid4()),
                by=request.user.name.replace("\0", "\N{REPLACEMENT CHARACTER}")[:MAX_CALLER],
                why=reason.replace("\0", "\N{REPLACEMENT CHARACTER}") if reason else None,
                imported=await asyncio.to_thread(artifacts.put_file, path),
            )
        span.set_attribute(telemetry.RUN_ID, str(run.run_id))
    address = f"/runs/{run.run_id}"
    return Response(RunAccepted(run_id=run.run_id, run=address), status_code=202, headers={"Location": address})


ROUTES = [import_model]
