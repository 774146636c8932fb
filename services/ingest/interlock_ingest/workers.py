"""Work queues of submissions and files; what was acknowledged gets its validation result, whoever dies meanwhile."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts import telemetry
from interlock_contracts.datasets import DatasetRejected, Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_messaging.work_queue import process_due
from interlock_runtime.clients import RegistryClient
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_ingest import rereading, store, tombstones
from interlock_ingest.change import with_changes
from interlock_ingest.domain import CHECK_FAILED, truncate_findings
from interlock_ingest.leakage import with_leakage
from interlock_ingest.store import SERVICE, DatasetRow, SubmissionRow
from interlock_ingest.validation import CheckFailedError, ValidationResult, check
from interlock_ingest.watermark import keep_watermark, with_watermark

SUBMISSION_SPEC_TIMEOUT = timedelta(seconds=60)
"""How long a submission may be ahead of its pipeline's `pipeline.applied`."""

_tracer = trace.get_tracer("interlock.ingest")
_propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class IngestWorker:
    """Fetches submitted objects and validates files; each item is one transaction, safe to repeat."""

    bus: Bus
    artifacts: ArtifactStore
    registry: RegistryClient
    folder: Path
    check_seconds: float

    async def take_submissions(self) -> None:
        """Turn submitted objects into stored files that wait for their validation."""
        await process_due(self.bus, SubmissionRow, work=self._take_submission, give_up=_give_up_submission)

    async def validate_files(self) -> None:
        """Validate the files that wait, one after the other, until none does."""
        await process_due(
            self.bus, DatasetRow, store.UNVALIDATED, work=self._validate_file, give_up=_give_up_validation
        )

    async def read_again(self) -> None:
        """Read stored files again that wait for it, one after the other, and tell of those of which all are read."""
        await process_due(self.bus, DatasetRow, store.UNREAD, work=self._validate_file, give_up=_give_up_validation)
        await rereading.announce(self.bus)

    async def _take_submission(self, session: AsyncSession, row: SubmissionRow) -> None:
        if (deleted := await tombstones.deletion_of_pipeline(session, row.pipeline)) is not None:
            await _reject_object(session, row, Finding(rule="object", message=deleted))
            await session.delete(row)
            return
        newest = None
        with suppress(ConnectionError):  # while the registry is down, the newest spec here counts
            newest = await self.registry.newest_digest(row.pipeline)
        spec = await store.SpecRow.find(session, row.pipeline, newest)
        if spec is None and datetime.now(UTC) - row.received_at < SUBMISSION_SPEC_TIMEOUT:
            row.not_before = datetime.now(UTC) + timedelta(seconds=1)
            return
        with _span(telemetry.SPAN_FETCH, row.traceparent, row.pipeline):
            await self._take(session, row, spec.digest if spec else None)
        await session.delete(row)

    async def _take(self, session: AsyncSession, submission: SubmissionRow, pipeline_digest: str | None) -> None:
        if pipeline_digest is None:
            fault = (
                f"no pipeline is called {submission.pipeline!r}, or its newest spec is not here yet; apply one first"
            )
            await _reject_object(session, submission, Finding(rule="object", message=fault))
            return
        try:
            file = await asyncio.to_thread(self._store_object, submission.object)
        except MissingArtifactError as error:
            await _reject_object(session, submission, Finding(rule="object", message=str(error)), pipeline_digest)
            return
        crash_point("ingest.submission.stored")
        row = DatasetRow(
            pipeline=submission.pipeline,
            digest=file.sha256,
            pipeline_digest=pipeline_digest,
            file=file.model_dump(mode="json"),
            bytes=file.bytes,
            cause=submission.cause,
            role=submission.role,
            object=submission.object,
            file_name=submission.object.rpartition("/")[2],
            traceparent=submission.traceparent,
        )
        try:
            await receive(session, row)
        except OtherRoleError as error:
            await _reject_object(session, submission, Finding(rule="role", message=str(error)), pipeline_digest)

    def _store_object(self, key: str) -> ArtifactRef:
        with TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "object"
            self.artifacts.download(key, path)
            return self.artifacts.put_file(path, holdout=True)

    async def _validate_file(self, session: AsyncSession, row: DatasetRow) -> None:
        spec = await store.SpecRow.find(session, row.pipeline, row.pipeline_digest)
        assert spec is not None, "a file is only taken in for a spec that is stored"
        with _span(telemetry.SPAN_CHECK, row.traceparent, row.pipeline, row.digest):
            await self._validate(session, row, Pipeline.model_validate(spec.spec))

    async def _validate(self, session: AsyncSession, row: DatasetRow, declared: Pipeline) -> None:
        pipeline = await with_watermark(session, declared)
        with TemporaryDirectory(dir=self.folder) as name:
            file, folder = Path(name) / "file", Path(name) / "check"
            folder.mkdir()
            try:
                await asyncio.to_thread(self.artifacts.fetch_file, ArtifactRef.model_validate(row.file), file)
            except (CorruptArtifactError, MissingArtifactError) as error:
                if row.read_again and isinstance(error, MissingArtifactError):
                    await reject(session, row, [rereading.NOT_KEPT], [], None)
                    return
                raise CheckFailedError(f"the stored file: {error}") from error
            form = await store.hash_form(session, row.pipeline)
            result = await check(file, pipeline, folder, role=row.role, form=form, timeout_s=self.check_seconds)
            crash_point("ingest.check.done")
            await store.lock_references(session)
            profile = await asyncio.to_thread(self._store_profile, result)
            if not row.read_again:  # else it has been compared with other files when it came
                result = await with_changes(session, self.artifacts, row, pipeline, result)
                result = await with_leakage(session, self.artifacts, row, pipeline, result)
            if result.parts is None:
                await reject(session, row, result.reasons, result.warnings, profile)
                return
            if not await keep_watermark(session, pipeline, row.digest, result.parts.cut):
                await self._validate(session, row, declared)  # another file came first, and all are cut where it was
                return
            train = await asyncio.to_thread(self.artifacts.put_file, result.parts.train)
            holdout = await asyncio.to_thread(self.artifacts.put_file, result.parts.holdout, holdout=True)
            crash_point("ingest.check.parts_stored")
        dataset = DatasetRef(
            digest=row.digest,
            train=train,
            holdout=holdout,
            train_rows=result.parts.train_rows,
            holdout_rows=result.parts.holdout_rows,
        )
        await _accept(session, row, dataset, result.warnings, profile)

    def _store_profile(self, result: ValidationResult) -> ArtifactRef:
        return self.artifacts.put(json.dumps(result.profile, allow_nan=False).encode())


