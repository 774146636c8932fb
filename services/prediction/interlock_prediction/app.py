"""Wires prediction together."""

import asyncio

from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from litestar import Litestar

from interlock_prediction.handlers import SERVICE, router
from interlock_prediction.routes import ROUTES
from interlock_prediction.settings import PredictionSettings

__all__ = ["SERVICE", "create_app"]


def create_app(settings: PredictionSettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return prediction's application; a test may bring its own object store."""
    artifacts = artifacts or S3Store(**settings.s3)
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    bus.consumer.context.set_global("artifacts", artifacts)
    return http_app(
        SERVICE,
        settings.api_key,
        routes=ROUTES,
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
        },
        lifespan=[lambda: database.ready("interlock_messaging", "interlock_prediction"), bus.running],
        state={"bus": bus, "database": database, "artifacts": artifacts},
    )
