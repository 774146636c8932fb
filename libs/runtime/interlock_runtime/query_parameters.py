"""Query parameters: one that a route does not know is refused, where it would be ignored, as every route's guard."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from interlock_contracts.names import near_name
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.plugins.problem_details import ProblemDetailsException

from interlock_runtime.content_coding import AS_SENT

OPEN_QUERY = "open query"
"""Route option: unknown query parameters are ignored.

For what is asked by programs that are not ours and may add some of their own: probes and scrapes (a service would be
called dead for a cache buster), OTLP and Jaeger's API (their clients are newer than we), pages and their files.
"""

Before = Annotated[
    datetime | None,
    QueryParameter(description="The cursor of the next page: the time of the last entry of the page before."),
]
"""Where a page of a list begins that is sorted by time, the newest first; see :func:`require_zone`."""

TagFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=1000,
        description="Tags, each as name:value or, for any value, as name; separated by commas, all must be there.",
    ),
]
MetricFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=400,
        description="Bounds of metrics, for instance r2>=0.9 or rmse<=2, separated by commas; all must hold, and a run "
        "without the metric is left out.",
    ),
]
"""Both are read by what :mod:`interlock_contracts.filters` has for them."""

KeepLast = Annotated[int | None, QueryParameter(ge=1, le=1_000_000, description="What if so many were kept?")]
KeepDays = Annotated[float | None, QueryParameter(ge=1, le=36_500, description="What if they were kept so long?")]
"""A retention that is not declared: what would be deleted if it was."""

Given = TypeVar("Given")
Value = TypeVar("Value")

_SHOWN = 100
"""Characters of an unknown name that are shown."""


def refuse_unknown_query(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a query parameter that the route does not declare; whoever gets a forwarded request judges it.

    Raises:
        ProblemDetailsException: 422 with every unknown name, the one that was perhaps meant, and all that are known.
    """
    query = connection.scope["query_string"]
    if not query or OPEN_QUERY in handler.opt or AS_SENT in handler.opt or connection.scope.get("method") == "OPTIONS":
        return
    known = sorted(declared(handler))
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    faults = [
        {"key": name[:_SHOWN], "source": "query", "message": _fault(name, known)} for name in given if name not in known
    ]
    if faults:
        raise ProblemDetailsException(
            status_code=422,
            title="Unknown query parameter",
            detail="; ".join(fault["message"] for fault in faults[:3]),
            extra={"errors": faults},
        )


def require_zone(**moments: datetime | None) -> None:
    """Refuse a time without a time zone.

    Raises:
        ProblemDetailsException: 400 with its name, and how a time is written.
    """
    for name, moment in moments.items():
        if moment is not None and moment.tzinfo is None:
            detail = f"{name} must have a time zone, for instance 2026-01-31T12:00:00Z"
            raise ProblemDetailsException(status_code=400, title="Invalid time", detail=detail)


def parsed_query(name: str, given: Given, parse: Callable[[Given], Value], *, status: int = 400) -> Value:
    """Return the value of a query parameter that is more than one plain value.

    Raises:
        ProblemDetailsException: ``status`` with its name, and the message of ``parse``.
    """
    try:
        return parse(given)
    except ValueError as error:
        raise ProblemDetailsException(status_code=status, title=f"Invalid {name}", detail=f"{name}: {error}") from error


def declared(handler: BaseRouteHandler) -> list[str]:
    """Return the names of a route's query parameters."""
    fields = handler.parsed_fn_signature.parameters.values()
    return [
        field.kwarg_definition.name or field.name
        for field in fields
        if isinstance(field.kwarg_definition, QueryParameter)
    ]


def _fault(name: str, known: Iterable[str]) -> str:
    near = near_name(name, known)
    meant = f"; did you mean {near!r}?" if near is not None else ""
    listed = ", ".join(known)
    hint = f"known are {listed}" if listed else "this address takes none"
    return f"unknown query parameter {name[:_SHOWN]!r}{meant or ','} {hint}"
