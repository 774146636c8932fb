"""Logs of trainings: read from Ray while a job is there, kept in the object store once it has ended."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts.refs import ArtifactRef
from interlock_jobs.launcher import JobState, RayLauncher
from interlock_messaging import Bus
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch import store
from interlock_train_dispatch.store import LogRow, RunRow

logger = logging.getLogger(__name__)

LOG_FETCH_TIMEOUT = timedelta(minutes=10)
"""How long after its training a log is fetched from a Ray that does not return it."""

KEEP_SECONDS = 1.0
"""Pause between two rounds of keeping logs."""


async def lock_references(session: AsyncSession, *, alone: bool = False) -> None:
    """Wait until nobody deletes logs, and keep it so until the transaction ends; ``alone`` also nobody stores one."""
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    await session.execute(select(lock(func.hashtext("references of runs to logs"))))


@dataclass(frozen=True)
class TrainingLog:
    """What an attempt's job has printed; ``complete`` once nothing can follow."""

    text: str
    complete: bool


@dataclass(frozen=True)
class RunLogs:
    """Keeps and reads the logs of runs, by attempt."""

    bus: Bus
    artifacts: ArtifactStore
    launcher: RayLauncher

    async def keep_due(self) -> None:
        """Keep the logs of all attempts that are over; safe to repeat, as the same log is the same object."""
        async with self.bus.transaction() as session:
            due = await store.due_logs(session)
        for run_id, attempt, over_at in due:
            try:
                await self._keep(run_id, attempt)
            except ConnectionError as error:
                about = {"run_id": run_id}
                logger.warning("the log of run %s waits for a dependency: %s", run_id, error, extra=about)
                if over_at is not None and datetime.now(UTC) - over_at > LOG_FETCH_TIMEOUT:
                    await self._note(run_id, attempt, None)

    async def _keep(self, run_id: UUID, attempt: int) -> None:
        job = await self.launcher.job(submission_id(run_id, attempt))
        if job.state is JobState.ALIVE:
            return
        text = await self.launcher.log(submission_id(run_id, attempt)) if job.state is JobState.ENDED else None
        await self._note(run_id, attempt, text)

    async def _note(self, run_id: UUID, attempt: int, text: str | None) -> None:
        """Store the log unless that is done, and note it; without a text, that it is lost."""
        async with self.bus.transaction() as session:
            await lock_references(session)
            log = await session.get(LogRow, (run_id, attempt), with_for_update=True)
            if log is None or log.ref is not None or log.lost:  # another replica was here
                return
            ref = None if text is None else await asyncio.to_thread(self.artifacts.put, text.encode())
            log.ref, log.lost = ref.model_dump(mode="json") if ref else None, ref is None

    async def read(self, run: RunRow, attempt: int) -> TrainingLog | None:
        """Return the log of an attempt that was made; None where neither the object store nor Ray has it.

        Raises:
            ConnectionError: it is with Ray or the store, and that does not answer.
        """
        async with self.bus.transaction() as session:
            log = await session.get(LogRow, (run.run_id, attempt))
        if log is not None and log.ref is not None:
            try:
                kept = await asyncio.to_thread(self.artifacts.fetch, ArtifactRef.model_validate(log.ref))
            except (MissingArtifactError, CorruptArtifactError):
                return None
            return TrainingLog(kept.decode(), complete=True)
        if log is not None and log.lost:
            return None
        over = run.ended_at is not None or attempt < run.attempt
        text = await self.launcher.log(submission_id(run.run_id, attempt))
        if text is None:
            return None if over else TrainingLog("", complete=False)
        return TrainingLog(text, complete=over and log is None)  # a run of an earlier release: nobody will keep it


def submission_id(run_id: UUID, attempt: int) -> str:
    """Return the id that an attempt's job has on Ray."""
    return f"{run_id}-a{attempt}"
