"""Wires the registry together."""

import asyncio

from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_runtime.access import Access
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from litestar import Litestar

from interlock_registry import audit, keys, routes
from interlock_registry.handlers import SERVICE, router
from interlock_registry.settings import RegistrySettings

__all__ = ["SERVICE", "create_app"]


def create_app(settings: RegistrySettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return the registry's application; a test may bring its own object store."""
    artifacts = artifacts or S3Store(**settings.s3)
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    access = Access.of(settings, source=keys.ring_of(database))
    return http_app(
        SERVICE,
        access,
        routes=[*routes.ROUTES, *keys.ROUTES, *audit.ROUTES],
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
        },
        lifespan=[lambda: database.ready("interlock_messaging", "interlock_registry"), bus.running],
        state={
            "bus": bus,
            "database": database,
            "artifacts": artifacts,
            "pepper": settings.key_pepper,
        },
    )
