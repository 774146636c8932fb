"""Wires the console together."""

from interlock_messaging import Bus
from interlock_runtime.access import Access
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from interlock_runtime.key_ring import asking
from litestar import Litestar

from interlock_console import pages, routes
from interlock_console.handlers import SERVICE, router
from interlock_console.settings import ConsoleSettings

__all__ = ["SERVICE", "create_app"]


def create_app(settings: ConsoleSettings) -> Litestar:
    """Return the console's application."""
    database = Database(settings.postgres_url, SERVICE)
    bus = Bus(settings.amqp_url.get_secret_value(), service=SERVICE, router=router, sessions=database.sessions)

    return http_app(
        SERVICE,
        Access.of(settings, source=asking(settings.registry_url, settings.service_key)),
        routes=[*pages.ROUTES, *routes.ROUTES],
        pings={"postgres": database.ping, "rabbitmq": bus.ping},
        lifespan=[
            lambda: database.ready("interlock_messaging", "interlock_console"),
            bus.running,
        ],
        state={"bus": bus, "database": database, "settings": settings},
    )
