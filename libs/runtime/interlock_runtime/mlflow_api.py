"""MLflow's REST API: its errors, its pages, and the router of a service's routes of it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, TypeVar

from interlock_contracts.mlflow import PREFIX, MlflowError, MlflowTag
from litestar import Request, Response, Router
from litestar.exceptions import HTTPException
from litestar.params import QueryParameter
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ControllerRouterHandler
from sqlalchemy import Select

from interlock_runtime import problems
from interlock_runtime.openapi import REFUSAL
from interlock_runtime.problems import Classify, problem
from interlock_runtime.query_parameters import OPEN_QUERY

CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "FEATURE_DISABLED",
    409: "RESOURCE_CONFLICT",
    410: "RESOURCE_DOES_NOT_EXIST",
    413: "REQUEST_LIMIT_EXCEEDED",
    415: "INVALID_PARAMETER_VALUE",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""MLflow's code of an error by its status; any other is INTERNAL_ERROR."""

READ_ONLY = (
    "is not among what the gateway has of MLflow's API, which reads only: it has get and search of registered models, "
    "model versions, experiments and runs. Models and runs are made by pipelines (`interlock apply`, `interlock "
    "retrain`), and versions promoted by the gate, `interlock approve` or `interlock rollback`"
)

MOST = 1000
"""Most entries of a page; a client that wants more is given the token of the next one."""

Filter = Annotated[
    str | None, QueryParameter(name="filter", max_length=4000, description="In MLflow's search language.")
]
OrderBy = Annotated[list[str] | None, QueryParameter(description="What to sort by, each with ASC or DESC.")]
MaxResults = Annotated[int | None, QueryParameter(description=f"At most {MOST} are on a page.")]
PageToken = Annotated[str | None, QueryParameter(max_length=100, description="From the page before.")]

_DIGITS = 9
"""Most digits of an offset."""

Row = TypeVar("Row")


def respond(error: ProblemDetailsException, _: Request[Any, Any, Any]) -> Response[MlflowError]:
    """Answer a problem in MLflow's form; what we call 422 elsewhere is its 400."""
    faults = error.extra.get("errors", []) if isinstance(error.extra, Mapping) else []
    named = [f"{each['key']}: {each['message']}" for each in faults if isinstance(each, Mapping) and "key" in each]
    message = "; ".join(named) if named and error.status_code == HTTPStatus.BAD_REQUEST else error.detail
    status = HTTPStatus.BAD_REQUEST if error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY else error.status_code
    body = MlflowError(error_code=CODES.get(error.status_code, "INTERNAL_ERROR"), message=message)
    return Response(body, status_code=status, headers=error.headers, media_type="application/json")


def no_route(request: Request[Any, Any, Any], error: HTTPException) -> Response[MlflowError]:
    """Answer what no route of the API takes: nearly always a call that writes."""
    call = f"{request.method} {request.url.path}"[:200]
    body = MlflowError(error_code="FEATURE_DISABLED", message=f"{call} {READ_ONLY}")
    return Response(body, status_code=error.status_code, headers=error.headers, media_type="application/json")


def mlflow_router(routes: Sequence[ControllerRouterHandler], is_outage: Classify) -> Router:
    """Return routes, whose paths are below MLflow's, with errors in MLflow's form.

    Query parameters that they do not know are ignored, for newer clients may add some.
    """
    return Router(
        PREFIX,
        route_handlers=routes,
        exception_handlers=problems.handlers(is_outage, respond),
        opt={OPEN_QUERY: True, REFUSAL: MlflowError},
    )


class Page(NamedTuple):
    """Which entries of a list are wanted."""

    offset: int
    limit: int

    def of(self, query: Select[Any]) -> Select[Any]:
        """Return the query for these entries and one more, which tells whether there is a next page."""
        return query.offset(self.offset).limit(self.limit + 1)

    def cut(self, found: Sequence[Row]) -> tuple[Sequence[Row], str]:
        """Return the page of what the query found, and the token of the next; empty if there is none."""
        more = len(found) > self.limit
        return found[: self.limit], _token(self.offset + self.limit) if more else ""


def page_of(token: str | None, max_results: int | None) -> Page:
    """Return which page a client asks for.

    Raises:
        ProblemDetailsException: 400, the token is none of ours, or there would be no entry on a page.
    """
    limit = MOST if max_results is None else max_results
    if limit < 1:
        raise problem(400, "Invalid max_results", f"max_results is {limit}; it must be at least 1")
    return Page(_offset(token) if token else 0, min(limit, MOST))


def tags_of(*tags: Mapping[str, Any]) -> list[MlflowTag]:
    """Return tags in MLflow's form, sorted; those without a value are left out."""
    given = {key: value for each in tags for key, value in each.items() if value is not None}
    return [MlflowTag(key=key, value=str(given[key])) for key in sorted(given)]


def milliseconds(moment: datetime) -> int:
    """Return a time in milliseconds since the epoch."""
    return int(moment.timestamp() * 1000)


def _token(offset: int) -> str:
    return urlsafe_b64encode(str(offset).encode()).decode()


def _offset(token: str) -> int:
    try:
        offset = urlsafe_b64decode(token.encode()).decode("ascii")
    except ValueError:
        offset = ""
    if not offset.isdecimal() or len(offset) > _DIGITS:
        raise problem(400, "Invalid page_token", "page_token is none that a page before has given")
    return int(offset)
