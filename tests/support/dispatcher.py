"""The run reconciler on a real broker and database, with a cluster and a store that do as they are told."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from faststream.rabbit import RabbitRouter
from interlock_artifacts import MemoryStore
from interlock_artifacts.store import READ_LIMIT, StoreUnavailableError
from interlock_contracts.datasets import DatasetIngested
from interlock_contracts.event import Envelope, run_id
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import RetrainRequested
from interlock_jobs.launcher import Job, JobState
from interlock_messaging import Bus
from interlock_messaging.tables import OutboxRow
from interlock_runtime.clients import RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_train_dispatch import handlers, imports, routes, runs, store
from interlock_train_dispatch.deletion import Deletion
from interlock_train_dispatch.domain import data_digest
from interlock_train_dispatch.logs import RunLogs
from interlock_train_dispatch.run_reconciler import RunReconciler
from interlock_train_dispatch.store import DatasetRow, RunRow, SpecRow
from sqlalchemy import select

from tests.support.api_keys import KEY, letting_in

REF = ArtifactRef(sha256="a" * 64, bytes=1)
HOLDOUT = ArtifactRef(sha256="b" * 64, bytes=1, holdout=True)


class Cluster:
    """Ray as the dispatcher sees it: jobs by submission id, gone when it is restarted, silent when it is down."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.logs: dict[str, str] = {}
        self.submissions: list[str] = []
        self.programs: dict[str, str] = {}
        self.stopped: list[str] = []
        self.down = False
        self.stubborn = False
        """Whether jobs outlive their stop, as they do for a while."""
        self.refuses = False

    async def job(self, submission_id: str) -> Job:
        if self.down:
            raise ConnectionError("Ray does not answer")
        return self.jobs.get(submission_id, Job(JobState.UNKNOWN))

    async def submit(
        self,
        submission_id: str,
        program: str,
        _: ArtifactRef,
        *,
        metadata: dict[str, str],
        prefix: str,
        until: datetime,
    ) -> None:
        if self.down or self.refuses:
            raise ConnectionError("Ray does not answer, or answered 500")
        assert program in {"interlock_trainer", "interlock_trainer.imports"}
        assert metadata["run_id"] in submission_id
        assert prefix.startswith(f"runs/{metadata['run_id']}/")
        assert until > datetime.now(UTC)
        self.submissions.append(submission_id)
        self.programs[submission_id] = program
        self.jobs.setdefault(submission_id, Job(JobState.ALIVE))

    async def log(self, submission_id: str) -> str | None:
        known = (await self.job(submission_id)).state is not JobState.UNKNOWN
        return self.logs.get(submission_id, "") if known else None

    async def stop(self, submission_id: str) -> None:
        if self.down:
            raise ConnectionError("Ray does not answer")
        self.stopped.append(submission_id)
        if not self.stubborn:
            self.jobs[submission_id] = Job(JobState.ENDED)


