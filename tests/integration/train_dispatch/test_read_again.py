"""Stored files that were read again for a changed pipeline start one run together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from interlock_contracts.datasets import DatasetIngested
from interlock_contracts.event import Envelope
from interlock_contracts.refs import DatasetRef
from interlock_train_dispatch import handlers
from interlock_train_dispatch.store import RunRow, SpecRow
from sqlalchemy import select

from tests.support.dispatcher import HOLDOUT, REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher with one model and one accepted file."""
    async with dispatching(servers) as made:
        yield made


async def heard(dispatcher: Dispatcher, digit: str, number: int, *, last_of: str = "", train_rows: int = 8) -> None:
    ref = DatasetRef(digest=digit * 64, train=REF, holdout=HOLDOUT, train_rows=train_rows, holdout_rows=2)
    async with dispatcher.bus.transaction() as session:
        spec = await SpecRow.find(session, dispatcher.model)
        assert spec is not None
        event = DatasetIngested(
            pipeline=dispatcher.model,
            pipeline_digest=spec.digest,
            dataset=ref,
            batch=number,
            profile=REF,
            read_again=True,
            last_of=[each * 64 for each in last_of],
        )
        cause = Envelope.of(event, source="ingest", cause=str(uuid4()), now=datetime.now(UTC))
        await handlers.train_on_new_data(event, cause, session)


async def runs_of(dispatcher: Dispatcher) -> list[RunRow]:
    async with dispatcher.database.sessions() as session:
        return list(await session.scalars(select(RunRow).where(RunRow.model == dispatcher.model)))


async def test_the_last_starts_one_run_when_all_are_here(dispatcher: Dispatcher) -> None:
    """Whatever the order of events; also where nothing of the last one is trained on. It says why it runs."""
    await heard(dispatcher, "1", 2)
    with pytest.raises(LookupError, match="1 files that were read again"):
        await heard(dispatcher, "3", 4, last_of="123", train_rows=0)
    await heard(dispatcher, "2", 3)
    assert await runs_of(dispatcher) == []
    await heard(dispatcher, "3", 4, last_of="123", train_rows=0)
    [run] = await runs_of(dispatcher)
    assert run.request_reason == "stored files were read again for a changed pipeline"
