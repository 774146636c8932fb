"""Every service's application as it is wired, with nothing behind it: a request ends where it would be answered."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPMethod
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.deployment import NAMES
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from tests.support import signing
from tests.support.api_keys import SETTINGS
from tests.support.services import settings_class
from tests.support.stored_models import in_this_process

NOWHERE = "http://127.0.0.1:1"
LET_IN = 418
"""What a request is answered with that has come past all guards."""


class Way(NamedTuple):
    """One method of one route."""

    service: str
    method: str
    path: str
    handler: HTTPRouteHandler

    @property
    def name(self) -> str:
        return f"{self.service} {self.method} {self.path}"

    @property
    def address(self) -> str:
        """Return an address that the route takes."""
        return re.sub(r"{(\w+)}", lambda found: _value(found[1]), self.path)


def _value(name: str) -> str:
    if name.endswith("_id"):
        return "6c3f2a52-4f0a-5a35-9d3e-1f6f3a0c7b11"
    return "1" if name == "number" else "flights"


def applications(folder: Path) -> dict[str, Litestar]:
    """Return every service's application, made as in production but for the object store."""
    given: dict[str, Any] = {
        **SETTINGS,
        **signing.SETTINGS,
        "amqp_url": "amqp://nobody@127.0.0.1:1/",
        "postgres_url": "postgresql://nobody@127.0.0.1:1/none",
        "s3_endpoint": NOWHERE,
        "s3_access_key": "unused",
        "s3_secret_key": "unused",
        "ray_address": NOWHERE,
        "cache_dir": folder,
        "ingest_work_dir": folder,
        "batch_work_dir": folder,
        **{f"{name}_url": NOWHERE for name in NAMES},
    }
    return {name: _application(name, given) for name in NAMES}


def _application(service: str, given: dict[str, Any]) -> Litestar:
    create = import_module(f"interlock_{service}.app").create_app
    stand_ins = {"artifacts": MemoryStore(), "validate": in_this_process}
    taken = {name: stand_ins[name] for name in stand_ins.keys() & signature(create).parameters.keys()}
    made: Litestar = create(settings_class(service)(**given), **taken)
    return made


def ways(apps: dict[str, Litestar]) -> Iterator[Way]:
    """Return every method of every route of every service."""
    for service, app in apps.items():
        for route in app.routes:
            assert isinstance(route, HTTPRoute), f"{route.path}: only HTTP is guarded"
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    yield Way(service, str(HTTPMethod(method)), route.path_format, handler)


@contextmanager
def stopping_behind_the_guards() -> Iterator[None]:
    """Answer whatever is let in with ``LET_IN``: what it would do is other tests' matter."""

    async def stop(*_: Any, **__: Any) -> Any:
        return Response(None, status_code=LET_IN).to_asgi_response(app=None, request=None)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPRoute, "_get_response_for_request", stop)
        yield