class Store(MemoryStore):
    """A store that can be down."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False

    def read(self, key: str, *, limit: int = READ_LIMIT) -> bytes | None:
        if self.down:
            raise StoreUnavailableError("S3 does not answer")
        return super().read(key, limit=limit)


class Dispatcher:
    """The dispatcher's run reconciler, one model with one accepted file, and the means to look at both."""

    def __init__(self, servers: dict[str, str]) -> None:
        self.model = f"m-{uuid4().hex[:8]}"
        self.store = Store()
        self.cluster = Cluster()
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], f"dispatch-{self.model}")
        self.bus = Bus(
            servers["INTERLOCK_AMQP_URL"], service="lab", router=RabbitRouter(), sessions=self.database.sessions
        )
        self.reconciler = RunReconciler(self.bus, self.store, self.cluster)  # type: ignore[arg-type]
        self.deletion = Deletion(self.bus, self.store)
        self.logs = RunLogs(self.bus, self.store, self.cluster)  # type: ignore[arg-type]

    @classmethod
    def beside(cls, other: "Dispatcher") -> "Dispatcher":
        """Return the same dispatcher with another model."""
        made = copy(other)
        made.model = f"m-{uuid4().hex[:8]}"
        return made

    async def add_spec(self) -> None:
        columns = {"x": {"type": "number"}, "y": {"type": "number"}}
        spec = {"name": self.model, "task": "regression", "target": "y", "data": {"columns": columns}}
        pipeline = Pipeline.model_validate(spec)
        digest = data_digest(pipeline)
        row = SpecRow(pipeline=self.model, digest=pipeline.digest, revision=1, data_digest=digest, spec=spec)
        ref = DatasetRef(digest="c" * 64, train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
        file = DatasetRow(
            pipeline=self.model,
            digest=ref.digest,
            data_digest=digest,
            number=1,
            ref=ref.model_dump(mode="json"),
            role="training",
        )
        async with self.bus.transaction() as session:
            session.add(row)
            await store.keep_dataset(session, file)

    async def request(self, model: str | None = None, *, cause_id: str | None = None, **how: Any) -> UUID:
        event = RetrainRequested(model=model or self.model, **how)
        cause = Envelope.of(event, source="test", cause=cause_id or str(uuid4()), now=datetime.now(UTC))
        async with self.bus.transaction() as session:
            asked: dict[str, Any] = {"dataset": event.dataset, "by": event.by, "why": event.why, "tags": event.tags}
            return (await runs.request(session, event.model, cause.identity, **asked, trigger="event")).run_id

    async def ingest(self, **about: Any) -> UUID:
        """Let ingest have accepted another file, which the pipeline trains on by itself; return the run."""
        ref = DatasetRef(digest="e" * 64, train=REF, holdout=HOLDOUT, train_rows=8, holdout_rows=2)
        async with self.bus.transaction() as session:
            spec = await SpecRow.find(session, self.model)
            assert spec is not None
            event = DatasetIngested(
                pipeline=self.model, pipeline_digest=spec.digest, dataset=ref, batch=2, profile=REF, **about
            )
            cause = Envelope.of(event, source="ingest", cause=str(uuid4()), now=datetime.now(UTC))
            await handlers.train_on_new_data(event, cause, session)
        return run_id(cause.identity, self.model)

    async def cancel(self, run_id: UUID) -> None:
        async with self.bus.transaction() as session:
            await runs.cancel(session, await session.get_one(RunRow, run_id), "not wanted", str(uuid4()), by="ada")

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
            await self.reconciler.reconcile()

    async def published(self, run_id: UUID) -> list[str]:
        async with self.database.sessions() as session:
            query = select(OutboxRow.type).where(OutboxRow.aggregateid == str(run_id)).order_by(OutboxRow.seq)
            return list(await session.scalars(query))

    def finish(self, run_id: UUID, attempt: int = 1, *, of: UUID | None = None, **manifest: Any) -> None:
        told = TrainingManifest.model_validate({"status": "succeeded", "artifact": REF, "run_id": of} | manifest)
        self.store.put_once(f"runs/{run_id}/{attempt}/manifest.json", told.model_dump_json().encode())


@asynccontextmanager
async def dispatching(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Make a dispatcher with a schema of its own, one model and one accepted file."""
    made = Dispatcher(servers)
    async with made.database.ready("interlock_messaging", "interlock_train_dispatch"):
        await made.add_spec()
        yield made


@asynccontextmanager
async def answering(dispatcher: Dispatcher, registry: RegistryClient | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Answer the dispatcher's routes, without a server; yield a client with an administrator's key."""
    app = http_app(
        "train_dispatch",
        letting_in(),
        routes=[*routes.ROUTES, *imports.ROUTES],
        pings={},
        lifespan=[],
        dependencies={
            "bus": dispatcher.bus,
            "database": dispatcher.database,
            "logs": dispatcher.logs,
            "registry": registry,
            "artifacts": dispatcher.store,
            "folder": Path(tempfile.gettempdir()),
        },
    )
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://dispatcher", headers=headers) as http:
        yield http
