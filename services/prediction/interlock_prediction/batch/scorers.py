"""Scorers: run ``python -m interlock_scoring`` to its end, in a child process or as a Ray job."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.scoring import ScoringJob
from interlock_jobs.arguments import format_ref
from interlock_jobs.launcher import Job, JobState, RayLauncher

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
MAX_ATTEMPTS = 3
MAX_ATTEMPT_TIME = timedelta(hours=12)
"""Time limit of an attempt on Ray: its scoped credentials expire then. The next attempt resumes."""
_STDERR_CHARS = 1000


class ScorerDiedError(Exception):
    """The program ended without a report, maybe through no fault of the file; it is retried."""


class Scorer(Protocol):
    """A place where files are scored."""

    async def run(self, prediction_id: UUID, job: ArtifactRef) -> None:
        """Run the program to its end; afterwards its report is in the store.

        Raises:
            ScorerDiedError: it ended without a report.
        """
        ...

    async def stop(self, prediction_id: UUID) -> None:
        """Stop the prediction's jobs, after ``run`` was cancelled."""
        ...


@dataclass(frozen=True)
class ProcessScorer:
    """A child process on this machine: the event loop stays free, and all memory is released at the end.

    ``environment`` is its whole environment: credentials of the object store and nothing else.
    """

    folder: Path
    environment: Mapping[str, str]

    async def run(self, prediction_id: UUID, job: ArtifactRef) -> None:
        """Run the program; it ends with this process, and resumes when it is started again."""
        del prediction_id
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "interlock_scoring", "--child"),
            *("--job", format_ref(job), "--folder", str(self.folder)),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment, "TMPDIR": str(self.folder)},
        )
        try:
            assert process.stderr is not None
            stderr = (await process.stderr.read())[-_STDERR_CHARS:].decode(errors="replace")
            status = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # unlike wait, reads what is left, so that the pipe is closed
        if status != 0:
            raise ScorerDiedError(f"the scoring process ended with status {status}: {stderr}")

    async def stop(self, prediction_id: UUID) -> None:
        """Do nothing: ``run`` has killed the process."""


@dataclass(frozen=True)
class RayScorer:
    """A job on the Ray cluster; any replica can go on watching it."""

    artifacts: ArtifactStore
    launcher: RayLauncher

    async def run(self, prediction_id: UUID, job: ArtifactRef) -> None:
        """Submit the job, or find it again, and wait for its end; a failed one is retried, three attempts in all."""
        ended = Job(JobState.UNKNOWN)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            ended = await self._wait_for_end(f"{prediction_id}-b{attempt}", prediction_id, job)
            report = f"predictions/{prediction_id}/report.json"
            if await asyncio.to_thread(self.artifacts.read, report) is not None:
                return
            logger.warning("prediction %s, attempt %d on Ray: %s", prediction_id, attempt, ended.message)
        raise ScorerDiedError(
            f"the job on Ray ended without a report {MAX_ATTEMPTS} times: {ended.message[-_STDERR_CHARS:]}"
        )

    async def stop(self, prediction_id: UUID) -> None:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            await self.launcher.stop(f"{prediction_id}-b{attempt}")

    async def _wait_for_end(self, submission: str, prediction_id: UUID, ref: ArtifactRef) -> Job:
        while True:
            try:
                job = await self.launcher.job(submission)
                if job.state is JobState.UNKNOWN:  # not submitted yet, or forgotten by a head that was restarted
                    await self._submit(submission, prediction_id, ref)
                elif job.state is JobState.ENDED:
                    return job
            except ConnectionError as error:
                logger.warning("prediction %s waits for Ray: %s", prediction_id, error)
            await asyncio.sleep(POLL_SECONDS)

    async def _submit(self, submission: str, prediction_id: UUID, ref: ArtifactRef) -> None:
        job = ScoringJob.model_validate_json(await asyncio.to_thread(self.artifacts.fetch, ref))
        await self.launcher.submit(
            submission,
            "interlock_scoring",
            ref,
            metadata={"prediction_id": str(prediction_id)},
            prefix=job.prefix,
            until=datetime.now(UTC) + MAX_ATTEMPT_TIME,
            reads=[job.input.key],
        )
