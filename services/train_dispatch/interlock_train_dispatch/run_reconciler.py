"""Run reconciler: starts queued runs, and compares running ones with their jobs on Ray until they end."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from interlock_artifacts import ArtifactStore, CorruptArtifactError
from interlock_contracts.http import ProgressView
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import TrainingCompleted, TrainingJob, TrainingProgressed, TrainingStarted
from interlock_jobs.launcher import Job, JobState, RayLauncher
from interlock_messaging import Bus, enqueue
from interlock_messaging.crash_points import crash_point
from interlock_messaging.transient import is_dependency_unavailable, is_unstorable
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch import spans, store
from interlock_train_dispatch.domain import GRACE, Action, Decision, Observation, decide, in_window, progress_at_end
from interlock_train_dispatch.logs import submission_id
from interlock_train_dispatch.runs import SERVICE, end
from interlock_train_dispatch.store import RunRow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunReconciler:
    """Reconciles runs with the cluster's jobs; each run is one transaction, safe to repeat."""

    bus: Bus
    artifacts: ArtifactStore
    launcher: RayLauncher

    async def reconcile(self) -> None:
        """Reconcile every run once: those that can start, those that run, and those that left a job behind."""
        async with self.bus.transaction() as session:
            ready = [run.run_id for run in await store.startable(session)]
            running = list(await store.running(session))
        await self._each(ready, self._start)
        await self._each(running, self._reconcile)
        async with self.bus.transaction() as session:
            orphans = list(await store.orphaned_jobs(session))
        await self._each(orphans, self._stop_orphan)

    async def _each(self, runs: Sequence[UUID], reconcile: Callable[[UUID], Awaitable[None]]) -> None:
        """Reconcile runs one by one; whatever is wrong with one of them, the others do not wait for it."""
        for run_id in runs:
            try:
                await reconcile(run_id)
            except Exception as error:
                if is_dependency_unavailable(error):
                    logger.warning("run %s waits for a dependency: %s", run_id, error, extra={"run_id": run_id})
                    continue
                logger.exception("run %s", run_id, extra={"run_id": run_id})
                if is_unstorable(error) or not isinstance(error, DBAPIError):
                    await self._give_up(run_id, error)

    async def _give_up(self, run_id: UUID, error: Exception) -> None:
        """End a run that cannot be started, or cannot be read and is out of time; any other is tried again."""
        async with self.bus.transaction() as session:
            run = await store.locked(session, run_id)
            if run is None:
                return
            if run.state == "queued":
                await end(session, run, "failed", f"the run cannot be started: {error}", f"{run_id}/{run.attempt}")
            elif run.state == "running" and run.deadline is not None and datetime.now(UTC) > run.deadline:
                await self._end(session, run, "timed_out", f"the deadline passed, and the run cannot be read: {error}")

    async def _start(self, run_id: UUID) -> None:
        async with self.bus.transaction() as session:
            run = await session.get_one(RunRow, run_id)
            await store.lock_model(session, run.model)
            locked = await store.locked(session, run_id)
            if locked is None or run_id not in [row.run_id for row in await store.startable(session)]:
                return
            spec = await store.SpecRow.find(session, run.model, run.pipeline_digest)
            if spec is None:
                raise LookupError(f"its spec {run.pipeline_digest} is not stored")
            pipeline = Pipeline.model_validate(spec.spec)
            files = list(await store.datasets(session, spec))
            pinned = [file for file in files if file.digest == run.dataset]
            chosen = pinned if run.dataset is not None else in_window(files, pipeline.training.window)
            if not chosen:
                raise LookupError(f"{run.dataset or 'every dataset of its pipeline'} is not there any more")
            run.datasets = [file.ref for file in chosen]
            evaluation = await store.evaluation_file(session, spec)
            run.evaluation = evaluation.ref if evaluation is not None else None
            run.state, run.started_at = "running", datetime.now(UTC)
            run.deadline = run.started_at + timedelta(minutes=pipeline.training.timeout_minutes)
            spans.emit_queue(run)
            await self._prepare(run, pipeline)

    async def _prepare(self, run: RunRow, pipeline: Pipeline) -> None:
        """Record the next attempt before its job is submitted: intent first."""
        assert run.deadline is not None, "a running run has a deadline"
        run.attempt, run.submitted, run.job_missing_since = run.attempt + 1, False, None
        job = TrainingJob(
            run_id=run.run_id,
            attempt=run.attempt,
            pipeline=pipeline,
            pipeline_digest=run.pipeline_digest,
            datasets=[DatasetRef.model_validate(ref) for ref in run.datasets],
            traceparent=run.traceparent,
            commit=run.commit,
            deadline=run.deadline,
        )
        ref = await asyncio.to_thread(self.artifacts.put, job.model_dump_json().encode())
        crash_point("train_dispatch.prepare.job_stored")
        run.job = ref.model_dump(mode="json")

    async def _reconcile(self, run_id: UUID) -> None:
        async with self.bus.transaction() as session:
            run = await store.locked(session, run_id)
            if run is None or run.state != "running":
                return
            job, manifest, raw = await self._observe(run)
            now = datetime.now(UTC)
            decision = decide(_observation(run, job, manifest, now))
            gone = job is not None and job.state is not JobState.ALIVE and run.submitted
            run.job_missing_since = (run.job_missing_since or now) if gone else None
            await self._apply(session, run, decision, manifest, raw)

    async def _observe(self, run: RunRow) -> tuple[Job | None, TrainingManifest | None, bytes]:
        if run.trained_at is not None:
            return None, None, b""
        try:
            raw = await asyncio.to_thread(self.artifacts.read, f"{_prefix(run)}/manifest.json")
            if raw is not None:
                return None, _manifest(raw, run), raw
            return await self.launcher.job(_submission(run)), None, b""
        except CorruptArtifactError as error:
            return None, TrainingManifest.failure(f"the manifest cannot be read: {error}"), b""
        except ConnectionError as error:  # time passes all the same, and its deadline with it
            logger.warning("run %s: %s", run.run_id, error, extra={"run_id": run.run_id})
            return None, None, b""

    async def _apply(
        self, session: AsyncSession, run: RunRow, decision: Decision, manifest: TrainingManifest | None, raw: bytes
    ) -> None:
        match decision.action:
            case Action.SUBMIT | Action.ACCEPT:
                await self._submit(session, run)
            case Action.COMPLETE:
                assert manifest is not None, "only a manifest completes a run"
                await self._complete(session, run, manifest, raw)
            case Action.TRY_AGAIN:
                text = "run %s, attempt %d: %s; trying again"
                logger.warning(text, run.run_id, run.attempt, decision.reason, extra={"run_id": run.run_id})
                spans.emit_lost(run, decision.reason)
                spec = await store.SpecRow.find(session, run.model, run.pipeline_digest)
                if spec is None:
                    await self._end(session, run, "failed", f"{decision.reason}, and its spec is not stored any more")
                else:
                    await self._prepare(run, Pipeline.model_validate(spec.spec))
            case Action.END:
                assert decision.outcome is not None, "an end has an outcome"
                cancel_reason = run.reason if decision.outcome == "cancelled" else None
                reason = (manifest.reason if manifest else None) or cancel_reason or decision.reason
                if manifest is not None:
                    spans.emit_training(run, manifest)
                await self._end(session, run, decision.outcome, reason)
            case Action.WAIT:
                await self._report_progress(session, run)

    async def _submit(self, session: AsyncSession, run: RunRow) -> None:
        assert run.deadline is not None, "a running run has a deadline"
        with spans.dispatch(run):
            crash_point("train_dispatch.submit.before")
            await self.launcher.submit(
                _submission(run),
                "interlock_trainer",
                ArtifactRef.model_validate(run.job),
                metadata={"run_id": str(run.run_id), "model": run.model},
                prefix=_prefix(run),
                until=run.deadline + GRACE,
            )
            crash_point("train_dispatch.submit.after")
        run.submitted = True
        await store.expect_log(session, run)
        event = TrainingStarted(
            run_id=run.run_id,
            model=run.model,
            attempt=run.attempt,
            pipeline_digest=run.pipeline_digest,
            datasets=[ref["digest"] for ref in run.datasets],
        )
        await enqueue(
            session, event, source=SERVICE, cause=run.causation_id, n=run.attempt, traceparent=run.traceparent
        )

    async def _end(
        self, session: AsyncSession, run: RunRow, outcome: Literal["failed", "cancelled", "timed_out"], reason: str
    ) -> None:
        """End a run; its job, which Ray may hold though that was not recorded, is stopped afterwards."""
        run.submitted = run.trained_at is None
        await end(session, run, outcome, reason, f"{run.run_id}/{run.attempt}")

    async def _stop_orphan(self, run_id: UUID) -> None:
        """Stop the job of a run that has ended, until Ray reports it as gone, however long Ray is away.

        One that Ray does not know may be a submission that is still on its way, so its absence must last.
        """
        async with self.bus.transaction() as session:
            run = await store.locked(session, run_id)
            if run is None or run.ended_at is None:
                return
            job = await self.launcher.job(_submission(run))
            if job.state is JobState.ALIVE:
                await self.launcher.stop(_submission(run))
                crash_point("train_dispatch.end.stopped")
            elif job.state is JobState.ENDED or datetime.now(UTC) - run.ended_at > GRACE:
                run.submitted = False

    async def _complete(self, session: AsyncSession, run: RunRow, manifest: TrainingManifest, raw: bytes) -> None:
        assert manifest.artifact is not None, "a manifest that says succeeded names its artifact"
        crash_point("train_dispatch.complete.manifest_seen")
        stored = await asyncio.to_thread(self.artifacts.put, raw)
        run.trained_at = datetime.now(UTC)
        run.progress = progress_at_end(manifest, (run.progress or {}).get("counter", 0))
        event = TrainingCompleted(
            run_id=run.run_id,
            model=run.model,
            attempt=run.attempt,
            pipeline_digest=run.pipeline_digest,
            manifest=stored,
            artifact=manifest.artifact,
            datasets=[DatasetRef.model_validate(ref) for ref in run.datasets],
            evaluation=DatasetRef.model_validate(run.evaluation) if run.evaluation else None,
        )
        trained = spans.emit_training(run, manifest)
        await enqueue(session, event, source=SERVICE, cause=run.causation_id, n=run.attempt, traceparent=trained)

    async def _report_progress(self, session: AsyncSession, run: RunRow) -> None:
        if run.trained_at is not None or not run.submitted:
            return
        raw = await asyncio.to_thread(self.artifacts.read, f"{_prefix(run)}/progress.json")
        event = reported_progress(raw, run) if raw else None
        if event is None:
            return
        # As JSON and back: a score that is no number is none.
        progress = json.loads(event.model_dump_json(include=set(ProgressView.model_fields)))
        if progress == run.progress:
            return
        run.progress = progress
        n = run.attempt * 1_000_000 + event.counter
        await enqueue(session, event, source=SERVICE, cause=run.causation_id, n=n, traceparent=run.traceparent)


