"""A query parameter that a route does not know is refused, with the name that was perhaps meant."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from interlock_runtime.content_coding import AS_SENT
from interlock_runtime.http import SCOPE, http_app
from interlock_runtime.query_parameters import OPEN_QUERY, Before, require_zone
from litestar import Litestar, Request, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.testing import TestClient

from tests.support.api_keys import KEY, letting_in

Client = TestClient[Litestar]


@get("/things", opt={SCOPE: "read"})
async def list_things(
    since: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=9)] = 5,
    states: Annotated[str | None, QueryParameter(name="state")] = None,
) -> list[Any]:
    return [since, limit, states]


@post("/things/{name:str}", opt={SCOPE: "train"}, status_code=200)
async def make_thing(name: FromPath[str]) -> str:
    return name


@get("/paged", opt={SCOPE: "read"})
async def paged(before: Before = None) -> str:
    require_zone(before=before)
    return str(before)


@get("/probed", opt={SCOPE: "read", OPEN_QUERY: True})
async def probed(request: Request[Any, Any, Any]) -> str:
    return request.url.query


@get("/forwarded", opt={SCOPE: "read", AS_SENT: True})
async def forwarded(request: Request[Any, Any, Any]) -> str:
    return request.url.query


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    routes = [list_things, make_thing, paged, probed, forwarded]
    app = http_app("test", letting_in(), routes=routes, pings={}, lifespan=[])
    with TestClient(app) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("sinse=x", "unknown query parameter 'sinse'; did you mean 'since'? known are limit, since, state"),
        ("Limit=3", "unknown query parameter 'Limit'; did you mean 'limit'? known are limit, since, state"),
        ("states=ended", "unknown query parameter 'states'; did you mean 'state'? known are limit, since, state"),
        ("color=red", "unknown query parameter 'color', known are limit, since, state"),
        ("limit=3&color", "unknown query parameter 'color', known are limit, since, state"),
        ("=3", "unknown query parameter '', known are limit, since, state"),
        ("%73inse=x", "unknown query parameter 'sinse'; did you mean 'since'? known are limit, since, state"),
    ],
)
def test_an_unknown_parameter_is_named_with_those_that_are_known(client: Client, query: str, detail: str) -> None:
    """It would be ignored, and whoever misspelt it would take the answer for what was asked."""
    answer = client.get(f"/things?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["title"], answer.json()["detail"]) == ("Unknown query parameter", detail)


def test_every_unknown_parameter_is_reported(client: Client) -> None:
    """Once each, in the order of the request; long names are cut."""
    answer = client.get(f"/things?a=1&limit=2&{'b' * 500}=1&a=2")

    assert [(each["source"], each["key"]) for each in answer.json()["errors"]] == [("query", "a"), ("query", "b" * 100)]


def test_known_parameters_pass_by_the_name_that_they_have_outside(client: Client) -> None:
    """Also twice, and without a value."""
    assert client.get("/things?since=a&limit=2&state=b").json() == ["a", 2, "b"]
    assert client.get("/things?since=").status_code == 200
    assert client.get("/things?limit=2&limit=3").status_code == 200


def test_a_route_without_parameters_takes_none(client: Client) -> None:
    """A path's parameters are none of the query's."""
    answer = client.post("/things/x?name=y")

    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "unknown query parameter 'name', this address takes none",
    )
    assert client.post("/things/x").status_code == 200


def test_probes_and_what_is_forwarded_are_not_judged(client: Client) -> None:
    """A probe with a cache buster is answered; a forwarded request is judged by the service behind."""
    for path in ("/health/live", "/health/ready", "/probed", "/forwarded"):
        assert client.get(f"{path}?t=1").status_code == 200
    assert client.options("/things?t=1").status_code == 204


def test_parameters_are_not_revealed_without_a_key(client: Client) -> None:
    """Who asks is looked at first."""
    assert client.get("/things?sinse=x", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_time_has_a_zone(client: Client) -> None:
    """Without one it would be compared with nothing that is stored."""
    assert client.get("/paged?before=2026-01-31T12:00:00Z").text == "2026-01-31 12:00:00+00:00"
    naive = client.get("/paged?before=2026-01-31T12:00:00")
    assert (naive.status_code, naive.json()["title"]) == (400, "Invalid time")
    assert naive.json()["detail"].startswith("before must have a time zone")
    assert client.get("/paged?before=yesterday").status_code == 400
