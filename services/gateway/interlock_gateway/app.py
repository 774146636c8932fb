"""Wires one gateway worker together."""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_runtime.http import http_app
from interlock_runtime.telemetry import setup_telemetry
from litestar import Litestar
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from interlock_gateway.handlers import SERVICE, WORKER, router
from interlock_gateway.loading import Loader
from interlock_gateway.predict import predict_route
from interlock_gateway.protocols.inference import Inference
from interlock_gateway.protocols.rest import no_route, open_inference_routes
from interlock_gateway.proxy import Upstream, connections
from interlock_gateway.reconcile import Reconciler
from interlock_gateway.routes import ROUTES
from interlock_gateway.settings import GatewaySettings
from interlock_gateway.worker import Worker

__all__ = ["SERVICE", "create_app", "create_worker"]


def create_worker() -> Litestar:
    """Return the application of one uvicorn worker process."""
    settings = GatewaySettings()
    provider = setup_telemetry(SERVICE, settings)
    app = create_app(settings)
    app.on_shutdown.append(provider.shutdown)  # a child process ends without atexit, and spans may still wait
    return app


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


def create_app(settings: GatewaySettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return the gateway's application; a test may bring its own object store."""
    artifacts = artifacts or S3Store(**settings.s3)
    key, client = settings.api_key, connections()
    registry = Upstream("registry", settings.registry_url, key, client)
    ingest = Upstream("ingest", settings.ingest_url, key, client, patience=600)
    train_dispatch = Upstream("train_dispatch", settings.train_dispatch_url, key, client)
    prediction = Upstream("prediction", settings.prediction_url, key, client)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=None)
    worker = Worker(WORKER, Loader(artifacts, settings.cache_dir).load, bus)
    bus.consumer.context.set_global("worker", worker)
    reconciler = Reconciler(worker, registry, bus, seconds=settings.gateway_reconcile_seconds)
    pings = {"rabbitmq": reconciler.bus_answered, "registry": reconciler.registry_answered}
    inference = Inference(worker, registry, pings.values())

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        try:
            yield
        finally:
            worker.close()
            await client.aclose()

    return http_app(
        SERVICE,
        settings.api_key,
        routes=[*ROUTES, predict_route(worker, registry), open_inference_routes(inference)],
        pings=pings,
        exception_handlers={NotFoundException: no_route, MethodNotAllowedException: no_route},
        lifespan=[not_orphaned, connected, reconciler.keeping_up, reconciler.hearing],
        state={
            "bus": bus,
            "worker": worker,
            "reconciler": reconciler,
            "upstreams": {each.name: each for each in (registry, ingest, train_dispatch, prediction)},
        },
    )
