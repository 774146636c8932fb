"""Errors over HTTP: RFC 9457 problem details, for what handlers raise and for what they did not expect."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

from interlock_contracts.json_keys import RepeatedKeyError
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import Scope

logger = logging.getLogger(__name__)

Classify = Callable[[BaseException], bool]
Respond = Callable[[ProblemDetailsException, Request[Any, Any, Any]], Response[Any]]
"""How a problem is answered; by default :meth:`ProblemDetailsException.to_response`."""
Handle = Callable[[Request[Any, Any, Any], Any], Response[Any]]
"""How an exception is answered."""


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
"""The detail where no route matches: it may be an id that was cut short, as lists show it."""


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
        """Give no details: they may hold what the client must not see. The log has them."""
        if is_outage(error):
            return _outage("the database, or what else this service needs, does not answer")
        return problem(500, "Internal Server Error", "internal error; see the service's log")

    return convert


def _answering(convert: Callable[[Any], ProblemDetailsException], respond: Respond) -> Handle:
    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        return respond(convert(error), request)

    return handle


def handlers(is_outage: Classify, respond: Respond) -> dict[int | type[Exception], Handle]:
    """Return how each kind of exception is answered: what is unknown with 500, an outage with 503."""
    conversions: dict[type[Exception], Callable[[Any], ProblemDetailsException]] = {
        ProblemDetailsException: lambda error: error,
        HTTPException: as_problem,
        ConnectionError: _outage,
        TimeoutError: _outage,
        RecursionError: _too_deep,
        RepeatedKeyError: _repeated_key,
        Exception: _unexpected(is_outage),
    }
    return {kind: _answering(convert, respond) for kind, convert in conversions.items()}


_TOLD = (ProblemDetailsException, ConnectionError, TimeoutError, RepeatedKeyError)
"""Exceptions whose answer has every detail."""


def log_unexpected(is_outage: Classify) -> Callable[[Exception, Scope], Awaitable[None]]:
    """Return a hook that logs exceptions whose answer has not every detail."""

    async def log(error: Exception, scope: Scope) -> None:
        """Log what the answer leaves out: an internal error, and which dependency broke how."""
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
