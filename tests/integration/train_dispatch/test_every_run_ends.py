"""A run always ends, and says so once: whatever dies, is lost, cannot be read, or never answers."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from interlock_contracts.evaluation import EvaluationFailed
from interlock_jobs.launcher import Job, JobState
from interlock_train_dispatch import handlers
from interlock_train_dispatch.store import DatasetRow, SpecRow
from sqlalchemy import delete, update

from tests.support.dispatcher import REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher with one model and one accepted file."""
    async with dispatching(servers) as made:
        yield made


async def running(dispatcher: Dispatcher) -> UUID:
    """Return a run whose first job lives."""
    run = await dispatcher.request()
    await dispatcher.steps(2)
    return run


async def late(dispatcher: Dispatcher, run: UUID) -> None:
    """Let the run's deadline pass."""
    await dispatcher.change(run, deadline=datetime.now(UTC) - timedelta(seconds=1))


async def refused(dispatcher: Dispatcher, run: UUID, reason: str) -> None:
    """Let the gate's refusal arrive."""
    told = {"model": dispatcher.model, "version": 1, "run_id": run, "against": None, "report": REF}
    async with dispatcher.bus.transaction() as session:
        await handlers.end_refused_run(EvaluationFailed.model_validate({**told, "reasons": [reason]}), session)


async def ended(dispatcher: Dispatcher, run: UUID, state: str, reason: str) -> None:
    """Check that the run ended so, for this reason, and that its end was published once."""
    row = await dispatcher.run(run)
    assert row.state == state
    assert reason in str(row.reason)
    assert row.ended_at is not None
    await dispatcher.steps(2)
    published = await dispatcher.published(run)
    assert published.count("training.failed") == (0 if state in ("succeeded", "refused") else 1)


async def test_a_head_that_comes_back_without_the_job_trains_it_again(dispatcher: Dispatcher) -> None:
    """Ray's head was killed: nothing answers, then nobody knows the job; the second attempt makes the model."""
    run = await running(dispatcher)
    dispatcher.cluster.down = True
    await dispatcher.steps(2)
    dispatcher.cluster.down = False
    dispatcher.cluster.jobs.clear()
    await dispatcher.steps(1)
    await dispatcher.change(run, job_missing_since=datetime.now(UTC) - timedelta(minutes=1))
    await dispatcher.steps(2)
    dispatcher.finish(run, attempt=2)
    await dispatcher.steps(1)

    assert dispatcher.cluster.submissions == [f"{run}-a1", f"{run}-a2"]
    assert (await dispatcher.published(run)).count("training.completed") == 1


@pytest.mark.parametrize("away", ["cluster", "store"])
async def test_what_never_comes_back_ends_the_run_at_its_deadline(dispatcher: Dispatcher, away: str) -> None:
    """Unreachable is not lost, but it is not for ever either; no manifest can be read, yet time passes."""
    run = await running(dispatcher)
    getattr(dispatcher, away).down = True
    await dispatcher.steps(2)
    assert (await dispatcher.run(run)).state == "running"
    await late(dispatcher, run)
    await dispatcher.steps(1)

    await ended(dispatcher, run, "timed_out", "deadline")


@pytest.mark.parametrize("how", ["timed out", "cancelled"])
async def test_a_job_that_could_not_be_stopped_is_stopped_when_ray_is_back(dispatcher: Dispatcher, how: str) -> None:
    """The run ended while Ray was away; its job does not train on for nobody."""
    run = await running(dispatcher)
    dispatcher.cluster.down = True
    await (late(dispatcher, run) if how == "timed out" else dispatcher.cancel(run))
    await dispatcher.steps(2)
    assert not dispatcher.cluster.stopped
    dispatcher.cluster.down = False
    await dispatcher.steps(1)

    assert dispatcher.cluster.stopped == [f"{run}-a1"]
    await ended(dispatcher, run, "timed_out" if how == "timed out" else "cancelled", "")
    assert dispatcher.cluster.stopped == [f"{run}-a1"]


