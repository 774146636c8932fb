"""A model is deleted: its runs end, no other begins, whatever event arrives first."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from interlock_contracts.datasets import DatasetIngested
from interlock_contracts.event import Envelope
from interlock_contracts.models import ModelArchived, ModelDeleted
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_jobs.launcher import Job, JobState
from interlock_train_dispatch import deletion, gauges, handlers, store
from interlock_train_dispatch.store import DatasetRow, DeletedRow, LogRow, SpecRow
from sqlalchemy import func, select

from tests.support.dispatcher import HOLDOUT, REF, Dispatcher, answering, dispatching

pytestmark = pytest.mark.integration


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    async with dispatching(servers) as made:
        yield made


async def deleted(dispatcher: Dispatcher, *, seq: int = 2) -> None:
    event = ModelDeleted(model=dispatcher.model, versions=[], seq=seq, by="ada")
    cause = Envelope.of(event, source="registry", cause=str(uuid4()), now=datetime.now(UTC))
    async with dispatcher.bus.transaction() as session:
        await handlers.forget_model(event, cause, session)


async def test_runs_that_are_under_way_end_and_their_jobs_are_stopped(dispatcher: Dispatcher) -> None:
    """One that trains, one that waits, and one that is trained and waits for a verdict that nobody gives."""
    reason = f"model '{dispatcher.model}' was deleted by ada"
    trained = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(trained)
    await dispatcher.steps()
    assert (await dispatcher.run(trained)).trained_at is not None
    queued = await dispatcher.request()
    for _ in range(2):
        await deleted(dispatcher)
    await dispatcher.steps()

    for run in (trained, queued):
        row = await dispatcher.run(run)
        assert (row.state, row.reason) == ("failed", reason)
    assert dispatcher.cluster.stopped == []
    assert (await dispatcher.published(trained))[-1] == "training.failed"

    other = Dispatcher.beside(dispatcher)
    await other.add_spec()
    training = await other.request()
    await other.steps()
    await deleted(other)
    await other.steps()
    assert (await other.run(training)).state == "failed"
    assert dispatcher.cluster.stopped == [f"{training}-a1"]


async def test_no_run_begins_though_the_archive_event_arrives_later(dispatcher: Dispatcher) -> None:
    """The events come through queues of their own; nothing brings a deleted model back."""
    await deleted(dispatcher, seq=4)
    for seq, archived in ((1, True), (2, False), (3, True)):
        async with dispatcher.bus.transaction() as session:
            event = ModelArchived(model=dispatcher.model, archived=archived, seq=seq, by="bob")
            await handlers.note_archive(event, session)
    run = await dispatcher.run(await dispatcher.request())
    new = await dispatcher.run(await dispatcher.ingest())

    assert {(row.state, row.reason) for row in (run, new)} == {
        ("failed", f"model '{dispatcher.model}' was deleted by ada")
    }
    async with dispatcher.bus.transaction() as session:
        archive = await store.archive_of(session, dispatcher.model)
        assert archive is not None
        assert (archive.seq, archive.deleted_by) == (4, "ada")


async def trained(dispatcher: Dispatcher, printed: str, *, why: str = "because") -> UUID:
    """Return a run that has failed, and whose log is kept."""
    run = await dispatcher.request(why=why, by="bob")
    await dispatcher.steps(2)
    dispatcher.cluster.logs[f"{run}-a1"] = printed
    dispatcher.cluster.jobs[f"{run}-a1"] = Job(JobState.ENDED, "FAILED")
    await dispatcher.change(run, state="failed", reason="it broke", ended_at=datetime.now(UTC), submitted=False)
    await dispatcher.logs.keep_due()
    return run


async def objects(dispatcher: Dispatcher, run: UUID) -> tuple[str, str]:
    """Return the keys of a run's input and of its log."""
    async with dispatcher.database.sessions() as session:
        log = await session.get_one(LogRow, (run, 1))
    job = (await dispatcher.run(run)).job
    return ArtifactRef.model_validate(job).key, ArtifactRef.model_validate(log.ref).key


async def rows(dispatcher: Dispatcher) -> list[int]:
    """Return how many specs, files and deletions of files there are of the model."""
    async with dispatcher.database.sessions() as session:
        return [
            await session.scalar(select(func.count()).select_from(table).where(table.pipeline == dispatcher.model)) or 0
            for table in (SpecRow, DatasetRow, DeletedRow)
        ]


