"""Composition root of prediction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from interlock_artifacts import ArtifactStore, S3Store
from interlock_artifacts.signing import SignatureVerifier
from interlock_messaging import BatchSubscription, Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.clients import IngestClient, RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.process import on_shutdown_signal, run_periodically
from interlock_serving.cache import Cache
from interlock_serving.eviction import ModelMemory
from interlock_serving.loading import Loader, Validate
from interlock_serving.manager import LoadReport, ModelManager
from interlock_serving.slot import ServedModel
from interlock_serving.smoke_test.client import Validator
from litestar import Litestar

from interlock_prediction import gauges
from interlock_prediction.async_worker import AsyncPredictor
from interlock_prediction.batch.expiry import Expiry
from interlock_prediction.batch.subsystem import MAX_RAY_JOBS, BatchSubsystem
from interlock_prediction.batch_routes import ROUTES as BATCH_ROUTES
from interlock_prediction.handlers import BATCH_QUEUES, REPLICA, SERVICE, router
from interlock_prediction.load_failures import LoadFailurePublisher
from interlock_prediction.prediction_sampler import PredictionSampler
from interlock_prediction.reconcile import PromotionReconciler
from interlock_prediction.routes import ROUTES
from interlock_prediction.settings import PredictionSettings
from interlock_prediction.store import WebhookRow
from interlock_prediction.streams import POLL_SECONDS, Streams
from interlock_prediction.webhooks import WebhookSender

__all__ = ["SERVICE", "create_app"]

EXPIRE_SECONDS = 5.0
WEBHOOK_SECONDS = 1.0
RECONCILE_SECONDS = 10.0
"""Interval of reconciliation with the registry, for promotions whose events were missed."""

FLUSH_SECONDS = 10.0
"""Interval at which failed loads are published that the bus did not take before."""


def create_app(
    settings: PredictionSettings, *, artifacts: ArtifactStore | None = None, validate: Validate | None = None
) -> Litestar:
    """Return prediction's application; a test may bring its object store, and validate models in its own process."""
    artifacts = artifacts or S3Store(**settings.s3)
    # Each file being scored holds a connection, and the lock of its row, until its end.
    database = Database(settings.postgres_url, SERVICE, pool_size=12 + settings.batch_scorers + MAX_RAY_JOBS)
    client = httpx.AsyncClient(trust_env=False)
    cache = Cache(artifacts, settings.cache_dir)
    validator = Validator(settings.cache_dir, seconds=settings.prediction_validation_seconds)
    loader = Loader(cache, validate or validator.validate)
    registry = RegistryClient("registry", settings.registry_url, settings.service_key, client)
    ingest = IngestClient("ingest", settings.ingest_url, settings.service_key, client)
    verifier = SignatureVerifier(settings.signing_public_key)

    async def report(load: LoadReport[ServedModel]) -> None:
        await load_failures.report(load)

    manager = ModelManager(
        REPLICA,
        loader,
        verifier,
        ModelMemory(settings.prediction_model_memory, "INTERLOCK_PREDICTION_MODEL_MEMORY"),
        serve=ServedModel.of,
        report=report,
    )
    reconciler = PromotionReconciler(registry, manager)
    sampler = PredictionSampler(
        REPLICA, ratio=settings.prediction_log_ratio, rows_per_second=settings.prediction_log_rows_per_second
    )
    predictor = AsyncPredictor(manager, reconciler, artifacts, sampler)
    (requests,) = BATCH_QUEUES
    bus = Bus(
        settings.amqp_url.get_secret_value(),
        service=SERVICE,
        router=router,
        sessions=database.sessions,
        subscriptions=[BatchSubscription(requests, predictor.handle_batch, settings.prediction_batch)],
    )
    bus.consumer.context.set_global("artifacts", artifacts)
    bus.consumer.context.set_global("manager", manager)
    bus.consumer.context.set_global("loader", loader)
    load_failures = LoadFailurePublisher(REPLICA, bus)
    master = (settings.webhook_secret or settings.service_key).get_secret_value().encode()
    webhook_added = bus.delivery.wakeups.of(WebhookRow)
    webhooks = WebhookSender(bus, master, private=settings.webhook_private)
    expiry = Expiry(bus, artifacts)
    streams = Streams(database)
    ring = registry_key_source(settings.registry_url, settings.service_key)
    batch = BatchSubsystem.of(settings, bus, artifacts, verifier, registry=registry, ingest=ingest)

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        try:
            yield
        finally:
            manager.close()
            await asyncio.to_thread(validator.close)
            await client.aclose()

    return http_app(
        SERVICE,
        Access.of(settings, source=ring, remember=settings.cache_dir / "keys.json"),
        routes=[*ROUTES, *BATCH_ROUTES],
        metric_collectors=[*bus.metric_collectors, partial(gauges.collect_backlog, database.sessions)],
        is_outage=is_dependency_unavailable,
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
        },
        lifespan=[
            connected,
            lambda: on_shutdown_signal(streams.close),
            lambda: database.ready("interlock_messaging", "interlock_prediction"),
            bus.running,
            lambda: run_periodically(reconciler.reconcile, seconds=RECONCILE_SECONDS),
            lambda: run_periodically(load_failures.flush, seconds=FLUSH_SECONDS),
            lambda: run_periodically(expiry.run_once, seconds=EXPIRE_SECONDS),
            lambda: run_periodically(webhooks.deliver_due, seconds=WEBHOOK_SECONDS, woken=webhook_added),
            lambda: run_periodically(streams.poll, seconds=POLL_SECONDS),
            batch.running,
        ],
        dependencies={
            "bus": bus,
            "database": database,
            "artifacts": artifacts,
            "streams": streams,
            "webhooks": webhooks,
            "subsystem": batch,
        },
    )
