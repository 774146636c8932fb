"""A run's life on a real broker and database, with a cluster that does as it is told."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from faststream.rabbit import RabbitRouter
from interlock_artifacts import MemoryStore
from interlock_contracts.event import Envelope
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import RetrainRequested
from interlock_messaging import Bus
from interlock_messaging.tables import OutboxRow
from interlock_runtime.database import Database
from interlock_runtime.ray_jobs import Job, JobState
from interlock_train_dispatch import runs, store
from interlock_train_dispatch.domain import data_digest
from interlock_train_dispatch.follower import Follower
from interlock_train_dispatch.store import DatasetRow, RunRow, SpecRow
from sqlalchemy import select

pytestmark = pytest.mark.integration

REF = ArtifactRef(sha256="a" * 64, bytes=1)
HOLDOUT = ArtifactRef(sha256="b" * 64, bytes=1, holdout=True)


class Cluster:
    """Ray as the dispatcher sees it: jobs by submission id, gone when it is restarted, silent when it is down."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.submissions: list[str] = []
        self.stopped: list[str] = []
        self.down = False

    async def job(self, submission_id: str) -> Job:
        if self.down:
            raise ConnectionError("Ray does not answer")
        return self.jobs.get(submission_id, Job(JobState.UNKNOWN))

    async def submit(self, submission_id: str, entrypoint: str, metadata: dict[str, str]) -> None:
        assert "-m interlock_trainer --job" in entrypoint
        assert metadata["run_id"] in submission_id
        self.submissions.append(submission_id)
        self.jobs.setdefault(submission_id, Job(JobState.ALIVE))

    async def stop(self, submission_id: str) -> None:
        self.stopped.append(submission_id)


class Dispatcher:
    """The dispatcher's follower, one model with one accepted file, and the means to look at both."""

    def __init__(self, servers: dict[str, str]) -> None:
        self.model = f"m-{uuid4().hex[:8]}"
        self.store = MemoryStore()
        self.cluster = Cluster()
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], f"dispatch-{self.model}")
        self.bus = Bus(
            servers["INTERLOCK_AMQP_URL"], service="lab", router=RabbitRouter(), sessions=self.database.sessions
        )
        self.follower = Follower(self.bus, self.store, self.cluster, "python")  # type: ignore[arg-type]

    async def add_spec(self) -> None:
        columns = {"x": {"type": "number"}, "y": {"type": "number"}}
        spec = {"name": self.model, "task": "regression", "target": "y", "data": {"columns": columns}}
        pipeline = Pipeline.model_validate(spec)
        digest = data_digest(pipeline)
        row = SpecRow(pipeline=self.model, digest=pipeline.digest, revision=1, data_digest=digest, spec=spec)
        ref = DatasetRef(digest="c" * 64, train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
        file = DatasetRow(
            pipeline=self.model, digest=ref.digest, data_digest=digest, batch=1, ref=ref.model_dump(mode="json")
        )
        async with self.bus.transaction() as session:
            await store.keep_spec(session, row)
            await store.keep_dataset(session, file)

    async def request(self, model: str | None = None) -> UUID:
        event = RetrainRequested(model=model or self.model)
        cause = Envelope.of(event, source="test", cause=str(uuid4()), now=datetime.now(UTC))
        async with self.bus.transaction() as session:
            return (await runs.request(session, event.model, cause, trigger="event")).run_id

    async def run(self, run_id: UUID) -> RunRow:
        async with self.database.sessions() as session:
            return await session.get_one(RunRow, run_id)

    async def change(self, run_id: UUID, **values: Any) -> None:
        async with self.bus.transaction() as session:
            run = await session.get_one(RunRow, run_id)
            for name, value in values.items():
                setattr(run, name, value)

    async def steps(self, count: int = 2) -> None:
        for _ in range(count):
            await self.follower.step()

    async def said(self, run_id: UUID) -> list[str]:
        async with self.database.sessions() as session:
            query = select(OutboxRow.type).where(OutboxRow.aggregateid == str(run_id)).order_by(OutboxRow.seq)
            return list(await session.scalars(query))

    def finish(self, run_id: UUID, attempt: int = 1, **manifest: Any) -> None:
        told = TrainingManifest.model_validate({"status": "succeeded", "artifact": REF} | manifest)
        self.store.put_once(f"runs/{run_id}/{attempt}/manifest.json", told.model_dump_json().encode())


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    made = Dispatcher(servers)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.database.ready("interlock_messaging", "interlock_train_dispatch"))
        await made.add_spec()
        yield made


async def test_a_run_is_started_followed_and_completed(dispatcher: Dispatcher) -> None:
    """Intent, submission, progress, manifest: each is said once, however often the follower looks."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.store.put_latest(
        f"runs/{run}/1/progress.json", json.dumps({"counter": 1, "stage": "search", "trials_done": 1}).encode()
    )
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()

    assert dispatcher.cluster.submissions == [f"{run}-a1"]
    assert await dispatcher.said(run) == ["training.started", "training.progressed", "training.completed"]
    row = await dispatcher.run(run)
    assert (row.state, row.trained_at is not None) == ("running", True)


async def test_a_manifest_counts_though_ray_lost_the_job(dispatcher: Dispatcher) -> None:
    """The head was restarted after the job had ended: Ray knows nothing, the manifest says it all."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.cluster.jobs.clear()
    dispatcher.finish(run)
    await dispatcher.steps()

    assert "training.completed" in await dispatcher.said(run)
    assert len(dispatcher.cluster.submissions) == 1


async def test_a_lost_job_is_tried_again_under_a_new_id_and_not_for_ever(dispatcher: Dispatcher) -> None:
    """Three attempts, each with a prefix of its own; then the run fails and says why."""
    run = await dispatcher.request()
    for _ in range(3):
        await dispatcher.steps(2)
        dispatcher.cluster.jobs.clear()
        await dispatcher.steps(1)
        await dispatcher.change(run, gone_since=datetime.now(UTC) - timedelta(minutes=1))
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
    await dispatcher.change(run, gone_since=None)
    await dispatcher.steps(3)

    row = await dispatcher.run(run)
    assert (row.state, row.attempt, row.gone_since) == ("running", 1, None)


async def test_a_reason_from_the_trainer_reaches_the_user(dispatcher: Dispatcher) -> None:
    """A failure that the data caused is not tried again."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run, status="failed", artifact=None, reason="the target is constant")
    await dispatcher.steps()

    row = await dispatcher.run(run)
    assert (row.state, row.reason) == ("failed", "the target is constant")
    assert (await dispatcher.said(run))[-1] == "training.failed"


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
        await runs.cancel(session, await session.get_one(RunRow, run), "wrong data", str(uuid4()))
    await dispatcher.steps(1)
    following = await dispatcher.request()
    await dispatcher.steps()

    assert dispatcher.cluster.stopped == [f"{run}-a1"]
    assert (await dispatcher.run(run)).state == "cancelled"
    assert (await dispatcher.run(following)).state == "running"


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
    assert {(await dispatcher.run(run)).into for run in later[1:]} == {later[0]}
    assert (await dispatcher.run(first)).state == "running"


async def test_an_unknown_model_is_a_failed_run_with_the_reason(dispatcher: Dispatcher) -> None:
    """Whoever published the request can read what was wrong with it."""
    run = await dispatcher.request(model="no-such-model")

    row = await dispatcher.run(run)
    assert row.state == "failed"
    assert "apply one first" in str(row.reason)
    assert await dispatcher.said(run) == ["training.failed"]
