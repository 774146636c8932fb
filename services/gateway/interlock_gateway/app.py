"""Wires one gateway worker together."""

import asyncio
import gc
import multiprocessing
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from interlock_artifacts import ArtifactStore, S3Store
from interlock_contracts.catalog import OBSERVER
from interlock_messaging import Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.clients import REQUEST_SECONDS
from interlock_runtime.connections import LimitedHttpProtocol
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.limits import ConcurrencyLimitMiddleware
from interlock_runtime.metrics import HttpMetricsMiddleware
from interlock_runtime.reverse_proxy import connections
from interlock_runtime.telemetry import setup_telemetry
from interlock_runtime.token_bucket import TokenBuckets
from interlock_serving.loading import Validate
from litestar import Litestar
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ASGIApp

from interlock_gateway.handlers import SERVICE, WORKER, router
from interlock_gateway.inference.async_route import submit_prediction
from interlock_gateway.inference.feedback import give_feedback
from interlock_gateway.inference.predict import predict_route
from interlock_gateway.models.wiring import WorkerModels
from interlock_gateway.observe import gauges
from interlock_gateway.observe.metrics import Metrics
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.observe.prediction_middleware import PredictionMiddleware
from interlock_gateway.observe.trace_sampling import TraceSampler
from interlock_gateway.protocols.browsing import browsable
from interlock_gateway.protocols.grpc_server import serving_grpc
from interlock_gateway.protocols.inference import Inference
from interlock_gateway.protocols.rest import no_route
from interlock_gateway.protocols.wiring import protocol_routes
from interlock_gateway.proxy.proxied_routes import proxied_routes
from interlock_gateway.proxy.rate_limit import RateLimitMiddleware
from interlock_gateway.proxy.upstreams import CONNECTIONS, Proxies, Upstreams
from interlock_gateway.routes import ROUTES
from interlock_gateway.settings import GatewaySettings

try:
    from interlock_gateway.fastpath.app import FastPathApp
    from interlock_gateway.fastpath.protocol import FastPathProtocol
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("interlock_gateway.fastpath"):
        raise
    # The folder was deleted: everything works, slower.
    FastPathApp = None  # type: ignore[assignment, misc]

__all__ = ["SERVICE", "create_app", "create_worker", "http_protocol", "served"]


def create_worker() -> ASGIApp:
    """Return the application of one uvicorn worker process."""
    settings = GatewaySettings()
    provider = setup_telemetry(SERVICE, settings)
    app = create_app(settings)
    app.on_shutdown.append(provider.shutdown)  # a child process ends without atexit, and spans may still wait
    gc.enable()  # see interlock_runtime.start
    return served(app)


def served(app: Litestar) -> ASGIApp:
    """Return what a server runs: ``app`` within its middleware."""
    outermost: ASGIApp = app.state.served
    return outermost


def http_protocol(*, config: uvicorn.Config, **options: Any) -> asyncio.Protocol:
    """Return the protocol of one connection: the fast path's where the application has one."""
    fast_path = FastPathApp.within(config.loaded_app) if FastPathApp is not None else None
    if fast_path is None:
        return LimitedHttpProtocol(config=config, **options)
    return FastPathProtocol(fast_path, config=config, **options)


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
    client = connections(timeout=REQUEST_SECONDS, most=CONNECTIONS)
    upstreams, proxies = Upstreams.of(settings, client), Proxies.of(settings, client)
    access = Access.of(
        settings,
        source=registry_key_source(settings.registry_url, settings.service_key),
        remember=settings.cache_dir / "keys.json",
    )
    bus = Bus(
        settings.amqp_url.get_secret_value(),
        service=SERVICE,
        router=router,
        sessions=None,
        ends_when_consumer_lost=False,
    )
    models = WorkerModels(
        settings, WORKER, bus=bus, registry=upstreams.registry, artifacts=artifacts, validate=validate
    )
    manager, reconciler = models.manager, models.reconciler
    bus.consumer.context.set_global("manager", manager)
    bus.consumer.context.set_global("loader", models.loader)
    bus.consumer.context.set_global("last_known", models.last_known)
    metrics = Metrics(WORKER, settings.state_dir, gauges=lambda: gauges.serving(manager.slots()))
    log = PredictionLog.of(settings, WORKER, bus, metrics.of)
    sampler = TraceSampler(settings.predict_sample_ratio)
    pings = {"rabbitmq": reconciler.bus_answered, "registry": reconciler.registry_answered}
    rates = TokenBuckets(settings.rate_limit, settings.rate_burst) if settings.rate_limit is not None else None
    inference = Inference(
        manager,
        models.unload_requests,
        registry=upstreams.registry,
        pings=pings.values(),
        log=log,
        metrics=metrics,
    )

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        async with client:
            yield

    app = http_app(
        SERVICE,
        access,
        routes=[
            *proxied_routes(proxies),
            *ROUTES,
            submit_prediction,
            give_feedback,
            predict_route(manager, upstreams.registry, log, metrics),
            *protocol_routes(settings, inference, access),
        ],
        is_outage=is_dependency_unavailable,
        pings=pings,
        counters=metrics.families,
        metric_readers=(OBSERVER,),
        openapi=browsable(),
        exception_handlers={NotFoundException: no_route, MethodNotAllowedException: no_route},
        lifespan=[
            not_orphaned,
            connected,
            metrics.copying,
            models.running,
            log.running,
            serving_grpc(inference, access, settings.host, settings.grpc_port, rates),
        ],
        dependencies={
            "bus": bus,
            "artifacts": artifacts,
            "sampler": sampler,
            "manager": manager,
            "reconciler": reconciler,
            "log": log,
            "upstreams": upstreams,
            "proxies": proxies,
        },
    )
    answering: ASGIApp = HttpMetricsMiddleware(ConcurrencyLimitMiddleware(app, settings.request_room))
    if settings.fast_path and FastPathApp is not None:
        answering = FastPathApp(
            answering, manager, access=access, metrics=metrics, sampler=sampler, log=log, rates=rates
        )
    answering = PredictionMiddleware(answering, manager, access=access, metrics=metrics, sampler=sampler)
    app.state.served = RateLimitMiddleware(answering, rates, access) if rates is not None else answering
    return app
