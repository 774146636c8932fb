"""Composition root of the monitor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
from interlock_messaging import Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.clients import RegistryClient
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.process import run_periodically
from litestar import Litestar

from interlock_monitor import erasure, store
from interlock_monitor.handlers import SERVICE, router
from interlock_monitor.routes import ROUTES
from interlock_monitor.settings import MonitorSettings
from interlock_monitor.takeover import Takeover

__all__ = ["SERVICE", "create_app"]

PRUNE_SECONDS = 600.0
TAKEOVER_SECONDS = 10.0
DELETE_SECONDS = 5.0
"""Interval at which rows of deleted models are looked for."""


async def declared_days(registry: RegistryClient) -> dict[str, float]:
    """Return how many days each model's log is kept, of those whose newest pipeline declares it.

    Raises:
        ConnectionError: the registry does not answer; what it might want kept is not deleted meanwhile.
    """
    declared = {each.name: each.spec.monitoring.prediction_log_days for each in await registry.pipelines()}
    return {name: days for name, days in declared.items() if days is not None}


def create_app(settings: MonitorSettings) -> Litestar:
    """Return the monitor's application."""
    database = Database(settings.postgres_url, SERVICE)
    client = httpx.AsyncClient(trust_env=False)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    takeover = Takeover(database)

    registry = RegistryClient("registry", settings.registry_url, settings.service_key, client)

    async def prune() -> None:
        declared = await declared_days(registry)
        now, gone = datetime.now(UTC), 1
        by_model = {model: now - timedelta(days=days) for model, days in declared.items()}
        before = now - timedelta(days=settings.prediction_log_days)
        while gone:
            async with bus.transaction() as session:
                gone = await store.prune(session, before, by_model)

    async def delete_models() -> None:
        gone = 1
        while gone:
            async with bus.transaction() as session:
                gone = await store.delete_models(session)

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await client.aclose()

    @asynccontextmanager
    async def inbox_taken_over() -> AsyncIterator[None]:
        await takeover.copy_inbox()
        yield

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=[*ROUTES, *erasure.ROUTES],
        metric_collectors=bus.metric_collectors,
        is_outage=is_dependency_unavailable,
        pings={"postgres": database.ping, "rabbitmq": bus.ping},
        lifespan=[
            connected,
            lambda: database.ready("interlock_messaging", "interlock_monitor"),
            inbox_taken_over,
            bus.running,
            lambda: run_periodically(takeover.move_rows, seconds=TAKEOVER_SECONDS),
            lambda: run_periodically(prune, seconds=PRUNE_SECONDS),
            lambda: run_periodically(delete_models, seconds=DELETE_SECONDS),
        ],
        dependencies={"bus": bus, "database": database},
    )