async def test_what_is_kept_of_a_deleted_model_goes_and_nothing_of_another(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs, inputs and words of its runs, its specs and files; what another run has printed as well stays for that."""
    monkeypatch.setattr(deletion, "CHUNK", 2)
    other = Dispatcher.beside(dispatcher)
    await other.add_spec()
    stays = await trained(other, "alike\n")
    gone = [await trained(dispatcher, printed) for printed in ("alike\n", "of its own\n", "more\n")]
    kept = await objects(other, stays)
    keys = {key for run in gone for key in await objects(dispatcher, run)}
    await dispatcher.deletion.run_once()
    assert dispatcher.store.objects.keys() >= {*keys, *kept}, "nothing is deleted"

    await deleted(dispatcher)
    for _ in range(2):
        await dispatcher.deletion.run_once()
    assert await rows(dispatcher) == [0, 0, 0]
    assert not dispatcher.store.objects.keys() & (keys - set(kept))
    assert dispatcher.store.objects.keys() >= set(kept)
    assert await rows(other) == [1, 1, 0]
    for run in gone:
        row = await dispatcher.run(run)
        assert (row.state, row.deleted_at is not None) == ("failed", True)
        assert [row.job, row.progress, row.reason, row.requested_by, row.request_reason, row.datasets] == [None] * 5 + [
            []
        ]
    counted, *_ = await gauges.runs(dispatcher.database.sessions)
    [sample] = [each for each in counted.samples if each.labels["model"] == dispatcher.model]
    assert sample.value == 3, "a counter never falls"

    await deleted(other)
    await other.deletion.run_once()
    assert not dispatcher.store.objects.keys() & set(kept)


async def test_a_deleted_run_is_told_as_such(dispatcher: Dispatcher) -> None:
    """By its id, with who deleted its model; no list has it."""
    run = await trained(dispatcher, "printed\n")
    await deleted(dispatcher)
    await dispatcher.deletion.run_once()
    async with answering(dispatcher) as http:
        listed = await http.get("/runs", params={"model": dispatcher.model})
        answers = [
            await http.request(method, f"/runs/{run}{path}")
            for method, path in (("GET", ""), ("GET", "/logs"), ("POST", "/cancel"))
        ]

    assert listed.json() == []
    told = f"model '{dispatcher.model}' was deleted by ada"
    assert [(each.status_code, each.json()["detail"]) for each in answers] == [(410, told)] * 3


async def test_a_job_that_is_being_stopped_and_its_log_are_waited_for(dispatcher: Dispatcher) -> None:
    """The run keeps what these need; once the job is gone and the log is kept, both go."""
    run = await dispatcher.request()
    await dispatcher.steps(2)
    await deleted(dispatcher)
    await dispatcher.deletion.run_once()
    row = await dispatcher.run(run)
    assert (row.state, row.submitted, row.deleted_at) == ("failed", True, None)

    await dispatcher.steps()
    assert dispatcher.cluster.stopped == [f"{run}-a1"]
    await dispatcher.deletion.run_once()
    assert (await dispatcher.run(run)).deleted_at is None, "its log is not kept yet"
    await dispatcher.logs.keep_due()
    keys = await objects(dispatcher, run)
    await dispatcher.deletion.run_once()
    assert (await dispatcher.run(run)).deleted_at is not None
    assert not dispatcher.store.objects.keys() & set(keys)


async def test_what_comes_late_goes_as_well(dispatcher: Dispatcher) -> None:
    """A file that was being checked needs no spec any more, and a request makes a run that has failed."""
    await deleted(dispatcher)
    late = await dispatcher.ingest()
    await dispatcher.deletion.run_once()
    assert (await dispatcher.run(late)).deleted_at is not None
    assert await rows(dispatcher) == [0, 0, 0]

    ref = DatasetRef(digest="e" * 64, train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
    event = DatasetIngested(
        pipeline=dispatcher.model, pipeline_digest="f" * 64, dataset=ref, batch=3, profile=REF, role="training"
    )
    cause = Envelope.of(event, source="ingest", cause=str(uuid4()), now=datetime.now(UTC))
    async with dispatcher.bus.transaction() as session:
        await handlers.train_on_new_data(event, cause, session)
    assert await rows(dispatcher) == [0, 0, 0]
