"""Which files no training reads any more, as the dispatcher tells `ingest`."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from interlock_contracts.datasets import DatasetIngested, PipelineApplied
from interlock_contracts.event import Envelope
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRef, DatasetRole
from interlock_runtime.clients import TrainDispatchClient
from interlock_runtime.http import http_app
from interlock_train_dispatch import handlers, retention, store
from interlock_train_dispatch.domain import data_digest
from interlock_train_dispatch.store import ArchiveRow, DatasetRow, SpecRow
from pydantic import SecretStr

from tests.support.api_keys import KEY, letting_in
from tests.support.dispatcher import HOLDOUT, REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration


class Files:
    """One model that reads its two newest files, and asks what it does not read as `ingest` does."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        app = http_app(
            "train_dispatch",
            letting_in(),
            routes=retention.ROUTES,
            pings={},
            lifespan=[],
            dependencies={"database": dispatcher.database},
        )
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        http = httpx.AsyncClient(transport=transport)
        self.client = TrainDispatchClient("train_dispatch", "http://train-dispatch", SecretStr(KEY), http)
        self.spec = self.declared()

    def declared(self, **data: Any) -> Pipeline:
        columns = {"x": {"type": "number"}, "y": {"type": "number"}}
        spec = {"name": self.dispatcher.model, "task": "regression", "target": "y"}
        training = {"window": 2, "trigger": ["event"]}
        return Pipeline.model_validate(spec | {"data": {"columns": columns} | data, "training": training})

    async def apply(self, spec: Pipeline, revision: int) -> None:
        self.spec = spec
        event = PipelineApplied(pipeline=spec.name, pipeline_digest=spec.digest, spec=REF, revision=revision)
        async with self.dispatcher.bus.transaction() as session:
            await SpecRow.keep(session, event, spec, data_digest=data_digest(spec))

    async def receive(self, *numbers: int, role: DatasetRole = "training") -> None:
        for number in numbers:
            ref = DatasetRef(digest=f"{number:064x}", train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
            event = DatasetIngested(
                pipeline=self.spec.name,
                pipeline_digest=self.spec.digest,
                dataset=ref,
                batch=number,
                profile=REF,
                role=role,
            )
            cause = Envelope.of(event, source="ingest", cause=str(uuid4()), now=datetime.now(UTC))
            async with self.dispatcher.bus.transaction() as session:
                await handlers.train_on_new_data(event, cause, session)

    async def trainable(self) -> list[int]:
        async with self.dispatcher.database.sessions() as session:
            spec = await SpecRow.find(session, self.spec.name, self.spec.digest)
            assert spec is not None
            return [file.number for file in await store.datasets(session, spec)]

    async def unused(self, window: str | None = None) -> set[int]:
        found = await self.client.unused_datasets(self.spec.name, self.spec.digest, window=window)
        return {int(digest, 16) for digest in found}


@pytest.fixture
async def files(servers: dict[str, str]) -> AsyncIterator[Files]:
    async with dispatching(servers) as made:
        found = Files(Dispatcher.beside(made))
        await found.apply(found.spec, 1)
        yield found


async def test_what_the_next_training_reads_is_in_use(files: Files) -> None:
    """Its window, or the one that is asked about, and the newest evaluation file."""
    await files.receive(1, 2, 3, 4)
    await files.receive(5, 6, role="evaluation")
    assert await files.unused() == {1, 2, 5}
    assert await files.unused("latest") == {1, 2, 3, 5}
    assert await files.unused("3") == {1, 5}
    assert await files.unused("all") == {5}


async def test_what_a_run_under_way_reads_is_in_use_until_it_ends(files: Files) -> None:
    """What it began with, also when newer files have come; of one that waits, the file that it asks for."""
    await files.receive(1, 2, 3)
    training = await files.dispatcher.request()
    await files.dispatcher.steps()
    assert (await files.dispatcher.run(training)).state == "running"
    await files.receive(4, 5, 6)
    assert await files.unused() == {1, 4}
    await files.dispatcher.request(dataset=f"{1:064x}")
    assert await files.unused() == {4}


async def test_a_run_that_waits_reads_by_the_spec_that_it_was_asked_under(files: Files) -> None:
    """Under another data section other files are the newest; a spec that is replaced in between does not matter."""
    await files.receive(1, 2)
    await files.dispatcher.request()
    await files.apply(files.declared(holdout={"fraction": 0.3}), 2)
    await files.receive(3, 4, 5)
    assert await files.unused() == {3}


async def test_files_stay_in_use_when_a_rule_of_their_section_changes(files: Files) -> None:
    """Also those that the last release has kept; one that came again counts once, and a retyped column is new."""
    await files.receive(1, 2)
    first = files.spec
    await files.apply(files.declared(rules={"min_rows": 2}, extra_columns="refuse"), 2)
    assert data_digest(files.spec) != data_digest(first)
    assert await files.trainable() == [1, 2]
    again = DatasetRef(digest=f"{1:064x}", train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
    await files.receive(3)
    async with files.dispatcher.bus.transaction() as session:
        row = {"pipeline": first.name, "digest": again.digest, "data_digest": data_digest(files.spec), "number": 4}
        await store.keep_dataset(session, DatasetRow(**row, ref=again.model_dump(mode="json"), role="training"))
    assert await files.trainable() == [2, 3, 4]
    await files.receive(5, role="evaluation")
    await files.apply(first, 3)
    assert await files.trainable() == [2, 3, 4]
    assert await files.unused("all") == set()
    await files.apply(files.declared(columns={"x": {"type": "integer"}, "y": {"type": "number"}}), 4)
    assert await files.trainable() == []


async def test_who_does_not_know_yet_says_nothing_may_go(files: Files) -> None:
    """A spec that is on its way, and an archived model."""
    await files.receive(1, 2, 3)
    with pytest.raises(ConnectionError, match="answers 404"):
        await files.client.unused_datasets(files.spec.name, "f" * 64)
    async with files.dispatcher.bus.transaction() as session:
        await store.keep_archive(session, ArchiveRow(model=files.spec.name, archived=True, seq=1))
    assert await files.unused() == set()
