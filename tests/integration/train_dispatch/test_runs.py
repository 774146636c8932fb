"""A run's life on a real broker and database, with a cluster that does as it is told."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from interlock_contracts.evaluation import EvaluationPassed
from interlock_contracts.training import RunState
from interlock_jobs.launcher import Job, JobState
from interlock_train_dispatch import handlers, lists, runs
from interlock_train_dispatch.routes import run_view
from interlock_train_dispatch.store import RunRow

from tests.support.dispatcher import REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher with one model and one accepted file."""
    async with dispatching(servers) as made:
        yield made


async def test_a_run_is_started_followed_and_completed(dispatcher: Dispatcher) -> None:
    """Intent, submission, progress, manifest: each is published once, however often the reconciler runs."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.store.put_latest(
        f"runs/{run}/1/progress.json", json.dumps({"counter": 1, "stage": "search", "trials_done": 1}).encode()
    )
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()

    assert dispatcher.cluster.submissions == [f"{run}-a1"]
    assert await dispatcher.published(run) == ["training.started", "training.progressed", "training.completed"]
    row = await dispatcher.run(run)
    assert (row.state, row.trained_at is not None) == ("running", True)
    assert row.progress is not None, "its last report"
    assert (row.progress["counter"], row.progress["trials_done"], row.progress["trials_total"]) == (1, 0, 0)


async def test_a_run_whose_model_a_person_must_judge_ends(dispatcher: Dispatcher) -> None:
    """Also where the pipeline promotes by itself: the champion could not be compared, and the model may train again."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()

    passed = EvaluationPassed(
        model=dispatcher.model, version=2, run_id=run, against=1, report=REF, reasons=[], needs_approval=True
    )
    async with dispatcher.bus.transaction() as session:
        await handlers.end_run_awaiting_approval(passed, session)

    row = await dispatcher.run(run)
    assert (row.state, row.version, row.reason) == ("succeeded", 2, "the gate let it through; it waits for an approval")


async def test_a_repeat_that_the_inbox_has_forgotten_is_the_run_that_there_is(dispatcher: Dispatcher) -> None:
    """A CI job that is run again a year later gets the run of its commit; nothing is trained, and nothing fails."""
    cause = str(uuid4())
    run = await dispatcher.request(cause_id=cause, tags={"commit": "f00d"})
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()
    published = await dispatcher.published(run)
    again = await dispatcher.request(cause_id=cause, tags={"commit": "f00d"})
    await dispatcher.steps()

    assert again == run
    assert dispatcher.cluster.submissions == [f"{run}-a1"]
    assert await dispatcher.published(run) == published


async def test_a_request_for_an_unknown_model_is_listed_as_a_failed_run(dispatcher: Dispatcher) -> None:
    """With its reason; and it harms no listing."""
    run = await dispatcher.request("nobody-knows-it")

    view = run_view(await dispatcher.run(run))

    assert (view.state, view.pipeline_digest) == ("failed", "0" * 64)
    assert "no pipeline is called 'nobody-knows-it'" in (view.reason or "")


async def test_runs_are_listed_by_model_and_state(dispatcher: Dispatcher) -> None:
    """The newest first; no state asks for all."""
    first = await dispatcher.request("nobody-knows-it")
    second = await dispatcher.request()

    async def listed(model: str | None, *states: RunState) -> list[UUID]:
        async with dispatcher.bus.transaction() as session:
            wanted = lists.RunFilter(model=model, states=states)
            return [run.run_id for run in await lists.runs(session, wanted, limit=10)]

    assert await listed(None) == [second, first]
    assert await listed(None, "failed", "refused") == [first]
    assert await listed(dispatcher.model, "failed") == []
    assert await listed(dispatcher.model, "queued", "running") == [second]


async def test_a_manifest_counts_though_ray_lost_the_job(dispatcher: Dispatcher) -> None:
    """The head was restarted after the job had ended: Ray knows nothing, the manifest says it all."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.cluster.jobs.clear()
    dispatcher.finish(run)
    await dispatcher.steps()

    assert "training.completed" in await dispatcher.published(run)
    assert len(dispatcher.cluster.submissions) == 1


async def test_a_lost_job_is_tried_again_under_a_new_id_and_not_for_ever(dispatcher: Dispatcher) -> None:
    """Three attempts, each with a prefix of its own; then the run fails and says why."""
    run = await dispatcher.request()
    for _ in range(3):
        await dispatcher.steps(2)
        dispatcher.cluster.jobs.clear()
        await dispatcher.steps(1)
        await dispatcher.change(run, job_missing_since=datetime.now(UTC) - timedelta(minutes=1))
        await dispatcher.steps(1)

    assert dispatcher.cluster.submissions == [f"{run}-a1", f"{run}-a2", f"{run}-a3"]
    row = await dispatcher.run(run)
    assert row.state == "failed"
    assert "lost the job" in str(row.reason)


async def test_a_submission_that_was_not_written_down_is_not_repeated(dispatcher: Dispatcher) -> None:
    """Killed between submit and commit: the next look finds the job and takes it as its own."""
    run = await dispatcher.request()
    await dispatcher.steps(1)
    await dispatcher.change(run, submitted=False)
    dispatcher.cluster.jobs = {f"{run}-a1": Job(JobState.ALIVE)}
    await dispatcher.steps()

    row = await dispatcher.run(run)
    assert (row.submitted, row.attempt) == (True, 1)
    assert set(dispatcher.cluster.jobs) == {f"{run}-a1"}


async def test_an_unreachable_cluster_is_waited_for(dispatcher: Dispatcher) -> None:
    """Ray down is not Ray having lost the job."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.cluster.down = True
    await dispatcher.change(run, job_missing_since=None)
    await dispatcher.steps(3)

    row = await dispatcher.run(run)
    assert (row.state, row.attempt, row.job_missing_since) == ("running", 1, None)


