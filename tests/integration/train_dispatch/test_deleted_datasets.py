"""A file is deleted: no run trains on it from then on, and one that does ends, whatever event arrives first."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from interlock_contracts.datasets import DatasetDeleted, DatasetIngested
from interlock_contracts.event import Envelope, run_id
from interlock_contracts.refs import DatasetRef
from interlock_train_dispatch import handlers
from interlock_train_dispatch.routes import run_view
from interlock_train_dispatch.store import SpecRow

from tests.support.dispatcher import HOLDOUT, REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration

KNOWN, NEW = "c" * 64, "e" * 64
"""The file that the dispatcher has, the first one, and another."""


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    async with dispatching(servers) as made:
        yield made


async def deleted(dispatcher: Dispatcher, digest: str, number: int | None) -> None:
    event = DatasetDeleted(pipeline=dispatcher.model, digest=digest, batch=number, by="ada")
    cause = Envelope.of(event, source="ingest", cause=str(uuid4()), now=datetime.now(UTC))
    async with dispatcher.bus.transaction() as session:
        await handlers.forget_dataset(event, cause, session)


async def ingested(dispatcher: Dispatcher, digest: str, number: int) -> UUID:
    """Let ingest have accepted a file; return the run that trains on it, if one does."""
    ref = DatasetRef(digest=digest, train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
    async with dispatcher.bus.transaction() as session:
        spec = await SpecRow.find(session, dispatcher.model)
        assert spec is not None
        event = DatasetIngested(
            pipeline=dispatcher.model, pipeline_digest=spec.digest, dataset=ref, batch=number, profile=REF
        )
        cause = Envelope.of(event, source="ingest", cause=str(uuid4()), now=datetime.now(UTC))
        await handlers.train_on_new_data(event, cause, session)
    return run_id(cause.identity, dispatcher.model)


async def trains_on(dispatcher: Dispatcher) -> list[str]:
    """Ask for a run, and return the files that it has when it has begun."""
    asked = await dispatcher.request()
    run = (await dispatcher.run(asked)).coalesced_into or asked
    await dispatcher.steps()
    found = [each["digest"] for each in (await dispatcher.run(run)).datasets]
    await dispatcher.cancel(run)
    await dispatcher.steps()
    return found


async def test_a_run_that_trains_on_a_deleted_file_ends_and_says_why(dispatcher: Dispatcher) -> None:
    """Its job is stopped; who deleted the file is named, and the model trains on without it."""
    run = await dispatcher.request()
    await dispatcher.steps()
    await ingested(dispatcher, NEW, 2)
    await deleted(dispatcher, KNOWN, 1)

    row = await dispatcher.run(run)
    assert (row.state, row.reason) == ("failed", f"file {KNOWN}, on which it trained, was deleted by ada")
    await dispatcher.steps()
    assert dispatcher.cluster.stopped == [f"{run}-a1"]
    assert await dispatcher.published(run) == ["training.started", "training.failed"]
    # The run that the new file has brought.
    assert dispatcher.cluster.submissions[1:] != []
    [queued] = [each.removesuffix("-a1") for each in dispatcher.cluster.submissions[1:]]
    assert [each["digest"] for each in (await dispatcher.run(UUID(queued))).datasets] == [NEW]


async def test_a_run_that_is_trained_goes_on_to_its_verdict(dispatcher: Dispatcher) -> None:
    """Its model is there; the gate has the holdout for the time of grace, or says that it is gone."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()
    await deleted(dispatcher, KNOWN, 1)

    assert (await dispatcher.run(run)).state == "running"


async def test_a_queued_run_takes_what_is_left_and_one_that_asked_for_the_file_ends(dispatcher: Dispatcher) -> None:
    """A run shows the file that it was asked for as long as it waits."""
    busy = await dispatcher.request()
    await dispatcher.steps()
    await ingested(dispatcher, NEW, 2)
    pinned = await dispatcher.request(dataset=NEW)
    row = await dispatcher.run(pinned)
    waiting = row.coalesced_into or pinned
    assert run_view(await dispatcher.run(waiting)).datasets == [NEW]

    await deleted(dispatcher, NEW, 2)
    await dispatcher.cancel(busy)
    await dispatcher.steps(3)
    ended = await dispatcher.run(waiting)
    assert (ended.state, "is not there any more" in (ended.reason or "")) == ("failed", True)
    assert await trains_on(dispatcher) == [KNOWN]
    assert (await dispatcher.run(await dispatcher.request(dataset=NEW))).state == "failed"


@pytest.mark.parametrize("deletion_first", [True, False])
async def test_a_file_that_was_deleted_is_never_trained_on(dispatcher: Dispatcher, deletion_first: bool) -> None:
    """Its events come through queues of their own."""
    if deletion_first:
        await deleted(dispatcher, NEW, 2)
    await ingested(dispatcher, NEW, 2)
    if not deletion_first:
        await deleted(dispatcher, NEW, 2)
    assert await trains_on(dispatcher) == [KNOWN]


@pytest.mark.parametrize("deletion_first", [True, False])
async def test_the_same_bytes_that_came_again_are_trained_on(dispatcher: Dispatcher, deletion_first: bool) -> None:
    """They have a higher number; a run on them is not ended by the deletion of before."""
    if deletion_first:
        await deleted(dispatcher, KNOWN, 1)
    run = await ingested(dispatcher, KNOWN, 2)
    await dispatcher.steps()
    if not deletion_first:
        await deleted(dispatcher, KNOWN, 1)

    assert (await dispatcher.run(run)).state == "running"
    assert [each["digest"] for each in (await dispatcher.run(run)).datasets] == [KNOWN]


async def test_new_data_starts_a_run_though_one_before_its_deletion_has_trained_on_it(dispatcher: Dispatcher) -> None:
    """What that run made may be deleted, too."""
    first = await ingested(dispatcher, NEW, 2)
    await dispatcher.steps()
    await deleted(dispatcher, NEW, 2)
    await dispatcher.steps()
    again = await ingested(dispatcher, NEW, 3)
    await dispatcher.steps()

    assert [(await dispatcher.run(each)).state for each in (first, again)] == ["failed", "running"]


async def test_a_file_that_was_never_accepted_changes_nothing(dispatcher: Dispatcher) -> None:
    """It has no number."""
    run = await dispatcher.request()
    await dispatcher.steps()
    await deleted(dispatcher, NEW, None)
    assert (await dispatcher.run(run)).state == "running"
