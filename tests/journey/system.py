"""The whole system in one process: every service as it is wired for production, on FastStream's in-memory broker.

Real are the services, their handlers and routes, the database, the trainer and the gate; not real are RabbitMQ (no
redelivery, no dead letters), S3 (the shipped fake) and Ray (a job runs when it is submitted).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import interlock_evaluation_gate.app
import interlock_gateway.app
import interlock_ingest.app
import interlock_registry.app
import interlock_train_dispatch.app
from faststream.rabbit import RabbitBroker, RabbitMessage, RabbitQueue, TestRabbitBroker
from interlock_artifacts import MemoryStore
from interlock_contracts.deployment import NAMES
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import TrainingJob
from interlock_evaluation_gate.settings import GateSettings
from interlock_gateway.settings import GatewaySettings
from interlock_ingest.settings import IngestSettings
from interlock_ingest.workers import IngestWorker
from interlock_jobs.launcher import Job, JobState
from interlock_messaging import Bus, topology
from interlock_registry.settings import RegistrySettings
from interlock_runtime.clients import RegistryClient
from interlock_runtime.database import Database
from interlock_serving.manager import ModelManager
from interlock_serving.smoke_test.client import Validator
from interlock_train_dispatch.run_reconciler import RunReconciler
from interlock_train_dispatch.settings import DispatchSettings
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run
from litestar import Litestar

from tests.support import signing
from tests.support.api_keys import KEY, SETTINGS
from tests.support.dependencies import dependency


class InProcessCluster:
    """A cluster whose jobs run, to their end, when they are submitted."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._ended: set[str] = set()

    async def job(self, submission_id: str) -> Job:
        return Job(JobState.ENDED if submission_id in self._ended else JobState.UNKNOWN)

    async def submit(
        self,
        submission_id: str,
        program: str,
        ref: ArtifactRef,
        *,
        metadata: dict[str, str],
        prefix: str,
        until: datetime,
    ) -> None:
        assert program == "interlock_trainer"
        assert metadata["run_id"] in submission_id
        job = TrainingJob.model_validate_json(self._store.fetch(ref))
        assert job.prefix == prefix
        assert job.deadline <= until
        await asyncio.to_thread(run, job, self._store, InProcessPool(), Progress(self._store, job.prefix))
        self._ended.add(submission_id)

    async def log(self, submission_id: str) -> str | None:
        return "trained here\n" if submission_id in self._ended else None

    async def stop(self, submission_id: str) -> None:
        self._ended.add(submission_id)

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        return


class System:
    """Five services, and everything that was said, in order."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.store = MemoryStore()
        self.said: list[str] = []
        given: dict[str, Any] = {
            name.removeprefix("INTERLOCK_").lower(): value for name, value in env.items() if "HOME" not in name
        }
        given |= {**SETTINGS, "ray_address": "http://127.0.0.1:1", "cache_dir": folder / "cache"}
        given |= {f"{name}_url": "http://127.0.0.1:1" for name in NAMES}
        given |= {"ingest_work_dir": folder, **signing.SETTINGS}
        self.ingest = interlock_ingest.app.create_app(IngestSettings(**given), artifacts=self.store)
        # The services have no addresses here, so the registry does not ask which runs a model has.
        alone = given | {"train_dispatch_url": None}
        self.registry = interlock_registry.app.create_app(RegistrySettings(**alone), artifacts=self.store)
        self._validator = Validator(folder / "cache", seconds=60)
        self.gate = interlock_evaluation_gate.app.create_app(
            GateSettings(**given), artifacts=self.store, validate=self._validator.validate
        )
        self.gateway = interlock_gateway.app.create_app(
            GatewaySettings(**given), artifacts=self.store, validate=self._validator.validate
        )
        self.dispatch = interlock_train_dispatch.app.create_app(
            DispatchSettings(**given),
            artifacts=self.store,
            launcher=InProcessCluster(self.store),  # type: ignore[arg-type]
        )
        self.worker = IngestWorker(
            dependency(self.ingest, Bus), self.store, dependency(self.ingest, RegistryClient), folder, check_seconds=60
        )

    @property
    def _with_database(self) -> dict[str, Litestar]:
        return {"ingest": self.ingest, "registry": self.registry, "train_dispatch": self.dispatch}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["System"]:
        apps = [*self._with_database.values(), self.gate, self.gateway]
        buses = [dependency(app, Bus) for app in apps]
        brokers = [broker for bus in buses for broker in (bus.consumer, bus.publisher)]
        async with AsyncExitStack() as stack:
            for name, app in self._with_database.items():
                database = dependency(app, Database)
                await stack.enter_async_context(database.ready("interlock_messaging", f"interlock_{name}"))
            await stack.enter_async_context(TestRabbitBroker(self._recorder(), *brokers))
            stack.callback(self._validator.close)
            stack.callback(dependency(self.gateway, ModelManager).close)
            yield self

    def _recorder(self) -> RabbitBroker:
        recorder = RabbitBroker()

        @recorder.subscriber(RabbitQueue("recorder", routing_key="#"), topology.EXCHANGE, no_reply=True)
        async def record(body: Any, message: RabbitMessage) -> None:
            assert body, "every event carries data"
            self.said.append(str(message.headers["cloudEvents_type"]))

        return recorder

    async def settle(self) -> None:
        """Let every service do what it has to do, until nobody has anything to say."""
        while True:
            before = len(self.said)
            for app in self._with_database.values():
                while await dependency(app, Bus).drain():
                    pass
            await self.worker.take_submissions()
            await self.worker.validate_files()
            await dependency(self.dispatch, RunReconciler).reconcile()
            pending = [await dependency(app, Bus).drain() for app in self._with_database.values()]
            runs = (await self.ask(self.dispatch, "GET", "/runs")).json()
            training = any(run["state"] in ("queued", "running") for run in runs)
            if not training and not any(pending) and len(self.said) == before:
                return

    async def ask(self, app: Litestar, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to one service, past the network."""
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://journey", headers=headers) as client:
            return await client.request(method, path, **options)