async def test_a_job_is_stopped_until_it_has_stopped(dispatcher: Dispatcher) -> None:
    """Ray says that it will stop a job, not that it has."""
    run = await running(dispatcher)
    dispatcher.cluster.stubborn = True
    await dispatcher.cancel(run)
    await dispatcher.steps(2)
    dispatcher.cluster.stubborn = False
    await dispatcher.steps(3)

    assert dispatcher.cluster.stopped == [f"{run}-a1"] * 3


async def test_a_job_that_nobody_noted_is_stopped_too(dispatcher: Dispatcher) -> None:
    """Killed between submit and commit, and cancelled before the next look: the job lives, though no row says so."""
    run = await running(dispatcher)
    await dispatcher.change(run, submitted=False)
    await dispatcher.cancel(run)
    await dispatcher.steps(1)

    assert dispatcher.cluster.stopped == [f"{run}-a1"]
    await ended(dispatcher, run, "cancelled", "not wanted")


async def test_a_submission_that_arrives_after_the_end_is_stopped(dispatcher: Dispatcher) -> None:
    """Ray took its time over the request: the job appears when the run is over."""
    run = await dispatcher.request()
    await dispatcher.steps(1)
    dispatcher.cluster.jobs.clear()
    await dispatcher.change(run, submitted=False)
    await dispatcher.cancel(run)
    await dispatcher.steps(2)
    assert not dispatcher.cluster.stopped
    dispatcher.cluster.jobs[f"{run}-a1"] = Job(JobState.ALIVE)
    await dispatcher.steps(1)

    assert dispatcher.cluster.stopped == [f"{run}-a1"]


async def test_a_job_that_fails_each_time_ends_the_run(dispatcher: Dispatcher) -> None:
    """Three attempts without a manifest, and the run says what it waited for in vain."""
    run = await dispatcher.request()
    for attempt in (1, 2, 3):
        await dispatcher.steps(2)
        dispatcher.cluster.jobs[f"{run}-a{attempt}"] = Job(JobState.ENDED, "FAILED: out of memory")
        await dispatcher.steps(1)
        await dispatcher.change(run, job_missing_since=datetime.now(UTC) - timedelta(minutes=1))
        await dispatcher.steps(1)

    await ended(dispatcher, run, "failed", "without a manifest, 3 times over")


async def test_a_manifest_of_another_run_ends_the_run(dispatcher: Dispatcher) -> None:
    """What lies under our key is not ours by that alone."""
    run = await running(dispatcher)
    dispatcher.finish(run, of=uuid4())
    await dispatcher.steps(1)

    await ended(dispatcher, run, "failed", "another run")


async def test_a_manifest_of_any_size_ends_the_run(dispatcher: Dispatcher) -> None:
    """One that is too large to read is one that cannot be read."""
    run = await running(dispatcher)
    dispatcher.store.put_once(f"runs/{run}/1/manifest.json", b" " * 40_000_000)
    await dispatcher.steps(1)

    await ended(dispatcher, run, "failed", "manifest cannot be read")


async def test_a_verdict_that_never_comes_ends_the_run_at_its_deadline(dispatcher: Dispatcher) -> None:
    """The gate is dead, or the registry has refused what was trained: somebody waits for the model all the same."""
    run = await running(dispatcher)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    await late(dispatcher, run)
    await dispatcher.steps(1)

    await ended(dispatcher, run, "timed_out", "verdict of the gate")
    assert not dispatcher.cluster.stopped


async def test_a_refusal_ends_the_run_with_its_reasons(dispatcher: Dispatcher) -> None:
    """So it is when the holdout is gone: the gate says what it could not read."""
    run = await running(dispatcher)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    await refused(dispatcher, run, "no holdout is stored")

    await ended(dispatcher, run, "refused", "no holdout is stored")


async def test_a_queued_run_is_cancelled_at_once(dispatcher: Dispatcher) -> None:
    """It never comes to Ray."""
    run = await dispatcher.request()
    await dispatcher.cancel(run)
    await dispatcher.steps(2)

    await ended(dispatcher, run, "cancelled", "not wanted")
    assert not dispatcher.cluster.submissions


