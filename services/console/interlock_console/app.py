"""Wires the console together."""

from datetime import UTC, datetime, timedelta

from interlock_messaging import BatchSubscription, Bus
from interlock_runtime.access import Access
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import registry_key_source
from interlock_runtime.limits import ConcurrencyLimit
from interlock_runtime.process import on_shutdown_signal, run_periodically
from litestar import Litestar

from interlock_console import pages, proxy, routes, session, store, trace_routes
from interlock_console.handlers import BATCH_QUEUES, SERVICE, keep, router
from interlock_console.jaeger.routes import ROUTES as JAEGER
from interlock_console.live import SPANS_SECONDS, Live
from interlock_console.proxy import Gateway
from interlock_console.session import cookie_as_key
from interlock_console.settings import ConsoleSettings
from interlock_console.spans.keeping import Keeping

__all__ = ["SERVICE", "create_app"]

FORGET_SECONDS = 3600.0
HEAR_AGAIN_SECONDS = 1.0
"""After the connection that tells of news was lost."""


def create_app(settings: ConsoleSettings) -> Litestar:
    """Return the console's application."""
    database = Database(settings.postgres_url, SERVICE)
    batched = [BatchSubscription(queue, keep) for queue in BATCH_QUEUES]
    bus = Bus(
        settings.amqp_url.get_secret_value(),
        service=SERVICE,
        router=router,
        sessions=database.sessions,
        subscriptions=batched,
    )
    live, gateway = Live(database, bus), Gateway(settings.gateway_url)
    keeping = Keeping(database, days=settings.console_days, told=live.spans_came)

    async def delete_expired() -> None:
        before, more = datetime.now(UTC) - timedelta(days=settings.console_days), True
        while more:
            async with bus.transaction() as transaction:
                more = await store.forget(transaction, before)

    return http_app(
        SERVICE,
        Access.of(settings, source=registry_key_source(settings.registry_url, settings.service_key)),
        routes=[*pages.ROUTES, *session.ROUTES, *proxy.ROUTES, *routes.ROUTES, *trace_routes.ROUTES, *JAEGER],
        middleware=[cookie_as_key],
        metric_collectors=bus.metric_collectors,
        pings={"postgres": database.ping, "rabbitmq": bus.ping},
        lifespan=[
            gateway.connected,
            lambda: on_shutdown_signal(live.close),
            lambda: database.ready("interlock_messaging", "interlock_console"),
            bus.running,
            lambda: run_periodically(live.hear, seconds=HEAR_AGAIN_SECONDS),
            lambda: run_periodically(live.tell_spans, seconds=SPANS_SECONDS),
            lambda: run_periodically(delete_expired, seconds=FORGET_SECONDS),
            lambda: run_periodically(keeping.forget, seconds=FORGET_SECONDS),
        ],
        state={
            "bus": bus,
            "database": database,
            "settings": settings,
            "live": live,
            "gateway": gateway,
            "keeping": keeping,
            "span_room": ConcurrencyLimit(trace_routes.TOGETHER),
        },
    )
