"""Wires the registry together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from interlock_artifacts import ArtifactStore, S3Store
from interlock_artifacts.signing import SignatureVerifier, Signer
from interlock_messaging import Bus
from interlock_messaging.dead_letters import Collector as DeadLetterCollector
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.clients import TrainDispatchClient
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.process import run_periodically
from litestar import Litestar

from interlock_registry import (
    audit,
    comparison,
    dead_letters,
    deletion,
    descriptions,
    export,
    gauges,
    history,
    keys,
    ledger_routes,
    mlflow,
    models,
    promotion,
    promotion_routes,
    retention,
    routes,
)
from interlock_registry.collector import Collector
from interlock_registry.handlers import SERVICE, router
from interlock_registry.settings import RegistrySettings

__all__ = ["SERVICE", "create_app"]

COLLECT_SECONDS = 30.0
"""Interval at which the objects of deleted versions are looked for."""

RETENTION_SECONDS = 600.0
"""Interval at which versions past their retention are looked for."""


def create_app(settings: RegistrySettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return the registry's application; a test may bring its own object store.

    Raises:
        ValueError: the signing key is none, or no verifier would accept what it signs.
    """
    artifacts = artifacts or S3Store(**settings.s3)
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    access = Access.of(settings, source=keys.ring_of(database))
    signer, trust = Signer(settings.signing_key.get_secret_value()), SignatureVerifier(settings.signing_public_key)
    trust.require_key_of(signer)
    bus.consumer.context.set_global("signer", signer)
    collector = Collector(bus, artifacts, grace=settings.deletion_grace)
    versions = retention.VersionRetention(bus, collector.woken)
    client = httpx.AsyncClient(trust_env=False)
    dispatcher = (
        TrainDispatchClient("train_dispatch", settings.train_dispatch_url, settings.service_key, client)
        if settings.train_dispatch_url and settings.service_key
        else None
    )

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        async with client:
            yield

    @asynccontextmanager
    async def signed() -> AsyncIterator[None]:
        async with database.sessions() as session, session.begin():
            await promotion.re_sign_champions(session, signer, trust)
        yield

    return http_app(
        SERVICE,
        access,
        routes=[
            *routes.ROUTES,
            *models.ROUTES,
            *comparison.ROUTES,
            *descriptions.ROUTES,
            *deletion.ROUTES,
            *retention.ROUTES,
            *promotion_routes.ROUTES,
            *export.ROUTES,
            *history.ROUTES,
            *ledger_routes.ROUTES,
            *keys.ROUTES,
            *mlflow.ROUTES,
            *audit.ROUTES,
            *dead_letters.ROUTES,
        ],
        metric_collectors=[*bus.metric_collectors, partial(gauges.models, database.sessions)],
        is_outage=is_dependency_unavailable,
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
        },
        lifespan=[
            connected,
            lambda: database.ready("interlock_messaging", dead_letters.DATABASE, "interlock_registry"),
            signed,
            bus.running,
            DeadLetterCollector(bus).running,
            lambda: run_periodically(collector.run_once, seconds=COLLECT_SECONDS, woken=collector.woken),
            lambda: run_periodically(versions.run_once, seconds=RETENTION_SECONDS),
        ],
        dependencies={
            "bus": bus,
            "database": database,
            "artifacts": artifacts,
            "pepper": settings.key_pepper,
            "signer": signer,
            "collector": collector,
            "dispatcher": dispatcher,
        },
    )
