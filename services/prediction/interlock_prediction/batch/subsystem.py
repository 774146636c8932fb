"""Composition of batch scoring: submitter, scorers, runner and schedules."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from interlock_artifacts import ArtifactStore
from interlock_artifacts.scoped_credentials import credential_issuer_of
from interlock_artifacts.signing import SignatureVerifier
from interlock_jobs.launcher import RayLauncher
from interlock_messaging import Bus
from interlock_runtime.clients import IngestClient, RegistryClient
from interlock_runtime.folders import locked_work_folder, work_folder
from interlock_runtime.process import run_periodically

from interlock_prediction.batch.runner import BatchRunner
from interlock_prediction.batch.schedules import Schedules
from interlock_prediction.batch.scorers import ProcessScorer, RayScorer, Scorer
from interlock_prediction.batch.store import BatchRow, Runner
from interlock_prediction.batch.submission import BatchSubmitter
from interlock_prediction.settings import PredictionSettings

POLL_SECONDS = 2.0
"""For what another replica has left, and for what is due again: a commit of this one wakes its runners at once."""

SCHEDULE_SECONDS = 10.0
MAX_RAY_JOBS = 4
"""Concurrent Ray jobs of one replica; each holds a database connection."""

_PREFIX = "interlock-prediction-"


@dataclass(frozen=True)
class BatchSubsystem:
    """Batch scoring of one replica: ``running`` is its lifespan."""

    submitter: BatchSubmitter
    folder: Path
    scorers: dict[Runner, Scorer]
    runner: BatchRunner
    schedules: Schedules
    launcher: RayLauncher | None
    threads: dict[Runner, int]
    upload_bytes: int

    @classmethod
    def of(
        cls,
        settings: PredictionSettings,
        bus: Bus,
        artifacts: ArtifactStore,
        verifier: SignatureVerifier,
        *,
        registry: RegistryClient,
        ingest: IngestClient,
    ) -> "BatchSubsystem":
        """Build it from the settings; without a Ray address, every file is scored in a child process."""
        folder = work_folder(_PREFIX, settings.batch_work_dir)
        retention = timedelta(hours=settings.batch_keep_hours)
        launcher, ray_bytes = None, None
        if settings.ray_address is not None:
            issuer = credential_issuer_of(settings.s3, settings.s3_job_role, settings.s3_sts_endpoint)
            launcher = RayLauncher(settings.ray_address, settings.ray_bearer, settings.trainer_python, issuer)
            ray_bytes = settings.batch_ray_bytes
        submitter = BatchSubmitter(artifacts, registry, ingest, verifier, ray_bytes)
        scorers: dict[Runner, Scorer] = {"process": ProcessScorer(folder, settings.s3_environment)}
        if launcher is not None:
            scorers["ray"] = RayScorer(artifacts, launcher)
        return cls(
            submitter=submitter,
            folder=folder,
            scorers=scorers,
            runner=BatchRunner(bus, artifacts, scorers, retention),
            schedules=Schedules(bus, artifacts, submitter, folder, retention),
            launcher=launcher,
            threads={"process": settings.batch_scorers, "ray": MAX_RAY_JOBS},
            upload_bytes=settings.batch_upload_bytes,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run waiting files and start due schedules while the block lasts."""
        async with AsyncExitStack() as stack:
            if self.launcher is not None:
                stack.push_async_callback(self.launcher.close)
            await stack.enter_async_context(locked_work_folder(self.folder, _PREFIX))
            woken = self.runner.bus.delivery.wakeups.of(BatchRow)
            for runner in self.scorers:
                for _ in range(self.threads[runner]):
                    score = partial(self.runner.run_pending, runner)
                    await stack.enter_async_context(run_periodically(score, seconds=POLL_SECONDS, woken=woken))
            await stack.enter_async_context(run_periodically(self.schedules.start_due, seconds=SCHEDULE_SECONDS))
            yield
