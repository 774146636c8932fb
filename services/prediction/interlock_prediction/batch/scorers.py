"""Starts ``python -m interlock_scoring`` and waits until it has ended: beside the service, or as a job on Ray."""

import asyncio
import logging
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from interlock_artifacts import ArtifactStore
from interlock_artifacts.scoped_credentials import CredentialIssuer
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoringJob
from interlock_runtime.ray_jobs import Job, JobState, RayJobs

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
TRIES = 3
LONGEST = timedelta(hours=12)
"""What a try on Ray may take: then its rights end, and with them the try. The next one goes on where it was."""
_SHOWN = 1000


class ScorerDiedError(Exception):
    """The program ended without a report, for a reason that need not be the file's; it may be tried again."""


class Scorer(Protocol):
    """One place where files are scored."""

    async def run(self, prediction_id: UUID, job: ArtifactRef) -> None:
        """Return once the program has ended; its report is there.

        Raises:
            ScorerDiedError: it ended otherwise.
        """
        ...

    async def stop(self, prediction_id: UUID) -> None:
        """Stop what still runs for a prediction, after ``run`` was cancelled."""
        ...


@dataclass(frozen=True)
class ProcessScorer:
    """A process of its own on this machine: the event loop stays free, and all memory goes back at the end.

    ``environment`` is all that it gets: the object store and nothing else.
    """

    folder: Path
    environment: Mapping[str, str]

    async def run(self, prediction_id: UUID, job: ArtifactRef) -> None:
        """Run the program; it ends when this process does, and goes on where it was when it is started again."""
        del prediction_id
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "interlock_scoring", "--child"),
            *("--job", f"{job.sha256}:{job.bytes}", "--folder", str(self.folder)),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment, "TMPDIR": str(self.folder)},
        )
        try:
            assert process.stderr is not None
            told = (await process.stderr.read())[-_SHOWN:].decode(errors="replace")
            status = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if status != 0:
            raise ScorerDiedError(f"the scoring process ended with status {status}: {told}")

    async def stop(self, prediction_id: UUID) -> None:
        """Do nothing: the process has gone with its ``run``."""


@dataclass(frozen=True)
class RayScorer:
    """A job on the cluster; whoever watches may go away and another watches on."""

    artifacts: ArtifactStore
    ray: RayJobs
    python: str
    lender: CredentialIssuer | None = None

    async def run(self, prediction_id: UUID, job: ArtifactRef) -> None:
        """Submit the job, or find it again, and wait for its end; what ended badly is submitted anew, thrice."""
        ended = Job(JobState.UNKNOWN)
        for attempt in range(1, TRIES + 1):
            ended = await self._ended(f"{prediction_id}-b{attempt}", prediction_id, job)
            report = f"predictions/{prediction_id}/report.json"
            if await asyncio.to_thread(self.artifacts.read, report) is not None:
                return
            logger.warning("prediction %s, attempt %d on Ray: %s", prediction_id, attempt, ended.message)
        raise ScorerDiedError(f"the job on Ray ended without a report {TRIES} times: {ended.message[-_SHOWN:]}")

    async def stop(self, prediction_id: UUID) -> None:
        """Stop every job of the prediction."""
        for attempt in range(1, TRIES + 1):
            await self.ray.stop(f"{prediction_id}-b{attempt}")

    async def _ended(self, submission: str, prediction_id: UUID, ref: ArtifactRef) -> Job:
        while True:
            try:
                job = await self.ray.job(submission)
                if job.state is JobState.UNKNOWN:  # not submitted yet, or forgotten by a head that was restarted
                    entrypoint = f"{shlex.quote(self.python)} -m interlock_scoring --job {ref.sha256}:{ref.bytes}"
                    rights = await asyncio.to_thread(self._rights, submission, ref)
                    await self.ray.submit(submission, entrypoint, {"prediction_id": str(prediction_id)}, rights)
                elif job.state is JobState.ENDED:
                    return job
            except ConnectionError as error:
                logger.warning("prediction %s waits for Ray: %s", prediction_id, error)
            await asyncio.sleep(POLL_SECONDS)

    def _rights(self, submission: str, ref: ArtifactRef) -> dict[str, str]:
        if self.lender is None:
            return {}
        job = ScoringJob.model_validate_json(self.artifacts.fetch(ref))
        return self.lender.issue(submission, job.prefix, datetime.now(UTC) + LONGEST, reads=[job.input.key])
