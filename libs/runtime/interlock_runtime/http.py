"""What every HTTP service has: deny by default, problem details, health."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from interlock_contracts.access import SCOPES
from interlock_contracts.deployment import LIVE, READY
from interlock_contracts.json_keys import RepeatedKeyError, keys_in, refuse_repeated_keys
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.plugins.problem_details import (
    ProblemDetailsConfig,
    ProblemDetailsException,
    ProblemDetailsPlugin,
)
from litestar.types import ControllerRouterHandler, Middleware, Scope
from prometheus_client import CONTENT_TYPE_LATEST

from interlock_runtime.access import Access, Caller
from interlock_runtime.content_coding import unpacking
from interlock_runtime.limits import reject_unsafe_path
from interlock_runtime.metrics import Counters, MetricCollector, Ping, counted_here, text
from interlock_runtime.openapi import document_config
from interlock_runtime.query_parameters import OPEN_QUERY, refuse_unknown_query

logger = logging.getLogger(__name__)

PUBLIC = "public"
"""Route option: no key is asked for; with the value ``ON_THIS_MACHINE`` only of clients on this very machine."""

ON_THIS_MACHINE = "on this machine"

SCOPE = "scope"
"""Route option: the scope that a caller must have."""

ANY = "any"
"""In place of a scope: any key will do, as the route tells or does only what is its caller's own."""

SERVICES = "services"
"""Route option: our own services that may ask in their own name, though they have no scopes."""

GUARDED = "guarded"
"""Route option: a guard of the route's own asks for its scope, as it knows more ways to say a key."""

Connection = ASGIConnection[Any, Any, Any, Any]

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
Classify = Callable[[BaseException], bool]


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
        NotAuthorizedException: 401, it is nobody.
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
    """Return what a route's options ask for, as an OpenAPI document says it: the key, and the scope it must have."""
    if wanted.get(PUBLIC) is True:
        return []
    return [{"key": [] if wanted[SCOPE] == ANY else [wanted[SCOPE]]}]


def _check_all_declare(app: Litestar) -> None:
    """Raise where a route says neither which scope it asks for nor that it is public: nothing is open by mistake."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.http_methods == {"OPTIONS"}:
                continue  # Litestar's own, which tells the methods of a path to whoever has any key
            scope = handler.opt.get(SCOPE)
            if handler.opt.get(PUBLIC) is not True and scope not in (*SCOPES, ANY):
                methods = ", ".join(sorted(handler.http_methods))
                raise ValueError(f"{methods} {route.path} must say opt={{SCOPE: ...}} or opt={{PUBLIC: True}}")


def is_local(connection: Connection) -> bool:
    """Return whether the client is on this very machine."""
    with suppress(ValueError):
        return connection.client is not None and ip_address(connection.client.host).is_loopback
    return False


def problem(
    status: int, title: str, detail: str | None = None, *, errors: Sequence[Any] = (), headers: Any = None
) -> ProblemDetailsException:
    """Return an error for raising: RFC 9457 problem details, with one entry of ``errors`` per fault."""
    return ProblemDetailsException(
        status_code=status,
        title=title,
        detail=detail or title,
        extra={"errors": list(errors)} if errors else None,
        headers=headers,
    )


NO_ROUTE = "there is nothing at this address; the gateway's /schema lists all routes, and ids in them are whole"
"""What is said where no route is: it may be an id that was cut short, as lists show it."""


def as_problem(error: HTTPException) -> ProblemDetailsException:
    """Return an error of the framework's as problem details."""
    extra = error.extra
    errors = extra if isinstance(extra, list) else [extra] if extra else []
    title = HTTPStatus(error.status_code).phrase
    detail = NO_ROUTE if error.status_code == HTTPStatus.NOT_FOUND and error.detail == title else error.detail
    return problem(error.status_code, title, detail, errors=errors, headers=error.headers)


def _outage(error: object) -> ProblemDetailsException:
    return problem(503, "A dependency is down", f"try again: {error}", headers={"Retry-After": "2"})


def _repeated_key(error: RepeatedKeyError) -> ProblemDetailsException:
    return problem(422, "A key is there twice", str(error))


def _too_deep(_: Exception) -> ProblemDetailsException:
    return problem(400, "Bad Request", "the body is nested too deeply")


def _unexpected(is_outage: Classify) -> Callable[[Exception], ProblemDetailsException]:
    def convert(error: Exception) -> ProblemDetailsException:
        """Say nothing of what went wrong: it may hold what the client must not see. The log has it."""
        if is_outage(error):
            return _outage("the database, or what else this service needs, does not answer")
        return problem(500, "Internal Server Error", "internal error; see the service's log")

    return convert


_TOLD = (ProblemDetailsException, ConnectionError, TimeoutError, RepeatedKeyError)
"""What the answer says all of."""


def _log_unexpected(is_outage: Classify) -> Callable[[Exception, Scope], Awaitable[None]]:
    async def log(error: Exception, scope: Scope) -> None:
        """Log what the answer does not say: an internal error, and which dependency broke how."""
        refusal = isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        if refusal or isinstance(error, _TOLD):
            return
        about = scope.get("method"), scope.get("path")
        if is_outage(error):
            # The driver's own error: SQLAlchemy's holds the statement and its values.
            logger.warning("%s %s: a dependency is down: %r", *about, getattr(error, "orig", None) or error)
        else:
            logger.error("%s %s failed", *about, exc_info=error)

    return log


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
    **options: Any,
) -> Litestar:
    """Return the Litestar application of one service.

    ``lifespan`` are entered in order and left in reverse; ``pings`` make up readiness; ``dependencies`` are the
    objects that handlers name as typed parameters (``bus: NamedDependency[Bus]``), and ``access`` is always among them.
    Who asks is ``request.user``, a :class:`Caller`. ``counters`` and ``metric_collectors`` make ``GET /metrics``: on
    this machine without a key, and for the services in ``metric_readers`` with their own. A ConnectionError or
    TimeoutError that a handler raises is answered 503 with Retry-After, and so is what ``is_outage`` calls an outage.

    Raises:
        ValueError: a route says neither which scope it asks for nor that it is public.
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
            for enter in (*lifespan, access.keeping):
                await stack.enter_async_context(enter())
            yield

    app = Litestar(
        route_handlers=[live, ready, metrics, *routes],
        guards=[_guard(access), reject_unsafe_path, refuse_unknown_query],
        lifespan=[life],
        request_class=_JsonRequest,
        middleware=[*middleware, unpacking],
        plugins=[
            ProblemDetailsPlugin(
                ProblemDetailsConfig(
                    enable_for_all_http_exceptions=True,
                    exception_to_problem_detail_map={
                        HTTPException: as_problem,
                        ConnectionError: _outage,
                        TimeoutError: _outage,
                        RecursionError: _too_deep,
                        RepeatedKeyError: _repeated_key,
                        Exception: _unexpected(is_outage),
                    },
                )
            )
        ],
        logging_config=None,
        after_exception=[_log_unexpected(is_outage)],
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
