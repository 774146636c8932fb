"""What a training printed is read while its job is there, and kept when it has ended."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from interlock_contracts.refs import ArtifactRef
from interlock_jobs.launcher import Job, JobState
from interlock_train_dispatch.logs import LOG_FETCH_TIMEOUT, TrainingLog
from interlock_train_dispatch.store import LogRow, RunRow

from tests.support.dispatcher import Dispatcher, answering, dispatching

pytestmark = pytest.mark.integration


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher with one model and one accepted file."""
    async with dispatching(servers) as made:
        yield made


async def training(dispatcher: Dispatcher, printed: str = "one\n") -> UUID:
    """Return a run whose first job lives and has printed something."""
    run = await dispatcher.request()
    await dispatcher.steps(2)
    dispatcher.cluster.logs[f"{run}-a1"] = printed
    return run


async def log(dispatcher: Dispatcher, run: UUID, attempt: int = 1) -> TrainingLog | None:
    return await dispatcher.logs.read(await dispatcher.run(run), attempt)


async def row(dispatcher: Dispatcher, run: UUID, attempt: int = 1) -> LogRow:
    async with dispatcher.database.sessions() as session:
        return await session.get_one(LogRow, (run, attempt))


async def test_a_log_is_rays_while_the_job_lives_and_ours_afterwards(dispatcher: Dispatcher) -> None:
    """Nothing is kept before the job has ended, for its last lines follow its manifest; then Ray may forget it."""
    run = await training(dispatcher)
    await dispatcher.logs.keep_due()
    assert await log(dispatcher, run) == TrainingLog("one\n", complete=False)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    await dispatcher.logs.keep_due()
    assert not (await log(dispatcher, run) or pytest.fail("no log")).complete

    dispatcher.cluster.logs[f"{run}-a1"] = "one\ntwo\n"
    dispatcher.cluster.jobs[f"{run}-a1"] = Job(JobState.ENDED)
    await dispatcher.logs.keep_due()
    dispatcher.cluster.jobs.clear()
    dispatcher.cluster.down = True

    assert await log(dispatcher, run) == TrainingLog("one\ntwo\n", complete=True)
    kept = ArtifactRef.model_validate((await row(dispatcher, run)).ref)
    assert not kept.holdout


async def test_each_attempt_keeps_its_own_log(dispatcher: Dispatcher) -> None:
    """What the first one printed is why there was a second; that one has printed nothing yet."""
    run = await training(dispatcher, "out of memory\n")
    dispatcher.cluster.jobs[f"{run}-a1"] = Job(JobState.ENDED, "FAILED")
    await dispatcher.steps(1)
    await dispatcher.change(run, job_missing_since=datetime.now(UTC) - timedelta(minutes=1))
    await dispatcher.steps(2)
    await dispatcher.logs.keep_due()

    assert await log(dispatcher, run, 1) == TrainingLog("out of memory\n", complete=True)
    assert await log(dispatcher, run, 2) == TrainingLog("", complete=False)


async def test_a_log_that_ray_has_forgotten_is_lost(dispatcher: Dispatcher) -> None:
    """A head that was killed has taken it along; nobody asks for it for ever."""
    run = await training(dispatcher)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    dispatcher.cluster.jobs.clear()
    await dispatcher.logs.keep_due()

    assert (await row(dispatcher, run)).lost
    assert await log(dispatcher, run) is None


async def test_a_cluster_that_does_not_answer_is_waited_for_and_not_for_ever(dispatcher: Dispatcher) -> None:
    """The run goes on meanwhile: its log is no reason to stop anything."""
    run = await training(dispatcher)
    dispatcher.finish(run)
    await dispatcher.steps(1)
    dispatcher.cluster.down = True
    await dispatcher.logs.keep_due()
    assert not (await row(dispatcher, run)).lost
    with pytest.raises(ConnectionError):
        await log(dispatcher, run)
    await dispatcher.change(run, trained_at=datetime.now(UTC) - LOG_FETCH_TIMEOUT - timedelta(seconds=1))
    await dispatcher.logs.keep_due()

    assert (await row(dispatcher, run)).lost
    assert (await dispatcher.run(run)).trained_at is not None


