"""HTTP application of every service: deny by default, problem details, health."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any

from interlock_contracts.access import SCOPES
from interlock_contracts.deployment import LIVE, READY
from interlock_contracts.json_keys import keys_in, refuse_repeated_keys
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ControllerRouterHandler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST

from interlock_runtime import problems
from interlock_runtime.access import Access, Caller
from interlock_runtime.content_coding import unpacking
from interlock_runtime.limits import reject_unsafe_path
from interlock_runtime.metrics import Counters, MetricCollector, Ping, counted_here, text
from interlock_runtime.openapi import document_config
from interlock_runtime.problems import Classify, Handle, Respond
from interlock_runtime.process import starting
from interlock_runtime.query_parameters import OPEN_QUERY, refuse_unknown_query

logger = logging.getLogger(__name__)

PUBLIC = "public"
"""Route option: no key is asked for; with the value ``ON_THIS_MACHINE`` only of clients on this very machine."""

ON_THIS_MACHINE = "on this machine"

SCOPE = "scope"
"""Route option: the scope that a caller must have."""

ANY = "any"
"""In place of a scope: any key will do, as the route returns or changes only what is its caller's own."""

SERVICES = "services"
"""Route option: our own services that may ask in their own name, though they have no scopes."""

GUARDED = "guarded"
"""Route option: a guard of the route's own checks its scope, as it accepts a key in more ways."""

Connection = ASGIConnection[Any, Any, Any, Any]

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


def _never(_: BaseException) -> bool:
    return False


def _guard(access: Access) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        public = handler.opt.get(PUBLIC)
        if handler.opt.get(GUARDED) or public is True or (public == ON_THIS_MACHINE and is_local(connection)):
            return
        authorization = connection.headers.get("authorization", "").encode("latin-1")
        connection.scope["user"] = require(handler.opt, await access.admit_or_refresh(authorization))

    return guard


def require(wanted: Mapping[str, Any], caller: Caller | None) -> Caller:
    """Return the caller, who may do what a route's options want.

    Raises:
        NotAuthorizedException: 401, no valid key.
        PermissionDeniedException: 403, the scope that is wanted is none of the caller's.
    """
    if caller is None:
        raise NotAuthorizedException(
            "send the header 'Authorization: Bearer <key>'", headers={"WWW-Authenticate": "Bearer"}
        )
    scope = wanted.get(SCOPE)
    if scope in (None, ANY) or scope in caller.scopes or caller.service in wanted.get(SERVICES, ()):
        return caller
    has = ", ".join(each for each in SCOPES if each in caller.scopes) or "none"
    raise PermissionDeniedException(
        f"this needs the scope {scope!r}; {caller.name!r} has {has}",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )


def security(wanted: Mapping[str, Any]) -> list[dict[str, list[str]]]:
    """Return a route's security requirement for OpenAPI: the key, and the scope it must have."""
    if wanted.get(PUBLIC) is True:
        return []
    return [{"key": [] if wanted[SCOPE] == ANY else [wanted[SCOPE]]}]


def _check_all_declare(app: Litestar) -> None:
    """Raise where a route declares neither its scope nor that it is public: nothing is open by mistake."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.http_methods == {"OPTIONS"}:
                continue  # Litestar's own, which lists the methods of a path for any key
            scope = handler.opt.get(SCOPE)
            if handler.opt.get(PUBLIC) is not True and scope not in (*SCOPES, ANY):
                methods = ", ".join(sorted(handler.http_methods))
                raise ValueError(f"{methods} {route.path} must say opt={{SCOPE: ...}} or opt={{PUBLIC: True}}")


def is_local(connection: Connection) -> bool:
    """Return whether the client is on this very machine."""
    with suppress(ValueError):
        return connection.client is not None and ip_address(connection.client.host).is_loopback
    return False


class _JsonRequest(Request[Any, Any, Any]):
    """A request whose JSON has each key once, wherever a handler takes one as ``data``."""

    async def json(self) -> Any:
        parsed = await super().json()
        refuse_repeated_keys(await self.body(), keys_in(parsed))
        return parsed


@get(LIVE, opt={PUBLIC: True, OPEN_QUERY: True}, include_in_schema=False)
async def live() -> dict[str, bool]:
    """Answer that the process runs."""
    return {"live": True}


def http_app(
    service: str,
    access: Access,
    *,
    routes: Sequence[ControllerRouterHandler],
    pings: Mapping[str, Ping],
    lifespan: Sequence[Lifespan],
    is_outage: Classify = _never,
    dependencies: Mapping[str, Any] | None = None,
    openapi: OpenAPIConfig | None = None,
    counters: Counters = counted_here,
    metric_collectors: Sequence[MetricCollector] = (),
    metric_readers: Sequence[str] = (),
    middleware: Sequence[Middleware] = (),
    exception_handlers: Mapping[int | type[Exception], Handle] | None = None,
    respond: Respond = ProblemDetailsException.to_response,
    **options: Any,
) -> Litestar:
    """Return the Litestar application of one service.

    ``lifespan`` are entered in order and left in reverse; ``pings`` make up readiness; ``dependencies`` are the
    objects that handlers name as typed parameters (``bus: NamedDependency[Bus]``), and ``access`` is always among them.
    Who asks is ``request.user``, a :class:`Caller`. ``counters`` and ``metric_collectors`` make ``GET /metrics``: on
    this machine without a key, and for the services in ``metric_readers`` with their own. A ConnectionError or
    TimeoutError that a handler raises is answered 503 with Retry-After, and so is what ``is_outage`` calls an outage.
    ``respond`` makes the answer of every problem that no one of ``exception_handlers`` takes.

    Raises:
        ValueError: a route declares neither its scope nor that it is public.
    """

    @get(READY, opt={PUBLIC: True, OPEN_QUERY: True}, include_in_schema=False)
    async def ready() -> Response[dict[str, str]]:
        answers = await readiness(pings)
        healthy = all(answer == "ok" for answer in answers.values())
        return Response(answers, status_code=200 if healthy else 503)

    open_to = {PUBLIC: ON_THIS_MACHINE, SCOPE: "read", SERVICES: metric_readers, OPEN_QUERY: True}

    @get("/metrics", opt=open_to, include_in_schema=False)
    async def metrics() -> Response[bytes]:
        body = await text(counters, metric_collectors, pings)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with starting():
                for enter in (*lifespan, access.keeping):
                    await stack.enter_async_context(enter())
            yield

    app = Litestar(
        route_handlers=[live, ready, metrics, *routes],
        guards=[_guard(access), reject_unsafe_path, refuse_unknown_query],
        lifespan=[life],
        request_class=_JsonRequest,
        middleware=[*middleware, unpacking],
        exception_handlers={**problems.handlers(is_outage, respond), **(exception_handlers or {})},
        logging_config=None,
        after_exception=[problems.log_unexpected(is_outage)],
        openapi_config=openapi or document_config(service, security, {SCOPE: "read"}),
        dependencies={name: _provided(value) for name, value in {**(dependencies or {}), "access": access}.items()},
        **options,
    )
    _check_all_declare(app)
    return app


def _provided(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


async def readiness(pings: Mapping[str, Ping]) -> dict[str, str]:
    """Return ``ok``, or what is wrong, for each dependency."""
    return {name: await _answer(ping) for name, ping in pings.items()}


async def _answer(ping: Ping) -> str:
    try:
        await ping()
    except Exception as error:  # noqa: BLE001 - whatever a ping raises is the answer
        return f"{type(error).__name__}: {error}"
    return "ok"
