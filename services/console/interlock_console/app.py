"""Wires the console together."""

from interlock_messaging import Bus
from interlock_runtime.access import Access
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import asking
from interlock_runtime.limits import Room
from interlock_runtime.process import repeating
from litestar import Litestar

from interlock_console import pages, routes, trace_routes
from interlock_console.handlers import SERVICE, router
from interlock_console.jaeger.routes import ROUTES as JAEGER
from interlock_console.settings import ConsoleSettings
from interlock_console.spans.keeping import Keeping

__all__ = ["SERVICE", "create_app"]

FORGET_SECONDS = 3600.0


def create_app(settings: ConsoleSettings) -> Litestar:
    """Return the console's application."""
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)
    keeping = Keeping(database, days=settings.console_days)

    return http_app(
        SERVICE,
        Access.of(settings, source=asking(settings.registry_url, settings.service_key)),
        routes=[*pages.ROUTES, *routes.ROUTES, *trace_routes.ROUTES, *JAEGER],
        looks=bus.looks,
        pings={"postgres": database.ping, "rabbitmq": bus.ping},
        lifespan=[
            lambda: database.ready("interlock_messaging", "interlock_console"),
            bus.running,
            lambda: repeating(keeping.forget, seconds=FORGET_SECONDS),
        ],
        state={
            "bus": bus,
            "database": database,
            "settings": settings,
            "keeping": keeping,
            "span_room": Room(trace_routes.TOGETHER),
        },
    )
