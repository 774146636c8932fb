"""Composition root of the monitor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from interlock_messaging import Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.process import run_periodically
from litestar import Litestar

from interlock_monitor import store
from interlock_monitor.handlers import SERVICE, router
from interlock_monitor.routes import ROUTES
from interlock_monitor.settings import MonitorSettings
from interlock_monitor.takeover import Takeover

__all__ = ["SERVICE", "create_app"]

PRUNE_SECONDS = 600.0
TAKEOVER_SECONDS = 10.0


def create_app(settings: MonitorSettings) -> Litestar:
    """Return the monitor's application."""
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    takeover = Takeover(database)

    async def prune() -> None:
        before, gone = datetime.now(UTC) - timedelta(days=settings.prediction_log_days), 1
        while gone:
            async with bus.transaction() as session:
                gone = await store.prune(session, before)

    @asynccontextmanager
    async def inbox_taken_over() -> AsyncIterator[None]:
        await takeover.copy_inbox()
        yield

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=ROUTES,
        metric_collectors=bus.metric_collectors,
        is_outage=is_dependency_unavailable,
        pings={"postgres": database.ping, "rabbitmq": bus.ping},
        lifespan=[
            lambda: database.ready("interlock_messaging", "interlock_monitor"),
            inbox_taken_over,
            bus.running,
            lambda: run_periodically(takeover.move_rows, seconds=TAKEOVER_SECONDS),
            lambda: run_periodically(prune, seconds=PRUNE_SECONDS),
        ],
        dependencies={"bus": bus, "database": database},
    )