async def test_a_reason_from_the_trainer_reaches_the_user(dispatcher: Dispatcher) -> None:
    """A failure that the data caused is not tried again."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run, status="failed", artifact=None, reason="the target is constant")
    await dispatcher.steps()

    row = await dispatcher.run(run)
    assert (row.state, row.reason) == ("failed", "the target is constant")
    assert (await dispatcher.published(run))[-1] == "training.failed"


@pytest.mark.parametrize("manifest", [b"not json", b"{}", b'{"status": "succeeded"}'])
async def test_a_manifest_that_cannot_be_read_ends_the_run(dispatcher: Dispatcher, manifest: bytes) -> None:
    """Rubbish under the manifest's key is a failure with words, not a dispatcher that falls over each second."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.store.put_once(f"runs/{run}/1/manifest.json", manifest)
    await dispatcher.steps()

    row = await dispatcher.run(run)
    assert row.state == "failed"
    assert "manifest" in str(row.reason)


async def test_a_cancelled_run_is_stopped_on_the_cluster(dispatcher: Dispatcher) -> None:
    """Cancel reaches Ray, and the next request can start."""
    run = await dispatcher.request()
    await dispatcher.steps()
    async with dispatcher.bus.transaction() as session:
        await runs.cancel(session, await session.get_one(RunRow, run), "wrong data", str(uuid4()), by="ada")
    await dispatcher.steps(1)
    following = await dispatcher.request()
    await dispatcher.steps()

    assert dispatcher.cluster.stopped == [f"{run}-a1"]
    assert (await dispatcher.run(run)).state == "cancelled"
    assert (await dispatcher.run(following)).state == "running"
    assert [each for each in await dispatcher.published(run) if each in ("training.cancelled", "training.failed")] == [
        "training.cancelled",
        "training.failed",
    ]


async def test_a_run_keeps_who_asked_for_it_and_says_so(dispatcher: Dispatcher) -> None:
    """Also one that joins another; nothing is published where nobody is known."""
    first = await dispatcher.request(by="ada", reason="a look")
    joined = await dispatcher.request(by="event//my/cron")
    unknown = await dispatcher.request()

    rows = [await dispatcher.run(each) for each in (first, joined, unknown)]
    assert [(row.requested_by, row.request_reason) for row in rows] == [
        ("ada", "a look"), ("event//my/cron", None), (None, None)
    ]  # fmt: skip
    published = [await dispatcher.published(each) for each in (first, joined, unknown)]
    assert ["training.queued" in each for each in published] == [True, True, False]


async def test_a_run_for_new_data_is_asked_for_by_whoever_uploaded_it(dispatcher: Dispatcher) -> None:
    """An object that was submitted has nobody."""
    assert (await dispatcher.run(await dispatcher.ingest(uploaded_by="ada"))).requested_by == "ada"
    assert (await dispatcher.run(await dispatcher.ingest())).requested_by is None


async def test_a_run_ends_at_its_deadline(dispatcher: Dispatcher) -> None:
    """Nothing hangs for ever, whoever forgot to answer."""
    run = await dispatcher.request()
    await dispatcher.steps()
    await dispatcher.change(run, deadline=datetime.now(UTC) - timedelta(seconds=1))
    await dispatcher.steps()

    assert (await dispatcher.run(run)).state == "timed_out"
    assert dispatcher.cluster.stopped == [f"{run}-a1"]


async def test_requests_during_a_run_join_one_queued_run(dispatcher: Dispatcher) -> None:
    """Ten requests while one trains are one more training."""
    first = await dispatcher.request()
    await dispatcher.steps(1)
    later = [await dispatcher.request() for _ in range(10)]
    await dispatcher.steps()

    states = [(await dispatcher.run(run)).state for run in later]
    assert states == ["queued"] + ["coalesced"] * 9
    assert {(await dispatcher.run(run)).coalesced_into for run in later[1:]} == {later[0]}
    assert (await dispatcher.run(first)).state == "running"


async def test_an_unknown_model_is_a_failed_run_with_the_reason(dispatcher: Dispatcher) -> None:
    """Whoever published the request can read what was wrong with it."""
    run = await dispatcher.request(model="no-such-model")

    row = await dispatcher.run(run)
    assert row.state == "failed"
    assert "apply one first" in str(row.reason)
    assert await dispatcher.published(run) == ["training.failed"]
