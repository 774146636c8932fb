"""What every HTTP service has: deny by default, problem details, health."""

import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from litestar import Litestar, Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.problem_details import (
    ProblemDetailsConfig,
    ProblemDetailsException,
    ProblemDetailsPlugin,
)
from litestar.types import ControllerRouterHandler, Scope
from pydantic import SecretStr

logger = logging.getLogger(__name__)

PUBLIC = "public"
"""Route option: no key is asked for; with the value ``ON_THIS_MACHINE`` only of clients on this very machine."""

ON_THIS_MACHINE = "on this machine"

Ping = Callable[[], Awaitable[None]]
"""Raises where a dependency does not answer."""

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Keys:
    """Who may ask: whoever has the key. The one place that decides it, for every way into a service."""

    def __init__(self, key: SecretStr) -> None:
        self._expected = b"Bearer " + key.get_secret_value().encode()

    def admit(self, authorization: bytes) -> bool:
        """Return whether this value of the header ``Authorization`` lets its sender in; takes as long for any value."""
        return hmac.compare_digest(authorization, self._expected)


def require_key(keys: Keys) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """Return the guard that asks for ``Authorization: Bearer <key>`` on every route not marked public."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        public = handler.opt.get(PUBLIC)
        if public is True or (public == ON_THIS_MACHINE and _is_local(connection)):
            return
        if not keys.admit(connection.headers.get("authorization", "").encode("latin-1")):
            raise NotAuthorizedException(
                "send the header 'Authorization: Bearer <key>'", headers={"WWW-Authenticate": "Bearer"}
            )

    return guard


def _is_local(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
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


def as_problem(error: HTTPException) -> ProblemDetailsException:
    """Return an error of the framework's as problem details."""
    extra = error.extra
    errors = extra if isinstance(extra, list) else [extra] if extra else []
    return problem(
        error.status_code, HTTPStatus(error.status_code).phrase, error.detail, errors=errors, headers=error.headers
    )


def _outage(error: Exception) -> ProblemDetailsException:
    return problem(503, "A dependency is down", f"try again: {error}", headers={"Retry-After": "2"})


async def _log_unexpected(error: Exception, scope: Scope) -> None:
    if not isinstance(error, HTTPException | ProblemDetailsException | ConnectionError | TimeoutError):
        logger.error("%s %s failed", scope.get("method"), scope.get("path"), exc_info=error)


@get("/health/live", opt={PUBLIC: True}, include_in_schema=False)
async def live() -> dict[str, bool]:
    """Answer that the process runs."""
    return {"live": True}


def http_app(
    service: str,
    key: SecretStr,
    *,
    routes: Sequence[ControllerRouterHandler],
    pings: Mapping[str, Ping],
    lifespan: Sequence[Lifespan],
    state: Mapping[str, Any] | None = None,
    openapi: OpenAPIConfig | None = None,
    **options: Any,
) -> Litestar:
    """Return the Litestar application of one service.

    ``lifespan`` are entered in order and left in reverse; ``pings`` make up readiness; ``state`` are the objects
    that routes name as dependencies by ``state.<name>``.
    """

    @get("/health/ready", opt={PUBLIC: True}, include_in_schema=False)
    async def ready() -> Response[dict[str, str]]:
        answers = {name: await _answer(ping) for name, ping in pings.items()}
        healthy = all(answer == "ok" for answer in answers.values())
        return Response(answers, status_code=200 if healthy else 503)

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for enter in lifespan:
                await stack.enter_async_context(enter())
            yield

    app = Litestar(
        route_handlers=[live, ready, *routes],
        guards=[require_key(Keys(key))],
        lifespan=[life],
        plugins=[
            ProblemDetailsPlugin(
                ProblemDetailsConfig(
                    enable_for_all_http_exceptions=True,
                    exception_to_problem_detail_map={
                        HTTPException: as_problem,
                        ConnectionError: _outage,
                        TimeoutError: _outage,
                    },
                )
            )
        ],
        logging_config=None,
        after_exception=[_log_unexpected],
        # No page by default: the framework's would have a browser fetch its scripts from elsewhere.
        openapi_config=openapi
        or OpenAPIConfig(title=f"Interlock {service}", version="0.1.0", render_plugins=[JsonRenderPlugin()]),
        **options,
    )
    app.state.update(dict(state or {}))
    return app


async def _answer(ping: Ping) -> str:
    try:
        await ping()
    except Exception as error:  # noqa: BLE001 - whatever a ping raises is the answer
        return f"{type(error).__name__}: {error}"
    return "ok"
