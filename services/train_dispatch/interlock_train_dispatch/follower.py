"""Starts queued runs and follows running ones to their end, by looking again and again."""

import asyncio
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from interlock_artifacts import ArtifactStore
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import TrainingCompleted, TrainingJob, TrainingProgressed, TrainingStarted
from interlock_messaging import Bus, say
from interlock_messaging.crash_points import crash_point
from interlock_runtime.ray_jobs import Job, JobState, RayJobs
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch import spans, store
from interlock_train_dispatch.domain import Action, Decision, Sight, decide, in_window
from interlock_train_dispatch.runs import SERVICE, end
from interlock_train_dispatch.store import RunRow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Follower:
    """Starts queued runs and follows running ones to their end; each step is one transaction, safe to repeat."""

    bus: Bus
    artifacts: ArtifactStore
    ray: RayJobs
    trainer_python: str

    async def step(self) -> None:
        """Look at every run once."""
        async with self.bus.transaction() as session:
            ready = [(run.run_id, run.model) for run in await store.startable(session)]
            followed = list(await store.running(session))
        for run, model in ready:
            await self._start(run, model)
        for run in followed:
            await self._follow(run)

    async def _start(self, run_id: UUID, model: str) -> None:
        async with self.bus.transaction() as session:
            await store.lock_model(session, model)
            run = await store.locked(session, run_id)
            startable = [row.run_id for row in await store.startable(session)]
            if run is None or run_id not in startable:
                return
            spec = await store.spec(session, model, run.pipeline_digest)
            assert spec is not None, "a queued run's spec is stored"
            pipeline = Pipeline.model_validate(spec.spec)
            batches = list(await store.datasets(session, model, spec.data_digest))
            pinned = [batch for batch in batches if batch.digest == run.dataset]
            run.datasets = [batch.ref for batch in pinned or in_window(batches, pipeline.training.window)]
            run.state, run.started_at = "running", datetime.now(UTC)
            run.deadline = run.started_at + timedelta(minutes=pipeline.training.timeout_minutes)
            await self._prepare(run, pipeline)

    async def _prepare(self, run: RunRow, pipeline: Pipeline) -> None:
        """Write down the next attempt before Ray hears of it: intent first."""
        assert run.deadline is not None, "a running run has a deadline"
        run.attempt, run.submitted, run.gone_since = run.attempt + 1, False, None
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

    async def _follow(self, run_id: UUID) -> None:
        async with self.bus.transaction() as session:
            run = await store.locked(session, run_id)
            if run is None or run.state != "running":
                return
            job, manifest, raw = await self._look(run)
            now = datetime.now(UTC)
            decision = decide(_sight(run, job, manifest, now))
            gone = job is not None and job.state is not JobState.ALIVE and run.submitted
            run.gone_since = (run.gone_since or now) if gone else None
            await self._act(session, run, decision, manifest, raw)

    async def _look(self, run: RunRow) -> tuple[Job | None, TrainingManifest | None, bytes]:
        if run.trained_at is not None:
            return None, None, b""
        raw = await asyncio.to_thread(self.artifacts.read, f"runs/{run.run_id}/{run.attempt}/manifest.json")
        if raw is not None:
            return None, _manifest(raw), raw
        try:
            return await self.ray.job(_submission(run)), None, b""
        except ConnectionError as error:
            logger.warning("run %s: %s", run.run_id, error)
            return None, None, b""

    async def _act(
        self, session: AsyncSession, run: RunRow, decision: Decision, manifest: TrainingManifest | None, raw: bytes
    ) -> None:
        match decision.action:
            case Action.SUBMIT | Action.ACCEPT:
                await self._submit(session, run)
            case Action.COMPLETE:
                assert manifest is not None, "only a manifest completes a run"
                await self._complete(session, run, manifest, raw)
            case Action.TRY_AGAIN:
                logger.warning("run %s, attempt %d: %s; trying again", run.run_id, run.attempt, decision.reason)
                spec = await store.spec(session, run.model, run.pipeline_digest)
                assert spec is not None, "a running run's spec is stored"
                await self._prepare(run, Pipeline.model_validate(spec.spec))
            case Action.END:
                assert decision.outcome is not None, "an end has an outcome"
                await self._stop(run)
                crash_point("train_dispatch.end.stopped")
                reason = (manifest.reason if manifest else None) or run.reason or decision.reason
                await end(session, run, decision.outcome, reason, f"{run.run_id}/{run.attempt}")
            case Action.WAIT:
                await self._report_progress(session, run)

    async def _submit(self, session: AsyncSession, run: RunRow) -> None:
        job = ArtifactRef.model_validate(run.job)
        entrypoint = f"{self.trainer_python} -m interlock_trainer --job {job.sha256}:{job.bytes}"
        metadata = {"run_id": str(run.run_id), "model": run.model}
        with spans.dispatch(run):
            crash_point("train_dispatch.submit.before")
            await self.ray.submit(_submission(run), entrypoint, metadata)
            crash_point("train_dispatch.submit.after")
        run.submitted = True
        event = TrainingStarted(
            run_id=run.run_id,
            model=run.model,
            attempt=run.attempt,
            pipeline_digest=run.pipeline_digest,
            datasets=[ref["digest"] for ref in run.datasets],
        )
        await say(session, event, source=SERVICE, cause=run.cause, n=run.attempt, traceparent=run.traceparent)

    async def _stop(self, run: RunRow) -> None:
        if run.submitted and run.trained_at is None:
            try:
                await self.ray.stop(_submission(run))
            except ConnectionError as error:
                logger.warning("run %s could not be stopped on Ray: %s", run.run_id, error)

    async def _complete(self, session: AsyncSession, run: RunRow, manifest: TrainingManifest, raw: bytes) -> None:
        assert manifest.artifact is not None, "a manifest that says succeeded names its artifact"
        crash_point("train_dispatch.complete.manifest_seen")
        stored = await asyncio.to_thread(self.artifacts.put, raw)
        run.trained_at = datetime.now(UTC)
        event = TrainingCompleted(
            run_id=run.run_id,
            model=run.model,
            attempt=run.attempt,
            pipeline_digest=run.pipeline_digest,
            manifest=stored,
            artifact=manifest.artifact,
            datasets=[DatasetRef.model_validate(ref) for ref in run.datasets],
        )
        trained = spans.emit_training(run, manifest)
        await say(session, event, source=SERVICE, cause=run.cause, n=run.attempt, traceparent=trained)

    async def _report_progress(self, session: AsyncSession, run: RunRow) -> None:
        if run.trained_at is not None or not run.submitted:
            return
        raw = await asyncio.to_thread(self.artifacts.read, f"runs/{run.run_id}/{run.attempt}/progress.json")
        progress = json.loads(raw) if raw else None
        if progress is None or progress == run.progress:
            return
        run.progress = progress
        told = {name: progress[name] for name in TrainingProgressed.model_fields if name in progress}
        event = TrainingProgressed(**{**told, "run_id": run.run_id, "model": run.model, "attempt": run.attempt})
        n = run.attempt * 1_000_000 + event.counter
        await say(session, event, source=SERVICE, cause=run.cause, n=n, traceparent=run.traceparent)


def _submission(run: RunRow) -> str:
    return f"{run.run_id}-a{run.attempt}"


def _manifest(raw: bytes) -> TrainingManifest:
    try:
        manifest = TrainingManifest.model_validate_json(raw)
    except ValidationError as error:
        return TrainingManifest.failure(f"the manifest cannot be read: {error}")
    return manifest


def _sight(run: RunRow, job: Job | None, manifest: TrainingManifest | None, now: datetime) -> Sight:
    assert run.deadline is not None, "a running run has a deadline"
    return Sight(
        now=now,
        deadline=run.deadline,
        attempt=run.attempt,
        submitted=run.submitted,
        cancelled=run.cancelled,
        trained=run.trained_at is not None,
        job=job.state.value if job else "unreachable",
        manifest=manifest.status if manifest else "absent",
        gone_since=run.gone_since,
    )
