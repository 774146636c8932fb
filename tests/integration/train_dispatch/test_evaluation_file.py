"""Files to be judged on: no run trains on one, and the newest goes with every run; on a real broker and database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from interlock_contracts.datasets import DatasetDeleted
from interlock_contracts.event import Envelope
from interlock_contracts.refs import ArtifactRef, DatasetRef, DatasetRole
from interlock_contracts.training import TrainingCompleted, TrainingJob
from interlock_messaging.tables import OutboxRow
from interlock_train_dispatch import handlers, store
from interlock_train_dispatch.routes import run_view
from interlock_train_dispatch.store import DatasetRow, SpecRow
from sqlalchemy import select

from tests.support.dispatcher import HOLDOUT, REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration

FIRST = "c" * 64
"""The training file that the dispatcher begins with."""


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher with one model and one accepted file."""
    async with dispatching(servers) as made:
        yield made


async def keep(dispatcher: Dispatcher, digest: str, number: int, role: DatasetRole, data: str | None = None) -> None:
    ref = DatasetRef(digest=digest * 64, train=REF, holdout=HOLDOUT, train_rows=0, holdout_rows=2)
    async with dispatcher.bus.transaction() as session:
        spec = await SpecRow.find(session, dispatcher.model)
        assert spec is not None
        row = DatasetRow(
            pipeline=dispatcher.model,
            digest=ref.digest,
            data_digest=data or spec.data_digest,
            number=number,
            ref=ref.model_dump(mode="json"),
            role=role,
        )
        await store.keep_dataset(session, row)


async def completed(dispatcher: Dispatcher, run: UUID) -> TrainingCompleted:
    async with dispatcher.database.sessions() as session:
        of_run = (OutboxRow.aggregateid == str(run), OutboxRow.type == TrainingCompleted.type)
        row = (await session.scalars(select(OutboxRow).where(*of_run))).one()
        return TrainingCompleted.model_validate(Envelope.parse(row.headers, row.payload, None)[1])


async def test_a_run_is_judged_on_the_newest_evaluation_file_and_trained_on_none(dispatcher: Dispatcher) -> None:
    """Whatever their order, and those of other data sections aside; the job, which the trainer reads, names none."""
    await keep(dispatcher, "1", 2, "evaluation")
    await keep(dispatcher, "2", 4, "evaluation")
    await keep(dispatcher, "3", 3, "training")
    await keep(dispatcher, "4", 5, "evaluation", data="another data section")
    run = await dispatcher.request()
    await dispatcher.steps()
    row = await dispatcher.run(run)
    job = TrainingJob.model_validate_json(dispatcher.store.fetch(ArtifactRef.model_validate(row.job)))
    dispatcher.finish(run)
    await dispatcher.steps()
    event = await completed(dispatcher, run)

    assert [each.digest for each in job.datasets] == [FIRST, "3" * 64]
    assert run_view(row).datasets == [FIRST, "3" * 64]
    assert run_view(row).evaluation == "2" * 64
    assert [each.digest for each in event.datasets] == [FIRST, "3" * 64]
    assert event.evaluation is not None
    assert (event.evaluation.digest, event.evaluation.holdout) == ("2" * 64, HOLDOUT)


async def test_without_an_evaluation_file_a_run_names_none(dispatcher: Dispatcher) -> None:
    """It is judged on what is held out of the files that it trains on."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()

    assert run_view(await dispatcher.run(run)).evaluation is None
    assert (await completed(dispatcher, run)).evaluation is None


async def test_a_new_evaluation_file_starts_no_run(dispatcher: Dispatcher) -> None:
    """Though data is a trigger: there is nothing new to learn from. The next run is judged on it."""
    none = await dispatcher.ingest(role="evaluation")
    async with dispatcher.database.sessions() as session:
        assert await session.get(store.RunRow, none) is None
        assert await store.trainable(session, dispatcher.model) == 1
    run = await dispatcher.request()
    await dispatcher.steps()

    assert run_view(await dispatcher.run(run)).evaluation == "e" * 64


async def test_nobody_trains_on_an_evaluation_file_by_asking(dispatcher: Dispatcher) -> None:
    """The run fails with the reason; so does one of a pipeline that has nothing but evaluation files."""
    await keep(dispatcher, "1", 2, "evaluation")
    asked = await dispatcher.run(await dispatcher.request(dataset="1" * 64))
    async with dispatcher.bus.transaction() as session:
        spec = await SpecRow.find(session, dispatcher.model)
        assert spec is not None
        await session.delete(await session.get_one(DatasetRow, (dispatcher.model, FIRST, spec.data_digest)))
    without = await dispatcher.run(await dispatcher.request())

    assert (asked.state, asked.reason) == (
        "failed",
        f"pipeline {dispatcher.model!r} has dataset {'1' * 64} as an evaluation file, which is never trained on",
    )
    assert (without.state, "no accepted dataset" in (without.reason or "")) == ("failed", True)


async def test_when_evaluation_files_are_deleted_the_one_before_judges_and_then_what_is_held_out(
    dispatcher: Dispatcher,
) -> None:
    """So there is a way back to the share of the training files."""
    await keep(dispatcher, "1", 2, "evaluation")
    await keep(dispatcher, "2", 3, "evaluation")
    judged = []
    for digest, number in (("2", 3), ("1", 2)):
        event = DatasetDeleted(pipeline=dispatcher.model, digest=digest * 64, batch=number, by="ada")
        cause = Envelope.of(event, source="ingest", cause=digest, now=datetime.now(UTC))
        async with dispatcher.bus.transaction() as session:
            await handlers.forget_dataset(event, cause, session)
        run = await dispatcher.request()
        await dispatcher.steps()
        judged.append(run_view(await dispatcher.run(run)).evaluation)
        await dispatcher.cancel(run)
        await dispatcher.steps()

    assert judged == ["1" * 64, None]