async def test_the_log_of_a_run_of_an_earlier_release_is_rays(dispatcher: Dispatcher) -> None:
    """Nobody has noted that it is to be kept, so what Ray has is all there will be."""
    run = await training(dispatcher)
    await dispatcher.change(run, ended_at=datetime.now(UTC), state="failed")
    async with dispatcher.bus.transaction() as session:
        await session.delete(await session.get_one(LogRow, (run, 1)))

    assert await log(dispatcher, run) == TrainingLog("one\n", complete=True)
    dispatcher.cluster.jobs.clear()
    assert await log(dispatcher, run) is None


@pytest.fixture
async def http(dispatcher: Dispatcher) -> AsyncIterator[httpx.AsyncClient]:
    """Return the dispatcher's routes."""
    async with answering(dispatcher) as client:
        yield client


async def test_over_http_a_log_is_text_with_what_is_known_of_it(
    dispatcher: Dispatcher, http: httpx.AsyncClient
) -> None:
    """Empty while the run is queued; of an attempt that was never made there is none, and it says how many were."""
    run = await dispatcher.request()
    queued = await http.get(f"/runs/{run}/logs")
    assert (queued.status_code, queued.text, queued.headers["interlock-log-complete"]) == (200, "", "false")
    await dispatcher.steps(2)
    dispatcher.cluster.logs[f"{run}-a1"] = "r\u00e9sum\u00e9\n"
    log = await http.get(f"/runs/{run}/logs")
    assert (log.text, log.headers["interlock-attempt"]) == ("r\u00e9sum\u00e9\n", "1")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"

    absent = await http.get(f"/runs/{run}/logs", params={"attempt": 2})
    assert (absent.status_code, absent.json()["detail"]) == (404, f"attempts of run {run} so far: 1")
    assert (await http.get(f"/runs/{run}/logs", params={"attempt": 0})).status_code == 400
    dispatcher.cluster.jobs.clear()
    await dispatcher.change(run, ended_at=datetime.now(UTC), state="failed")
    assert (await http.get(f"/runs/{run}/logs")).json()["title"] == "The log is lost"


async def test_a_run_that_never_trained_says_why_there_is_no_log(
    dispatcher: Dispatcher, http: httpx.AsyncClient
) -> None:
    """It joined another, or its request was refused."""
    first, second = await dispatcher.request(), await dispatcher.request()
    joined = (await http.get(f"/runs/{second}/logs")).json()
    refused = (await http.get(f"/runs/{await dispatcher.request('nobody')}/logs")).json()

    assert (joined["status"], joined["detail"]) == (404, f"run {second} has trained nothing: it joined run {first}")
    assert "'nobody'" in refused["detail"]


async def test_a_log_that_ray_has_and_does_not_give_is_an_outage(
    dispatcher: Dispatcher, http: httpx.AsyncClient
) -> None:
    """Trying again helps, and the answer says so."""
    run = await training(dispatcher)
    dispatcher.cluster.down = True

    assert (await http.get(f"/runs/{run}/logs")).status_code == 503


async def test_the_beginning_of_a_runs_id_is_enough_to_read_it(dispatcher: Dispatcher, http: httpx.AsyncClient) -> None:
    """Where no other begins so; what is changed is named whole."""
    whole = await training(dispatcher)
    begun = str(whole)[:8]
    found = await http.get(f"/runs/{begun}")
    log = await http.get(f"/runs/{str(whole).upper()[:18]}/logs")
    like = UUID(f"{begun}-{'0' * 4}-4000-8000-{'0' * 12}")
    async with dispatcher.bus.transaction() as session:
        session.add(
            RunRow(run_id=like, model=dispatcher.model, state="failed", causation_id="x", pipeline_digest="0" * 64)
        )
    several = await http.get(f"/runs/{begun}")
    unknown = await http.get(f"/runs/{(int(begun, 16) ^ 1):08x}")

    assert (found.json()["run_id"], log.text) == (str(whole), "one\n")
    assert several.status_code == 409
    assert sorted(each["id"] for each in several.json()["errors"]) == sorted([str(whole), str(like)])
    assert (await http.get(f"/runs/{str(whole)[:-1]}")).json()["run_id"] == str(whole)
    assert unknown.status_code == (await http.get("/runs/flights-1")).status_code == 404
    assert "8 hexadecimal digits or more" in (await http.get(f"/runs/{begun[:7]}")).json()["detail"]
    assert (await http.post(f"/runs/{str(whole)[:-1]}/cancel")).status_code == 404
