"""Composition root of the console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from interlock_messaging import BatchSubscription, Bus
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.access import Access
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.limits import ConcurrencyLimit
from interlock_runtime.process import on_shutdown_signal, run_periodically
from interlock_runtime.reverse_proxy import connections
from litestar import Litestar

from interlock_console import pages, proxy, routes, session, store, trace_routes
from interlock_console.handlers import BATCH_QUEUES, SERVICE, project, router
from interlock_console.home.routes import ROUTES as HOME
from interlock_console.home.status import POLL_SECONDS, StatusMonitor, polling_client
from interlock_console.jaeger.routes import ROUTES as JAEGER
from interlock_console.proxy import CONNECTIONS, TIMEOUT, gateway_proxy
from interlock_console.session import cookie_to_bearer
from interlock_console.settings import ConsoleSettings
from interlock_console.spans.writer import SpanWriter
from interlock_console.sse import SPANS_SECONDS, EventStream

__all__ = ["SERVICE", "create_app"]

DELETE_SECONDS = 3600.0
LISTEN_BACKOFF_SECONDS = 1.0
"""Backoff after the connection that listens for notifications is lost."""


def create_app(settings: ConsoleSettings) -> Litestar:
    database = Database(settings.postgres_url, SERVICE)
    batched = [BatchSubscription(queue, project) for queue in BATCH_QUEUES]
    bus = Bus(
        settings.amqp_url.get_secret_value(),
        service=SERVICE,
        router=router,
        sessions=database.sessions,
        subscriptions=batched,
    )
    stream = EventStream(database, bus)
    client = connections(timeout=TIMEOUT, most=CONNECTIONS)
    pings = {"postgres": database.ping, "rabbitmq": bus.ping}
    polling = polling_client()
    status_monitor = StatusMonitor(settings, polling, pings)
    span_writer = SpanWriter(database, days=settings.console_days, on_written=stream.note_new_spans)

    async def delete_expired() -> None:
        before, more = datetime.now(UTC) - timedelta(days=settings.console_days), True
        while more:
            async with bus.transaction() as transaction:
                more = await store.delete_expired(transaction, before)

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        async with client, polling:
            yield

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=[*pages.ROUTES, *session.ROUTES, *proxy.ROUTES, *routes.ROUTES, *HOME, *trace_routes.ROUTES, *JAEGER],
        middleware=[cookie_to_bearer],
        respond=pages.answer_problem,
        metric_collectors=bus.metric_collectors,
        is_outage=is_dependency_unavailable,
        pings=pings,
        lifespan=[
            connected,
            lambda: on_shutdown_signal(stream.close),
            lambda: database.ready("interlock_messaging", "interlock_console"),
            bus.running,
            lambda: run_periodically(stream.listen, seconds=LISTEN_BACKOFF_SECONDS),
            lambda: run_periodically(stream.notify_spans, seconds=SPANS_SECONDS),
            lambda: run_periodically(status_monitor.poll, seconds=POLL_SECONDS),
            lambda: run_periodically(delete_expired, seconds=DELETE_SECONDS),
            lambda: run_periodically(span_writer.drop_expired, seconds=DELETE_SECONDS),
        ],
        dependencies={
            "bus": bus,
            "database": database,
            "settings": settings,
            "event_stream": stream,
            "status_monitor": status_monitor,
            "gateway": gateway_proxy(settings.gateway_url, client),
            "span_writer": span_writer,
            "span_limit": ConcurrencyLimit(trace_routes.MAX_CONCURRENT_BATCHES),
        },
    )