def _submission(run: RunRow) -> str:
    return submission_id(run.run_id, run.attempt)


def _prefix(run: RunRow) -> str:
    """Return where the attempt's job leaves its progress and its manifest."""
    return f"runs/{run.run_id}/{run.attempt}"


def _manifest(raw: bytes, run: RunRow) -> TrainingManifest:
    try:
        manifest = TrainingManifest.model_validate_json(raw)
    except ValidationError as error:
        return TrainingManifest.failure(f"the manifest cannot be read: {error}")
    if manifest.run_id not in (None, run.run_id):
        return TrainingManifest.failure(f"the manifest is that of another run, {manifest.run_id}")
    return manifest


def reported_progress(raw: bytes, run: RunRow) -> TrainingProgressed | None:
    """Return what the trainer reports of its progress; None for rubbish, as losing a report loses nothing."""
    try:
        fields = {name: value for name, value in json.loads(raw).items() if name in TrainingProgressed.model_fields}
        return TrainingProgressed(**{**fields, "run_id": run.run_id, "model": run.model, "attempt": run.attempt})
    except (ValueError, AttributeError, RecursionError):
        return None


def _observation(run: RunRow, job: Job | None, manifest: TrainingManifest | None, now: datetime) -> Observation:
    assert run.deadline is not None, "a running run has a deadline"
    return Observation(
        now=now,
        deadline=run.deadline,
        attempt=run.attempt,
        submitted=run.submitted,
        cancelled=run.cancelled,
        trained=run.trained_at is not None,
        job=job.state.value if job else "unreachable",
        manifest=manifest.status if manifest else "absent",
        job_missing_since=run.job_missing_since,
    )
