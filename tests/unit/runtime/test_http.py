"""What every HTTP service has: deny by default, problem details, health."""

from collections.abc import Iterator

import pytest
from interlock_runtime.http import SCOPE, http_app
from interlock_runtime.problems import problem
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody
from litestar.testing import TestClient

from tests.support.api_keys import KEY, letting_in

Client = TestClient[Litestar]


@get("/things/{name:str}", opt={SCOPE: "read"})
async def read_thing(name: FromPath[str]) -> str:
    if name == "down":
        raise ConnectionError("S3 does not answer")
    raise problem(404, "Unknown thing", f"there is no {name}", headers={"Retry-After": "1"})


@post("/things", opt={SCOPE: "train"})
async def make_thing(data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data


async def ok() -> None:
    return


async def down() -> None:
    raise ConnectionError("no answer")


@pytest.fixture
def client() -> Iterator[Client]:
    app = http_app(
        "test",
        letting_in(),
        routes=[read_thing, make_thing],
        pings={"fine": ok, "broken": down},
        lifespan=[],
    )
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("header", [None, "Bearer wrong", KEY, f"Basic {KEY}", f"Bearer {KEY} "])
def test_every_route_asks_for_the_key(client: Client, header: str | None) -> None:
    """Deny by default: nothing is open by mistake."""
    answer = client.get("/things/x", headers={"Authorization": header} if header else {})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert KEY not in answer.text


def test_a_key_that_is_twice_in_a_body_is_named(client: Client) -> None:
    """On every route of every service that takes JSON, and no error of ours that the log must explain."""
    answer = client.post("/things", content='{"a": 1, "b": 2, "a": 3}', headers={"Authorization": f"Bearer {KEY}"})

    assert answer.status_code == 422
    assert answer.json()["title"] == "A key is there twice"
    assert answer.json()["detail"].startswith("'a' is there twice in one object;")


def test_an_error_is_a_problem_detail(client: Client) -> None:
    """RFC 9457, with the words of the route and its headers."""
    answer = client.get("/things/x", headers={"Authorization": f"Bearer {KEY}"})

    assert answer.json() == {"status": 404, "title": "Unknown thing", "detail": "there is no x"}
    assert answer.headers["retry-after"] == "1"


def test_where_nothing_is_the_answer_says_where_to_look(client: Client) -> None:
    """An id that was cut short is no route, and a bare "Not Found" would not tell."""
    answer = client.get("/thing", headers={"Authorization": f"Bearer {KEY}"})

    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    assert "/schema lists all routes, and ids in them are whole" in answer.json()["detail"]


def test_a_body_that_does_not_fit_names_the_field(client: Client) -> None:
    """Bad input gets an error that can be acted on, not a stack trace."""
    answer = client.post("/things", json={"a": "b"}, headers={"Authorization": f"Bearer {KEY}"})

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_an_outage_is_a_503_with_retry_after(client: Client) -> None:
    """A dependency that is down is no bad request."""
    answer = client.get("/things/down", headers={"Authorization": f"Bearer {KEY}"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_health_is_open_and_says_which_dependency_is_down(client: Client) -> None:
    """Probes have no key; readiness names what is missing."""
    assert client.get("/health/live").status_code == 200
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"fine": "ok", "broken": "ConnectionError: no answer"}
