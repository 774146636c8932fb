"""Ingest on a real broker and database, with files kept in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from faststream.rabbit import RabbitRouter
from interlock_artifacts import MemoryStore
from interlock_contracts.datasets import DatasetSubmitted, PipelineApplied
from interlock_contracts.event import Envelope, Event
from interlock_contracts.models import ModelDeleted
from interlock_contracts.pipeline import Pipeline
from interlock_ingest import deletion, handlers, retention, routes
from interlock_ingest.collector import Collector
from interlock_ingest.retention import DatasetRetention
from interlock_ingest.workers import IngestWorker
from interlock_messaging import Bus
from interlock_messaging.tables import OutboxRow
from interlock_modeling.split import HashForm
from interlock_runtime.clients import RegistryClient, TrainDispatchClient
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from pydantic import SecretStr
from sqlalchemy import select

from tests.support.api_keys import KEY, letting_in

HOUR = timedelta(hours=1)


class Registry:
    """What the registry says of pipelines: the digest applied last, which is where events are late; may be away."""

    def __init__(self) -> None:
        self.applied: dict[str, list[str]] = {}
        self.versions: list[dict[str, Any]] = []
        self.away = False
        self.client = RegistryClient(
            "registry",
            "http://registry",
            SecretStr(KEY),
            httpx.AsyncClient(transport=httpx.MockTransport(self._answer)),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused")
        if request.url.path.endswith("/versions"):
            return httpx.Response(200, json=self.versions)
        digests = self.applied.get(request.url.path.rpartition("/")[2], [])
        wanted = request.url.params.get("digest", digests[-1] if digests else None)
        known = wanted in digests
        return httpx.Response(200 if known else 404, json={"digest": wanted} if known else {"detail": "unknown"})


class Dispatcher:
    """What the dispatcher says of runs, as it shows them, and of files; None while it is away.

    ``unused`` are the files that no training reads, ``windows`` those that it was asked with.
    """

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] | None = []
        self.unused: list[str] = []
        self.windows: list[str | None] = []
        self.client = TrainDispatchClient(
            "train_dispatch",
            "http://train-dispatch",
            SecretStr(KEY),
            httpx.AsyncClient(transport=httpx.MockTransport(self._answer)),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.runs is None:
            raise httpx.ConnectError("refused")
        if request.url.path.endswith("/unused-datasets"):
            self.windows.append(request.url.params.get("window"))
            return httpx.Response(200, json=self.unused)
        assert request.url.params["state"] == "queued,running"
        return httpx.Response(200, json=self.runs)


class Ingest:
    """Ingest with one pipeline, an object store of its own or one that is brought, and a look at what it published."""

    def __init__(self, servers: dict[str, str], folder: Path, artifacts: Any = None, grace: timedelta = HOUR) -> None:
        self.pipeline = f"m-{uuid4().hex[:8]}"
        self.artifacts: MemoryStore = artifacts or MemoryStore()
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], f"ingest-{self.pipeline}")
        self.bus = Bus(
            servers["INTERLOCK_AMQP_URL"], service="lab", router=RabbitRouter(), sessions=self.database.sessions
        )
        self.dry_runs = asyncio.Semaphore(1)
        self.hash_form: HashForm = 1
        self.registry = Registry()
        self.dispatcher = Dispatcher()
        self.collector = Collector(self.bus, self.artifacts, grace=grace)
        self.retention = DatasetRetention(self.bus, self.registry.client, self.dispatcher.client, self.collector.woken)
        self.worker = IngestWorker(self.bus, self.artifacts, self.registry.client, folder, 60)
        app = http_app(
            "ingest",
            letting_in(),
            routes=[*routes.ROUTES, *deletion.ROUTES, *retention.ROUTES],
            pings={},
            lifespan=[],
            dependencies={
                "bus": self.bus,
                "database": self.database,
                "artifacts": self.artifacts,
                "registry": self.registry.client,
                "collector": self.collector,
                "dispatcher": self.dispatcher.client,
                "retention": self.retention,
                "folder": folder,
                "upload_bytes": 1 << 20,
                "dry_runs": self.dry_runs,
            },
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),  # type: ignore[arg-type]
            base_url="http://ingest",
            headers={"Authorization": f"Bearer {KEY}"},
        )

    def spec(self, **rules: Any) -> Pipeline:
        columns = {"x": {"type": "number"}, "y": {"type": "number"}}
        declared = {"name": self.pipeline, "task": "regression", "target": "y", "data": {"columns": columns}}
        declared["data"]["rules"] = rules  # type: ignore[index]
        return Pipeline.model_validate(declared)

    async def apply(self, spec: Pipeline, revision: int = 1) -> str:
        self.registry.applied.setdefault(spec.name, []).append(spec.digest)
        await self.arrive(spec, revision)
        return spec.digest

    async def arrive(self, spec: Pipeline, revision: int = 1) -> None:
        """Let the event of a spec come, which the registry may have had for a while."""
        ref = self.artifacts.put(spec.model_dump_json().encode())
        event = PipelineApplied(pipeline=spec.name, pipeline_digest=spec.digest, spec=ref, revision=revision)
        await self.deliver(event)

    async def deliver(self, event: Event) -> str:
        cause = Envelope.of(event, source="test", cause=str(uuid4()), now=datetime.now(UTC))
        async with self.database.sessions() as session, session.begin():
            if isinstance(event, PipelineApplied):
                await handlers.keep_spec(event, cause, session, self.artifacts, self.hash_form)
            elif isinstance(event, DatasetSubmitted):
                await handlers.note_submission(event, cause, session)
            elif isinstance(event, ModelDeleted):
                await handlers.forget_pipeline(event, session)
        return cause.id

    async def submit(self, key: str) -> None:
        await self.deliver(DatasetSubmitted(pipeline=self.pipeline, object=key))
        await self.worker.take_submissions()

    async def upload(self, body: bytes, **options: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/datasets/{self.pipeline}", content=body, **options)
        assert answer.status_code == 202, answer.text
        view: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/datasets/{self.pipeline}/{view['digest']}"
        return view

    async def result(self, digest: str, **params: str) -> dict[str, Any]:
        answer = await self.http.get(f"/datasets/{self.pipeline}/{digest}", params=params)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def published(self) -> list[tuple[str, dict[str, Any]]]:
        async with self.database.sessions() as session:
            rows = await session.scalars(select(OutboxRow).order_by(OutboxRow.seq))
            return [(row.type, Envelope.parse(row.headers, row.payload, None)[1]) for row in rows]


@asynccontextmanager
async def ingesting(
    servers: dict[str, str], folder: Path, artifacts: Any = None, grace: timedelta = HOUR
) -> AsyncIterator[Ingest]:
    """Run an ingest of its own that knows one pipeline with the numbers x and y, which it predicts."""
    made = Ingest(servers, folder, artifacts, grace)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.database.ready("interlock_messaging", "interlock_ingest"))
        await stack.enter_async_context(made.http)
        await made.apply(made.spec())
        yield made
