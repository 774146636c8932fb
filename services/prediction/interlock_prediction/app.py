"""Wires prediction together."""

import asyncio
from datetime import UTC, datetime, timedelta

from interlock_artifacts import ArtifactStore, S3Store
from interlock_messaging import Bus
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.process import repeating
from litestar import Litestar

from interlock_prediction import prediction_log
from interlock_prediction.handlers import SERVICE, router
from interlock_prediction.routes import ROUTES
from interlock_prediction.settings import PredictionSettings

__all__ = ["SERVICE", "create_app"]

FORGET_SECONDS = 600.0


def create_app(settings: PredictionSettings, *, artifacts: ArtifactStore | None = None) -> Litestar:
    """Return prediction's application; a test may bring its own object store."""
    artifacts = artifacts or S3Store(**settings.s3)
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    bus.consumer.context.set_global("artifacts", artifacts)

    async def forget_old_log() -> None:
        before, gone = datetime.now(UTC) - timedelta(days=settings.prediction_log_days), 1
        while gone:
            async with bus.transaction() as session:
                gone = await prediction_log.forget(session, before)

    return http_app(
        SERVICE,
        settings.api_key,
        routes=ROUTES,
        pings={
            "postgres": database.ping,
            "rabbitmq": bus.ping,
            "s3": lambda: asyncio.to_thread(artifacts.ping),
        },
        lifespan=[
            lambda: database.ready("interlock_messaging", "interlock_prediction"),
            bus.running,
            lambda: repeating(forget_old_log, seconds=FORGET_SECONDS),
        ],
        state={"bus": bus, "database": database, "artifacts": artifacts},
    )