async def test_a_cancel_that_comes_after_the_training_changes_nothing(dispatcher: Dispatcher) -> None:
    """The model is the gate's by then, and its verdict is the run's end."""
    run = await running(dispatcher)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    await dispatcher.cancel(run)
    await dispatcher.steps(1)

    row = await dispatcher.run(run)
    assert (row.state, row.cancelled, row.reason) == ("running", False, None)


async def test_the_queue_drains_behind_whatever_end(dispatcher: Dispatcher) -> None:
    """What waited for a run starts when that one has ended, though badly."""
    first = await running(dispatcher)
    waiting = await dispatcher.request()
    joined = await dispatcher.request()
    await late(dispatcher, first)
    await dispatcher.steps(3)

    assert (await dispatcher.run(waiting)).state == "running"
    assert (await dispatcher.run(joined)).coalesced_into == waiting
    assert dispatcher.cluster.submissions == [f"{first}-a1", f"{waiting}-a1"]


@pytest.mark.parametrize("lost", ["spec", "dataset"])
async def test_a_queued_run_that_cannot_start_ends_and_stops_nobody(dispatcher: Dispatcher, lost: str) -> None:
    """Its spec or its data is gone, or damaged: the others start all the same."""
    run = await dispatcher.request()
    damage = update(SpecRow).values(spec={"name": dispatcher.model}) if lost == "spec" else delete(DatasetRow)
    async with dispatcher.bus.transaction() as session:
        await session.execute(damage)
    await dispatcher.steps(1)

    await ended(dispatcher, run, "failed", "cannot be started")


async def test_a_run_that_cannot_be_looked_at_stops_no_other_and_ends_at_its_deadline(dispatcher: Dispatcher) -> None:
    """One row that makes every look fail was a stop to all that came after it."""
    broken = await running(dispatcher)
    await dispatcher.change(broken, job={"sha256": "rubbish"}, submitted=False)
    dispatcher.cluster.jobs.clear()
    other = Dispatcher.beside(dispatcher)
    await other.add_spec()
    run = await other.request()
    await dispatcher.steps(2)
    assert (await dispatcher.run(run)).submitted
    await late(dispatcher, broken)
    await dispatcher.steps(1)

    await ended(dispatcher, broken, "timed_out", "deadline")


@pytest.mark.parametrize(
    "progress", [b"not json", b"[1]", b'{"counter": "many"}', json.dumps({"counter": -1, "stage": None}).encode()]
)
async def test_rubbish_for_progress_is_no_reason_to_stop(dispatcher: Dispatcher, progress: bytes) -> None:
    """Losing a word of progress loses nothing; the manifest counts."""
    run = await running(dispatcher)
    dispatcher.store.put_latest(f"runs/{run}/1/progress.json", progress)
    await dispatcher.steps(1)
    dispatcher.finish(run)
    await dispatcher.steps(1)

    assert (await dispatcher.run(run)).trained_at is not None


async def test_a_cluster_that_refuses_every_job_ends_the_run_at_its_deadline(dispatcher: Dispatcher) -> None:
    """A wrong token, a full disk: no attempt is counted, as none was made."""
    run = await dispatcher.request()
    dispatcher.cluster.refuses = True
    await dispatcher.steps(3)
    row: Any = await dispatcher.run(run)
    assert (row.state, row.attempt, row.submitted) == ("running", 1, False)
    await late(dispatcher, run)
    await dispatcher.steps(1)

    await ended(dispatcher, run, "timed_out", "deadline")


async def test_what_ended_stays_ended(dispatcher: Dispatcher) -> None:
    """A verdict that comes too late is the registry's business; the run's end is published."""
    run = await running(dispatcher)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    await late(dispatcher, run)
    await dispatcher.steps(1)
    await refused(dispatcher, run, "too late")

    await ended(dispatcher, run, "timed_out", "verdict of the gate")
