"""Wires the dispatcher together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from interlock_artifacts import ArtifactStore, S3Store
from interlock_artifacts.scoped_credentials import credential_issuer_of
from interlock_jobs.launcher import RayLauncher
from interlock_messaging import Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.clients import RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.folders import locked_work_folder, work_folder
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.process import run_periodically
from litestar import Litestar

from interlock_train_dispatch import gauges, imports, mlflow, retention
from interlock_train_dispatch.deletion import DELETE_SECONDS, Deletion
from interlock_train_dispatch.handlers import router
from interlock_train_dispatch.logs import KEEP_SECONDS, RunLogs
from interlock_train_dispatch.routes import ROUTES
from interlock_train_dispatch.run_reconciler import RunReconciler
from interlock_train_dispatch.runs import SERVICE
from interlock_train_dispatch.settings import DispatchSettings

__all__ = ["SERVICE", "create_app"]

_PREFIX = "interlock-train-dispatch-"


def create_app(
    settings: DispatchSettings, *, artifacts: ArtifactStore | None = None, launcher: RayLauncher | None = None
) -> Litestar:
    """Return the dispatcher's application; a test may bring its own object store and cluster."""
    artifacts = artifacts or S3Store(**settings.s3)
    issuer = credential_issuer_of(settings.s3, settings.s3_job_role, settings.s3_sts_endpoint)
    launcher = launcher or RayLauncher(settings.ray_address, settings.ray_bearer, settings.trainer_python, issuer)
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    bus.consumer.context.set_global("artifacts", artifacts)
    folder = work_folder(_PREFIX, None)
    client = httpx.AsyncClient(trust_env=False)
    registry = RegistryClient("registry", settings.registry_url, settings.service_key, client)
    reconciler = RunReconciler(bus, artifacts, launcher)
    logs = RunLogs(bus, artifacts, launcher)
    deletion = Deletion(bus, artifacts)

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await launcher.close()
            await client.aclose()

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=[*ROUTES, *imports.ROUTES, *retention.ROUTES, *mlflow.ROUTES],
        metric_collectors=[*bus.metric_collectors, partial(gauges.runs, database.sessions)],
        is_outage=is_dependency_unavailable,
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
            "ray": launcher.ping,
        },
        lifespan=[
            connected,
            lambda: locked_work_folder(folder, _PREFIX),
            lambda: database.ready("interlock_messaging", "interlock_train_dispatch"),
            bus.running,
            lambda: run_periodically(reconciler.reconcile, seconds=settings.reconcile_seconds),
            lambda: run_periodically(logs.keep_due, seconds=KEEP_SECONDS),
            lambda: run_periodically(deletion.run_once, seconds=DELETE_SECONDS),
        ],
        dependencies={
            "artifacts": artifacts,
            "bus": bus,
            "database": database,
            "folder": folder,
            "logs": logs,
            "reconciler": reconciler,
            "registry": registry,
        },
    )
