"""A model is deleted: its runs end, no other begins, whatever is heard first."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from interlock_contracts.event import Envelope
from interlock_contracts.models import ModelArchived, ModelDeleted
from interlock_train_dispatch import handlers, store

from tests.support.dispatcher import Dispatcher, dispatching

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
    assert (await dispatcher.said(trained))[-1] == "training.failed"

    other = Dispatcher.beside(dispatcher)
    await other.add_spec()
    training = await other.request()
    await other.steps()
    await deleted(other)
    await other.steps()
    assert (await other.run(training)).state == "failed"
    assert dispatcher.cluster.stopped == [f"{training}-a1"]


async def test_no_run_begins_though_the_archive_is_heard_of_later(dispatcher: Dispatcher) -> None:
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
