"""Wires ingest together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx
from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.clients import RegistryClient, TrainDispatchClient
from interlock_runtime.database import Database
from interlock_runtime.folders import locked_work_folder, work_folder
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.process import run_periodically
from litestar import Litestar

from interlock_ingest import deletion, gauges, retention
from interlock_ingest.collector import Collector
from interlock_ingest.handlers import router
from interlock_ingest.routes import ROUTES
from interlock_ingest.settings import IngestSettings
from interlock_ingest.store import SERVICE, DatasetRow, SubmissionRow
from interlock_ingest.workers import IngestWorker

__all__ = ["SERVICE", "create_app"]

POLL_SECONDS = 1.0
"""For what another replica has left, and for what is due again: a commit of this one wakes its workers at once."""

COLLECT_SECONDS = 10.0
"""Interval at which the objects of deleted files are looked for: a look is left out while parts are stored."""

RETENTION_SECONDS = 600.0
"""Interval at which files past their retention are looked for."""

_PREFIX = "interlock-ingest-"


def create_app(settings: IngestSettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return ingest's application; a test may bring its own object store."""
    artifacts = artifacts or S3Store(**settings.s3)
    # Each check holds a connection while it lasts.
    database = Database(settings.postgres_url, SERVICE, pool_size=9 + settings.ingest_checks)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    bus.consumer.context.set_global("artifacts", artifacts)
    bus.consumer.context.set_global("hash_form", settings.ingest_hash_form)
    folder = work_folder(_PREFIX, settings.ingest_work_dir)
    client = httpx.AsyncClient(trust_env=False)
    registry = RegistryClient("registry", settings.registry_url, settings.service_key, client)
    dispatcher = (
        TrainDispatchClient("train_dispatch", settings.train_dispatch_url, settings.service_key, client)
        if settings.train_dispatch_url
        else None
    )
    collector = Collector(bus, artifacts, grace=settings.deletion_grace)
    datasets = retention.DatasetRetention(bus, registry, dispatcher, collector.woken)
    worker = IngestWorker(bus, artifacts, registry, folder, settings.ingest_check_minutes * 60)

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        async with client:
            yield

    @asynccontextmanager
    async def taking_in() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for work, table, workers in (
                (worker.take_submissions, SubmissionRow, 1),
                (worker.validate_files, DatasetRow, settings.ingest_checks),
                (worker.read_again, DatasetRow, 1),
            ):
                for _ in range(workers):
                    woken = bus.delivery.wakeups.of(table)
                    await stack.enter_async_context(run_periodically(work, seconds=POLL_SECONDS, woken=woken))
            yield

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=[*ROUTES, *deletion.ROUTES, *retention.ROUTES],
        metric_collectors=[*bus.metric_collectors, partial(gauges.datasets, database.sessions)],
        is_outage=is_dependency_unavailable,
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
        },
        lifespan=[
            connected,
            lambda: locked_work_folder(folder, _PREFIX),
            lambda: database.ready("interlock_messaging", "interlock_ingest"),
            bus.running,
            taking_in,
            lambda: run_periodically(collector.run_once, seconds=COLLECT_SECONDS, woken=collector.woken),
            lambda: run_periodically(datasets.run_once, seconds=RETENTION_SECONDS),
        ],
        dependencies={
            "bus": bus,
            "database": database,
            "artifacts": artifacts,
            "registry": registry,
            "collector": collector,
            "dispatcher": dispatcher,
            "retention": datasets,
            "folder": folder,
            "upload_bytes": settings.ingest_upload_bytes,
            "dry_runs": asyncio.Semaphore(settings.ingest_checks),
        },
    )
