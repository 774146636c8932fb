"""Wires one gateway worker together."""

import asyncio
import gc
import multiprocessing
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from interlock_artifacts import ArtifactStore, S3Store
from interlock_artifacts.signing import SignatureVerifier
from interlock_messaging import Bus
from interlock_modeling.engines import prepare
from interlock_runtime.access import Access
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.limits import ConcurrencyLimitMiddleware
from interlock_runtime.metrics import HttpMetricsMiddleware
from interlock_runtime.process import run_periodically
from interlock_runtime.telemetry import setup_telemetry
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader, Validate
from interlock_serving.validation.client import Validator
from litestar import Litestar
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from interlock_gateway import gauges
from interlock_gateway.fastpath.app import FastPathApp
from interlock_gateway.feedback import give_feedback
from interlock_gateway.handlers import SERVICE, WORKER, router
from interlock_gateway.last_known import PromotionCache
from interlock_gateway.manager import UNLOAD_POLL_SECONDS, ModelManager
from interlock_gateway.metrics import Metrics
from interlock_gateway.predict import predict_route
from interlock_gateway.prediction_log import PredictionLog
from interlock_gateway.protocols.browsing import browsable
from interlock_gateway.protocols.grpc_server import serving_grpc
from interlock_gateway.protocols.inference import Inference
from interlock_gateway.protocols.mlflow import scoring_routes
from interlock_gateway.protocols.model_document import model_document_route
from interlock_gateway.protocols.refusals import document_refusals
from interlock_gateway.protocols.rest import no_route, open_inference_routes
from interlock_gateway.proxy import Upstream, connections
from interlock_gateway.rate_limit import RateLimiter
from interlock_gateway.reconcile import Reconciler
from interlock_gateway.routes import ROUTES
from interlock_gateway.settings import GatewaySettings
from interlock_gateway.trace_sampling import TraceSampler

__all__ = ["SERVICE", "create_app", "create_worker", "fast_path_of"]


def create_worker() -> FastPathApp:
    """Return the application of one uvicorn worker process."""
    settings = GatewaySettings()
    provider = setup_telemetry(SERVICE, settings)
    app = create_app(settings)
    app.on_shutdown.append(provider.shutdown)  # a child process ends without atexit, and spans may still wait
    return fast_path_of(app)


def fast_path_of(app: Litestar) -> FastPathApp:
    """Return what a server runs: the front, with ``app`` behind it."""
    front: FastPathApp = app.state.fast_path
    return front


@asynccontextmanager
async def not_orphaned() -> AsyncIterator[None]:
    """Stop when the parent process is gone: nobody would stop this worker, and it would keep the port."""
    parent, loop = multiprocessing.parent_process(), asyncio.get_running_loop()
    if parent is None:
        yield
        return

    def stop() -> None:
        loop.remove_reader(parent.sentinel)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(parent.sentinel, stop)
    try:
        yield
    finally:
        loop.remove_reader(parent.sentinel)


def create_app(
    settings: GatewaySettings, *, artifacts: ArtifactStore | None = None, validate: Validate | None = None
) -> Litestar:
    """Return the gateway's application; a test may bring its own object store, and try models in its own process."""
    artifacts = artifacts or S3Store(**settings.s3)
    client = connections()
    ring = registry_key_source(settings.registry_url, settings.service_key)
    access = Access.of(settings, source=ring, remember=settings.cache_dir / "keys.json")
    own = settings.service_key
    registry = Upstream("registry", settings.registry_url, own, client)
    ingest = Upstream("ingest", settings.ingest_url, own, client, read_timeout=600)
    train_dispatch = Upstream("train_dispatch", settings.train_dispatch_url, own, client)
    prediction = Upstream("prediction", settings.prediction_url, own, client, read_timeout=600)
    bus = Bus(
        settings.amqp_url.get_secret_value(),
        service=SERVICE,
        router=router,
        sessions=None,
        ends_when_consumer_lost=False,
    )
    cache = Cache(artifacts, settings.cache_dir)
    validator = Validator(settings.cache_dir, seconds=settings.gateway_validation_seconds)
    loader = Loader(cache, validate or validator.validate)
    trust = SignatureVerifier(settings.signing_public_key)
    ledger = PromotionCache(settings.cache_dir, settings.registry_url, trust)
    worker = ModelManager(
        WORKER, loader, bus, ledger, trust, memory=settings.gateway_model_memory, limit=settings.predict_room
    )
    bus.consumer.context.set_global("worker", worker)
    metrics = Metrics(WORKER, settings.cache_dir, gauges=lambda: gauges.serving(worker.slots()))
    log = PredictionLog(
        WORKER,
        bus,
        metrics.of,
        ratio=settings.prediction_log_ratio,
        rows_per_second=settings.prediction_log_rows_per_second,
    )
    reconciler = Reconciler(worker, registry, bus, seconds=settings.gateway_reconcile_seconds)
    pings = {"rabbitmq": reconciler.bus_answered, "registry": reconciler.registry_answered}
    inference = Inference(worker, registry, pings.values(), log, metrics)
    scoring = scoring_routes(inference, access, model=settings.mlflow_model, is_open=settings.mlflow_open)
    rates = RateLimiter(settings.rate_limit, settings.rate_burst) if settings.rate_limit is not None else None
    grpc = serving_grpc(inference, access, settings.host, settings.grpc_port, rates)

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        if validate is None:
            await asyncio.to_thread(prepare)  # before requests come: it would hold them up for a tenth of a second
            gc.collect()
            gc.freeze()  # what is there now stays; looking through all of it every second held requests up for 60 ms
        try:
            yield
        finally:
            worker.close()
            await client.aclose()

    @asynccontextmanager
    async def validating() -> AsyncIterator[None]:
        def warm() -> None:
            if validate is None and validator.warm():
                loader.warm_validator()

        warming = asyncio.create_task(asyncio.to_thread(warm))
        try:
            yield
        finally:
            await asyncio.to_thread(validator.close)
            await warming

    app = document_refusals(
        http_app(
            SERVICE,
            access,
            routes=[
                *ROUTES,
                give_feedback,
                predict_route(worker, registry, log, metrics),
                open_inference_routes(inference),
                scoring,
                model_document_route(inference),
            ],
            pings=pings,
            counters=metrics.families,
            openapi=browsable(),
            exception_handlers={NotFoundException: no_route, MethodNotAllowedException: no_route},
            lifespan=[
                not_orphaned,
                connected,
                metrics.copying,
                lambda: run_periodically(worker.apply_unload_requests, seconds=UNLOAD_POLL_SECONDS),
                reconciler.reconcile_loop,
                validating,
                reconciler.consume_promotions,
                log.running,
                grpc,
            ],
            state={
                "bus": bus,
                "artifacts": artifacts,
                "sampler": TraceSampler(settings.predict_sample_ratio),
                "worker": worker,
                "reconciler": reconciler,
                "prediction_log": log,
                "upstreams": {each.name: each for each in (registry, ingest, train_dispatch, prediction)},
            },
        )
    )
    app.state.fast_path = FastPathApp(
        HttpMetricsMiddleware(ConcurrencyLimitMiddleware(app, settings.request_room)),
        worker,
        access=access,
        metrics=metrics,
        sampler=app.state.sampler,
        log=log,
        rates=rates,
    )
    return app
