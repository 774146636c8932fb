"""Wires the evaluation gate together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader, Validate
from interlock_serving.smoke_test.client import Validator
from litestar import Litestar

from interlock_evaluation_gate.handlers import SERVICE, router
from interlock_evaluation_gate.settings import GateSettings

__all__ = ["SERVICE", "create_app"]


def create_app(
    settings: GateSettings, *, artifacts: ArtifactStore | None = None, validate: Validate | None = None
) -> Litestar:
    """Return the gate's application; a test may bring its own object store, and try models in its own process."""
    artifacts = artifacts or S3Store(**settings.s3)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=None)
    validator = Validator(settings.cache_dir, seconds=settings.gate_validation_seconds)
    loader = Loader(Cache(artifacts, settings.cache_dir), validate or validator.validate)
    bus.consumer.context.set_global("artifacts", artifacts)
    bus.consumer.context.set_global("loader", loader)
    bus.consumer.context.set_global("bus", bus)

    @asynccontextmanager
    async def validating() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.to_thread(validator.close)

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=[],
        metric_collectors=bus.metric_collectors,
        is_outage=is_dependency_unavailable,
        pings={"rabbitmq": bus.ping, "s3": lambda: asyncio.to_thread(artifacts.ping)},
        lifespan=[validating, bus.running],
        dependencies={"bus": bus},
    )