class OtherRoleError(Exception):
    """A file is either training or evaluation data, never both (leakage)."""

    def __init__(self, row: DatasetRow) -> None:
        now, then = ("an evaluation file", "a training file")[:: 1 if row.role == "evaluation" else -1]
        super().__init__(
            f"file {row.digest[:12]} is known as {then} of pipeline {row.pipeline!r}, so it cannot be {now}; "
            "only a file that was rejected may change its role"
        )


async def receive(session: AsyncSession, row: DatasetRow) -> DatasetRow:
    """Add a stored file that is to be validated; return its row.

    A file that has its validation result under this pipeline digest, or waits for it, starts nothing; one whose
    validation failed for our own fault is validated again, and so is one that was rejected in its other role. One
    that was deleted is a new file.

    Raises:
        OtherRoleError: the file is accepted or validated in its other role; nothing has been changed.
    """
    if await store.known_in_other_role(session, row):
        raise OtherRoleError(row)
    await store.lock_references(session)
    known = await store.add_dataset(session, row)
    if known.state != "checking":  # else its row may be locked as long as its validation lasts
        await session.refresh(known, with_for_update=True)
    if known.state == "deleted":
        await session.delete(known)
        await session.flush()
        return await store.add_dataset(session, row)
    changed = known.role != row.role
    redone = any(reason["rule"] in (CHECK_FAILED, rereading.NOT_KEPT.rule) for reason in known.reasons)
    if known.state == "rejected" and (changed or redone):
        known.state, known.reasons, known.failures, known.decided_at = "checking", [], 0, None
        known.read_again = None
        known.cause, known.role, known.traceparent = row.cause, row.role, row.traceparent
        await store.enqueue_validation(session, known)
    elif changed:  # both came in the same moment
        raise OtherRoleError(row)
    return known


