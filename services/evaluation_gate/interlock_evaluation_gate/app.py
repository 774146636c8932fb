"""Wires the evaluation gate together."""

import asyncio

from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_runtime.access import Access
from interlock_runtime.http import http_app
from litestar import Litestar

from interlock_evaluation_gate.handlers import SERVICE, router
from interlock_evaluation_gate.settings import GateSettings

__all__ = ["SERVICE", "create_app"]


def create_app(settings: GateSettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return the gate's application; a test may bring its own object store."""
    artifacts = artifacts or S3Store(**settings.s3)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=None)
    bus.consumer.context.set_global("artifacts", artifacts)
    bus.consumer.context.set_global("bus", bus)
    return http_app(
        SERVICE,
        Access.of(settings),  # it has no routes but health, so nobody but the operator has anything to do here
        routes=[],
        pings={"rabbitmq": bus.ping, "s3": lambda: asyncio.to_thread(artifacts.ping)},
        lifespan=[bus.running],
        state={"bus": bus},
    )
