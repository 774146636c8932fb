"""Wires together what answers files."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from interlock_artifacts import ArtifactStore
from interlock_artifacts.scoped_credentials import credential_issuer_of
from interlock_artifacts.signing import SignatureVerifier
from interlock_messaging import Bus
from interlock_runtime.folders import locked_work_folder, work_folder
from interlock_runtime.process import run_periodically
from interlock_runtime.ray_jobs import RayJobs

from interlock_prediction.batch.peers import Peers
from interlock_prediction.batch.running import Batches
from interlock_prediction.batch.schedules import Schedules
from interlock_prediction.batch.scorers import ProcessScorer, RayScorer, Scorer
from interlock_prediction.batch.store import Runner
from interlock_prediction.batch.taking import Taking
from interlock_prediction.settings import PredictionSettings

POLL_SECONDS: dict[Runner, float] = {"process": 0.5, "ray": 2.0}
SCHEDULE_SECONDS = 10.0
RAY_JOBS = 4
"""So many files of one replica are on the cluster at once; each holds a connection to the database meanwhile."""

_PREFIX = "interlock-prediction-"


@dataclass(frozen=True)
class Files:
    """All that answers files; ``running`` while the service lives, ``state`` for its routes."""

    taking: Taking
    folder: Path
    scorers: dict[Runner, Scorer]
    batches: Batches
    schedules: Schedules
    cluster: RayJobs | None
    threads: dict[Runner, int]
    upload_bytes: int

    @classmethod
    def of(
        cls,
        settings: PredictionSettings,
        bus: Bus,
        artifacts: ArtifactStore,
        trust: SignatureVerifier,
        client: httpx.AsyncClient,
    ) -> "Files":
        """Make what the settings say; without an address of Ray, every file is scored beside the service."""
        folder = work_folder(_PREFIX, settings.batch_work_dir)
        keep = timedelta(hours=settings.batch_keep_hours)
        cluster = RayJobs(settings.ray_address, settings.ray_bearer) if settings.ray_address else None
        peers = Peers(settings.registry_url, settings.ingest_url, settings.service_key, client)
        taking = Taking(artifacts, peers, trust, settings.batch_ray_bytes if cluster else None)
        scorers: dict[Runner, Scorer] = {"process": ProcessScorer(folder, settings.s3_environment)}
        if cluster is not None:
            lender = credential_issuer_of(settings.s3, settings.s3_job_role, settings.s3_sts_endpoint)
            scorers["ray"] = RayScorer(artifacts, cluster, settings.trainer_python, lender)
        return cls(
            taking=taking,
            folder=folder,
            scorers=scorers,
            batches=Batches(bus, artifacts, scorers, keep),
            schedules=Schedules(bus, artifacts, taking, folder, keep),
            cluster=cluster,
            threads={"process": settings.batch_scorers, "ray": RAY_JOBS},
            upload_bytes=settings.batch_upload_bytes,
        )

    @property
    def state(self) -> dict[str, Any]:
        """Return what the routes need."""
        return {
            "taking": self.taking,
            "folder": self.folder,
            "keep": self.batches.keep,
            "upload_bytes": self.upload_bytes,
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Score what waits and start what is due while the block lasts."""
        async with AsyncExitStack() as stack:
            if self.cluster is not None:
                stack.push_async_callback(self.cluster.close)
            await stack.enter_async_context(locked_work_folder(self.folder, _PREFIX))
            for runner in self.scorers:
                for _ in range(self.threads[runner]):
                    score = partial(self.batches.score_files, runner)
                    await stack.enter_async_context(run_periodically(score, seconds=POLL_SECONDS[runner]))
            await stack.enter_async_context(run_periodically(self.schedules.look, seconds=SCHEDULE_SECONDS))
            yield