async def reject(
    session: AsyncSession,
    row: DatasetRow,
    reasons: list[Finding],
    warnings: list[Finding],
    profile: ArtifactRef | None,
) -> None:
    """Record the rejection with all its reasons, and enqueue its event."""
    trace.get_current_span().set_attribute(telemetry.TASK_RESULT, "failure")
    row.state, row.decided_at = "rejected", datetime.now(UTC)
    row.reasons, row.warnings = _dumped(reasons), _dumped(warnings)
    row.profile = profile.model_dump(mode="json") if profile else None
    event = DatasetRejected(
        pipeline=row.pipeline,
        pipeline_digest=row.pipeline_digest,
        digest=row.digest,
        object=row.object,
        reasons=truncate_findings(reasons),
    )
    await enqueue(session, event, source=SERVICE, cause=row.cause)


async def _accept(
    session: AsyncSession, row: DatasetRow, dataset: DatasetRef, warnings: list[Finding], profile: ArtifactRef
) -> None:
    trace.get_current_span().set_attribute(telemetry.TASK_RESULT, "success")
    # A file that the last release received has no number yet.
    row.number = row.received_number if row.received_number is not None else await store.next_number(session, row)
    row.state, row.decided_at = "accepted", datetime.now(UTC)
    row.dataset, row.profile = dataset.model_dump(mode="json"), profile.model_dump(mode="json")
    row.warnings = _dumped(warnings)
    if row.read_again is None:
        await enqueue(session, rereading.ingested(row), source=SERVICE, cause=row.cause)


async def _reject_object(
    session: AsyncSession, submission: SubmissionRow, reason: Finding, pipeline_digest: str | None = None
) -> None:
    event = DatasetRejected(
        pipeline=submission.pipeline, pipeline_digest=pipeline_digest, object=submission.object, reasons=[reason]
    )
    await enqueue(session, event, source=SERVICE, cause=submission.cause)


async def _give_up_submission(session: AsyncSession, row: SubmissionRow, error: Exception) -> None:
    fault = f"fetching the object failed {row.failures} times; submit it again ({repr(error)[:500]})"
    await _reject_object(session, row, Finding(rule=CHECK_FAILED, message=fault))
    await session.delete(row)


async def _give_up_validation(session: AsyncSession, row: DatasetRow, error: Exception) -> None:
    why = str(error) if isinstance(error, CheckFailedError) else repr(error)
    what = f"the check failed {row.failures} times, which need not be the file's fault; upload it again ({why[-500:]})"
    with _span(telemetry.SPAN_CHECK, row.traceparent, row.pipeline, row.digest):
        await reject(session, row, [Finding(rule=CHECK_FAILED, message=what)], [], None)


def _dumped(findings: list[Finding]) -> list[dict[str, Any]]:
    return [finding.model_dump(mode="json") for finding in findings]


def _span(name: str, traceparent: str | None, pipeline: str, digest: str | None = None) -> Any:
    """Record work that goes on with the trace of what brought the file."""
    context: Context = _propagator.extract({"traceparent": traceparent} if traceparent else {})
    attributes = {telemetry.PIPELINE: pipeline, telemetry.TASK: name}
    if digest is not None:
        attributes |= {telemetry.DATASET: digest, telemetry.TASK_RUN: f"{pipeline}/{digest}/{name}"}
    return _tracer.start_as_current_span(name, context=context, attributes=attributes)
